//! Batches to commit: rows around a midnight, refusals, and a state that says which batch it was.

use types::{
    ClosedBy, LateReading, LateReadings, Ledger, Micros, ModelRef, Position, Quarantine, Reading, Reason, Refusal,
    Scores, SeriesNames, Status, WindowRows,
};

use crate::record::{Packed, RecordKind, Resume, RunFacts};
use crate::{Commit, RunRow, RunRows};

pub(super) const DAY: Micros = 86_400_000_000;
/// When all batches are committed.
pub(super) const NOW: Micros = 20_000 * DAY;

pub(super) const NOTHING_OPEN: &[u8] = b"nothing open";

pub(super) fn state_after(rows: usize) -> Vec<u8> {
    format!("state after {rows} rows").into_bytes()
}

pub(super) struct Batch {
    pub(super) rows: WindowRows,
    pub(super) scores: Scores,
    pub(super) late: LateReadings,
    pub(super) quarantine: Quarantine,
    pub(super) runs: RunRows,
    /// None: nothing changed since the commit before.
    pub(super) state: Option<Packed>,
    pub(super) kind: RecordKind,
    pub(super) resume: Resume,
    pub(super) now: Micros,
}

pub(super) struct Names;

impl SeriesNames for Names {
    fn device(&self, series: u32) -> &str {
        ["pump-9", "pump-1", "ventil/ä ../x"][series as usize % 3]
    }

    fn sensor(&self, series: u32) -> &str {
        ["tag_2", "tag_1"][series as usize / 3 % 2]
    }

    fn generation(&self, _: u32) -> u32 {
        0
    }
}

impl Batch {
    pub(super) fn empty() -> Self {
        Batch {
            rows: WindowRows { width: 5_000_000, ..WindowRows::default() },
            scores: Scores::default(),
            late: LateReadings::default(),
            quarantine: Quarantine::default(),
            runs: RunRows::default(),
            state: Some(Packed::new(NOTHING_OPEN)),
            kind: RecordKind::Data,
            resume: Resume::default(),
            now: NOW,
        }
    }

    /// Rows around a midnight, so on two dates; every third without a score.
    pub(super) fn of(rows: usize) -> Self {
        let mut batch = Self::empty();
        batch.scores.model_set = "set-1".into();
        batch.scores.models = vec![ModelRef { key: "pump/tag".into(), version: "v3".into() }];
        for row in 0..rows {
            batch.add_row(row);
        }
        batch.state = Some(Packed::new(&state_after(rows)));
        batch
    }

    pub(super) fn kind(mut self, kind: RecordKind) -> Self {
        self.kind = kind;
        self
    }

    pub(super) fn without_state(mut self) -> Self {
        self.state = None;
        self
    }

    pub(super) fn complete_to(mut self, time: Micros) -> Self {
        self.resume.complete_to = Some(time);
        self
    }

    /// How commits before this one went: one yesterday, one today.
    pub(super) fn with_runs(mut self) -> Self {
        for (seq, committed_at) in [(1, NOW - DAY), (2, NOW)] {
            let wall_steps = vec![(7, committed_at)];
            let kind = "data".to_owned();
            self.runs.rows.push(RunRow { seq, kind, committed_at, wall_steps, records: 10, ..RunRow::default() });
        }
        self
    }

    fn add_row(&mut self, row: usize) {
        let value = row as f64 * 0.5;
        let rows = &mut self.rows;
        rows.series.push(row as u32 % 6);
        rows.start.push(17_771 * DAY + (row as i64 / 6 - 2) * rows.width);
        rows.count.push(1 + row as u64 % 2);
        rows.closed_by.push(ClosedBy::Device);
        rows.delta.push((row >= 6).then_some(0.25));
        for column in [&mut rows.sum, &mut rows.mean, &mut rows.min, &mut rows.max, &mut rows.first, &mut rows.last] {
            column.push(value);
        }
        rows.m2.push(0.5);
        let scored = row % 3 != 2;
        let scores = &mut self.scores;
        scores.status.push(if scored { Status::Scored } else { Status::NoModel });
        scores.decision.push(scored.then_some(-value));
        scores.severity.push(None);
        scores.threshold.push(None);
        scores.is_anomaly.push(row % 3 == 1);
        scores.model.push(scored.then_some(0));
        scores.top_feature.push(None);
    }

    pub(super) fn with_refusals(mut self, count: usize) -> Self {
        for i in 0..count {
            let late = &mut self.late;
            late.push(LateReading {
                reading: Reading {
                    device: &format!("pump-{}", i % 2),
                    sensor: "tag_1",
                    time: 17_771 * DAY + i as i64,
                    value: 1.5,
                },
                window_start: 17_771 * DAY,
                closed_to: 17_771 * DAY + 10_000_000,
                closed_by: ClosedBy::Floor,
                position: i as i64,
                index: 0,
            });
            self.quarantine.add(Refusal {
                reason: if i % 2 == 0 { Reason::BadTime } else { Reason::Empty },
                position: i as i64,
                index: Some(0),
                broker_time: (i % 3 == 0).then_some(17_771 * DAY),
                detail: "no time",
                payload: b"{}",
            });
        }
        self
    }

    /// At the time of resuming given by `next`; the accounts are left empty, which adds up.
    pub(super) fn commit(&self, next: i64) -> Commit<'_> {
        Commit {
            kind: self.kind,
            resume: Resume { next: Position(next), ..self.resume.clone() },
            state: self.state.as_ref(),
            ledger: Ledger::default(),
            run: RunFacts::default(),
            rows: &self.rows,
            scores: &self.scores,
            names: &Names,
            late: &self.late,
            quarantine: &self.quarantine,
            runs: &self.runs,
            now: self.now,
        }
    }
}
