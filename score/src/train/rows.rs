//! Training rows: feature vectors of one key's windows, in the order of time.

use types::Micros;

use super::{TrainOptions, Untrained};

/// Feature vectors of windows, one after the other, with the windows' starts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainingRows {
    /// Width of every window.
    pub width: Micros,
    /// Rising.
    pub starts: Vec<Micros>,
    /// As many for each window as there are features.
    pub numbers: Vec<f64>,
}

impl TrainingRows {
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    pub(super) fn features(&self) -> usize {
        self.numbers.len().checked_div(self.len()).unwrap_or(0)
    }

    pub(super) fn row(&self, row: usize) -> &[f64] {
        let features = self.features();
        &self.numbers[row * features..(row + 1) * features]
    }

    /// These rows alone.
    pub(super) fn select(&self, rows: &[usize]) -> TrainingRows {
        TrainingRows {
            width: self.width,
            starts: rows.iter().map(|&row| self.starts[row]).collect(),
            numbers: rows.iter().flat_map(|&row| self.row(row)).copied().collect(),
        }
    }

    pub(super) fn check(&self, features: usize, options: &TrainOptions) -> Result<(), Untrained> {
        let needed = options.rows_needed();
        if self.len() < needed || features == 0 {
            return Err(Untrained::TooFewRows { found: self.len(), min: needed });
        }
        if self.numbers.len() != self.len() * features {
            return Err(Untrained::Width { numbers: self.numbers.len(), rows: self.len(), features });
        }
        if let Some(at) = self.numbers.iter().position(|number| !number.is_finite()) {
            return Err(Untrained::NotFinite { row: at / features });
        }
        match self.starts.windows(2).position(|pair| pair[0] >= pair[1]) {
            Some(row) => Err(Untrained::Order { row: row + 1 }),
            None => Ok(()),
        }
    }
}

/// At most `max` of so many rows: one out of each of as many equal stretches of time, drawn by the seed.
pub(super) fn draw(rows: &[usize], max: usize, seed: u64) -> Vec<usize> {
    if rows.len() <= max {
        return rows.to_vec();
    }
    let mut state = seed;
    let bound = |part: usize| part * rows.len() / max;
    let drawn = (0..max).map(|part| {
        let (from, to) = (bound(part), bound(part + 1));
        rows[from + (split_mix(&mut state) % (to - from) as u64) as usize]
    });
    drawn.collect()
}

/// SplitMix64, the customary generator for seeds: small, and the same on every machine.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Mean severity of up to `windows` adjacent windows, each row's own the last of them. A gap begins anew.
pub(super) fn smoothed(starts: &[Micros], width: Micros, severities: &[f64], windows: u32) -> Vec<f64> {
    let mut run = 0;
    (0..severities.len())
        .map(|row| {
            let adjacent = row > 0 && starts[row - 1].saturating_add(width) == starts[row];
            run = if adjacent { (run + 1).min(windows as usize) } else { 1 };
            severities[row + 1 - run..=row].iter().sum::<f64>() / run as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_are_smoothed_over_adjacent_windows_only() {
        let starts = [0, 10, 20, 40, 50, 60, 70];
        let severities = [3.0, 6.0, 9.0, 1.0, 2.0, 3.0, 10.0];
        assert_eq!(smoothed(&starts, 10, &severities, 3), [3.0, 4.5, 6.0, 1.0, 1.5, 2.0, 5.0]);
        assert_eq!(smoothed(&starts, 10, &severities, 1), severities);
        assert_eq!(smoothed(&[], 10, &[], 3), [0.0; 0]);
    }

    #[test]
    fn what_is_drawn_is_even_in_time_and_follows_the_seed() {
        let rows: Vec<usize> = (0..1000).collect();
        let drawn = draw(&rows, 100, 7);
        assert_eq!(drawn, draw(&rows, 100, 7));
        assert_ne!(drawn, draw(&rows, 100, 8));
        assert!(drawn.iter().enumerate().all(|(part, row)| row / 10 == part), "{drawn:?}");
        assert_eq!(draw(&rows, 1000, 7), rows);
        assert_eq!(draw(&rows[..999], 998, 7).len(), 998);
    }
}
