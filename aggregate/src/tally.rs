//! Counts of everything that went in and came out.

/// What happened to every record and every reading since the log began (restored states go on counting).
///
/// Two laws of conservation hold after every call:
/// `records = decoded + undecodable + tombstones` and `readings = counted + open + late + rejected`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub records: u64,
    pub decoded: u64,
    pub undecodable: u64,
    pub tombstones: u64,
    pub readings: u64,
    pub late: u64,
    pub rejected: u64,
    /// Windows closed, drained or not.
    pub rows: u64,
    /// Readings in closed windows.
    pub counted: u64,
    /// Readings in windows still open.
    pub open: u64,
}

impl Tally {
    /// Counts above this are not believed when a snapshot is read: there is room left to go on counting.
    const COUNT_MAX: u64 = 1 << 62;

    /// Whether both laws hold: nothing was lost, nothing counted twice.
    #[must_use]
    pub fn is_conserved(&self) -> bool {
        let sum = |parts: &[u64]| parts.iter().try_fold(0u64, |total, part| total.checked_add(*part));
        sum(&[self.decoded, self.undecodable, self.tombstones]) == Some(self.records)
            && sum(&[self.counted, self.open, self.late, self.rejected]) == Some(self.readings)
            && self.rows <= self.counted
            && self.records.max(self.readings) <= Self::COUNT_MAX
    }

    /// In the order of the fields, as snapshots have them.
    pub(crate) fn to_array(self) -> [u64; 10] {
        let Tally { records, decoded, undecodable, tombstones, readings, late, rejected, rows, counted, open } = self;
        [records, decoded, undecodable, tombstones, readings, late, rejected, rows, counted, open]
    }

    pub(crate) fn from_array(counts: [u64; 10]) -> Tally {
        let [records, decoded, undecodable, tombstones, readings, late, rejected, rows, counted, open] = counts;
        Tally { records, decoded, undecodable, tombstones, readings, late, rejected, rows, counted, open }
    }
}
