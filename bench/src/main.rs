//! The whole job beside a bare consumer that discards, on a real broker, in one run: ratios hold where figures move.
//!
//! Each contender is a process of its own (this program started again), so that the kernel counts its CPU and memory.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod drain;
mod process;
mod recovery;
mod workload;

use std::path::Path;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};

use crate::process::Usage;
use crate::workload::Workload;

/// Measures events per second of the whole job beside a bare consumer
#[derive(Parser)]
struct Args {
    /// Brokers to work on [default: what ATALAIA_TEST_KAFKA says]
    #[arg(long, value_name = "BROKERS")]
    kafka: Option<String>,

    /// Records to make, of 10,000 series: rounded down to whole windows of 100,000
    #[arg(long, default_value_t = 5_000_000)]
    events: u64,

    /// What to measure: `speed` beside a bare consumer, what `commits` cost, or `recovery` after a kill
    #[arg(long, value_enum, default_value_t = What::Speed)]
    what: What,

    /// With `recovery`: series with an open window each
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000")]
    series: Vec<u64>,

    /// Numbers of workers to measure
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    workers: Vec<usize>,

    #[command(subcommand)]
    contender: Option<Contender>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Speed,
    Commits,
    Recovery,
}

/// What a started process does; not for people.
#[derive(Subcommand)]
enum Contender {
    #[command(hide = true)]
    Drain { topic: String, events: u64 },
    #[command(hide = true)]
    Atalaia { args: Vec<String> },
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let brokers = || {
        args.kafka
            .clone()
            .or_else(|| std::env::var("ATALAIA_TEST_KAFKA").ok())
            .context("name a broker with --kafka or ATALAIA_TEST_KAFKA")
    };
    match &args.contender {
        Some(Contender::Drain { topic, events }) => {
            drain::drain(&brokers()?, topic, *events)?;
            process::report()
        }
        Some(Contender::Atalaia { args }) => {
            atalaia::cli::Cli::parse_from(["atalaia"].into_iter().chain(args.iter().map(String::as_str))).run()?;
            process::report()
        }
        None => match args.what {
            What::Speed => compare(&args, &brokers()?),
            What::Commits => commits(&args, &brokers()?),
            What::Recovery => {
                recovery::head();
                args.series.iter().try_for_each(|series| {
                    let folder = tempfile::tempdir().context("make a folder")?;
                    recovery::measure(&brokers()?, *series, folder.path())
                })
            }
        },
    }
}

/// How often each contender runs, in turn.
const ROUNDS: usize = 3;

/// The same job with a commit a second, as configured by default, and with one at its end.
fn commits(args: &Args, brokers: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("make a folder")?;
    eprintln!("making the workload");
    let workload = Workload::make(brokers, args.events, folder.path())?;
    let workers = args.workers.last().copied().unwrap_or(1);
    let one = ["--set", "sink.commit_interval=1d", "--set", "sink.max_delay=1d", "--set", "sink.min_rows=1000000000"];
    let contenders: [(&str, &[&str]); 3] = [
        ("one commit, at the end", &one),
        ("as by default", &[]),
        ("a commit a second", &["--set", "sink.commit_interval=1s"]),
    ];
    let mut walls: Vec<Vec<Usage>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..ROUNDS {
        for (number, (name, settings)) in contenders.iter().enumerate() {
            let out = folder.path().join(format!("out-{round}-{number}"));
            let config = workload.configuration(workers, &out)?;
            let (config, pipeline) = (config.display().to_string(), format!("pipeline=c-{round}-{number}"));
            let group = format!("ingest.kafka.group={}-{round}-{number}", workload.topic);
            let mut command = vec!["atalaia", "--", "score", "-c", &config, "--close", "all", "--format", "json"];
            command.extend(["--set", &pipeline, "--set", &group]);
            command.extend_from_slice(settings);
            let usage = process::run(&command)?;
            let rows = rows(&usage, &out)?;
            if rows != workload.rows {
                bail!("{rows} rows instead of {}: the figures mean nothing", workload.rows);
            }
            eprintln!("{name}: {:.2} s wall, {:.2} s CPU", usage.wall.as_secs_f64(), usage.cpu.as_secs_f64());
            walls[number].push(usage);
        }
    }
    println!("| {workers} workers, {} records | s wall, median of {ROUNDS} | ratio | CPU-s | ratio |", workload.events);
    println!("|---|---|---|---|---|");
    let median = |usages: &[Usage], of: fn(&Usage) -> f64| {
        let mut figures: Vec<f64> = usages.iter().map(of).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let (wall, cpu) = (|usage: &Usage| usage.wall.as_secs_f64(), |usage: &Usage| usage.cpu.as_secs_f64());
    let (base_wall, base_cpu) = (median(&walls[0], wall), median(&walls[0], cpu));
    for ((name, _), usages) in contenders.iter().zip(&walls) {
        let (wall, cpu) = (median(usages, wall), median(usages, cpu));
        println!("| {name} | {wall:.2} | {:.2} | {cpu:.2} | {:.2} |", wall / base_wall, cpu / base_cpu);
    }
    Ok(())
}

fn compare(args: &Args, brokers: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("make a folder")?;
    eprintln!("making the workload");
    let workload = Workload::make(brokers, args.events, folder.path())?;
    let mut table = Table { events: workload.events, bare: None };
    table.head();

    let events = workload.events.to_string();
    let drain = process::run(&["--kafka", brokers, "drain", &workload.topic, &events])?;
    table.row("bare drain (batch interface)", &drain, None);
    for workers in &args.workers {
        let out = folder.path().join(format!("out-{workers}"));
        let config = workload.configuration(*workers, &out)?;
        let config = config.display().to_string();
        let usage = process::run(&["atalaia", "--", "score", "-c", &config, "--close", "all", "--format", "json"])?;
        let rows = rows(&usage, &out)?;
        table.row(&format!("atalaia, {workers} workers"), &usage, Some(rows));
        if rows != workload.rows {
            bail!("{rows} rows instead of {}: the figures mean nothing", workload.rows);
        }
    }
    Ok(())
}

/// Rows of the contender's own summary.
fn rows(usage: &Usage, out: &Path) -> anyhow::Result<u64> {
    let summary = usage.output.lines().find_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let rows = summary.as_ref().and_then(|summary| summary["counts"]["rows"].as_u64());
    rows.with_context(|| format!("find the number of rows in the summary of `{}`: {}", out.display(), usage.output))
}

struct Table {
    events: u64,
    bare: Option<f64>,
}

impl Table {
    fn head(&self) {
        println!("| contender | events/s (wall) | x bare drain | CPU-s per M events | peak MiB | rows |");
        println!("|---|---|---|---|---|---|");
    }

    fn row(&mut self, name: &str, usage: &Usage, rows: Option<u64>) {
        let rate = self.events as f64 / usage.wall.as_secs_f64();
        let bare = *self.bare.get_or_insert(rate);
        let cpu = usage.cpu.as_secs_f64() / self.events as f64 * 1e6;
        let rows = rows.map_or_else(String::new, |rows| rows.to_string());
        println!(
            "| {name} | {:.2} M | {:.2} | {cpu:.2} | {:.0} | {rows} |",
            rate / 1e6,
            rate / bare,
            usage.peak_bytes as f64 / f64::from(1 << 20),
        );
    }
}
