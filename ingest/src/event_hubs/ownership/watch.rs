//! Whose each partition is, told from what was listed and when. Pure: the caller passes its own clock in.
//!
//! An owner is alive as long as it renews its notes. No two machines' clocks are compared: a note has expired when we saw the same
//! version of it for the whole time, or, if we never saw it renewed, when the store by its own clock has written another note that
//! much later: a member that was started anew need not wait for what died long ago.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::store::{Record, Version};

/// Times of the store are whole seconds.
const STORE_CLOCK_STEP: Duration = Duration::from_secs(1);

/// Whose a partition is at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Released, expired, or never claimed.
    Free,
    Ours,
    Other(String),
}

/// What was listed last, and since when it has been so.
#[derive(Debug, Default)]
pub(super) struct Watch {
    records: BTreeMap<u32, Record>,
    seen: BTreeMap<u32, Seen>,
    /// The store's clock showed at least this, at that moment of ours.
    store_clock: Option<(i64, Instant)>,
}

#[derive(Debug)]
struct Seen {
    version: Version,
    since: Instant,
    was_renewed: bool,
}

impl Watch {
    /// Takes in what was listed by `now`.
    pub(super) fn look(&mut self, records: BTreeMap<u32, Record>, now: Instant) {
        self.seen.retain(|partition, _| records.contains_key(partition));
        for (partition, Record { version, .. }) in &records {
            let known = self.seen.get(partition);
            if known.is_none_or(|seen| seen.version != *version) {
                let was_renewed = known.is_some();
                self.seen.insert(*partition, Seen { version: version.clone(), since: now, was_renewed });
            }
        }
        let newest = records.values().map(|record| record.modified_ms).max();
        if let Some(newest) = newest
            && self.store_now_ms(now).is_none_or(|known| known < newest)
        {
            self.store_clock = Some((newest, now));
        }
        self.records = records;
    }

    pub(super) fn records(&self) -> &BTreeMap<u32, Record> {
        &self.records
    }

    pub(super) fn version(&self, partition: u32) -> Option<&Version> {
        self.records.get(&partition).map(|record| &record.version)
    }

    /// Of the partitions `0..count`.
    pub(super) fn standings(&self, me: &str, count: u32, expiry: Duration, now: Instant) -> BTreeMap<u32, Standing> {
        let standing = |partition: u32| match self.records.get(&partition) {
            Some(record) if record.owner == me => Standing::Ours,
            Some(record) if !record.owner.is_empty() && !self.has_expired(partition, record, expiry, now) => {
                Standing::Other(record.owner.clone())
            }
            _ => Standing::Free,
        };
        (0..count).map(|partition| (partition, standing(partition))).collect()
    }

    fn has_expired(&self, partition: u32, record: &Record, expiry: Duration, now: Instant) -> bool {
        let Some(seen) = self.seen.get(&partition) else { return false };
        if now.saturating_duration_since(seen.since) >= expiry {
            return true;
        }
        let behind = self.store_now_ms(now).and_then(|store_now| u64::try_from(store_now - record.modified_ms).ok());
        !seen.was_renewed && behind.is_some_and(|behind| Duration::from_millis(behind) >= expiry + STORE_CLOCK_STEP)
    }

    /// The least that the store's clock can show by now.
    fn store_now_ms(&self, now: Instant) -> Option<i64> {
        let (shown, at) = self.store_clock?;
        let passed = now.saturating_duration_since(at).as_millis();
        Some(shown.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRY: Duration = Duration::from_secs(60);

    fn record(owner: &str, version: &str, modified_s: i64) -> Record {
        Record { owner: owner.into(), version: Version::new(version), modified_ms: modified_s * 1000 }
    }

    fn other(name: &str) -> Standing {
        Standing::Other(name.into())
    }

    /// Rows: seconds of our clock, then what is listed, then the standings.
    #[test]
    fn owners_expire_by_what_we_saw_or_by_the_stores_clock_alone() {
        use Standing::{Free, Ours};
        let a = |version, modified| (0, record("a", version, modified));
        let b = |version, modified| (1, record("b", version, modified));
        let rows = [
            // The store's clock is decades off; the note of `b` is old by it, by exactly the expiry, and just not by the step.
            (0, vec![a("1", 100), b("1", 40)], vec![other("a"), other("b"), Free]),
            // A second later the store's clock has gone on at least a second.
            (1, vec![a("1", 100), b("1", 40)], vec![other("a"), Free, Free]),
            (30, vec![a("1", 100), b("2", 90), (2, record("me", "9", 1))], vec![other("a"), other("b"), Ours]),
            (59, vec![a("1", 100), b("2", 90), (2, record("", "9", 1))], vec![other("a"), other("b"), Free]),
            // Unchanged for the whole time.
            (60, vec![a("1", 100), b("3", 91)], vec![Free, other("b"), Free]),
            (61, vec![a("2", 161), b("3", 91)], vec![other("a"), other("b"), Free]),
            // Gone, and back: the time begins anew.
            (62, vec![b("4", 162)], vec![Free, other("b"), Free]),
            (63, vec![a("2", 161), b("4", 162)], vec![other("a"), other("b"), Free]),
        ];
        let (mut watch, began) = (Watch::default(), Instant::now());
        for (seconds, records, expected) in rows {
            let now = began + Duration::from_secs(seconds);
            watch.look(records.into_iter().collect(), now);
            let standings: Vec<_> = watch.standings("me", 3, EXPIRY, now).into_values().collect();
            assert_eq!(standings, expected, "after {seconds} s");
        }
    }

    #[test]
    fn an_owner_that_renews_by_a_clock_that_stands_still_is_alive() {
        let (mut watch, began) = (Watch::default(), Instant::now());
        for step in 0..100 {
            let now = began + Duration::from_secs(step * 10);
            watch.look([(0, record("a", &step.to_string(), 5))].into(), now);
            assert_eq!(watch.standings("me", 1, EXPIRY, now)[&0], other("a"), "{step}");
        }
    }
}
