//! The command line: one subcommand a job. Each command's file holds its arguments and what it does.

mod overview;
mod version;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::{
    completions, demo, estimate, eval, explain, health, init, man, models, preview, report, run, score, simulate,
    state, top, train, validate,
};
use crate::{paint, telemetry};

/// Watches fleets of devices: reads sensor events, aggregates them over event-time windows, scores each closed window
/// with that device's own one-class SVM, and writes predictions as plain Parquet.
#[derive(Debug, Parser)]
#[command(name = "atalaia", bin_name = "atalaia", version, max_term_width = 100, after_help = AFTER)]
pub struct Cli {
    #[command(flatten)]
    global: Global,

    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// When output is coloured; `auto`: on a terminal, unless NO_COLOR, CLICOLOR or TERM say otherwise
    // Read before the line is parsed: see `paint::choose`.
    #[arg(long = "color", global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    _color: paint::Colour,

    /// Show no progress, and of the log only warnings and errors
    #[arg(short, long, global = true)]
    quiet: bool,
}

const AFTER: &str = "\
Examples:
  atalaia demo                         # see the whole pipeline work on a simulated fleet
  atalaia init --sample readings.csv   # write a configuration that reads your data
  atalaia validate -c pipeline.toml    # check a configuration; --online asks broker and stores too
  atalaia preview -c pipeline.toml     # see what becomes of the first records
  atalaia run -c pipeline.toml         # the service
  atalaia top                          # watch a service that runs

Exit status:
  0    done; also where whoever reads the output has seen enough (`| head`)
  1    failed: standard error says what, why and what to do; or the answer is no: of validate,
       health, top, models verify, models stale --check, state status, state audit
  2    a mistake on the command line
  3    eval: a bound is not kept
  130  stopped by a signal, or by q, before the work was done

`atalaia COMMAND --help` says more of each.";

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, made once")]
enum Command {
    Demo(demo::Args),
    Init(init::Args),
    Validate(validate::Args),
    Preview(preview::Args),
    Estimate(estimate::Args),
    Simulate(simulate::Args),
    Run(run::Args),
    Score(score::Args),
    Top(top::Args),
    Health(health::Args),
    State(state::Args),
    Train(train::Args),
    Models(models::Args),
    Report(report::Args),
    Eval(eval::Args),
    Explain(explain::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// All commands and options.
#[must_use]
pub fn command() -> clap::Command {
    let command = Cli::command().styles(paint::styles()).long_version(version::long());
    overview::arrange(command)
}

impl Cli {
    /// The command line of this process. A mistake in it, and what only asks for help, ends the process.
    #[must_use]
    pub fn read() -> Self {
        paint::choose(std::env::args_os());
        let mut command = command();
        let matches = command.get_matches_mut();
        Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }

    /// Runs the command that was asked for.
    ///
    /// # Errors
    /// Whatever stopped it; [`crate::failure::print`] shows it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if self.global.quiet {
            telemetry::be_quiet();
        }
        let _finish = telemetry::Finish;
        self.work().inspect_err(telemetry::failed)
    }

    fn work(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Demo(args) => demo::run(args),
            Command::Init(args) => init::run(&args),
            Command::Validate(args) => validate::run(args),
            Command::Preview(args) => preview::run(args),
            Command::Estimate(args) => estimate::run(&args),
            Command::Simulate(args) => simulate::run(args),
            Command::Run(args) => run::run(args),
            Command::Score(args) => score::run(args),
            Command::Top(args) => top::run(&args),
            Command::Health(args) => health::run(&args),
            Command::State(args) => state::run(args),
            Command::Train(args) => train::run(args),
            Command::Models(args) => models::run(args),
            Command::Report(args) => report::run(&args),
            Command::Eval(args) => eval::run(&args),
            Command::Explain(args) => explain::run(&args),
            Command::Completions(args) => completions::run(args),
            Command::Man(args) => man::run(&args),
        }
    }
}
