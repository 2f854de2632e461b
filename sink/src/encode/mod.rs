//! A commit's rows -> Parquet files, one for each dataset and UTC date. Pure: the same commit gives the same bytes.

mod columns;
mod late;
mod parquet_file;
mod predictions;
mod quarantine;
mod schema;

use bytes::Bytes;
use types::{PartitionId, Position};

use crate::names::{self, Genesis};
use crate::{Commit, Error};

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
    pub(crate) dataset: Dataset,
    /// Below the dataset's place.
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
    pub(crate) rows: u64,
}

/// # Errors
/// If the columns of a batch are not equally long, or the encoder refuses.
pub(crate) fn encode(commit: &Commit<'_>, origin: Origin<'_>) -> Result<Vec<DataFile>, Error> {
    let batches = [
        (Dataset::Predictions, predictions::batches(commit, origin)?),
        (Dataset::Late, late::batches(commit, origin)?),
        (Dataset::Quarantine, quarantine::batches(commit, origin)?),
    ];
    let mut files = Vec::new();
    for (dataset, dated) in batches {
        for (date, batch) in dated {
            let bytes = parquet_file::write(dataset, &batch, origin)?;
            let name = names::data_file(date, origin.partition, origin.genesis, origin.seq);
            files.push(DataFile { dataset, name, bytes, rows: batch.num_rows() as u64 });
        }
    }
    Ok(files)
}
