//! Our wall clock against the broker's. When ours is behind, every record seems to come from the future and none moves the
//! arrival clock: rather than go on like that, the partition waits until somebody sets the clock right.

use ingest::RawRecord;
use types::Micros;

/// So many devices in a row, with no record between them that agrees with our clock, are evidence against it. A device with a
/// fast clock of its own is one of them at most.
const WITNESSES: usize = 8;

/// The evidence.
#[derive(Debug)]
pub(super) struct Skew {
    /// Whether somebody is there to set a clock right; a job that is to end goes on.
    waits: bool,
    /// Keys and broker times of records beyond our clock, since the last one that was not; each key once.
    witnesses: Vec<(Box<[u8]>, Micros)>,
}

impl Skew {
    pub(super) fn new(waits: bool) -> Self {
        Skew { waits, witnesses: Vec::new() }
    }

    /// A record whose broker time is further ahead of our clock than may be.
    pub(super) fn beyond(&mut self, raw: &RawRecord<'_>, taken: Micros) {
        let is_known = || self.witnesses.iter().any(|(key, _)| **key == *raw.key);
        if self.waits && !self.is_tripped() && !raw.key.is_empty() && !is_known() {
            self.witnesses.push((raw.key.into(), taken));
        }
    }

    /// A record that agrees with our clock.
    #[inline]
    pub(super) fn within(&mut self) {
        if !self.is_tripped() {
            self.witnesses.clear();
        }
    }

    #[inline]
    pub(super) fn is_tripped(&self) -> bool {
        self.witnesses.len() >= WITNESSES
    }

    /// The largest broker time among the witnesses: a clock that believes it agrees with all of them.
    pub(super) fn newest(&self) -> Option<Micros> {
        self.witnesses.iter().map(|(_, taken)| *taken).max()
    }

    /// Whether a clock that believes times up to `latest` still contradicts the witnesses.
    pub(super) fn is_behind(&self, latest: Micros) -> bool {
        self.newest().is_some_and(|newest| latest < newest)
    }

    /// The clock agrees again.
    pub(super) fn settle(&mut self) {
        self.witnesses.clear();
    }
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
        skew.settle();
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
