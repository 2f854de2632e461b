//! How commits went -> rows of `runs`. A row describes a commit before the one that carries it: its timings are known.

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};
use types::{Micros, Position};

use super::columns::{batch, by_date, doubles_or_null, ints, long, longs, texts, texts_or_null, times, times_or_null};
use super::{Dataset, Origin};
use crate::names::{self, Date};
use crate::record::Header;
use crate::{Commit, Error};

const DATASET: Dataset = Dataset::Runs;

/// Rows that wait to be written. Part of the pipeline's state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunRows {
    pub rows: Vec<RunRow>,
}

/// One commit of one partition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    pub instance: String,
    pub seq: u64,
    pub kind: String,
    pub committed_at: Micros,
    pub from: Position,
    pub next: Position,
    pub records: u64,
    pub readings: u64,
    pub rows: u64,
    pub late: u64,
    pub quarantined: u64,
    pub anomalies: u64,
    pub files: u32,
    pub bytes: u64,
    pub fold_seconds: Option<f64>,
    pub score_seconds: Option<f64>,
    pub encode_seconds: Option<f64>,
    pub commit_seconds: Option<f64>,
    pub model_set: Option<String>,
    pub arrival_clock: Option<Micros>,
    pub wall_steps: Vec<(i64, Micros)>,
    pub error: Option<String>,
}

impl RunRow {
    /// What a record's header tells of its commit; the timings and what the header lacks are for others to add.
    #[must_use]
    pub fn of(header: &Header, bytes: u64) -> Self {
        let rows_of = |dataset: Dataset| {
            header.files.iter().filter(|file| file.dataset == dataset.as_str()).map(|file| file.rows).sum()
        };
        RunRow {
            instance: header.instance.clone(),
            seq: header.seq,
            kind: header.kind.as_str().to_owned(),
            committed_at: header.written_at,
            from: header.run.from,
            next: header.resume.next,
            records: header.run.records,
            readings: header.run.readings,
            quarantined: header.run.quarantined,
            anomalies: header.run.anomalies,
            bytes,
            rows: rows_of(Dataset::Predictions),
            late: rows_of(Dataset::Late),
            files: u32::try_from(header.files.iter().filter(|file| file.dataset != names::MARKERS).count())
                .unwrap_or(u32::MAX),
            model_set: header.model_set.clone(),
            arrival_clock: header.resume.arrival_clock,
            wall_steps: header.resume.wall_steps.clone(),
            ..RunRow::default()
        }
    }
}

/// By the date of their commit; within a date as they came.
pub(super) fn batches(commit: &Commit<'_>, origin: Origin<'_>) -> Result<Vec<(Date, RecordBatch)>, Error> {
    let date = |row: &RunRow| Date::of(row.committed_at);
    let mut rows: Vec<&RunRow> = commit.runs.rows.iter().collect();
    rows.sort_by_key(|row| date(row));
    let dates: Vec<Date> = rows.iter().map(|row| date(row)).collect();
    by_date(&dates).map(|(date, range)| Ok((date, batch(DATASET, columns(&rows[range], origin))?))).collect()
}

fn columns(rows: &[&RunRow], origin: Origin<'_>) -> Vec<ArrayRef> {
    let row = || rows.iter();
    vec![
        texts(row().map(|_| origin.pipeline)),
        texts(row().map(|row| row.instance.as_str())),
        ints(row().map(|_| origin.partition.index)),
        longs(row().map(|row| long(row.seq))),
        texts(row().map(|row| row.kind.as_str())),
        times(row().map(|row| row.committed_at)),
        longs(row().map(|row| row.from.0)),
        longs(row().map(|row| row.next.0)),
        longs(row().map(|row| long(row.records))),
        longs(row().map(|row| long(row.readings))),
        longs(row().map(|row| long(row.rows))),
        longs(row().map(|row| long(row.late))),
        longs(row().map(|row| long(row.quarantined))),
        longs(row().map(|row| long(row.anomalies))),
        ints(row().map(|row| row.files)),
        longs(row().map(|row| long(row.bytes))),
        doubles_or_null(row().map(|row| row.fold_seconds)),
        doubles_or_null(row().map(|row| row.score_seconds)),
        doubles_or_null(row().map(|row| row.encode_seconds)),
        doubles_or_null(row().map(|row| row.commit_seconds)),
        texts_or_null(row().map(|row| row.model_set.as_deref())),
        times_or_null(row().map(|row| row.arrival_clock)),
        {
            let steps: Vec<Option<String>> = row().map(|row| steps_text(&row.wall_steps)).collect();
            texts_or_null(steps.iter().map(Option::as_deref))
        },
        texts_or_null(row().map(|row| row.error.as_deref())),
    ]
}

fn steps_text(steps: &[(i64, Micros)]) -> Option<String> {
    let words: Vec<String> = steps.iter().map(|(position, time)| format!("{position}:{time}")).collect();
    (!words.is_empty()).then(|| words.join(" "))
}
