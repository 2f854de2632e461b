//! The same job with a commit a second, as configured by default, and with one at its end.

use crate::contender::Usage;
use crate::speed::{atalaia, median};
use crate::workload::{Kind, Workload};

const ROUNDS: usize = 3;

pub(crate) fn compare(brokers: &str, events: u64, workers: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let workload = Workload::make(brokers, Kind::FLEET_10K, events, folder.path())?;
    let one = ["--set", "sink.commit_interval=1d", "--set", "sink.max_delay=1d", "--set", "sink.min_rows=1000000000"];
    let contenders: [(&str, &[&str]); 3] = [
        ("one commit, at the end", &one),
        ("as by default", &[]),
        ("a commit a second", &["--set", "sink.commit_interval=1s"]),
    ];
    let mut runs: Vec<Vec<Usage>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..ROUNDS {
        for (number, (name, settings)) in contenders.iter().enumerate() {
            let contender = atalaia(&workload, &format!("c-{round}-{number}"), workers, settings)?;
            let usage = contender.run(workload.records)?;
            eprintln!("{name}: {:.2} s wall, {:.2} s CPU", usage.wall.as_secs_f64(), usage.cpu.as_secs_f64());
            runs[number].push(usage);
        }
    }
    // By the whole run: what is put off to the end is work, too.
    println!(
        "| {workers} workers, {} records, median of {ROUNDS} | M events/s (wall) | ratio | CPU-s per M | ratio |",
        workload.records
    );
    println!("|---|---|---|---|---|");
    let millions = workload.records as f64 / 1e6;
    let figures = |usages: &[Usage]| {
        let wall = median(usages.iter().map(|usage| millions / usage.wall.as_secs_f64()));
        (wall, median(usages.iter().map(|usage| usage.cpu.as_secs_f64() / millions)))
    };
    let base = figures(&runs[0]);
    for ((name, _), usages) in contenders.iter().zip(&runs) {
        let (wall, cpu) = figures(usages);
        println!("| {name} | {wall:.2} | {:.2} | {cpu:.2} | {:.2} |", wall / base.0, cpu / base.1);
    }
    Ok(())
}
