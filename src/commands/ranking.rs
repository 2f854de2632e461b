//! What ranks windows of models of any kind: their severity if they have one, else their decision.

use clap::ValueEnum;

/// What ranks windows: for the areas under curves, and for plots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Score {
    /// Severity above the model's threshold: 0 is where an alarm begins
    Excess,
    /// Severity, as in the column of that name
    Severity,
    /// Minus the decision: for models that have no severity
    Decision,
}

/// What the scored rows of a dataset have, counted as they come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Has {
    pub(crate) scored: u64,
    with_severity: u64,
    with_threshold: u64,
}

impl Score {
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Score::Excess => "severity above the model's threshold",
            Score::Severity => "severity",
            Score::Decision => "minus the decision",
        }
    }

    pub(crate) fn of(self, decision: Option<f64>, severity: Option<f64>, threshold: Option<f64>) -> Option<f64> {
        match self {
            Score::Excess => Some(severity? - threshold.unwrap_or(0.0)),
            Score::Severity => severity,
            Score::Decision => decision.map(|decision| -decision),
        }
    }

    /// The finest that every scored row has.
    pub(crate) fn finest(all: impl Iterator<Item = Has>) -> Score {
        let all = all.fold(Has::default(), |a, b| Has {
            scored: a.scored + b.scored,
            with_severity: a.with_severity + b.with_severity,
            with_threshold: a.with_threshold + b.with_threshold,
        });
        match () {
            () if all.with_severity < all.scored => Score::Decision,
            () if all.with_threshold > 0 => Score::Excess,
            () => Score::Severity,
        }
    }
}

impl Has {
    pub(crate) fn add(&mut self, decision: Option<f64>, severity: Option<f64>, threshold: Option<f64>) {
        if decision.is_some() {
            self.scored += 1;
            self.with_severity += u64::from(severity.is_some());
            self.with_threshold += u64::from(threshold.is_some());
        }
    }
}
