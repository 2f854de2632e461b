//! The documents of the API, by name. Fields are told in docs/api.md; what is there stays, what is new may be added.

use serde::Serialize;
use types::{Micros, Reason};

use super::time::{Time, seconds_since};
use super::{Status, partitions};
use crate::pipeline::{Anomaly, Counts};

/// Writes one document.
type Document = fn(&Status, Micros) -> Vec<u8>;

/// What there is, each at `/api/v1/<name>`.
pub(super) const DOCUMENTS: [(&str, Document); 7] = [
    ("status", |status, now| json(&overview(status, now))),
    ("partitions", |status, now| json(&partitions::current(status, now))),
    ("throughput", |status, _| json(&status.throughput.columns())),
    ("anomalies", |status, _| json(&anomalies(status))),
    ("quarantine", |status, _| json(&quarantine(status))),
    ("models", |status, now| json(&models(status, now))),
    ("config", |status, _| json(&status.config)),
];

/// None: there is none of this name.
pub(super) fn document(status: &Status, name: &str, now: Micros) -> Option<Vec<u8>> {
    let (_, document) = DOCUMENTS.iter().find(|(known, _)| *known == name)?;
    Some(document(status, now))
}

fn json(document: &impl Serialize) -> Vec<u8> {
    // No document has a map with keys that are not text, the only thing that can go wrong; numbers that are none become null.
    serde_json::to_vec(document).unwrap_or_else(|_| b"null".to_vec())
}

#[derive(Serialize)]
struct Overview<'a> {
    version: &'static str,
    pipeline: &'a str,
    instance: &'a str,
    started_at: Time,
    now: Time,
    live: Verdict,
    ready: Verdict,
    totals: Totals,
}

#[derive(Serialize)]
struct Verdict {
    ok: bool,
    why: Option<String>,
}

impl From<Result<(), String>> for Verdict {
    fn from(result: Result<(), String>) -> Verdict {
        Verdict { ok: result.is_ok(), why: result.err() }
    }
}

/// Since the start of the process.
#[derive(Serialize)]
struct Totals {
    records: u64,
    readings: u64,
    rows: u64,
    durable_rows: u64,
    anomalies: u64,
    unscored: u64,
    late: u64,
    quarantined: u64,
    commits: u64,
    files: u64,
}

fn overview(status: &Status, now: Micros) -> Overview<'_> {
    let Counts {
        records, readings, rows, durable_rows, anomalies, unscored, late, quarantined, commits, files, ..
    } = status.progress.counts();
    Overview {
        version: env!("CARGO_PKG_VERSION"),
        pipeline: &status.pipeline,
        instance: &status.instance,
        started_at: Time(status.started_at),
        now: Time(now),
        live: (status.probes.alive)().into(),
        ready: (status.probes.ready)().into(),
        totals: Totals {
            records,
            readings,
            rows,
            durable_rows,
            anomalies,
            unscored,
            late,
            quarantined,
            commits,
            files,
        },
    }
}

#[derive(Serialize)]
struct Anomalies {
    kept_max: usize,
    /// The newest first.
    anomalies: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    topic: String,
    partition: u32,
    device: String,
    sensor: Option<String>,
    window_start: Time,
    window_end: Time,
    readings: u64,
    decision: Option<f64>,
    severity: Option<f64>,
    threshold: Option<f64>,
    top_feature: Option<Top>,
    model: Option<String>,
    model_set: String,
    scored_at: Time,
}

#[derive(Serialize)]
struct Top {
    name: String,
    value: f64,
    mean: f64,
    decision_rise: f64,
    severity_fall: Option<f64>,
}

fn anomalies(status: &Status) -> Anomalies {
    let recent = status.progress.recent();
    Anomalies { kept_max: recent.max(), anomalies: recent.newest_first().into_iter().map(Row::from).collect() }
}

impl From<Anomaly> for Row {
    fn from(anomaly: Anomaly) -> Row {
        Row {
            topic: anomaly.partition.topic.to_string(),
            partition: anomaly.partition.index,
            device: anomaly.device,
            sensor: anomaly.sensor,
            window_start: Time(anomaly.window_start),
            window_end: Time(anomaly.window_end),
            readings: anomaly.readings,
            decision: anomaly.decision,
            severity: anomaly.severity,
            threshold: anomaly.threshold,
            top_feature: anomaly.top_feature.map(|top| Top {
                name: top.name.to_string(),
                value: top.value,
                mean: top.mean,
                decision_rise: top.decision_rise,
                severity_fall: top.severity_fall,
            }),
            model: anomaly.model,
            model_set: anomaly.model_set.to_string(),
            scored_at: Time(anomaly.scored_at),
        }
    }
}

#[derive(Serialize)]
struct Quarantine {
    total: u64,
    /// The most frequent first.
    reasons: Vec<Refused>,
}

#[derive(Serialize)]
struct Refused {
    reason: Reason,
    count: u64,
    remedy: &'static str,
}

fn quarantine(status: &Status) -> Quarantine {
    let refused = status.progress.refused();
    let reasons = refused.iter().map(|&(reason, count)| Refused { reason, count, remedy: reason.remedy() });
    Quarantine { total: refused.iter().map(|(_, count)| count).sum(), reasons: reasons.collect() }
}

#[derive(Serialize)]
struct Models {
    state: &'static str,
    set: Option<String>,
    count: usize,
    bytes: u64,
    /// Model files that were left out because they could not be used.
    skipped: usize,
    published_at: Option<Time>,
    age_seconds: Option<f64>,
}

fn models(status: &Status, now: Micros) -> Models {
    let Some(set) = status.models.get().map(|models| models.current()) else {
        return Models {
            state: "loading",
            set: None,
            count: 0,
            bytes: 0,
            skipped: 0,
            published_at: None,
            age_seconds: None,
        };
    };
    let state = match () {
        () if set.is_unavailable() => "unavailable",
        () if set.is_empty() => "none",
        () => "loaded",
    };
    Models {
        state,
        set: (!set.is_empty()).then(|| set.id().to_owned()),
        count: set.len(),
        bytes: set.bytes(),
        skipped: set.skipped(),
        published_at: set.published_at().map(Time),
        age_seconds: set.published_at().map(|at| seconds_since(at, now)),
    }
}
