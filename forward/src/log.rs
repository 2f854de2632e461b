//! What a follower sees of the commits of a pipeline. The real log is the sink's; tests have one in memory.

use std::ops::Range;

use bytes::Bytes;
use types::{Micros, PartitionId};

use crate::Error;

/// A record of a partition's log, as far as it concerns anomalies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub seq: u64,
    /// Drawn when the log began, and at each reset.
    pub genesis: String,
    /// Written by this very process.
    pub is_ours: bool,
    pub written_at: Micros,
    /// Rows of this commit that are anomalies.
    pub anomalies: u64,
    /// Rows of predictions in files since the log began, those of this commit included.
    pub rows_total: u64,
    /// Of predictions, in the order of their names.
    pub files: Vec<File>,
}

/// A file of predictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Below the place of the predictions.
    pub name: String,
    pub rows: u64,
    /// Length and CRC32C, as the record has them; none for a file whose record is gone.
    pub check: Option<(u64, u32)>,
}

/// A file whose commit record is gone from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlogged {
    pub seq: u64,
    pub genesis: String,
    pub name: String,
}

impl Commit {
    /// Rows in its own files.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// Reads only. All of it may be asked again.
pub trait Log {
    /// The numbers of the records that are kept, from `from` on, in rising order.
    ///
    /// # Errors
    /// If the store does not answer.
    fn kept(&self, partition: &PartitionId, from: u64) -> impl Future<Output = Result<Vec<u64>, Error>>;

    /// One record; none if there is none (any more, or yet).
    ///
    /// # Errors
    /// If the store does not answer, or the record cannot be read.
    fn commit(&self, partition: &PartitionId, seq: u64) -> impl Future<Output = Result<Option<Commit>, Error>>;

    /// The bytes of a file as they were committed; none if they are nowhere any more.
    ///
    /// # Errors
    /// If the store does not answer.
    fn file(
        &self,
        partition: &PartitionId,
        seq: u64,
        file: &File,
    ) -> impl Future<Output = Result<Option<Bytes>, Error>>;

    /// Files of predictions of these commits, by what lies in the dataset, in the order of commits and names. Costs a listing of all of it.
    ///
    /// # Errors
    /// If the store does not answer.
    fn files_of(&self, partition: &PartitionId, seqs: Range<u64>)
    -> impl Future<Output = Result<Vec<Unlogged>, Error>>;
}
