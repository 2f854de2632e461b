//! A pipeline in small: every record's fate follows from its position, so that what was read twice or not at all shows.

use serde::{Deserialize, Serialize};
use types::{
    ClosedBy, LateReading, LateReadings, Ledger, Micros, Position, Quarantine, Reading, Reason, Refusal, Scores,
    SeriesNames, Status, WindowRows,
};

use crate::contract::batch::DAY;
use crate::record::{Packed, RecordKind, Resume, RunFacts};
use crate::{Commit, RunRow, RunRows};

/// Sixteen windows a day: every other commit has rows of two dates.
const STEP: Micros = DAY / 16;
const FROM: Micros = 17_771 * DAY;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Row,
    Late,
    Undecodable,
    Tombstone,
}

pub(super) fn kind_of(position: i64) -> Kind {
    match position % 13 {
        5 => Kind::Late,
        7 => Kind::Undecodable,
        9 => Kind::Tombstone,
        _ => Kind::Row,
    }
}

pub(super) fn window_of(position: i64) -> Micros {
    FROM + position * STEP
}

pub(super) fn position_of(window_start: Micros) -> i64 {
    (window_start - FROM) / STEP
}

/// Everything that decides; what a commit freezes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Model {
    pub(super) next: i64,
    pub(super) ledger: Ledger,
    rows: Vec<i64>,
    late: Vec<i64>,
    refused: Vec<i64>,
}

/// What a commit makes durable.
pub(super) struct Taken {
    rows: WindowRows,
    scores: Scores,
    late: LateReadings,
    quarantine: Quarantine,
}

impl Model {
    pub(super) fn frozen(&self) -> Packed {
        Packed::new(&serde_json::to_vec(self).expect("plain data"))
    }

    pub(super) fn thawed(state: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(state).map_err(|e| format!("the state is not one of ours: {e}"))
    }

    pub(super) fn fold(&mut self, to: i64) {
        for position in self.next..to {
            let ledger = &mut self.ledger;
            ledger.records += 1;
            match kind_of(position) {
                Kind::Tombstone => ledger.tombstones += 1,
                Kind::Undecodable => {
                    ledger.undecodable += 1;
                    ledger.quarantined_pending += 1;
                    self.refused.push(position);
                }
                Kind::Late => {
                    (ledger.decoded, ledger.readings) = (ledger.decoded + 1, ledger.readings + 1);
                    (ledger.late, ledger.late_pending) = (ledger.late + 1, ledger.late_pending + 1);
                    self.late.push(position);
                }
                Kind::Row => {
                    (ledger.decoded, ledger.readings) = (ledger.decoded + 1, ledger.readings + 1);
                    (ledger.pending, ledger.rows_pending) = (ledger.pending + 1, ledger.rows_pending + 1);
                    self.rows.push(position);
                }
            }
        }
        self.next = self.next.max(to);
    }

    /// Goes on at a position without those before it.
    pub(super) fn skipped(mut self, to: i64) -> Self {
        self.next = to;
        self
    }

    /// Takes out all but some rows, which stay for the next commit.
    pub(super) fn take(&mut self, waiting: usize) -> Taken {
        let kept = self.rows.split_off(self.rows.len().saturating_sub(waiting));
        let rows = std::mem::replace(&mut self.rows, kept);
        let (late, refused) = (std::mem::take(&mut self.late), std::mem::take(&mut self.refused));
        let ledger = &mut self.ledger;
        let (emitted, still) = (rows.len() as u64, self.rows.len() as u64);
        (ledger.pending, ledger.rows_pending) = (still, still);
        ledger.emitted += emitted;
        ledger.rows_in_files += emitted;
        ledger.late_in_files += std::mem::take(&mut ledger.late_pending);
        ledger.quarantined_in_files += std::mem::take(&mut ledger.quarantined_pending);
        Taken::of(&rows, &late, &refused)
    }
}

impl Taken {
    fn of(positions: &[i64], late: &[i64], refused: &[i64]) -> Self {
        let values = || positions.iter().map(|position| *position as f64).collect::<Vec<f64>>();
        let count = positions.len();
        let rows = WindowRows {
            width: 5_000_000,
            series: vec![0; count],
            start: positions.iter().copied().map(window_of).collect(),
            count: vec![1; count],
            closed_by: vec![ClosedBy::Device; count],
            delta: vec![None; count],
            m2: vec![0.0; count],
            sum: values(),
            mean: values(),
            min: values(),
            max: values(),
            first: values(),
            last: values(),
        };
        let scores = Scores {
            status: vec![Status::NoModel; count],
            decision: vec![None; count],
            severity: vec![None; count],
            threshold: vec![None; count],
            is_anomaly: vec![false; count],
            model: vec![None; count],
            top_feature: vec![None; count],
            ..Scores::default()
        };
        let mut taken = Taken { rows, scores, late: LateReadings::default(), quarantine: Quarantine::default() };
        for &position in late {
            let window_start = window_of(position);
            taken.late.push(LateReading {
                reading: Reading { device: "pump", sensor: "tag", time: window_start, value: 1.5 },
                window_start,
                closed_to: window_start + 10_000_000,
                closed_by: ClosedBy::Floor,
                position,
                index: 0,
            });
        }
        for &position in refused {
            taken.quarantine.add(Refusal {
                reason: Reason::InvalidJson,
                position,
                index: None,
                broker_time: Some(window_of(position)),
                detail: "no JSON",
                payload: b"{",
            });
        }
        taken
    }
}

pub(super) struct Names;

impl SeriesNames for Names {
    fn device(&self, _: u32) -> &str {
        "pump"
    }

    fn sensor(&self, _: u32) -> &str {
        "tag"
    }

    fn generation(&self, _: u32) -> u32 {
        0
    }
}

/// A commit of what was taken, with the state that it leaves behind; none if nothing has changed.
pub(super) struct Due<'a> {
    pub(super) kind: RecordKind,
    pub(super) model: &'a Model,
    pub(super) state: Option<&'a Packed>,
    pub(super) taken: &'a Taken,
    pub(super) runs: &'a RunRows,
    pub(super) now: Micros,
}

impl<'a> Due<'a> {
    pub(super) fn commit(&self) -> Commit<'a> {
        let Due { kind, model, state, taken, runs, now } = *self;
        let next = Position(model.next);
        let gap = (kind == RecordKind::Gap).then_some((Position(model.next - 1), next));
        Commit {
            kind,
            resume: Resume { next, gap, complete_to: Some(window_of(model.next)), ..Resume::default() },
            state,
            ledger: model.ledger,
            run: RunFacts::default(),
            rows: &taken.rows,
            scores: &taken.scores,
            names: &Names,
            late: &taken.late,
            quarantine: &taken.quarantine,
            runs,
            now,
        }
    }
}

/// How a commit went, told by the next one.
pub(super) fn run_row(seq: u64, committed_at: Micros) -> RunRow {
    RunRow { seq, kind: "data".to_owned(), committed_at, ..RunRow::default() }
}
