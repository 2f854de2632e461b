//! Speed on a real broker, beside consumers that only discard: ratios hold where figures move.
//!
//! Each contender is a process of its own (this program started again), so that the kernel counts its CPU and memory.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod commits;
mod contender;
mod drain;
mod latency;
mod models;
mod recovery;
mod renewal;
mod scale;
mod scoring;
mod speed;
mod steady;
mod training;
mod workload;

use anyhow::Context;
use clap::{Parser, Subcommand};

/// As in the program that is measured.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures the whole job beside bare consumers, and how its cost grows
#[derive(Parser)]
struct Args {
    /// Brokers to work on [default: what ATALAIA_TEST_KAFKA says]
    #[arg(long, value_name = "BROKERS")]
    kafka: Option<String>,

    /// About how many records to make
    #[arg(long, default_value_t = 5_000_000)]
    events: u64,

    /// What to measure
    #[arg(long, value_enum, default_value_t = What::Speed)]
    what: What,

    /// With `recovery`: series with an open window each; with `scale`: series and models; with `scoring` and `models`: models
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    series: Vec<u64>,

    /// Numbers of workers to measure
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    workers: Vec<usize>,

    /// With `speed`: measure other programs that do the same job, too (bench/peers)
    #[arg(long)]
    peers: bool,

    /// With `speed`: put models, configurations and expected rows here, and leave them
    #[arg(long, value_name = "FOLDER")]
    keep: Option<std::path::PathBuf>,

    #[command(subcommand)]
    contender: Option<Contender>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// The whole job beside bare consumers
    Speed,
    /// The same job with more and fewer commits
    Commits,
    /// From a kill to the first new commit
    Recovery,
    /// The same records of more and more series
    Scale,
    /// Records of 100 fields each
    Wide,
    /// From the record that closes a window to the durable row
    Latency,
    /// Rows a second through the scorer, by the number of models
    Scoring,
    /// Models a second beside scikit-learn
    Training,
    /// Loading many models from a registry, and renewing them under load
    Models,
}

/// What a started process does; not for people.
#[derive(Subcommand)]
enum Contender {
    #[command(hide = true)]
    Drain { topic: String, events: u64, kind: drain::Kind },
    #[command(hide = true)]
    Atalaia { args: Vec<String> },
}

fn main() -> anyhow::Result<std::process::ExitCode> {
    let args = Args::parse();
    let brokers = || {
        let named = args.kafka.clone().or_else(|| std::env::var("ATALAIA_TEST_KAFKA").ok());
        named.context("name a broker with --kafka or ATALAIA_TEST_KAFKA")
    };
    match &args.contender {
        Some(Contender::Drain { topic, events, kind }) => drain::drain(&brokers()?, topic, *events, *kind)?,
        Some(Contender::Atalaia { args }) => {
            let args = ["atalaia"].into_iter().chain(args.iter().map(String::as_str));
            return atalaia::cli::Cli::parse_from(args).run();
        }
        None => measure(&args, &brokers)?,
    }
    Ok(std::process::ExitCode::SUCCESS)
}

fn measure(args: &Args, brokers: &dyn Fn() -> anyhow::Result<String>) -> anyhow::Result<()> {
    let Args { events, series, workers, peers, keep, .. } = args;
    match args.what {
        What::Speed => {
            let keep = keep.as_deref();
            speed::compare(&speed::Options { brokers: &brokers()?, events: *events, workers, peers: *peers, keep })
        }
        What::Commits => commits::compare(&brokers()?, *events, workers.last().copied().unwrap_or(1)),
        What::Recovery => recovery::all(&brokers()?, series),
        What::Scale => scale::series(&brokers()?, *events, series, workers),
        What::Wide => scale::wide(&brokers()?, *events, workers),
        What::Latency => latency::measure(&brokers()?),
        What::Training => training::measure(),
        What::Models => renewal::measure(series, workers.last().copied().unwrap_or(2)),
        What::Scoring => scoring::measure(&[&[1, 100], &series[..]].concat(), 60),
    }
}
