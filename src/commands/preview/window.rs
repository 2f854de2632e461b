//! A window as it was judged: what was aggregated, by which model, and what it says. Plain data, made from the columns of the
//! stages; how it looks is the business of `text`, and of [`Window::json`] for scripts.

use std::collections::HashMap;

use score::{Key, ModelKey, ModelSet};
use serde_json::{Value, json};
use types::{DeviceRows, Micros, Scores, SeriesNames, Status, WindowRows};

use super::models::{Finder, choose, looked_for};

#[derive(Debug)]
pub(super) struct Window {
    pub(super) partition: u32,
    pub(super) device: String,
    /// None: of a whole device.
    pub(super) sensor: Option<String>,
    pub(super) start: Micros,
    pub(super) end: Micros,
    /// More may come for it.
    pub(super) so_far: bool,
    closed_by: &'static str,
    /// One, or one for each sensor of a device.
    pub(super) aggregates: Vec<Aggregates>,
    pub(super) status: Status,
    pub(super) decision: Option<f64>,
    pub(super) severity: Option<f64>,
    pub(super) threshold: Option<f64>,
    pub(super) is_anomaly: bool,
    pub(super) top_feature: Option<String>,
    pub(super) model: Result<Chosen, Missing>,
}

#[derive(Debug)]
pub(super) struct Aggregates {
    pub(super) sensor: String,
    pub(super) count: u64,
    pub(super) sum: f64,
    pub(super) mean: f64,
    pub(super) std: Option<f64>,
    pub(super) std_pop: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) delta: Option<f64>,
}

/// The model that judges.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) key: String,
    pub(super) kernel: &'static str,
    pub(super) vectors: usize,
    pub(super) version: String,
    pub(super) features: Option<Vec<String>>,
}

/// There is none.
#[derive(Debug)]
pub(super) struct Missing {
    /// The own key first, then those of defaults.
    pub(super) looked_for: Vec<String>,
    pub(super) nearest: Option<String>,
}

/// Closed rows of a partition, and their scores.
pub(super) struct Batch<'a> {
    pub(super) partition: u32,
    pub(super) rows: &'a WindowRows,
    pub(super) scores: &'a Scores,
    pub(super) names: &'a dyn SeriesNames,
    pub(super) so_far: bool,
}

impl Batch<'_> {
    pub(super) fn windows(&self, set: &ModelSet, key: Key, finder: &mut Finder) -> Vec<Window> {
        let of_device = self.scores.devices.as_ref().map(|devices| self.rows_of_devices(devices));
        let mut windows = Vec::with_capacity(self.scores.len());
        for score in 0..self.scores.len() {
            let row = self.scores.window_row(score);
            let own = [row];
            let rows: &[usize] = match &of_device {
                None => &own,
                Some(rows) => rows.get(&self.device_and_start(row)).map_or(&own, Vec::as_slice),
            };
            windows.push(self.window(score, row, rows, set, key, finder));
        }
        windows
    }

    fn window(
        &self,
        score: usize,
        row: usize,
        rows: &[usize],
        set: &ModelSet,
        key: Key,
        finder: &mut Finder,
    ) -> Window {
        let (scores, series) = (self.scores, self.rows.series[row]);
        let device = self.names.device(series).to_owned();
        let sensor = (key == Key::Series).then(|| self.names.sensor(series).to_owned());
        let key = ModelKey { device: Some(device.clone()), sensor: sensor.clone() };
        let model = match choose(set, &key) {
            Some(model) => Ok(Chosen {
                key: ModelKey { device: model.device.map(str::to_owned), sensor: model.sensor.map(str::to_owned) }
                    .to_string(),
                kernel: model.kernel.as_str(),
                vectors: model.support_vectors,
                version: model.version.to_owned(),
                features: model.features.map(|features| features.iter().map(ToString::to_string).collect()),
            }),
            None => Err(Missing { looked_for: looked_for(&key), nearest: finder.nearest(set, &key) }),
        };
        Window {
            partition: self.partition,
            device,
            sensor,
            start: self.rows.start[row],
            end: self.rows.end(row),
            so_far: self.so_far,
            closed_by: self.rows.closed_by[row].as_str(),
            aggregates: rows.iter().map(|row| self.aggregates(*row)).collect(),
            status: scores.status[score],
            decision: scores.decision[score],
            severity: scores.severity[score],
            threshold: scores.threshold[score],
            is_anomaly: scores.is_anomaly[score],
            top_feature: scores.top_feature[score].as_deref().map(str::to_owned),
            model,
        }
    }

    fn aggregates(&self, row: usize) -> Aggregates {
        let rows = self.rows;
        Aggregates {
            sensor: self.names.sensor(rows.series[row]).to_owned(),
            count: rows.count[row],
            sum: rows.sum[row],
            mean: rows.mean[row],
            std: rows.std(row),
            std_pop: rows.std_pop(row),
            min: rows.min[row],
            max: rows.max[row],
            first: rows.first[row],
            last: rows.last[row],
            delta: rows.delta[row],
        }
    }

    fn rows_of_devices(&self, devices: &DeviceRows) -> HashMap<(&str, Micros), Vec<usize>> {
        let mut rows: HashMap<(&str, Micros), Vec<usize>> =
            devices.row.iter().map(|row| (self.device_and_start(*row as usize), Vec::new())).collect();
        for row in 0..self.rows.len() {
            if let Some(rows) = rows.get_mut(&self.device_and_start(row)) {
                rows.push(row);
            }
        }
        rows
    }

    fn device_and_start(&self, row: usize) -> (&str, Micros) {
        (self.names.device(self.rows.series[row]), self.rows.start[row])
    }
}

impl Window {
    pub(super) fn json(&self) -> Value {
        let mut window = json!({
            "partition": self.partition,
            "device": self.device,
            "start_us": self.start,
            "end_us": self.end,
            "so_far": self.so_far,
            "status": self.status.as_str(),
            "decision": self.decision,
            "severity": self.severity,
            "threshold": self.threshold,
            "is_anomaly": self.is_anomaly,
            "top_feature": self.top_feature,
            "model": self.model.as_ref().ok().map(|model| json!({
                "key": model.key, "kernel": model.kernel, "support_vectors": model.vectors,
                "version": model.version, "features": model.features,
            })),
        });
        if !self.so_far {
            window["closed_by"] = self.closed_by.into();
        }
        if let Err(missing) = &self.model {
            window["looked_for"] = missing.looked_for.clone().into();
            window["nearest"] = missing.nearest.clone().into();
        }
        match (&self.sensor, self.aggregates.as_slice()) {
            (Some(sensor), [one]) => {
                window["sensor"] = sensor.as_str().into();
                for (name, value) in one.figures() {
                    window[name] = value;
                }
            }
            (_, many) => {
                let of = |aggregates: &Aggregates| {
                    let figures = aggregates.figures().map(|(name, value)| (name.to_owned(), value));
                    (aggregates.sensor.clone(), Value::Object(figures.into_iter().collect()))
                };
                window["sensors"] = Value::Object(many.iter().map(of).collect());
            }
        }
        json!({ "window": window })
    }
}

impl Aggregates {
    fn figures(&self) -> [(&'static str, Value); 10] {
        [
            ("count", self.count.into()),
            ("sum", self.sum.into()),
            ("mean", self.mean.into()),
            ("std", self.std.into()),
            ("std_pop", self.std_pop.into()),
            ("min", self.min.into()),
            ("max", self.max.into()),
            ("first", self.first.into()),
            ("last", self.last.into()),
            ("delta", self.delta.into()),
        ]
    }
}
