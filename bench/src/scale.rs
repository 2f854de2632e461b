//! How cost grows with the number of series, and with records of a hundred fields.

use std::thread;
use std::time::{Duration, Instant};

use crate::contender::metric;
use crate::recovery;
use crate::speed::{atalaia, median};
use crate::workload::{Kind, Workload};

const ROUNDS: usize = 3;
const SENSORS: u64 = 5;

/// Ten readings a series and window in hourly windows: the same records and rows, whatever the number of series.
fn hourly(series: u64) -> Kind {
    Kind {
        name: "hourly",
        devices: u32::try_from(series / SENSORS).unwrap_or(u32::MAX),
        interval_s: 360,
        window_s: 3600,
        // A million models of sixty would be larger than the memory of most machines.
        support_vectors: 10,
        wide: 1,
    }
}

pub(crate) fn series(brokers: &str, events: u64, sizes: &[u64], workers: &[usize]) -> anyhow::Result<()> {
    println!(
        "| series (and models), {events} records, median of {ROUNDS} | workers | M events/s steady | x the first | CPU-s per M | peak MiB | models loaded in s | state B a series | packed |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut first = vec![None; workers.len()];
    for size in sizes {
        let folder = tempfile::tempdir()?;
        let workload = Workload::make(brokers, hourly(*size), events, folder.path())?;
        for (place, workers) in workers.iter().enumerate() {
            let (mut usages, mut loaded, mut state) = (Vec::new(), f64::NAN, (0, 0));
            for round in 0..ROUNDS {
                let contender = atalaia(&workload, &format!("s-{size}-{workers}-{round}"), *workers, &[])?;
                let address = contender.metrics.clone().unwrap_or_default();
                let watch = thread::spawn(move || load_seconds(&address));
                usages.push(contender.run(workload.records)?);
                loaded = watch.join().ok().flatten().unwrap_or(loaded);
                if let Some(out) = &contender.out {
                    state = recovery::largest_states(out)?;
                    std::fs::remove_dir_all(out)?;
                }
            }
            let steady = median(usages.iter().filter_map(|usage| usage.steady)) / 1e6;
            let base = *first[place].get_or_insert(steady);
            let cpu = median(usages.iter().map(|usage| usage.cpu.as_secs_f64() / workload.records as f64 * 1e6));
            let peak = median(usages.iter().map(|usage| usage.peak_bytes as f64 / f64::from(1 << 20)));
            let a_series = |bytes: u64| bytes as f64 / *size as f64;
            println!(
                "| {size} | {workers} | {steady:.2} | {:.2} | {cpu:.2} | {peak:.0} | {loaded:.1} | {:.0} | {:.0} |",
                steady / base,
                a_series(state.0),
                a_series(state.1)
            );
        }
    }
    Ok(())
}

fn load_seconds(address: &str) -> Option<f64> {
    let deadline = Instant::now() + Duration::from_secs(120);
    while Instant::now() < deadline {
        if let Some(seconds) = metric(address, "atalaia_score_load_seconds") {
            return Some(seconds);
        }
        thread::park_timeout(Duration::from_millis(100));
    }
    None
}

/// Records of a hundred fields each.
pub(crate) fn wide(brokers: &str, events: u64, workers: &[usize]) -> anyhow::Result<()> {
    let kind = Kind { name: "wide", devices: 100, wide: 100, support_vectors: 0, ..Kind::FLEET_10K };
    let folder = tempfile::tempdir()?;
    let workload = Workload::make(brokers, kind, events / 100, folder.path())?;
    println!(
        "| records of 100 fields, median of {ROUNDS} | workers | M records/s steady | M readings/s | CPU-s per M readings | peak MiB |"
    );
    println!("|---|---|---|---|---|---|");
    for workers in workers {
        let mut usages = Vec::new();
        for round in 0..ROUNDS {
            usages.push(atalaia(&workload, &format!("w-{workers}-{round}"), *workers, &[])?.run(workload.records)?);
        }
        let steady = median(usages.iter().filter_map(|usage| usage.steady)) / 1e6;
        let cpu = median(usages.iter().map(|usage| usage.cpu.as_secs_f64() / workload.readings as f64 * 1e6));
        let peak = median(usages.iter().map(|usage| usage.peak_bytes as f64 / f64::from(1 << 20)));
        println!("| {} | {workers} | {steady:.3} | {:.2} | {cpu:.2} | {peak:.0} |", workload.records, steady * 100.0);
    }
    Ok(())
}
