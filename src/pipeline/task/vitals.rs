//! What a partition tells of itself: where it is in its life, what waits and since when, how far behind it is.
//!
//! Noted per batch and per commit; put together only when the board is written.

use std::time::{Duration, Instant};

use ingest::Source;
use types::Micros;

use super::Task;
use crate::pipeline::{PartitionStatus, Phase};
use crate::wall;

/// A proof of being caught up, told once a second while it holds, is good for this long.
const PROOF_HOLDS: Duration = Duration::from_secs(5);

/// What the task does not need for its work. Times are by the wall clock.
#[derive(Debug, Default)]
pub(super) struct Vitals {
    /// The record by which it was claimed, and the last one.
    claim: u64,
    commit: Option<u64>,
    last_commit_at: Option<Micros>,
    /// Since when the oldest record waits that no commit has begun to cover.
    taken_since: Option<Micros>,
    /// The same of the commit under way.
    under_way_since: Option<Micros>,
    /// When the partition was last proven caught up.
    proven: Option<(Instant, Micros)>,
    record_bytes: u64,
    state_bytes: u64,
}

impl Vitals {
    /// Of a partition that was resumed: its claim, and when the commit before that was made.
    pub(super) fn resumed(claim: u64, last_commit_at: Option<Micros>) -> Self {
        Vitals { claim, commit: Some(claim), last_commit_at, ..Vitals::default() }
    }

    pub(super) fn taken(&mut self, wall: impl FnOnce() -> Micros) {
        if self.taken_since.is_none() {
            self.taken_since = Some(wall());
        }
    }

    pub(super) fn caught_up(&mut self, now: Instant, wall: Micros) {
        self.proven = Some((now, wall));
    }

    /// A commit of this size covers all that was taken.
    pub(super) fn begun(&mut self, record_bytes: u64, state_bytes: u64) {
        self.under_way_since = self.taken_since.take();
        (self.record_bytes, self.state_bytes) = (record_bytes, state_bytes);
    }

    pub(super) fn durable(&mut self, number: u64, wall: Micros) {
        self.under_way_since = None;
        (self.commit, self.last_commit_at) = (Some(number), Some(wall));
    }

    /// How far behind, if the last record handed over is of this time. What was proven once stays true of that moment: from
    /// there on nothing is known, and the lag grows.
    fn lag_seconds(&self, last: Option<Micros>, now: Instant, wall: Micros) -> Option<f64> {
        match self.proven {
            Some((proven, _)) if now.saturating_duration_since(proven) < PROOF_HOLDS => Some(0.0),
            proven => {
                let known_to = last.max(proven.map(|(_, at)| at))?;
                Some(wall.saturating_sub(known_to).max(0) as f64 / 1e6)
            }
        }
    }
}

impl Task<'_> {
    pub(in crate::pipeline) fn status(&self, source: &dyn Source) -> PartitionStatus {
        let (job, vitals) = (self.job, &self.vitals);
        let (phase, why) = self.phase();
        let last = self.journal.anchor.and_then(|anchor| anchor.time);
        // What is in files is behind in another sense.
        let lag_seconds = if job.wall { vitals.lag_seconds(last, job.clock.now(), job.clock.wall()) } else { None };
        PartitionStatus {
            worker: self.worker,
            phase,
            why,
            claim: Some(vitals.claim),
            commit: vitals.commit,
            position: Some(self.next.0),
            lag_records: source.lag(&self.partition),
            lag_seconds: lag_seconds.filter(|_| self.is_started),
            clock: self.windows.newest(),
            open_windows: self.windows.open_windows(),
            closed_rows: self.windows.closed().len(),
            series: self.windows.series(),
            devices: self.windows.devices(),
            last_commit_at: vitals.last_commit_at,
            uncommitted_since: vitals.under_way_since.or(vitals.taken_since),
            record_bytes: vitals.record_bytes,
            state_bytes: vitals.state_bytes,
        }
    }

    /// A partition that waits for our clock shows as halted by what was said when it stopped.
    fn phase(&self) -> (Phase, Option<String>) {
        let because = |why: &str| Some(why.to_owned());
        match () {
            () if !self.is_started => (Phase::Recovering, None),
            () if self.careful.is_some() => {
                (Phase::Suspected, because("its owners died again and again: every few records are committed"))
            }
            () if self.paused && self.progress.is_pressed() => {
                (Phase::Paused, because("memory has reached its budget"))
            }
            () if self.paused => (Phase::Paused, because("the store is slower than the source")),
            () => match self.journal.drain {
                Some(drain) => (Phase::Draining, Some(format!("up to {}", wall::text(drain.until)))),
                None => (Phase::Reading, None),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Micros = 1_000_000;

    #[test]
    fn the_lag_is_none_while_proven_and_grows_from_what_was_known_last() {
        let begin = Instant::now();
        let at = |seconds: u64| (begin + Duration::from_secs(seconds), 1000 * SECOND + seconds as Micros * SECOND);
        let lag = |vitals: &Vitals, last: Option<Micros>, (now, wall)| vitals.lag_seconds(last, now, wall);
        let mut vitals = Vitals::default();
        assert_eq!(lag(&vitals, None, at(0)), None, "nothing is known");
        assert_eq!(lag(&vitals, Some(900 * SECOND), at(0)), Some(100.0));
        assert_eq!(lag(&vitals, Some(2000 * SECOND), at(0)), Some(0.0), "a record from the future is not behind");
        let (now, wall) = at(10);
        vitals.caught_up(now, wall);
        assert_eq!(lag(&vitals, Some(900 * SECOND), at(14)), Some(0.0));
        assert_eq!(lag(&vitals, Some(900 * SECOND), at(40)), Some(30.0), "idle until the proof, unknown from then on");
        assert_eq!(lag(&vitals, Some(1035 * SECOND), at(40)), Some(5.0));
    }

    #[test]
    fn what_is_not_durable_waits_from_its_first_record_on() {
        let mut vitals = Vitals::default();
        let waits = |vitals: &Vitals| vitals.under_way_since.or(vitals.taken_since);
        vitals.taken(|| 1);
        vitals.taken(|| 2);
        assert_eq!(waits(&vitals), Some(1));
        vitals.begun(10, 5);
        vitals.taken(|| 3);
        assert_eq!(waits(&vitals), Some(1), "the commit is under way");
        vitals.durable(8, 4);
        assert_eq!((waits(&vitals), vitals.commit, vitals.last_commit_at), (Some(3), Some(8), Some(4)));
        vitals.begun(10, 5);
        vitals.durable(9, 6);
        assert_eq!(waits(&vitals), None);
    }
}
