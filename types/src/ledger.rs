//! Accounts of one partition: every record and every reading, since its log began.

use serde::{Deserialize, Serialize};

/// What became of everything that was read, up to one position. Sums are exact, and survive restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    pub records: u64,
    /// Records that were understood; one may hold many readings, or none.
    pub decoded: u64,
    /// Records of which nothing could be read, those that killed their readers included.
    pub undecodable: u64,
    pub tombstones: u64,
    /// Records that are left to a successor (while this pipeline hands over).
    pub left_records: u64,

    /// Readings of decoded records.
    pub readings: u64,
    /// In windows that are still open.
    pub open: u64,
    /// In closed windows whose rows are not in a file yet.
    pub pending: u64,
    /// In rows that are in files.
    pub emitted: u64,
    pub late: u64,
    /// Refused, by the decoder or by the rules of time.
    pub rejected: u64,
    /// Readings that belong to the pipeline before or after this one.
    pub left: u64,

    /// Rows, late readings and refused items (records and readings) that are in files.
    pub rows_in_files: u64,
    pub late_in_files: u64,
    pub quarantined_in_files: u64,
    /// The same that wait in the state.
    pub rows_pending: u64,
    pub late_pending: u64,
    pub quarantined_pending: u64,
}

impl Ledger {
    /// Nothing was lost and nothing counted twice.
    ///
    /// # Errors
    /// The law that is broken, with its figures.
    pub fn check(&self) -> Result<(), String> {
        let laws = [
            (
                "records = decoded + undecodable + tombstones + left",
                self.records,
                self.decoded + self.undecodable + self.tombstones + self.left_records,
            ),
            (
                "readings = open + pending + emitted + late + rejected + left",
                self.readings,
                self.open + self.pending + self.emitted + self.late + self.rejected + self.left,
            ),
            ("late = in files + pending", self.late, self.late_in_files + self.late_pending),
            (
                "undecodable + rejected = quarantined in files + pending",
                self.undecodable + self.rejected,
                self.quarantined_in_files + self.quarantined_pending,
            ),
        ];
        match laws.iter().find(|(_, whole, parts)| whole != parts) {
            None => Ok(()),
            Some((law, whole, parts)) => Err(format!("{law}: {whole} against {parts}")),
        }
    }

    /// Records and readings that are nowhere: none, or something is wrong.
    #[must_use]
    pub fn unaccounted(&self) -> (i64, i64) {
        let records = self.decoded + self.undecodable + self.tombstones + self.left_records;
        let readings = self.open + self.pending + self.emitted + self.late + self.rejected + self.left;
        (self.records.wrapping_sub(records).cast_signed(), self.readings.wrapping_sub(readings).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_law_is_looked_at() {
        let good = Ledger {
            records: 10,
            decoded: 7,
            undecodable: 2,
            tombstones: 1,
            readings: 20,
            open: 5,
            pending: 4,
            emitted: 6,
            late: 2,
            rejected: 3,
            late_in_files: 1,
            late_pending: 1,
            quarantined_in_files: 2,
            quarantined_pending: 3,
            ..Ledger::default()
        };
        assert_eq!(good.check(), Ok(()));
        assert_eq!(good.unaccounted(), (0, 0));
        assert_eq!(Ledger { records: 9, pending: 1, ..good }.unaccounted(), (-1, 3));
        assert!(Ledger { records: 11, ..good }.check().unwrap_err().starts_with("records"));
        assert!(Ledger { pending: 5, ..good }.check().unwrap_err().starts_with("readings"));
        assert!(Ledger { late_pending: 0, ..good }.check().unwrap_err().starts_with("late"));
        assert!(Ledger { quarantined_pending: 4, ..good }.check().unwrap_err().starts_with("undecodable"));
    }
}
