//! Our wall clock against the broker's. When ours is behind, every record seems to come from the future and none moves the
//! arrival clock: rather than go on like that, the partition waits until somebody sets the clock right.

use std::collections::VecDeque;

use ingest::{RawRecord, Records};
use types::Micros;

/// So many devices in a row, with no record between them that agrees with our clock, are evidence against it. A device with a
/// fast clock of its own is one of them at most.
const WITNESSES: usize = 8;

/// The evidence, and what waits meanwhile.
#[derive(Debug)]
pub(super) struct Skew {
    /// Whether somebody is there to set a clock right; a job that is to end goes on.
    waits: bool,
    /// Different keys of records beyond our clock, since the last one that was not.
    witnesses: Vec<u64>,
    /// The largest broker time among those witnesses: a clock that has reached it agrees with all of them.
    newest: Micros,
    is_tripped: bool,
    held: VecDeque<Records>,
}

impl Skew {
    pub(super) fn new(waits: bool) -> Self {
        Skew { waits, witnesses: Vec::new(), newest: 0, is_tripped: false, held: VecDeque::new() }
    }

    /// A record whose broker time is further ahead of our clock than may be.
    #[inline]
    pub(super) fn beyond(&mut self, raw: &RawRecord<'_>, taken: Micros) {
        if !self.waits || self.is_tripped || raw.key.is_empty() {
            return;
        }
        let key = fingerprint(raw.key);
        if self.witnesses.contains(&key) {
            return;
        }
        self.newest = if self.witnesses.is_empty() { taken } else { self.newest.max(taken) };
        self.witnesses.push(key);
        self.is_tripped = self.witnesses.len() >= WITNESSES;
    }

    /// A record that agrees with our clock.
    #[inline]
    pub(super) fn within(&mut self) {
        if !self.is_tripped {
            self.witnesses.clear();
        }
    }

    pub(super) fn is_tripped(&self) -> bool {
        self.is_tripped
    }

    /// Whether a clock that believes times up to `latest` still contradicts the witnesses.
    pub(super) fn is_behind(&self, latest: Micros) -> bool {
        self.is_tripped && latest < self.newest
    }

    pub(super) fn newest(&self) -> Micros {
        self.newest
    }

    pub(super) fn hold(&mut self, records: Records) {
        self.held.push_back(records);
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held.iter().map(Records::bytes).sum()
    }

    /// The clock agrees again: what waited.
    pub(super) fn settle(&mut self) -> VecDeque<Records> {
        let settled = std::mem::replace(self, Skew::new(self.waits));
        settled.held
    }
}

/// FNV-1a: keys are compared for a warning, not for a decision about a row.
fn fingerprint(key: &[u8]) -> u64 {
    key.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &[u8]) -> RawRecord<'_> {
        RawRecord { position: 0, broker_time: None, key, payload: None }
    }

    #[test]
    fn many_devices_in_a_row_are_evidence_and_one_is_none() {
        let mut skew = Skew::new(true);
        for _ in 0..100 {
            skew.beyond(&record(b"fast"), 900);
        }
        assert!(!skew.is_tripped());
        for device in 0..20_u8 {
            skew.beyond(&record(&[device]), 900);
            skew.within();
        }
        assert!(!skew.is_tripped(), "others agree with the clock");
        for device in 0..8_u8 {
            assert!(!skew.is_tripped());
            skew.beyond(&record(&[device]), 900 + i64::from(device));
        }
        assert!(skew.is_tripped());
        skew.within();
        assert!(skew.is_behind(906));
        assert!(!skew.is_behind(907));
        assert!(skew.settle().is_empty());
        assert!(!skew.is_tripped());
    }

    #[test]
    fn a_job_does_not_wait() {
        let mut skew = Skew::new(false);
        (0..100_u8).for_each(|device| skew.beyond(&record(&[device]), 900));
        assert!(!skew.is_tripped());
    }

    #[test]
    fn records_without_a_key_say_nothing_of_different_devices() {
        let mut skew = Skew::new(true);
        for _ in 0..100 {
            skew.beyond(&record(b""), 900);
        }
        assert!(!skew.is_tripped());
    }
}
