//! The documents of a service's API, as far as they are shown. docs/api.md tells what is in them; fields that are not known
//! here are left alone, and those that an older service does not have are unknown.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use types::Micros;

/// Each at `/api/v1/<name>`.
pub(super) const NAMES: [&str; 6] = ["status", "partitions", "throughput", "anomalies", "quarantine", "models"];

/// All of an instance, asked for in one go.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Documents {
    pub(super) status: Status,
    pub(super) partitions: Partitions,
    pub(super) throughput: Throughput,
    pub(super) anomalies: Anomalies,
    pub(super) quarantine: Quarantine,
    pub(super) models: Models,
}

impl Documents {
    /// # Errors
    /// If a field is there and means something else.
    pub(super) fn read(all: Map<String, Value>) -> serde_json::Result<Documents> {
        serde_json::from_value(Value::Object(all))
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) version: String,
    pub(super) pipeline: String,
    pub(super) instance: String,
    #[serde(deserialize_with = "time")]
    pub(super) started_at: Option<Micros>,
    #[serde(deserialize_with = "time")]
    pub(super) now: Option<Micros>,
    pub(super) live: Verdict,
    pub(super) ready: Verdict,
    pub(super) totals: Totals,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Verdict {
    pub(super) ok: bool,
    pub(super) why: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(default)]
pub(super) struct Totals {
    pub(super) records: u64,
    pub(super) readings: u64,
    pub(super) rows: u64,
    pub(super) durable_rows: u64,
    pub(super) anomalies: u64,
    pub(super) unscored: u64,
    pub(super) late: u64,
    pub(super) quarantined: u64,
    pub(super) commits: u64,
    pub(super) files: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Partitions {
    pub(super) partitions: Vec<Partition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Partition {
    pub(super) topic: String,
    pub(super) partition: u32,
    pub(super) owner: String,
    pub(super) worker: usize,
    pub(super) phase: String,
    pub(super) why: Option<String>,
    pub(super) position: Option<i64>,
    pub(super) lag_records: Option<u64>,
    pub(super) lag_seconds: Option<f64>,
    pub(super) clock_delay_seconds: Option<f64>,
    pub(super) open_windows: u64,
    /// Windows that closed and are not written yet.
    pub(super) closed_rows: u64,
    pub(super) devices: u64,
    #[serde(deserialize_with = "time")]
    pub(super) last_commit_at: Option<Micros>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Throughput {
    pub(super) step_seconds: u64,
    pub(super) records: Vec<u64>,
    pub(super) rows: Vec<u64>,
    pub(super) anomalies: Vec<u64>,
    pub(super) quarantined: Vec<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Anomalies {
    pub(super) anomalies: Vec<Anomaly>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Anomaly {
    pub(super) device: String,
    pub(super) sensor: Option<String>,
    #[serde(deserialize_with = "time")]
    pub(super) window_start: Option<Micros>,
    pub(super) decision: Option<f64>,
    pub(super) severity: Option<f64>,
    pub(super) threshold: Option<f64>,
    pub(super) top_feature: Option<TopFeature>,
    #[serde(deserialize_with = "time")]
    pub(super) scored_at: Option<Micros>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct TopFeature {
    pub(super) name: String,
    pub(super) value: Option<f64>,
    pub(super) mean: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Quarantine {
    pub(super) reasons: Vec<Refused>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) count: u64,
    pub(super) remedy: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Models {
    pub(super) state: String,
    pub(super) set: Option<String>,
    pub(super) count: u64,
    pub(super) skipped: u64,
    pub(super) age_seconds: Option<f64>,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Micros>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse::<Timestamp>().ok()).map(Timestamp::as_microsecond))
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// docs/api.md's examples, which the service's own tests make.
    pub(in super::super) fn documented() -> Map<String, Value> {
        let page = include_str!("../../../docs/api.md");
        let sections = page.split("\n## `").skip(1).filter_map(|section| {
            let (name, rest) = section.split_once('`')?;
            let (_, example) = rest.split_once("```json\n")?;
            let example = serde_json::from_str(example.split("```").next()?).expect("examples are JSON");
            Some((name.to_owned(), example))
        });
        sections.filter(|(name, _)| NAMES.contains(&name.as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::documented;
    use super::*;

    #[test]
    fn what_the_api_promises_is_read() {
        let all = documented();
        assert_eq!(all.len(), NAMES.len());
        let read = Documents::read(all).expect("all of it is known");
        assert_eq!((read.status.instance.as_str(), read.status.totals.durable_rows), ("host-1/4711", 8990));
        assert_eq!(read.status.now, Some(1_769_925_600_000_000));
        let halted = &read.partitions.partitions[1];
        assert_eq!((halted.partition, halted.phase.as_str(), halted.lag_records), (3, "halted", None));
        assert_eq!((read.throughput.step_seconds, read.throughput.records[1]), (10, 120_000));
        let top = read.anomalies.anomalies[0].top_feature.as_ref().expect("one");
        assert_eq!((top.name.as_str(), top.mean), ("std", Some(0.3)));
        assert_eq!((read.quarantine.reasons[1].count, read.models.state.as_str()), (2, "none"));
    }

    #[test]
    fn an_older_service_has_less_and_a_newer_one_more() {
        let text = r#"{"status": {"pipeline": "p", "now": "noon", "mood": "good"}, "partitions": {"partitions": [{}]}, "moon": 1}"#;
        let read = Documents::read(serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!((read.status.pipeline.as_str(), read.status.now), ("p", None));
        assert_eq!(read.partitions.partitions[0].lag_seconds, None);
        let other = serde_json::from_str(r#"{"status": {"totals": {"records": "many"}}}"#).unwrap();
        assert!(Documents::read(other).is_err());
    }
}
