//! The last hour in steps of ten seconds, made from the totals of the process.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::MissedTickBehavior;
use types::Micros;

use super::time::Time;
use crate::pipeline::{Counts, Progress};
use crate::wall;

const STEP: Duration = Duration::from_secs(10);
/// An hour of them.
const STEPS_MAX: usize = 360;

pub(super) struct Throughput {
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    /// What was counted up to the end of the last step.
    before: Counts,
    steps: VecDeque<Step>,
}

struct Step {
    until: Micros,
    counts: Counts,
}

/// One column a series; the same place in each belongs to the same step.
#[derive(Debug, Default, Serialize, PartialEq)]
pub(super) struct Columns {
    pub(super) step_seconds: u64,
    /// Ends of the steps, the newest last.
    until: Vec<Time>,
    records: Vec<u64>,
    readings: Vec<u64>,
    rows: Vec<u64>,
    anomalies: Vec<u64>,
    late: Vec<u64>,
    quarantined: Vec<u64>,
}

impl Throughput {
    pub(super) fn new() -> Throughput {
        Throughput { ring: Mutex::default() }
    }

    /// Notes a step now and then, for ever.
    pub(super) async fn follow(&self, progress: &Progress) {
        let mut ticks = tokio::time::interval(STEP);
        // What slept as a whole (a paused container) wakes to one step, not to all that it missed: they would push the hour out.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            self.note(wall::now(), progress.counts());
        }
    }

    pub(super) fn note(&self, now: Micros, counts: Counts) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut ring.before, counts);
        let counts = Counts {
            records: counts.records.saturating_sub(before.records),
            readings: counts.readings.saturating_sub(before.readings),
            rows: counts.rows.saturating_sub(before.rows),
            anomalies: counts.anomalies.saturating_sub(before.anomalies),
            late: counts.late.saturating_sub(before.late),
            quarantined: counts.quarantined.saturating_sub(before.quarantined),
            ..Counts::default()
        };
        if ring.steps.len() == STEPS_MAX {
            ring.steps.pop_front();
        }
        ring.steps.push_back(Step { until: now, counts });
    }

    pub(super) fn columns(&self) -> Columns {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let column = |of: fn(&Counts) -> u64| ring.steps.iter().map(|step| of(&step.counts)).collect();
        Columns {
            step_seconds: STEP.as_secs(),
            until: ring.steps.iter().map(|step| Time(step.until)).collect(),
            records: column(|counts| counts.records),
            readings: column(|counts| counts.readings),
            rows: column(|counts| counts.rows),
            anomalies: column(|counts| counts.anomalies),
            late: column(|counts| counts.late),
            quarantined: column(|counts| counts.quarantined),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_what_was_counted_since_the_one_before() {
        let throughput = Throughput::new();
        assert_eq!(throughput.columns(), Columns { step_seconds: 10, ..Columns::default() });
        throughput.note(10, Counts { records: 5, rows: 1, late: 4, bytes: 99, ..Counts::default() });
        throughput.note(20, Counts { records: 8, rows: 1, late: 4, anomalies: 2, ..Counts::default() });
        let found = throughput.columns();
        assert_eq!(found.until, [Time(10), Time(20)]);
        assert_eq!((found.records, found.rows, found.late), (vec![5, 3], vec![1, 0], vec![4, 0]));
        assert_eq!((found.anomalies, found.readings, found.quarantined), (vec![0, 2], vec![0, 0], vec![0, 0]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_was_paused_keeps_its_hour() {
        let (throughput, progress) = (Throughput::new(), Progress::default());
        let paused = async {
            tokio::time::sleep(STEP * 5 / 2).await;
            progress.add(&Counts { records: 7, ..Counts::default() });
            tokio::time::advance(STEP * 1000).await;
            tokio::time::sleep(STEP * 3 / 2).await;
        };
        tokio::select! {
            () = throughput.follow(&progress) => {}
            () = paused => {}
        }
        assert_eq!(throughput.columns().records, [0, 0, 7, 0]);
    }

    #[test]
    fn it_forgets_what_is_older_than_an_hour() {
        let throughput = Throughput::new();
        for step in 1..=1000_i64 {
            throughput.note(step * 10, Counts { records: step.unsigned_abs().pow(2), ..Counts::default() });
        }
        let found = throughput.columns();
        assert_eq!((found.until.len(), found.records.len()), (360, 360));
        // n² - (n - 1)² = 2n - 1
        assert_eq!((found.until[0], found.records[0], found.records[359]), (Time(6410), 2 * 641 - 1, 1999));
    }
}
