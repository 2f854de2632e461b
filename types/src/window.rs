//! Closed windows, column by column.

use serde::{Deserialize, Serialize};

use crate::Micros;

/// What closed a window, or what last raised a device's `closed_to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// The device's own clock passed the window's end.
    Device,
    /// The device fell silent on the arrival clock.
    Silence,
    /// The clock that all devices of the partition share passed the window's end.
    Partition,
    /// The end of the input closed everything.
    Drain,
    /// Not a window's closing: an unknown device starts at the partition's floor. Seen on late readings only.
    Floor,
}

impl ClosedBy {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ClosedBy::Device => "device",
            ClosedBy::Silence => "silence",
            ClosedBy::Partition => "partition",
            ClosedBy::Drain => "drain",
            ClosedBy::Floor => "floor",
        }
    }
}

/// Closed windows as columns of equal length; a row is one window of one series.
///
/// `series` is a dense index that only the partition's [`SeriesNames`] can resolve, and only until the rows are drained.
/// A window is `[start, start + width)`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WindowRows {
    /// Width of every window in the batch.
    pub width: Micros,
    pub series: Vec<u32>,
    pub start: Vec<Micros>,
    pub count: Vec<u64>,
    pub sum: Vec<f64>,
    pub mean: Vec<f64>,
    /// Sum of squared deviations from the mean (Welford).
    pub m2: Vec<f64>,
    pub min: Vec<f64>,
    pub max: Vec<f64>,
    /// First and last in log order, not by event time.
    pub first: Vec<f64>,
    pub last: Vec<f64>,
    /// Mean minus the mean of the adjacent previous window of the series; none after a gap.
    pub delta: Vec<Option<f64>>,
    pub closed_by: Vec<ClosedBy>,
}

impl WindowRows {
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    #[must_use]
    pub fn end(&self, row: usize) -> Micros {
        self.start[row] + self.width
    }

    /// Sample standard deviation (ddof 1, as pandas, Spark and SQL); none for one reading.
    #[must_use]
    pub fn std(&self, row: usize) -> Option<f64> {
        let count = self.count[row];
        (count > 1).then(|| (self.m2[row] / (count - 1) as f64).sqrt())
    }

    /// Population standard deviation (ddof 0); 0 for one reading.
    #[must_use]
    pub fn std_pop(&self, row: usize) -> f64 {
        (self.m2[row] / self.count[row] as f64).sqrt()
    }

    pub fn clear(&mut self) {
        let WindowRows { width: _, series, start, count, sum, mean, m2, min, max, first, last, delta, closed_by } =
            self;
        series.clear();
        start.clear();
        count.clear();
        for column in [sum, mean, m2, min, max, first, last] {
            column.clear();
        }
        delta.clear();
        closed_by.clear();
    }
}

/// What a series index stands for, within one partition.
pub trait SeriesNames {
    fn device(&self, series: u32) -> &str;
    fn sensor(&self, series: u32) -> &str;
    /// Changes whenever an index is given to another series, so that what was cached for it can be told to be stale.
    fn generation(&self, series: u32) -> u32;
}
