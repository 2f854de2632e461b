//! Models of all keys, on all cores. A key's rows are put together when its turn comes, and given back with its model.

use std::sync::Mutex;
use std::thread;

use anyhow::anyhow;
use score::{ModelKey, TrainOptions, TrainedModel};
use types::Micros;

use super::history::{History, KeyHistory};
use crate::commands::progress::Counter;

/// What became of one key.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) key: ModelKey,
    pub(crate) trained: Result<TrainedModel, score::Error>,
    /// Rows that there were; their first and last window.
    pub(crate) rows: u64,
    pub(crate) incomplete: u64,
    pub(crate) too_few: u64,
    pub(crate) span: Option<(Micros, Micros)>,
}

/// One outcome for each key for which `wanted` holds, in the order of keys.
pub(crate) fn learn(
    history: History,
    wanted: &(dyn Fn(&ModelKey) -> bool + Sync),
    options: &TrainOptions,
    counter: &Counter,
) -> anyhow::Result<Vec<Outcome>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let left = Mutex::new(history.into_keys());
    let parts: Vec<anyhow::Result<Vec<Outcome>>> = thread::scope(|scope| {
        let learn_some = || {
            let mut outcomes = Vec::new();
            loop {
                let next = left.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
                let Some(history) = next else { return outcomes };
                counter.add(1);
                if wanted(&history.key) {
                    outcomes.push(learn_one(history, options));
                }
            }
        };
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(learn_some)).collect();
        let panicked = |_| anyhow!("training panicked: this is a bug");
        threads.into_iter().map(|thread| thread.join().map_err(panicked)).collect()
    });
    let mut outcomes = Vec::new();
    for part in parts {
        outcomes.extend(part?);
    }
    outcomes.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(outcomes)
}

fn learn_one(history: KeyHistory, options: &TrainOptions) -> Outcome {
    let key = history.key.clone();
    let rows = history.rows();
    let span = rows.rows.starts.first().zip(rows.rows.starts.last()).map(|(&first, &last)| (first, last));
    Outcome {
        trained: score::train(key.clone(), &rows.features, &rows.rows, options),
        key,
        rows: rows.rows.len() as u64,
        incomplete: rows.incomplete,
        too_few: rows.too_few,
        span,
    }
}
