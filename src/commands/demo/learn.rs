//! The demo's models: one for each series, trained on the windows of the clean day before the stream.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use aggregate::{Arrival, Close, TakeLimit, Windows};
use anyhow::Context;
use config::Config;
use ingest::simulated::Fleet;
use score::{Feature, Model, ModelKey, Statistic, TrainOptions};
use tokio::runtime::Runtime;
use types::{Reading, SeriesNames, WindowRows};

use crate::commands::progress;

/// Level, spread and extremes tell spikes, stuck values and drift; the count tells dropouts.
pub(super) const FEATURES: [Statistic; 5] =
    [Statistic::Mean, Statistic::StdPop, Statistic::Min, Statistic::Max, Statistic::Count];

/// Trains and writes the registry that the stream will load; returns how many models there are.
pub(super) fn train(config: &Config, runtime: &Runtime) -> anyhow::Result<usize> {
    let history = history(config)?;
    let models = train_all(history)?;
    let location = store::open(&config.score.models, config.model_storage()).context("open the place of the models")?;
    runtime.block_on(score::write_registry(&models, &location.store, &location.prefix)).context("write the models")?;
    Ok(models.len())
}

type History = BTreeMap<(String, String), Vec<Vec<f64>>>;

/// The clean day's windows, by the same rules as the service's.
fn history(config: &Config) -> anyhow::Result<History> {
    let mut clean = config.ingest.simulated.clone();
    clean.duration = clean.clean_lead;
    clean.malformed = 0.0;
    let fleet = Fleet::new(&clean)?;
    let bar = progress::bar("reading a clean day", fleet.readings_planned().unwrap_or(0));
    let settings = config.aggregate.settings(false, false)?;
    let names: Vec<String> = (0..clean.devices).map(|device| fleet.device_name(device)).collect();
    let mut history = History::new();
    for partition in 0..clean.partitions {
        let mut windows = Windows::new(settings);
        let mut refused = Vec::new();
        for event in fleet.partition(partition) {
            let arrival = Arrival { position: event.number, broker_time: Some(event.arrival), wall: None };
            let reading = Reading {
                device: &names[event.device as usize],
                sensor: fleet.sensor_name(event.sensor),
                time: event.time,
                value: event.value,
            };
            windows.observe(arrival, std::iter::once(reading), &mut refused);
            refused.clear();
            bar.inc(1);
        }
        windows.end(Close::All);
        let rows = windows.take_closed(TakeLimit::ALL);
        collect(&rows, windows.names(), &mut history);
    }
    bar.finish_and_clear();
    Ok(history)
}

fn collect(rows: &WindowRows, series: &dyn SeriesNames, history: &mut History) {
    for row in 0..rows.len() {
        let features: Option<Vec<f64>> = FEATURES.iter().map(|feature| feature.of(rows, row)).collect();
        let Some(features) = features else { continue };
        let key = (series.device(rows.series[row]).to_owned(), series.sensor(rows.series[row]).to_owned());
        history.entry(key).or_default().push(features);
    }
}

/// On all cores: training is the one part of the demo that computes for seconds.
fn train_all(history: History) -> anyhow::Result<Vec<Model>> {
    let bar = progress::bar("training models", history.len() as u64);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let left = Mutex::new(history.into_iter());
    let options = TrainOptions::default();
    let parts: Vec<anyhow::Result<Vec<Model>>> = thread::scope(|scope| {
        let train_some = || {
            let mut models = Vec::new();
            loop {
                let next = left.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
                let Some(((device, sensor), rows)) = next else { return Ok(models) };
                let key = ModelKey::series(device, sensor);
                models.push(score::train(key, &FEATURES.map(Feature::from), &rows, &options)?);
                bar.inc(1);
            }
        };
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(train_some)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("training panicked: this is a bug"))))
            .collect()
    });
    bar.finish_and_clear();
    let mut models = Vec::new();
    for part in parts {
        models.extend(part.context("train the models")?);
    }
    models.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(models)
}
