//! How models are trained: the settings, their defaults, and how they are written.
//!
//! The defaults are those that served best on labelled data; `docs/training.md` has the figures.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::Untrained;

/// How a model is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// Share of the training rows that may lie outside; above 0 and below 1.
    pub nu: f64,
    pub gamma: Gamma,
    pub preparation: Preparation,
    /// Where the solver stops. The customary 1e-3 gives models of little use on one feature.
    pub tolerance: f64,
    pub solver: Solver,
    /// Fewer rows are refused.
    pub rows_min: usize,
    /// Of more rows, so many are drawn for the solver, evenly in time. All of them are judged in calibration.
    pub rows_max: usize,
    /// What is drawn by; the same seed gives the same model.
    pub seed: u64,
    /// Blocks of the calibration.
    pub folds: usize,
    pub threshold: ThresholdRule,
    /// The mean severity of so many adjacent windows is judged, in calibration as in service.
    pub smoothing: u32,
    pub trim: Trim,
}

/// The rbf kernel's width. `d` is how many numbers the kernel sees, `var` their variance in the training rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gamma {
    /// So much divided by `d·var`. 1 is scikit-learn's `scale`.
    Share(f64),
    Fixed(f64),
}

/// What is done to features before the kernel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Preparation {
    /// Whitened if the features are of several sensors, otherwise scaled.
    Auto,
    /// To mean 0 and standard deviation 1.
    Scale,
    /// Scaled, and made uncorrelated with variance 1. `ridge` is added to each variance first: it bounds by how much a direction in
    /// which nothing ever happened is stretched.
    Whiten { ridge: f64 },
}

/// Which crate solves the quadratic program. Both find the same solution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Solver {
    /// The faster one.
    #[default]
    Auto,
    Linfa,
    Libsvm,
}

/// From out-of-sample severities to the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ThresholdRule {
    /// So many times the largest.
    Factor(f64),
    /// So many times a quantile.
    Quantile { quantile: f64, factor: f64 },
    /// What is exceeded with this probability, by a generalized Pareto distribution fitted to the largest tenth.
    Pot { probability: f64 },
    /// scikit-learn's rule: no threshold, and no smoothing.
    Zero,
}

/// What is done about training rows that may be anomalies themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trim {
    None,
    /// Rows that stand out are left out, at most `share_max` of all; then once more from the start. A row stands out if its out-of-sample
    /// severity is `times` as far from the median as the 90 % quantile is.
    Outstanding {
        share_max: f64,
        times: f64,
    },
    /// This share of the rows, those of the largest out-of-sample severity, are left out whatever they look like.
    Share(f64),
}

pub(super) const RIDGE: f64 = 1e-3;

impl Default for TrainOptions {
    fn default() -> Self {
        TrainOptions {
            nu: 0.05,
            gamma: Gamma::Share(0.1),
            preparation: Preparation::Auto,
            tolerance: 1e-9,
            solver: Solver::Auto,
            rows_min: 40,
            rows_max: 5_000,
            seed: 0,
            folds: 5,
            threshold: ThresholdRule::Factor(1.5),
            smoothing: 3,
            trim: Trim::Outstanding { share_max: 0.1, times: 20.0 },
        }
    }
}

impl TrainOptions {
    pub(super) fn check(&self) -> Result<(), Untrained> {
        let refuse = |what, value| Err(Untrained::Option { what, value });
        let positive = |what, value: f64| match value.is_finite() && value > 0.0 {
            true => Ok(()),
            false => refuse(what, value),
        };
        let share = |what, value: f64| match value > 0.0 && value < 1.0 {
            true => Ok(()),
            false => refuse(what, value),
        };
        share("nu", self.nu)?;
        let (Gamma::Share(gamma) | Gamma::Fixed(gamma)) = self.gamma;
        positive("gamma", gamma)?;
        positive("tolerance", self.tolerance)?;
        if let Preparation::Whiten { ridge } = self.preparation {
            positive("ridge", ridge)?;
        }
        match self.threshold {
            ThresholdRule::Factor(factor) => positive("factor", factor)?,
            ThresholdRule::Quantile { quantile, factor } => {
                share("quantile", quantile)?;
                positive("factor", factor)?;
            }
            ThresholdRule::Pot { probability } => share("probability", probability)?,
            ThresholdRule::Zero => {}
        }
        match self.trim {
            Trim::None => {}
            Trim::Outstanding { share_max: trimmed, .. } | Trim::Share(trimmed) => {
                share("trim", trimmed)?;
                share("trim", 2.0 * trimmed)?;
            }
        }
        if let Trim::Outstanding { times, .. } = self.trim {
            positive("trim", times)?;
        }
        if self.folds < 2 {
            return refuse("folds", self.folds as f64);
        }
        if !(1..=100).contains(&self.smoothing) {
            return refuse("smoothing", f64::from(self.smoothing));
        }
        Ok(())
    }

    /// A fold must be left with rows, and nu with at least one of them: below that there is hardly a boundary.
    pub(super) fn rows_needed(&self) -> usize {
        self.rows_min.max(2 * self.folds).max((1.25 / self.nu).ceil() as usize)
    }
}

// === how they are written ===

fn number(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is not a number"))
}

impl FromStr for Gamma {
    type Err = String;

