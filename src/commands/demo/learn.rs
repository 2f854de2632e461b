//! The demo's models: one for each series, trained on the windows of the clean day before the stream.

use aggregate::{Arrival, Close, Windows};
use anyhow::Context;
use config::Config;
use ingest::simulated::Fleet;
use score::{Feature, Statistic, TrainOptions};
use types::Reading;

use crate::commands::progress;
use crate::commands::train::history::History;
use crate::commands::train::learn;
use crate::runtime::Runtime;

/// Level, spread and extremes tell spikes, stuck values and drift; the count tells dropouts.
pub(super) const FEATURES: [Statistic; 5] =
    [Statistic::Mean, Statistic::StdPop, Statistic::Min, Statistic::Max, Statistic::Count];

/// Trains and writes the registry that the stream will load; returns how many models there are.
pub(super) fn train(config: &Config, runtime: &Runtime) -> anyhow::Result<usize> {
    let history = history(config)?;
    let bar = progress::bar("training models", history.keys() as u64);
    // The faults to be found last for a window.
    let options = TrainOptions { smoothing: 1, ..TrainOptions::default() };
    let outcomes = learn::learn(history, &|_| true, &options, &bar)?;
    bar.finish_and_clear();
    let models = outcomes.into_iter().map(|outcome| outcome.trained.map(|trained| trained.model));
    let models: Vec<_> = models.collect::<Result<_, _>>().context("train the models")?;
    let location = store::open(&config.score.models, config.model_storage()).context("open the place of the models")?;
    runtime.block_on(score::write_registry(&models, &location.store, &location.prefix)).context("write the models")?;
    Ok(models.len())
}

/// The clean day's windows, by the same rules as the service's.
fn history(config: &Config) -> anyhow::Result<History> {
    let mut clean = config.ingest.simulated.clone();
    clean.duration = clean.clean_lead;
    clean.malformed = 0.0;
    let fleet = Fleet::new(&clean)?;
    let bar = progress::bar("reading a clean day", fleet.readings_planned().unwrap_or(0));
    let settings = config.aggregate.settings(false, false)?;
    let names: Vec<String> = (0..clean.devices).map(|device| fleet.device_name(device)).collect();
    let features = FEATURES.map(Feature::from).to_vec();
    let mut history = History::new(config.aggregate.window.micros(), &config.score, Some(features));
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
        history.take(&mut windows, &|_, _, _| true);
    }
    bar.finish_and_clear();
    Ok(history)
}
