//! A fleet's records in a topic, its models in a registry, and a configuration that brings them together.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use ingest::kafka::{self, Outgoing, Producer};
use ingest::simulated::{self, Config, Content, Encoder, Event, Fleet};
use types::Span;

use crate::models::{self, Habits};

const PARTITIONS: u32 = 8;
const SENSORS: u64 = 5;
pub(crate) const FEATURES: [&str; 4] = ["mean", "std_pop", "min", "max"];
const TIMEOUT: Duration = Duration::from_secs(300);

/// What kind of fleet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) devices: u32,
    /// Between two readings of a series, and of the windows.
    pub(crate) interval_s: u64,
    pub(crate) window_s: u64,
    /// 0: no models.
    pub(crate) support_vectors: usize,
    /// Readings a record; 1: each record is one reading.
    pub(crate) wide: usize,
}

impl Kind {
    /// 2,000 devices of 5 sensors that read once a second, windows of 10 s, a model of 60 support vectors for each series.
    pub(crate) const FLEET_10K: Kind =
        Kind { name: "fleet-10k", devices: 2000, interval_s: 1, window_s: 10, support_vectors: 60, wide: 1 };

    pub(crate) fn series(self) -> u64 {
        u64::from(self.devices) * self.sensors()
    }

    fn sensors(self) -> u64 {
        if self.wide > 1 { self.wide as u64 } else { SENSORS }
    }

    fn sensor_names(self) -> Vec<String> {
        let names = ["temperature", "pressure", "vibration", "current", "flow"];
        (0..self.sensors() as usize)
            .map(|at| match at / names.len() {
                0 => names[at].to_owned(),
                more => format!("{}_{more}", names[at % names.len()]),
            })
            .collect()
    }
}

pub(crate) struct Workload {
    kind: Kind,
    brokers: String,
    pub(crate) topic: String,
    /// Records in the topic.
    pub(crate) records: u64,
    /// Readings of series that are in them, late ones included.
    pub(crate) readings: u64,
    pub(crate) models: PathBuf,
    pub(crate) folder: PathBuf,
}

impl Workload {
    /// About so many records: whole windows of all series.
    pub(crate) fn make(brokers: &str, kind: Kind, records: u64, folder: &Path) -> anyhow::Result<Self> {
        let a_window = kind.series() / kind.wide as u64 * (kind.window_s / kind.interval_s);
        let windows = (records / a_window).max(1);
        let fleet = Fleet::new(&Config {
            devices: kind.devices,
            sensors: kind.sensor_names(),
            partitions: PARTITIONS,
            interval: Span::from_secs(kind.interval_s),
            duration: Span::from_secs(windows * kind.window_s),
            disorder: Span::from_secs(2.min(kind.interval_s * 2)),
            clean_lead: Span::from_secs(0),
            faulty: 0.01,
            fault_every: Span::from_secs(300 * kind.interval_s),
            fault_duration: Span::from_secs(60 * kind.interval_s),
            habits: simulated::Habits::none(),
            // Few: they are to be there, not to be measured.
            late: 0.0001,
            late_by: Span::from_secs(kind.window_s * 6),
            malformed: 0.0001,
            ..Config::default()
        })?;
        let topic = format!("{}-{}", kind.name, run_number());
        eprintln!("making {}: {records} records of {} series into `{topic}`", kind.name, kind.series());
        let mut habits = Habits::new(kind);
        let (records, readings) = produce(brokers, &topic, kind, &fleet, &mut habits)?;
        let models = folder.join("models");
        if kind.support_vectors > 0 {
            models::write(&fleet, kind, &habits, &models)?;
        }
        let (brokers, folder) = (brokers.to_owned(), folder.to_owned());
        Ok(Workload { kind, brokers, topic, records, readings, models, folder })
    }

