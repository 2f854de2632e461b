//! The whole job beside a bare consumer that discards, on a real broker, in one run: ratios hold where figures move.
//!
//! Each contender is a process of its own (this program started again), so that the kernel counts its CPU and memory.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod drain;
mod process;
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

    /// Numbers of workers to measure
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    workers: Vec<usize>,

    #[command(subcommand)]
    contender: Option<Contender>,
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
        None => compare(&args, &brokers()?),
    }
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
