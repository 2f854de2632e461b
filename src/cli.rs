//! The command line: one subcommand a job. Each command's file holds its arguments and what it does.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{
    demo, estimate, eval, explain, health, init, models, preview, report, run, score, simulate, state, top, train,
    validate,
};
use crate::telemetry;

/// Watches fleets of devices: reads sensor events, aggregates them over event-time windows, scores each closed window
/// with that device's own one-class SVM, and writes predictions as plain Parquet.
#[derive(Debug, Parser)]
#[command(name = "atalaia", version, propagate_version = true, max_term_width = 110, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
First steps:
  atalaia demo                         see the whole pipeline work on a simulated fleet, in two minutes
  atalaia init --sample readings.csv   write a configuration that reads your data
  atalaia validate -c pipeline.toml    check a configuration; add --online to ask broker and stores too
  atalaia preview -c pipeline.toml     see what becomes of the first records
  atalaia run -c pipeline.toml         the service
  atalaia top                          watch a service that runs";

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, made once")]
enum Command {
    Demo(demo::Args),
    Init(init::Args),
    Run(run::Args),
    Score(score::Args),
    Simulate(simulate::Args),
    Preview(preview::Args),
    Validate(validate::Args),
    Estimate(estimate::Args),
    Models(models::Args),
    Eval(eval::Args),
    Explain(explain::Args),
    Report(report::Args),
    State(state::Args),
    Train(train::Args),
    Health(health::Args),
    Top(top::Args),
}

impl Cli {
    /// Runs the command that was asked for.
    ///
    /// # Errors
    /// Whatever stopped it; [`crate::report::print`] shows it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let _finish = telemetry::Finish;
        self.work().inspect_err(telemetry::failed)
    }

    fn work(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Demo(args) => demo::run(args),
            Command::Init(args) => init::run(&args),
            Command::Run(args) => run::run(args),
            Command::Score(args) => score::run(args),
            Command::Simulate(args) => simulate::run(args),
            Command::Preview(args) => preview::run(args),
            Command::Validate(args) => validate::run(args),
            Command::Estimate(args) => estimate::run(&args),
            Command::Models(args) => models::run(args),
            Command::Eval(args) => eval::run(&args),
            Command::Explain(args) => explain::run(&args),
            Command::Report(args) => report::run(&args),
            Command::State(args) => state::run(args),
            Command::Train(args) => train::run(args),
            Command::Health(args) => health::run(&args),
            Command::Top(args) => top::run(&args),
        }
    }
}
