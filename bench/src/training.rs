//! Time per 1,000 models, beside scikit-learn with joblib: the same rows (normal numbers), nu, gamma and tolerance, all cores.
//!
//! Ours twice: the model alone, as scikit-learn makes it, and with the calibration, which makes five more of each.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, ensure};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use score::{Feature, ModelKey, Statistic, ThresholdRule, TrainOptions, TrainingRows, Trim};

const FEATURES: [Statistic; 4] = [Statistic::Mean, Statistic::StdPop, Statistic::Min, Statistic::Max];

pub(crate) fn measure() -> anyhow::Result<()> {
    let python = std::env::var("ATALAIA_TEST_PYTHON").context("`scripts/services run --python -- …` names a Python")?;
    println!(
        "| rows | features | scikit-learn, s per 1,000 models | ours, the model alone | times | with calibration | times |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (rows, models) in [(300, 1000), (2000, 200)] {
        for width in [1, FEATURES.len()] {
            let theirs = scikit_learn(&python, rows, width, models)?;
            let alone = TrainOptions {
                threshold: ThresholdRule::Zero,
                trim: Trim::None,
                smoothing: 1,
                ..TrainOptions::default()
            };
            let alone = ours(rows, width, models, &alone)?;
            let whole = ours(rows, width, models, &TrainOptions::default())?;
            println!(
                "| {rows} | {width} | {theirs:.2} | {alone:.2} | {:.1} | {whole:.2} | {:.1} |",
                theirs / alone,
                theirs / whole
            );
        }
    }
    Ok(())
}

/// Seconds per 1,000 models on all cores.
fn ours(rows: usize, width: usize, models: usize, options: &TrainOptions) -> anyhow::Result<f64> {
    let histories: Vec<TrainingRows> = (0..models as u64).map(|seed| history(seed, rows, width)).collect();
    let features = FEATURES[..width].iter().copied().map(Feature::from).collect::<Vec<_>>();
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(history) = histories.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if score::train(ModelKey::series("d", "s"), &features, history, options).is_err() {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    ensure!(failed.into_inner() == 0, "not all models could be trained");
    Ok(begun.elapsed().as_secs_f64() * 1000.0 / models as f64)
}

fn history(seed: u64, rows: usize, width: usize) -> TrainingRows {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let numbers = (0..rows * width).map(|_| (0..12).map(|_| uniform()).sum::<f64>() - 6.0).collect();
    TrainingRows { width: 1, starts: (0..rows as i64).collect(), numbers }
}

fn scikit_learn(python: &str, rows: usize, width: usize, models: usize) -> anyhow::Result<f64> {
    let output = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/training.py"))
        .args([rows, width, models].map(|number| number.to_string()))
        .output()
        .context("run scikit-learn")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().context("scikit-learn's seconds")
}
