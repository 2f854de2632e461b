//! Rows a second of one core through the scorer, by the number of distinct models; rows come in random order of models.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use score::{Config, ModelKey, ModelSet, Scorer};
use types::{ClosedBy, SeriesNames, WindowRows};

use crate::models;
use crate::workload::FEATURES;

/// As many as a commit of one partition takes at a time.
const BATCH: usize = 10_000;
const AT_LEAST: Duration = Duration::from_secs(3);

pub(crate) struct Names(pub(crate) Vec<String>);

impl SeriesNames for Names {
    fn device(&self, series: u32) -> &str {
        &self.0[series as usize]
    }

    fn sensor(&self, _: u32) -> &str {
        "s"
    }

    fn generation(&self, _: u32) -> u32 {
        0
    }
}

pub(crate) fn measure(sizes: &[u64], support_vectors: usize) -> anyhow::Result<()> {
    println!(
        "| distinct models of {support_vectors} support vectors, {} features | MiB of models | M rows/s of one core |",
        FEATURES.len()
    );
    println!("|---|---|---|");
    for size in sizes {
        let mut random = ChaCha8Rng::seed_from_u64(*size);
        let names = Names((0..*size).map(|device| format!("device-{device:07}")).collect());
        let key = |device: &String| ModelKey::series(device, "s");
        let set = names
            .0
            .iter()
            .map(|name| models::model(key(name), [50.0, 3.0, 45.0, 55.0], 30.0, support_vectors, &mut random))
            .collect();
        let set = Arc::new(ModelSet::from_models(set)?);
        let config: Config = serde_json::from_value(serde_json::json!({ "features": FEATURES }))?;
        let mut scorer = Scorer::new(Arc::clone(&set), &config);
        let batches: Vec<WindowRows> = (0..20).map(|_| rows(*size, &mut random)).collect();
        // Resolves the series: once for each, not once for each row.
        batches.iter().for_each(|rows| _ = scorer.score(rows, &names));
        let (begun, mut scored, mut sum) = (Instant::now(), 0_usize, 0.0);
        while begun.elapsed() < AT_LEAST {
            for rows in &batches {
                sum += scorer.score(rows, &names).decision.iter().flatten().sum::<f64>();
                scored += rows.len();
            }
        }
        let rate = scored as f64 / begun.elapsed().as_secs_f64() / 1e6;
        println!("| {size} | {:.1} | {rate:.2} |", set.bytes() as f64 / f64::from(1 << 20));
        eprintln!("(sum of decisions: {sum:e})");
    }
    Ok(())
}

pub(crate) fn rows(models: u64, random: &mut ChaCha8Rng) -> WindowRows {
    let mut rows = WindowRows { width: 10_000_000, ..WindowRows::default() };
    for row in 0..BATCH {
        let mut unit = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let value = unit() * 100.0;
        rows.series.push((unit() * models as f64) as u32);
        rows.start.push(row as i64 / 1000 * 10_000_000);
        rows.count.push(10);
        rows.sum.push(value * 10.0);
        rows.mean.push(value);
        rows.m2.push(unit() * 100.0);
        rows.min.push(value - 5.0);
        rows.max.push(value + 5.0);
        rows.first.push(value);
        rows.last.push(value);
        rows.delta.push(None);
        rows.closed_by.push(ClosedBy::Device);
    }
    rows
}
