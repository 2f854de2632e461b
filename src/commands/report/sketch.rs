//! Distributions in bounded memory: a sketch that tells quantiles, and bins between two bounds that it chose.

use std::collections::BTreeMap;

use types::Micros;

/// Numbers by their size, each known to a hundredth of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Sketch {
    counts: BTreeMap<i32, u64>,
    total: u64,
    pub(super) low: f64,
    pub(super) high: f64,
}

const GROWTH: f64 = 1.02;
/// What is smaller counts as 0.
const SMALLEST: f64 = 1e-9;

impl Sketch {
    pub(super) fn add(&mut self, number: f64) {
        if !number.is_finite() {
            return;
        }
        (self.low, self.high) = match self.total {
            0 => (number, number),
            _ => (self.low.min(number), self.high.max(number)),
        };
        self.total += 1;
        *self.counts.entry(place(number)).or_default() += 1;
    }

    /// None of nothing.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut passed = 0;
        let found = self.counts.iter().find(|(_, count)| {
            passed += **count;
            passed >= wanted
        });
        found.map(|(place, _)| number(*place).clamp(self.low, self.high))
    }
}

fn place(number: f64) -> i32 {
    let size = (number.abs() / SMALLEST).max(1.0).ln() / GROWTH.ln();
    (size.round() as i32) * if number < 0.0 { -1 } else { 1 }
}

fn number(place: i32) -> f64 {
    match place {
        0 => 0.0,
        place => f64::from(place.signum()) * SMALLEST * GROWTH.powi(place.abs()),
    }
}

/// Counts of numbers between two bounds, of alarms and of others; what lies outside is in the first or the last bin.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Histogram {
    pub(super) low: f64,
    pub(super) high: f64,
    /// Normal ones, alarms.
    pub(super) bins: Vec<[u64; 2]>,
    pub(super) below: u64,
    pub(super) above: u64,
}

impl Histogram {
    pub(super) fn new(low: f64, high: f64, bins: usize) -> Histogram {
        Histogram { low, high, bins: vec![[0; 2]; bins.max(1)], below: 0, above: 0 }
    }

    pub(super) fn add(&mut self, number: f64, is_alarm: bool) {
        if !number.is_finite() {
            return;
        }
        self.below += u64::from(number < self.low);
        self.above += u64::from(number > self.high);
        let share = ((number - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        let bin = ((share * self.bins.len() as f64) as usize).min(self.bins.len() - 1);
        self.bins[bin][usize::from(is_alarm)] += 1;
    }

    pub(super) fn edge(&self, bin: usize) -> f64 {
        self.low + (self.high - self.low) * bin as f64 / self.bins.len() as f64
    }
}

/// How rows lie in time: counts in cells that widen when there are too many of them.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    width: Micros,
    cells: BTreeMap<i64, u64>,
    total: u64,
}

const CELLS_MAX: usize = 4096;
/// Of each end, what a few wrong clocks may have put there.
const STRAY_SHARE: f64 = 0.001;

impl Default for Spread {
    fn default() -> Self {
        Spread { width: 1_000_000, cells: BTreeMap::new(), total: 0 }
    }
}

impl Spread {
    pub(super) fn add(&mut self, time: Micros) {
        self.total += 1;
        *self.cells.entry(time.div_euclid(self.width)).or_default() += 1;
        while self.cells.len() > CELLS_MAX {
            self.width = self.width.saturating_mul(2);
            let old = std::mem::take(&mut self.cells);
            for (cell, count) in old {
                *self.cells.entry(cell.div_euclid(2)).or_default() += count;
            }
        }
    }

    /// The whole span, or the part that holds nearly everything if the rest would press it into a quarter.
    pub(super) fn shown(&self, first: Micros, end: Micros) -> (Micros, Micros) {
        let stray = (self.total as f64 * STRAY_SHARE) as u64;
        let from = inner(self.cells.iter(), stray).saturating_mul(self.width).max(first);
        let to = inner(self.cells.iter().rev(), stray).saturating_add(1).saturating_mul(self.width);
        let to = to.clamp(from, end.max(from));
        let is_narrow = to.saturating_sub(from) < end.saturating_sub(first) / 4;
        if is_narrow && to > from { (from, to) } else { (first, end) }
    }
}

fn inner<'a>(cells: impl Iterator<Item = (&'a i64, &'a u64)>, stray: u64) -> i64 {
    let mut passed = 0;
    let mut cells = cells.skip_while(|(_, count)| {
        passed += **count;
        passed <= stray
    });
    cells.next().map(|(cell, _)| *cell).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_as_exact_as_promised() {
        let mut sketch = Sketch::default();
        assert_eq!(sketch.quantile(0.5), None);
        (-500..=500).for_each(|n| sketch.add(f64::from(n)));
        sketch.add(f64::NAN);
        for (share, expected) in [(0.0, -500.0), (0.25, -250.0), (0.5, 0.0), (0.9, 400.0), (1.0, 500.0)] {
            let found: f64 = sketch.quantile(share).expect("some");
            assert!((found - expected).abs() <= 0.02 * f64::abs(expected) + 1.0, "{share}: {found}");
        }
        for size in [1e-300, 1e300] {
            sketch.add(size);
            sketch.add(-size);
        }
        assert_eq!(sketch.quantile(1.0), Some(1e300));
    }

    #[test]
    fn a_histogram_counts_everything_once() {
        let mut histogram = Histogram::new(0.0, 10.0, 5);
        for (number, is_alarm) in [(-3.0, false), (0.0, false), (1.9, false), (2.0, true), (10.0, true), (1e9, true)] {
            histogram.add(number, is_alarm);
        }
        histogram.add(f64::INFINITY, true);
        assert_eq!(histogram.bins, [[3, 0], [0, 1], [0, 0], [0, 0], [0, 2]]);
        assert_eq!((histogram.below, histogram.above), (1, 1));
        assert!((histogram.edge(1) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_few_wrong_clocks_do_not_press_the_rest_together() {
        const HOUR: Micros = 3_600_000_000;
        let mut spread = Spread::default();
        (0..10_000).for_each(|n| spread.add(1_000_000 * HOUR + n * HOUR / 100));
        let (first, end) = (1_000_000 * HOUR, 1_000_100 * HOUR);
        assert_eq!(spread.shown(first, end), (first, end));
        spread.add(0);
        let (from, to) = spread.shown(0, end);
        assert!(from >= first && from < first + 2 * HOUR && to > end - 2 * HOUR && to <= end, "{from} {to}");
        // As many as these are no strays.
        (0..100).for_each(|n| spread.add(n * HOUR));
        assert_eq!(spread.shown(0, end), (0, end));
        (0..100_000).for_each(|n| spread.add(n * 100 * HOUR));
        assert!(spread.cells.len() <= CELLS_MAX);
    }
}
