//! A commit's rows -> Parquet files, one for each dataset and UTC date. Pure: the same commit gives the same bytes.

mod columns;
mod late;
mod parquet_file;
mod predictions;
mod quarantine;
mod runs;
mod schema;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use types::{Micros, PartitionId, Position};

use crate::names::{self, Genesis};
use crate::{Commit, Error};

pub use runs::{RunRow, RunRows};
pub use schema::{Column, Dataset};

/// What every row and file of a commit repeats.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) pipeline: &'a str,
    pub(crate) partition: &'a PartitionId,
    pub(crate) genesis: Genesis,
    pub(crate) seq: u64,
    pub(crate) next: Position,
}

/// A finished file that no reader sees yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DataFile {
    /// A dataset's name, or `markers`.
    pub(crate) dataset: &'static str,
    /// Below the dataset's place.
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
    pub(crate) rows: u64,
    /// Smallest and largest window start, of datasets that have one.
    pub(crate) from: Option<Micros>,
    pub(crate) to: Option<Micros>,
}

/// # Errors
/// If the columns of a batch are not equally long, or the encoder refuses.
pub(crate) fn encode(commit: &Commit<'_>, origin: Origin<'_>) -> Result<Vec<DataFile>, Error> {
    let batches = [
        (Dataset::Predictions, predictions::batches(commit, origin)?),
        (Dataset::Late, late::batches(commit, origin)?),
        (Dataset::Quarantine, quarantine::batches(commit, origin)?),
        (Dataset::Runs, runs::batches(commit, origin)?),
    ];
    let mut files = Vec::new();
    for (dataset, dated) in batches {
        for (date, batch) in dated {
            let bytes = parquet_file::write(dataset, &batch, origin)?;
            let name = names::data_file(date, origin.partition, origin.genesis, origin.seq);
            let (from, to) = window_range(&batch);
            files.push(DataFile { dataset: dataset.as_str(), name, bytes, rows: batch.num_rows() as u64, from, to });
        }
    }
    Ok(files)
}

fn window_range(batch: &RecordBatch) -> (Option<Micros>, Option<Micros>) {
    let Some(starts) = batch.column_by_name("window_start") else { return (None, None) };
    let starts = starts.as_primitive::<TimestampMicrosecondType>().values();
    (starts.iter().min().copied(), starts.iter().max().copied())
}
