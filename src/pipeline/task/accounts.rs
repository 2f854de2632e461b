//! The partition's accounts: what the windows counted, and how much of it is in files.

use aggregate::SnapshotFacts;
use serde::{Deserialize, Serialize};
use types::Ledger;

use super::Task;

/// What is in files, since the partition's log began. Part of the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::pipeline) struct InFiles {
    pub(in crate::pipeline) rows: u64,
    pub(in crate::pipeline) readings: u64,
    pub(in crate::pipeline) late: u64,
    pub(in crate::pipeline) quarantined: u64,
}

impl Task<'_> {
    /// As they are when what was taken for a commit has been added to `in_files`.
    pub(super) fn ledger(&self, facts: &SnapshotFacts) -> Ledger {
        let tally = self.windows.tally();
        Ledger {
            records: tally.records,
            decoded: tally.decoded,
            undecodable: tally.undecodable,
            tombstones: tally.tombstones,
            left_records: tally.left_records,
            readings: tally.readings,
            open: tally.open,
            pending: facts.pending_readings,
            emitted: self.in_files.readings,
            late: tally.late,
            rejected: tally.rejected + tally.refused,
            left: tally.left,
            rows_in_files: self.in_files.rows,
            late_in_files: self.in_files.late,
            quarantined_in_files: self.in_files.quarantined,
            rows_pending: facts.pending_rows as u64,
            late_pending: self.late.len() as u64,
            quarantined_pending: self.quarantine.count(),
        }
    }
}
