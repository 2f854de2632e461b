//! The options that say how a model is made; what they mean is `score::TrainOptions`' business.

use score::{Gamma, Preparation, Solver, ThresholdRule, TrainOptions, Trim};

/// How models are made.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How models are made")]
pub(crate) struct TrainArgs {
    /// Share of the rows that may lie outside the boundary
    #[arg(long, value_name = "SHARE", default_value_t = TrainOptions::default().nu)]
    nu: f64,

    /// Of the rbf kernel: a number, `scale`, or a share like `0.1/(d*var)`
    #[arg(long, value_name = "GAMMA", default_value_t = TrainOptions::default().gamma)]
    gamma: Gamma,

    /// What is done to features first: `scale`, `whiten` (or `whiten:RIDGE`), or `auto`: whiten those of several sensors
    #[arg(long, value_name = "RULE", default_value_t = TrainOptions::default().preparation)]
    preparation: Preparation,

    /// From severities of rows left out to the threshold: `factor:1.5` (times the largest), `quantile:0.95:2` (times a quantile),
    /// `pot:0.0001` (exceeded with this probability, by a generalized Pareto distribution), or `zero`: scikit-learn's rule
    #[arg(long, value_name = "RULE", default_value_t = TrainOptions::default().threshold)]
    threshold: ThresholdRule,

    /// Judge the mean severity of so many adjacent windows
    #[arg(long, value_name = "COUNT", default_value_t = TrainOptions::default().smoothing)]
    smoothing: u32,

    /// What is done about training rows that may be anomalies: `none`, `outstanding:SHARE:TIMES` (rows so many times as far out as
    /// most, at most this share), or `share:SHARE` (this share, the furthest out)
    #[arg(long, value_name = "RULE", default_value_t = TrainOptions::default().trim)]
    trim: Trim,

    /// Blocks of the calibration
    #[arg(long, value_name = "COUNT", default_value_t = TrainOptions::default().folds)]
    folds: usize,

    /// Keys with fewer rows get no model
    #[arg(long, value_name = "COUNT", default_value_t = TrainOptions::default().rows_min)]
    rows_min: usize,

    /// Of more rows so many are drawn, evenly in time
    #[arg(long, value_name = "COUNT", default_value_t = TrainOptions::default().rows_max)]
    rows_max: usize,

    /// What they are drawn by
    #[arg(long, value_name = "NUMBER", default_value_t = TrainOptions::default().seed)]
    seed: u64,

    /// `libsvm`, `linfa`, or `auto`: the faster one
    #[arg(long, value_name = "SOLVER", default_value_t = TrainOptions::default().solver)]
    solver: Solver,

    /// Where the solver stops
    #[arg(long, value_name = "NUMBER", default_value_t = TrainOptions::default().tolerance)]
    tolerance: f64,
}

impl TrainArgs {
    pub(crate) fn options(&self) -> TrainOptions {
        let TrainArgs {
            nu,
            gamma,
            preparation,
            threshold,
            smoothing,
            trim,
            folds,
            rows_min,
            rows_max,
            seed,
            solver,
            tolerance,
        } = *self;
        TrainOptions {
            nu,
            gamma,
            preparation,
            threshold,
            smoothing,
            trim,
            folds,
            rows_min,
            rows_max,
            seed,
            solver,
            tolerance,
        }
    }
}
