//! Whether severities are means over adjacent windows: rows alone tell it, without models.
//!
//! A window's own severity is another scale of its decision: `decision = rho · (exp(-severity) - 1)`, with one rho for all windows
//! of a model. A mean over several windows is not.

use std::collections::HashMap;

use crate::commands::predictions::Row;

/// So many series are enough to tell.
const SERIES_MAX: usize = 200;
/// Fewer pairs of windows say nothing.
const PAIRS_MIN: u64 = 10;
/// Nearer to the boundary both sides are too small to be told from rounding.
const SCALE_MIN: f64 = 0.01;
const ROUNDING: f64 = 1e-6;

#[derive(Debug, Default)]
pub(super) struct Smoothing {
    /// What rho the last window of a series would mean.
    rhos: HashMap<u64, f64>,
    /// Windows that agree with the one before in it, and that do not.
    agree: u64,
    differ: u64,
}

impl Smoothing {
    pub(super) fn add(&mut self, series: u64, row: &Row<'_>) {
        let (Some(decision), Some(severity)) = (row.decision, row.severity) else { return };
        let scale = (-severity).exp_m1();
        let rho = decision / scale;
        // Far out, too, many severities mean one decision.
        if scale.abs() < SCALE_MIN || 1.0 + scale < SCALE_MIN || !rho.is_finite() {
            return;
        }
        let is_known = self.rhos.len() < SERIES_MAX || self.rhos.contains_key(&series);
        if is_known && let Some(before) = self.rhos.insert(series, rho) {
            match (before - rho).abs() <= ROUNDING * rho.abs() {
                true => self.agree += 1,
                false => self.differ += 1,
            }
        }
    }

    /// None: there are too few windows to tell. Another model now and then makes a few differ.
    pub(super) fn is_smoothed(&self) -> Option<bool> {
        (self.agree + self.differ >= PAIRS_MIN).then_some(self.differ > self.agree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(windows: usize, rho: f64) -> Option<bool> {
        let own = |at: usize| (at as f64 * 0.7).sin() * 1.5;
        let mut smoothing = Smoothing::default();
        for at in 3..40 {
            let severity = (0..windows).map(|back| own(at - back)).sum::<f64>() / windows as f64;
            let row = Row {
                device: "d",
                sensor: None,
                start: 0,
                end: 0,
                decision: Some(rho * (-own(at)).exp_m1()),
                severity: Some(severity),
                threshold: None,
                is_anomaly: false,
                status: "scored",
                model_key: None,
            };
            smoothing.add(7, &row);
        }
        smoothing.is_smoothed()
    }

    #[test]
    fn a_mean_is_told_from_a_windows_own() {
        for rho in [0.02, 4.0, 900.0] {
            assert_eq!(told(1, rho), Some(false));
            for windows in [2, 3] {
                assert_eq!(told(windows, rho), Some(true), "over {windows}");
            }
        }
        assert_eq!(Smoothing::default().is_smoothed(), None);
    }
}
