//! `atalaia estimate`: what a fleet would take: events, rows, files, requests, memory, cores, money.
//!
//! Pure arithmetic on a configuration and measured figures: nothing is opened or asked. Figures (`figures`), what arrives (`load`),
//! when commits are due (`commits`), bytes (`volumes`), requests (`requests`), processors and sleep (`running`), money (`prices`).

mod commits;
mod figures;
mod load;
mod prices;
mod requests;
mod running;
mod show;
#[cfg(test)]
mod tests;
mod volumes;

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use types::Span;

use self::commits::Commits;
use self::load::Load;
use self::prices::{Bill, Prices};
use self::requests::Daily;
use self::running::{Processor, Sleep};
use self::volumes::{Files, Memory, Stored};
use super::{Format, PartialConfig, share};

/// Estimates what a fleet would take: rows, files, requests, memory, cores, money
///
/// Nothing is opened or asked. Settings come from the configuration, or are the defaults; how large the fleet is is said by
/// flags, or by `[ingest.simulated]`. Bytes and counts of requests were measured and are good to a few tens of percent; rates
/// are planned at half of what was reached. docs/operations.md explains the figures and what to do with them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # a million sensors, a reading a minute, with default settings
  atalaia estimate --devices 200000 --sensors 5 --per-minute 1 --partitions 32
  # windows, cadence and workers as configured
  atalaia estimate -c pipeline.toml --devices 5000 --per-minute 6
  # what fewer commits would save
  atalaia estimate -c pipeline.toml --devices 5000 --set sink.commit_interval=5m
  # a month in money
  atalaia estimate --devices 5000 --partitions 8 --prices prices.toml
  # is it worth stopping between windows?
  atalaia estimate --devices 500 --window 6h --wake-every 6h
  atalaia estimate --devices 5000 --format json | jq .requests.all

A table of prices, from your provider's price page (what is left out is shown as a quantity):
  currency = \"EUR\"
  as_of = \"the day, and the page\"
  puts_per_10000 = …       gets_per_10000 = …
  lists_per_10000 = …      deletes_per_10000 = …
  stored_gib_month = …     core_hour = …     memory_gib_hour = …")]
pub(crate) struct Args {
    #[command(flatten)]
    config: PartialConfig,

    /// A table of prices (TOML); see the examples
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,

    /// How the estimate is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    #[command(flatten)]
    fleet: Fleet,
}

/// What no configuration says.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "The fleet")]
pub(crate) struct Fleet {
    /// Number of devices
    #[arg(long, value_name = "COUNT")]
    devices: Option<u64>,

    /// Sensors of each device [default: 1, or those of the simulated fleet]
    #[arg(long, value_name = "COUNT")]
    sensors: Option<u64>,

    /// Readings a minute of each sensor [default: 1, or as the simulated fleet reads]
    #[arg(long, value_name = "RATE")]
    per_minute: Option<f64>,

    /// Partitions of the topic [default: 1, or those of the simulated fleet]
    #[arg(long, value_name = "COUNT")]
    partitions: Option<u32>,

    /// Instances that share the partitions
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    instances: u32,

    /// Cores of an instance, each with a worker, unless `run.workers` is set
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    cores: u32,

    /// Width of a window, instead of the configured one
    #[arg(long, value_name = "SPAN")]
    window: Option<Span>,

    /// Share of rows that are anomalies: they are told, not charged for
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = share)]
    anomalies: f64,

    /// Share of readings that come too late
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    late: f64,

    /// Share of readings that are refused: malformed, of the future, too old
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    refused: f64,

    /// Number of models [default: one for each series, or each device]
    #[arg(long, value_name = "COUNT")]
    models: Option<u64>,

    /// Support vectors of a model
    #[arg(long, value_name = "COUNT", default_value_t = 60)]
    support_vectors: u64,

    /// Features of a model [default: as configured]
    #[arg(long, value_name = "COUNT")]
    features: Option<u64>,

    /// Scaled to zero: how often it is woken [default: once a window]
    #[arg(long, value_name = "SPAN")]
    wake_every: Option<Span>,
}

/// The estimate. Counts are of a day and of all instances, unless their names say otherwise; bytes are bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Outlook {
    load: Load,
    records_a_second: f64,
    readings_a_second: f64,
    series: f64,
    windows_a_day: f64,
    anomalies_a_day: f64,
    commits: Commits,
    files: Files,
    stored: Stored,
    memory: Memory,
    processor: Processor,
    requests: Daily,
    sleep: Sleep,
    #[serde(skip_serializing_if = "Option::is_none")]
    month: Option<Bill>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = args.config.read()?;
    let mut outlook = Outlook::of(Load::new(&args.fleet, &config)?);
    if let Some(path) = &args.prices {
        outlook.month = Some(Bill::of(&outlook, &Prices::read(path)?));
    }
    match args.format {
        Format::Text => show::text(&outlook)?,
        Format::Json => show::json(&outlook)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Outlook {
    fn of(load: Load) -> Outlook {
        let commits = Commits::of(&load);
        let files = Files::of(&load, &commits);
        let requests = Daily::of(&load, &commits, &files);
        Outlook {
            records_a_second: load.readings_a_second() / load.readings_a_record,
            readings_a_second: load.readings_a_second(),
            series: load.series(),
            windows_a_day: commits::DAY / load.window,
            anomalies_a_day: commits.rows * load.anomalies,
            stored: Stored::of(&load, &commits, &files),
            memory: Memory::of(&load, &commits),
            processor: Processor::of(&load, &commits),
            sleep: Sleep::of(&load, &requests),
            month: None,
            commits,
            files,
            requests,
            load,
        }
    }
}
