//! The demo's models: one for each series, trained on the windows of the clean day before the stream.

use aggregate::{Arrival, Close, Windows};
use anyhow::Context;
use config::Config;
use ingest::simulated::Fleet;
use score::{Feature, Statistic, TrainOptions};
use types::Reading;

use super::live::Watch;
use super::view::Stage;
use crate::commands::train::history::History;
use crate::commands::train::learn;
use crate::runtime::Runtime;
use crate::shutdown::Shutdown;

/// Level, spread and extremes tell spikes, stuck values and drift; the count tells dropouts.
pub(super) const FEATURES: [Statistic; 5] =
    [Statistic::Mean, Statistic::StdPop, Statistic::Min, Statistic::Max, Statistic::Count];

/// Trains and writes the registry that the stream will load; returns how many models there are. None: it was stopped.
pub(super) fn train(
    config: &Config,
    runtime: &Runtime,
    watch: &Watch,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<usize>> {
    let Some(history) = history(config, watch, shutdown)? else { return Ok(None) };
    let bar = watch.count(Stage::Training, "training", "models", history.keys() as u64);
    // The faults to be found last for a window.
    let options = TrainOptions { smoothing: 1, ..TrainOptions::default() };
    let outcomes = learn::learn(history, &|_| !shutdown.requested(), &options, &bar)?;
    drop(bar);
    if shutdown.requested() {
        return Ok(None);
    }
    let models = outcomes.into_iter().map(|outcome| outcome.trained.map(|trained| trained.model));
    let models: Vec<_> = models.collect::<Result<_, _>>().context("train the models")?;
    let location = store::open(&config.score.models, config.model_storage()).context("open the place of the models")?;
    runtime.block_on(score::write_registry(&models, &location.store, &location.prefix)).context("write the models")?;
    Ok(Some(models.len()))
}

/// The clean day's windows, by the same rules as the service's. None: it was stopped.
fn history(config: &Config, watch: &Watch, shutdown: &Shutdown) -> anyhow::Result<Option<History>> {
    let mut clean = config.ingest.simulated.clone();
    clean.duration = clean.clean_lead;
    clean.malformed = 0.0;
    clean.recorded_from = None;
    let fleet = Fleet::new(&clean)?;
    let bar = watch.count(Stage::Reading, "reading a clean day", "readings", fleet.readings_planned().unwrap_or(0));
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
            bar.add(1);
            if shutdown.requested() {
                return Ok(None);
            }
        }
        windows.end(Close::All);
        history.take(&mut windows, &|_, _, _| true);
    }
    Ok(Some(history))
}
