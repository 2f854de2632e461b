//! Counts of everything that went in and came out.

/// What happened to every record and every reading since the log began (restored states go on counting).
///
/// Two laws of conservation hold after every call: `records = decoded + undecodable + tombstones + left_records` and
/// `readings = counted + open + late + rejected + refused + left`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub records: u64,
    pub decoded: u64,
    pub undecodable: u64,
    pub tombstones: u64,
    pub readings: u64,
    pub late: u64,
    pub rejected: u64,
    /// Windows closed, taken or not.
    pub rows: u64,
    /// Readings in closed windows.
    pub counted: u64,
    /// Readings in windows still open.
    pub open: u64,
    /// Readings that the decoder refused, of records of which it could read others.
    pub refused: u64,
    /// Readings that belong to another pipeline: see [`Boundaries`](crate::Boundaries).
    pub left: u64,
    /// Records that belong to another pipeline.
    pub left_records: u64,
}

impl Tally {
    pub(crate) const FIELDS: usize = 13;

    /// Counts above this are not believed when a snapshot is read: there is room left to go on counting.
    const COUNT_MAX: u64 = 1 << 62;

    /// Whether both laws hold: nothing was lost, nothing counted twice.
    #[must_use]
    pub fn is_conserved(&self) -> bool {
        let sum = |parts: &[u64]| parts.iter().try_fold(0u64, |total, part| total.checked_add(*part));
        sum(&[self.decoded, self.undecodable, self.tombstones, self.left_records]) == Some(self.records)
            && sum(&[self.counted, self.open, self.late, self.rejected, self.refused, self.left]) == Some(self.readings)
            && self.rows <= self.counted
            && self.records.max(self.readings) <= Self::COUNT_MAX
    }

    /// In the order of the fields, as snapshots have them; new ones are added at the end.
    pub(crate) fn to_array(self) -> [u64; Self::FIELDS] {
        let Tally { records, decoded, undecodable, tombstones, readings, late, rejected, .. } = self;
        let Tally { rows, counted, open, refused, left, left_records, .. } = self;
        [
            records,
            decoded,
            undecodable,
            tombstones,
            readings,
            late,
            rejected,
            rows,
            counted,
            open,
            refused,
            left,
            left_records,
        ]
    }

    pub(crate) fn from_array(counts: [u64; Self::FIELDS]) -> Tally {
        let [
            records,
            decoded,
            undecodable,
            tombstones,
            readings,
            late,
            rejected,
            rows,
            counted,
            open,
            refused,
            left,
            left_records,
        ] = counts;
        Tally {
            records,
            decoded,
            undecodable,
            tombstones,
            readings,
            late,
            rejected,
            rows,
            counted,
            open,
            refused,
            left,
            left_records,
        }
    }
}