    /// A configuration file for so many workers. Each has a name of its own, and so a state of its own.
    pub(crate) fn configuration(
        &self,
        name: &str,
        workers: usize,
        metrics: &str,
    ) -> anyhow::Result<(PathBuf, PathBuf)> {
        let out = self.folder.join(format!("out-{name}"));
        let decode = match self.kind.wide {
            1 => serde_json::json!({}),
            _ => serde_json::json!({ "shape": "wide", "sensors": self.kind.sensor_names() }),
        };
        let score = match self.kind.support_vectors {
            0 => serde_json::json!({}),
            _ => serde_json::json!({ "models": self.models, "features": FEATURES }),
        };
        let value = serde_json::json!({
            "pipeline": name,
            "ingest": {
                "source": "kafka",
                "kafka": { "brokers": self.brokers, "topic": self.topic, "group": format!("{}-{name}", self.topic) },
                "decode": decode,
            },
            "aggregate": {
                "window": format!("{}s", self.kind.window_s),
                "out_of_orderness": "2s",
                // Nobody is silent: the oracle knows only what devices send.
                "close_after": "10m",
            },
            "score": score,
            "sink": { "url": out },
            "telemetry": { "metrics": metrics, "log": "warn" },
            "run": { "workers": workers },
        });
        let path = self.folder.join(format!("{name}.json"));
        std::fs::write(&path, value.to_string()).with_context(|| format!("write `{}`", path.display()))?;
        Ok((path, out))
    }
}

fn produce(brokers: &str, topic: &str, kind: Kind, fleet: &Fleet, habits: &mut Habits) -> anyhow::Result<(u64, u64)> {
    let mut producer = producer(brokers, topic)?;
    // The records' times are of a fixed date: a broker would soon delete them otherwise.
    producer.create_topic_with(PARTITIONS as usize, &[("retention.ms", "-1")], TIMEOUT)?;
    let mut encoder = Encoder::new(fleet);
    let (mut key, mut payload, mut readings) = (Vec::new(), Vec::new(), 0);
    let mut rows = Rows::new(fleet, kind.wide);
    for event in fleet.events() {
        let is_reading = event.content == Content::Reading;
        readings += u64::from(is_reading);
        if is_reading {
            habits.saw(event.device, event.sensor, event.value);
        }
        if kind.wide > 1 {
            if !rows.add(&event, &mut payload) {
                continue;
            }
        } else {
            payload.clear();
            encoder.json(&event, &mut payload);
        }
        key.clear();
        encoder.key(&event, &mut key);
        let record = Outgoing { partition: None, key: Some(&key), payload: Some(&payload), time: Some(event.arrival) };
        producer.send(record)?;
    }
    Ok((producer.flush(TIMEOUT)?, readings))
}

pub(crate) fn producer(brokers: &str, topic: &str) -> anyhow::Result<Producer> {
    let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
    Ok(Producer::new(&kafka::Config { brokers, topic, ..kafka::Config::default() })?)
}

/// Readings of one device and about one time, gathered into rows of a hundred fields.
struct Rows<'a> {
    fleet: &'a Fleet,
    wide: usize,
    open: Vec<(usize, String)>,
}

impl<'a> Rows<'a> {
    fn new(fleet: &'a Fleet, wide: usize) -> Self {
        let open = vec![(0, String::new()); fleet.config().devices as usize];
        Rows { fleet, wide, open }
    }

    /// Whether that made a row complete; it is then the payload.
    fn add(&mut self, event: &Event, payload: &mut Vec<u8>) -> bool {
        use std::fmt::Write as _;
        if event.content != Content::Reading {
            return false;
        }
        let (count, row) = &mut self.open[event.device as usize];
        let sensor = self.fleet.sensor_name(event.sensor);
        if *count == 0 {
            row.clear();
            let device = self.fleet.device_name(event.device);
            let _ = write!(row, r#"{{"device":"{device}","ts":{}"#, event.time / 1000);
        }
        let _ = write!(row, r#","{sensor}":{}"#, event.value);
        *count += 1;
        if *count < self.wide {
            return false;
        }
        *count = 0;
        row.push('}');
        payload.clear();
        payload.extend_from_slice(row.as_bytes());
        true
    }
}

/// Another topic in each run.
#[allow(clippy::disallowed_methods, reason = "a program, not a stage")]
fn run_number() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
