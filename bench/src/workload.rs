//! *fleet-10k*: the records in a topic, the models in a registry, and a configuration that brings them together.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use ingest::kafka::{self, Outgoing, Producer};
use ingest::simulated::{Config, Encoder, Fleet, Habits};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use score::{Kernel, Model, ModelKey};
use types::Span;

const DEVICES: u32 = 2000;
const SENSORS: u64 = 5;
const PARTITIONS: u32 = 8;
const WINDOW_SECONDS: u64 = 10;
const FEATURES: [&str; 4] = ["mean", "std_pop", "min", "max"];
const SUPPORT_VECTORS: usize = 60;

pub(crate) struct Workload {
    brokers: String,
    pub(crate) topic: String,
    pub(crate) events: u64,
    /// Windows that hold a reading.
    pub(crate) rows: u64,
    models: PathBuf,
    folder: PathBuf,
}

impl Workload {
    pub(crate) fn make(brokers: &str, events: u64, folder: &Path) -> anyhow::Result<Self> {
        let series = u64::from(DEVICES) * SENSORS;
        let windows = (events / (series * WINDOW_SECONDS)).max(1);
        let fleet = Fleet::new(&Config {
            devices: DEVICES,
            partitions: PARTITIONS,
            interval: Span::from_secs(1),
            duration: Span::from_secs(windows * WINDOW_SECONDS),
            disorder: Span::from_secs(2),
            clean_lead: Span::default(),
            faulty: 0.0,
            habits: Habits::none(),
            ..Config::default()
        })?;
        let topic = format!("fleet-10k-{}", run_number());
        let events = produce(brokers, &topic, &fleet)?;
        let models = folder.join("models");
        write_models(&fleet, &models)?;
        Ok(Workload {
            brokers: brokers.to_owned(),
            topic,
            events,
            // Every device reads once a second, within its own second: every window of every series has readings.
            rows: windows * series,
            models,
            folder: folder.to_owned(),
        })
    }

    /// A configuration file for so many workers.
    pub(crate) fn configuration(&self, workers: usize, out: &Path) -> anyhow::Result<PathBuf> {
        let value = serde_json::json!({
            "pipeline": format!("bench-{workers}"),
            "ingest": {
                "source": "kafka",
                "kafka": { "brokers": self.brokers, "topic": self.topic, "group": format!("{}-{workers}", self.topic) },
            },
            "aggregate": { "window": format!("{WINDOW_SECONDS}s"), "out_of_orderness": "2s" },
            "score": { "models": self.models, "features": FEATURES },
            "sink": { "url": out },
            "telemetry": { "metrics": "off", "log": "warn" },
            "run": { "workers": workers },
        });
        let path = self.folder.join(format!("pipeline-{workers}.json"));
        std::fs::write(&path, value.to_string()).with_context(|| format!("write `{}`", path.display()))?;
        Ok(path)
    }
}

fn produce(brokers: &str, topic: &str, fleet: &Fleet) -> anyhow::Result<u64> {
    const TIMEOUT: Duration = Duration::from_secs(120);
    let mut producer = Producer::new(&kafka::Config {
        brokers: brokers.to_owned(),
        topic: topic.to_owned(),
        ..kafka::Config::default()
    })?;
    // The records' times are of a fixed date: a broker would soon delete them otherwise.
    producer.create_topic_with(PARTITIONS as usize, &[("retention.ms", "-1")], TIMEOUT)?;
    let mut encoder = Encoder::new(fleet);
    let (mut key, mut payload) = (Vec::new(), Vec::new());
    for event in fleet.events() {
        key.clear();
        payload.clear();
        encoder.key(&event, &mut key);
        encoder.json(&event, &mut payload);
        let record = Outgoing { partition: None, key: Some(&key), payload: Some(&payload), time: Some(event.arrival) };
        producer.send(record)?;
    }
    Ok(producer.flush(TIMEOUT)?)
}

/// A model of its own for each series. What they say does not matter here, how long it takes does.
fn write_models(fleet: &Fleet, folder: &Path) -> anyhow::Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(10_000);
    let mut unit = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let mut models = Vec::new();
    for device in 0..DEVICES {
        for sensor in 0..u32::try_from(SENSORS).unwrap_or(0) {
            let key = ModelKey { device: fleet.device_name(device), sensor: fleet.sensor_name(sensor).to_owned() };
            models.push(Model {
                key,
                features: None,
                mean: Some(vec![unit() * 100.0; FEATURES.len()]),
                scale: Some(vec![1.0 + unit() * 10.0; FEATURES.len()]),
                kernel: Kernel::Rbf { gamma: 0.1 + unit() * 0.4 },
                support_vectors: (0..SUPPORT_VECTORS * FEATURES.len()).map(|_| unit() * 4.0 - 2.0).collect(),
                coefficients: (0..SUPPORT_VECTORS).map(|_| unit()).collect(),
                intercept: -unit(),
                threshold: None,
                version: "bench".into(),
                source: "bench".into(),
                trained_at: None,
                rows: None,
            });
        }
    }
    let location = store::open(&folder.display().to_string(), &store::Config::default())?;
    let runtime = tokio::runtime::Runtime::new().context("start the I/O threads")?;
    runtime.block_on(score::write_registry(&models, &location.store, &location.prefix)).context("write the models")?;
    Ok(())
}

/// Another topic in each run.
#[allow(clippy::disallowed_methods, reason = "a program, not a stage")]
fn run_number() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
