//! What the records of a preview add up to, and one example of each reason for which something is refused.

use std::collections::{BTreeMap, BTreeSet};

use ingest::decode;
use serde_json::{Map, Value, json};
use types::{Micros, Status};

use super::left_out::LeftOut;
use super::models::Models;
use super::record::{Event, LATE, Shown, TOMBSTONE};
use super::remedy::{Case, remedy, wrong_unit};
use super::window::Window;
use crate::commands::output::escaped;

/// Devices remembered to tell whether one shows up in two partitions.
const DEVICES_WATCHED_MAX: usize = 100_000;
/// Of a payload in an example.
const PAYLOAD_SHOWN_MAX: usize = 160;

#[derive(Default)]
pub(super) struct Summary {
    pub(super) records: u64,
    pub(super) tombstones: u64,
    pub(super) readings: u64,
    pub(super) partitions: BTreeSet<u32>,
    pub(super) refused: BTreeMap<&'static str, Refusals>,
    pub(super) windows: u64,
    pub(super) windows_so_far: u64,
    pub(super) anomalies: u64,
    pub(super) statuses: BTreeMap<&'static str, Statuses>,
    /// Which partition a device was first seen in, and whether in another one since.
    devices: BTreeMap<String, (u32, bool)>,
    /// Times that their unit puts where no device of today was.
    pub(super) wrong_unit: Option<String>,
    pub(super) series: usize,
    /// What becomes no reading and is not refused.
    pub(super) left_out: LeftOut,
}

/// Things refused for one reason.
pub(super) struct Refusals {
    pub(super) count: u64,
    pub(super) example: Example,
    pub(super) remedy: String,
}

pub(super) struct Example {
    pub(super) partition: u32,
    pub(super) position: i64,
    /// The same for people.
    pub(super) place: String,
    pub(super) detail: String,
    /// Cut, and harmless to a terminal.
    pub(super) payload: String,
}

/// Windows of one status.
pub(super) struct Statuses {
    pub(super) count: u64,
    /// Where that is no score: what to do.
    pub(super) remedy: Option<String>,
}

impl Summary {
    pub(super) fn record(&mut self, shown: &Shown, decode: &decode::Config) {
        self.records += 1;
        self.tombstones += u64::from(shown.tombstone);
        self.partitions.insert(shown.partition);
        self.readings += shown.events.len() as u64;
        for event in &shown.events {
            self.device(event, shown.partition);
            if let Some(refused) = &event.refused {
                // Behind its arrival a reading has no distance that could tell anything.
                let ahead = shown.broker_time_us.map(|at| event.time_us.saturating_sub(at));
                self.refuse(shown, refused.reason, &refused.detail, ahead, decode);
            } else if self.wrong_unit.is_none() {
                self.wrong_unit = wrong_unit(event.time_us, decode);
            }
        }
        for reject in shown.rejects().iter().filter(|reject| reject.reason != TOMBSTONE) {
            self.refuse(shown, reject.reason, &reject.detail, None, decode);
        }
    }

    pub(super) fn window(&mut self, window: &Window, min_readings: u64) {
        self.windows += 1;
        self.windows_so_far += u64::from(window.so_far);
        self.anomalies += u64::from(window.is_anomaly);
        let status = window.status.as_str();
        let status = self.statuses.entry(status).or_insert(Statuses { count: 0, remedy: None });
        let is_special = window.model.as_ref().is_err_and(|missing| missing.nearest.is_some());
        if status.remedy.is_none() || is_special {
            status.remedy = cure(window, min_readings);
        }
        status.count += 1;
    }

    /// Devices in two partitions.
    pub(super) fn split(&self) -> Vec<&str> {
        self.devices.iter().filter(|(_, (_, split))| *split).map(|(device, _)| device.as_str()).collect()
    }

    pub(super) fn devices(&self) -> usize {
        self.devices.len()
    }

    fn device(&mut self, event: &Event, of: u32) {
        if let Some((partition, split)) = self.devices.get_mut(&event.device) {
            *split |= *partition != of;
        } else if self.devices.len() < DEVICES_WATCHED_MAX {
            self.devices.insert(event.device.clone(), (of, false));
        }
    }

    fn refuse(
        &mut self,
        shown: &Shown,
        reason: &'static str,
        detail: &str,
        ahead: Option<Micros>,
        decode: &decode::Config,
    ) {
        let refusals = self.refused.entry(reason).or_insert_with(|| {
            let payload = shown.payload.as_deref().unwrap_or_default();
            let case = Case { reason, detail, payload, ahead };
            Refusals {
                count: 0,
                example: Example {
                    partition: shown.partition,
                    position: shown.position,
                    place: shown.place(),
                    detail: detail.to_owned(),
                    payload: cut(payload),
                },
                remedy: remedy(&case, decode),
            }
        });
        refusals.count += 1;
    }

    pub(super) fn json(&self, models: &Models) -> Value {
        let refused = self.refused.iter().map(|(reason, refusals)| {
            let Refusals { count, example, remedy } = refusals;
            let example = json!({
                "partition": example.partition, "position": example.position,
                "detail": example.detail, "payload": example.payload,
            });
            ((*reason).to_owned(), json!({ "count": count, "example": example, "remedy": remedy }))
        });
        let statuses = self.statuses.iter().map(|(status, statuses)| {
            ((*status).to_owned(), json!({ "count": statuses.count, "remedy": statuses.remedy }))
        });
        let models = match models {
            Models::There(set) => json!({ "set": set.id(), "models": set.len(), "skipped": set.skipped() }),
            Models::Unusable { problem, hints, .. } => json!({ "problem": problem, "hints": hints }),
            Models::NotConfigured(_) | Models::Loading(_) => Value::Null,
        };
        json!({ "summary": {
            "records": self.records,
            "tombstones": self.tombstones,
            "readings": self.readings,
            "partitions": self.partitions,
            "devices": self.devices.len(),
            "series": self.series,
            "late": self.refused.get(LATE).map_or(0, |refusals| refusals.count),
            "refused": refused.collect::<Map<_, _>>(),
            "windows": self.windows,
            "windows_so_far": self.windows_so_far,
            "anomalies": self.anomalies,
            "statuses": statuses.collect::<Map<_, _>>(),
            "models": models,
            "split_devices": self.split(),
            "left_out": self.left_out.json(),
            "warnings": self.wrong_unit.iter().collect::<Vec<_>>(),
        }})
    }
}

/// What to do about a window without a score.
fn cure(window: &Window, min_readings: u64) -> Option<String> {
    Some(match window.status {
        Status::Scored => return None,
        Status::NoModel if window.model.as_ref().is_err_and(|missing| missing.nearest.is_some()) => {
            "if models are there under other names, `score.template` or `score.mapping` say which file is whose; else train \
             what is missing: `atalaia train --only new`"
                .into()
        }
        Status::NoModel => "train what is missing: `atalaia train --only new`".into(),
        Status::ModelUnavailable => "see what is said of the models below".into(),
        Status::MissingFeature => {
            "a feature that the model takes is not there (`std` of one reading, `delta` after a gap): more readings, or \
             `score.missing_feature = \"mean\"`"
                .into()
        }
        Status::TooFew => format!("fewer than `score.min_readings = {min_readings}`: more readings, or a longer window"),
        Status::NonFinite => "values so large that arithmetic overflows: look at the readings".into(),
    })
}

fn cut(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(&payload[..payload.len().min(4 * PAYLOAD_SHOWN_MAX)]);
    escaped(&text).chars().take(PAYLOAD_SHOWN_MAX).collect()
}