    fn from_str(text: &str) -> Result<Gamma, String> {
        if text == "scale" {
            return Ok(Gamma::Share(1.0));
        }
        match text.split_once('/') {
            Some((share, "(d*var)" | "(d·var)")) => number(share).map(Gamma::Share),
            Some(_) => Err(format!("`{text}` is no gamma: write a number, `scale`, or `0.1/(d*var)`")),
            None => number(text).map(Gamma::Fixed),
        }
    }
}

impl fmt::Display for Gamma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gamma::Share(1.0) => f.write_str("scale"),
            Gamma::Share(share) => write!(f, "{share}/(d*var)"),
            Gamma::Fixed(gamma) => write!(f, "{gamma}"),
        }
    }
}

impl FromStr for Preparation {
    type Err = String;

    fn from_str(text: &str) -> Result<Preparation, String> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Preparation::Auto),
            None if text == "scale" => Ok(Preparation::Scale),
            None if text == "whiten" => Ok(Preparation::Whiten { ridge: RIDGE }),
            Some(("whiten", ridge)) => number(ridge).map(|ridge| Preparation::Whiten { ridge }),
            _ => Err(format!("`{text}` is no preparation: write `auto`, `scale`, `whiten` or `whiten:0.001`")),
        }
    }
}

impl fmt::Display for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Preparation::Auto => f.write_str("auto"),
            Preparation::Scale => f.write_str("scale"),
            Preparation::Whiten { ridge } => write!(f, "whiten:{ridge}"),
        }
    }
}

impl FromStr for Solver {
    type Err = String;

    fn from_str(text: &str) -> Result<Solver, String> {
        match text {
            "auto" => Ok(Solver::Auto),
            "linfa" => Ok(Solver::Linfa),
            "libsvm" => Ok(Solver::Libsvm),
            _ => Err(format!("`{text}` is no solver: write `auto`, `linfa` or `libsvm`")),
        }
    }
}

impl fmt::Display for Solver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Solver::Auto => "auto",
            Solver::Linfa => "linfa",
            Solver::Libsvm => "libsvm",
        })
    }
}

impl Serialize for Solver {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for ThresholdRule {
    type Err = String;

    fn from_str(text: &str) -> Result<ThresholdRule, String> {
        let parts: Vec<&str> = text.split(':').collect();
        Ok(match parts[..] {
            ["factor"] => ThresholdRule::Factor(1.5),
            ["factor", factor] => ThresholdRule::Factor(number(factor)?),
            ["quantile"] => ThresholdRule::Quantile { quantile: 0.95, factor: 2.0 },
            ["quantile", quantile, factor] => {
                ThresholdRule::Quantile { quantile: number(quantile)?, factor: number(factor)? }
            }
            ["pot"] => ThresholdRule::Pot { probability: 1e-4 },
            ["pot", probability] => ThresholdRule::Pot { probability: number(probability)? },
            ["zero"] => ThresholdRule::Zero,
            _ => {
                return Err(format!(
                    "`{text}` is no threshold: write `factor:1.5`, `quantile:0.95:2`, `pot:0.0001` or `zero`"
                ));
            }
        })
    }
}

impl fmt::Display for ThresholdRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ThresholdRule::Factor(factor) => write!(f, "factor:{factor}"),
            ThresholdRule::Quantile { quantile, factor } => write!(f, "quantile:{quantile}:{factor}"),
            ThresholdRule::Pot { probability } => write!(f, "pot:{probability}"),
            ThresholdRule::Zero => f.write_str("zero"),
        }
    }
}

impl FromStr for Trim {
    type Err = String;

    fn from_str(text: &str) -> Result<Trim, String> {
        let parts: Vec<&str> = text.split(':').collect();
        Ok(match parts[..] {
            ["none"] => Trim::None,
            ["outstanding"] => Trim::Outstanding { share_max: 0.1, times: 20.0 },
            ["outstanding", share, times] => Trim::Outstanding { share_max: number(share)?, times: number(times)? },
            ["share", share] => Trim::Share(number(share)?),
            _ => return Err(format!("`{text}` is no trimming: write `none`, `outstanding:0.1:20` or `share:0.05`")),
        })
    }
}

impl fmt::Display for Trim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trim::None => f.write_str("none"),
            Trim::Outstanding { share_max, times } => write!(f, "outstanding:{share_max}:{times}"),
            Trim::Share(share) => write!(f, "share:{share}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_as_they_are_read() {
        for text in ["scale", "0.1/(d*var)", "0.25"] {
            assert_eq!(text.parse::<Gamma>().expect(text).to_string(), text);
        }
        for text in ["auto", "scale", "whiten:0.01"] {
            assert_eq!(text.parse::<Preparation>().expect(text).to_string(), text);
        }
        for text in ["auto", "linfa", "libsvm"] {
            assert_eq!(text.parse::<Solver>().expect(text).to_string(), text);
        }
        for text in ["factor:1.5", "quantile:0.95:2", "pot:0.0001", "zero"] {
            assert_eq!(text.parse::<ThresholdRule>().expect(text).to_string(), text);
        }
        for text in ["none", "outstanding:0.1:20", "share:0.05"] {
            assert_eq!(text.parse::<Trim>().expect(text).to_string(), text);
        }
        assert_eq!("0.1/(d·var)".parse(), Ok(Gamma::Share(0.1)));
        for text in ["", "auto", "1/d", "x/(d*var)"] {
            assert!(text.parse::<Gamma>().is_err(), "{text}");
        }
    }
}
