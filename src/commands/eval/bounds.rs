//! Bounds on the figures: what an evaluation must reach to count as a success.

use std::fmt;

use serde_json::{Value, json};
use types::{Span, parse_span};

use super::measure::Figures;
use crate::commands::share;

/// Each makes the exit status 3 if it is not kept, or if the figure is not defined.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Bounds (exit status 3 if one is not kept)")]
pub(super) struct Bounds {
    /// Least precision, as `0.85` or `85%`
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_precision: Option<f64>,

    /// Least recall
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_recall: Option<f64>,

    /// Least F1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_f1: Option<f64>,

    /// Least area under the receiver's operating characteristic
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_auc: Option<f64>,

    /// Least share of labelled rows (or windows) with a score
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_coverage: Option<f64>,

    /// Least number of labelled windows with an alarm in them
    #[arg(long, value_name = "COUNT")]
    min_windows_hit: Option<u64>,

    /// Largest false alarm rate
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_far: Option<f64>,

    /// Largest missed alarm rate
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_mar: Option<f64>,

    /// Most false alarm episodes a day and device
    #[arg(long, value_name = "COUNT")]
    max_episodes_a_day: Option<f64>,

    /// Longest median delay to the first true alarm, like `5m`
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    max_delay: Option<Span>,

    /// Longest delay of nine in ten
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    max_delay_p90: Option<Span>,
}

/// A bound beside what was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    name: &'static str,
    what: &'static str,
    limit: f64,
    found: Option<f64>,
    is_least: bool,
}

impl Bounds {
    /// Those that were given.
    pub(super) fn check(&self, figures: &Figures) -> Vec<Outcome> {
        let counts = figures.counts;
        let seconds = |micros: Option<i64>| micros.map(|micros| micros as f64 / 1e6);
        let limit = |span: Option<Span>| seconds(span.map(Span::micros));
        let least = [
            ("min_precision", "precision", self.min_precision, counts.precision()),
            ("min_recall", "recall", self.min_recall, counts.recall()),
            ("min_f1", "F1", self.min_f1, counts.f1()),
            ("min_auc", "AUC", self.min_auc, figures.auc),
            ("min_coverage", "coverage", self.min_coverage, figures.coverage()),
            (
                "min_windows_hit",
                "labelled windows hit",
                self.min_windows_hit.map(|n| n as f64),
                Some(figures.windows_hit as f64),
            ),
        ];
        let most = [
            ("max_far", "false alarm rate", self.max_far, counts.far()),
            ("max_mar", "missed alarm rate", self.max_mar, counts.mar()),
            ("max_episodes_a_day", "false alarm episodes a day", self.max_episodes_a_day, figures.episodes_a_day()),
            ("max_delay", "median delay in seconds", limit(self.max_delay), seconds(figures.delay_median)),
            ("max_delay_p90", "90 % delay in seconds", limit(self.max_delay_p90), seconds(figures.delay_p90)),
        ];
        let outcome = |is_least| {
            move |(name, what, limit, found): (&'static str, &'static str, Option<f64>, Option<f64>)| {
                Some(Outcome { name, what, limit: limit?, found, is_least })
            }
        };
        least.into_iter().filter_map(outcome(true)).chain(most.into_iter().filter_map(outcome(false))).collect()
    }
}

impl Outcome {
    pub(super) fn is_kept(&self) -> bool {
        self.found.is_some_and(|found| if self.is_least { found >= self.limit } else { found <= self.limit })
    }

    pub(super) fn json(&self) -> Value {
        json!({ "bound": self.name, "limit": self.limit, "found": self.found, "ok": self.is_kept() })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = if self.is_least { "at least" } else { "at most" };
        match self.found {
            Some(found) => write!(f, "{} is {found:.4}, {limit} {} was asked for", self.what, self.limit)?,
            None => write!(f, "{} is not defined here, {limit} {} was asked for", self.what, self.limit)?,
        }
        write!(f, " (--{})", self.name.replace('_', "-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::eval::measure::Counts;

    #[test]
    fn shares_are_numbers_or_percents() {
        for (text, expected) in [("0.85", 0.85), ("13.5%", 0.135), ("17.5 %", 0.175), ("1", 1.0), ("0", 0.0)] {
            assert_eq!(share(text), Ok(expected), "{text}");
        }
        for text in ["", "85", "-0.1", "101%", "nan", "much"] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bound_that_is_not_kept_or_not_defined_is_named() {
        let counts = Counts { true_positives: 8, false_positives: 2, false_negatives: 2, true_negatives: 18 };
        let figures = Figures { counts, windows: 2, windows_hit: 1, ..Figures::default() };
        let bounds = Bounds {
            min_f1: Some(0.8),
            min_precision: Some(0.81),
            max_far: Some(0.1),
            max_mar: Some(0.19),
            min_windows_hit: Some(2),
            min_auc: Some(0.5),
            ..Bounds::default()
        };
        let outcomes = bounds.check(&figures);
        let kept: Vec<_> = outcomes.iter().map(|outcome| (outcome.name, outcome.is_kept())).collect();
        let expected = [
            ("min_precision", false),
            ("min_f1", true),
            ("min_auc", false),
            ("min_windows_hit", false),
            ("max_far", true),
            ("max_mar", false),
        ];
        assert_eq!(kept, expected);
        assert_eq!(outcomes[0].to_string(), "precision is 0.8000, at least 0.81 was asked for (--min-precision)");
        assert_eq!(outcomes[2].to_string(), "AUC is not defined here, at least 0.5 was asked for (--min-auc)");
        assert!(Bounds::default().check(&figures).is_empty());
    }
}
