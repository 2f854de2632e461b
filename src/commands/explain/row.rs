//! A row of `predictions` with what its model was given.

use anyhow::{Context, bail};
use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use score::{Feature, Model, Statistic};
use types::Micros;

use super::Others;
use crate::commands::parquet_file::{File, column, number, numbers, text, texts};
use crate::commands::predictions::{STATISTICS, features, std_pop};

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    pub(super) device: String,
    /// None: of the whole device.
    pub(super) sensor: Option<String>,
    pub(super) start: Micros,
    pub(super) end: Micros,
    pub(super) count: Option<i64>,
    /// Statistics of a series, as far as the row has them.
    pub(super) statistics: Vec<(Statistic, f64)>,
    /// What a model of a whole device was given.
    pub(super) features: Vec<(String, f64)>,
    pub(super) decision: Option<f64>,
    pub(super) severity: Option<f64>,
    pub(super) threshold: Option<f64>,
    pub(super) is_anomaly: bool,
    pub(super) status: String,
    pub(super) top_feature: Option<String>,
    pub(super) model_key: Option<String>,
    pub(super) model_set: Option<String>,
    pub(super) model_version: Option<String>,
}

const TEXTS: [&str; 7] = ["device", "sensor", "status", "top_feature", "model_key", "model_set", "model_version"];
const OTHERS: [&str; 8] =
    ["window_start", "window_end", "value_count", "features", "decision", "severity", "threshold", "is_anomaly"];

/// Adds the rows of a device whose window holds this time, and whom else there is.
pub(super) fn read(
    file: File,
    device: &str,
    time: Micros,
    rows: &mut Vec<Row>,
    others: &mut Others,
) -> anyhow::Result<()> {
    let columns: Vec<&str> = TEXTS.into_iter().chain(STATISTICS.map(|(name, _)| name)).chain(OTHERS).collect();
    file.batches(&columns, |batch| {
        let names = texts(batch, "device")?;
        let start = numbers::<TimestampMicrosecondType>(batch, "window_start")?;
        let end = numbers::<TimestampMicrosecondType>(batch, "window_end")?;
        for row in 0..batch.num_rows() {
            // Rows of a device lie side by side.
            if rows.is_empty() && (row == 0 || names.value(row) != names.value(row - 1)) {
                others.add(names.value(row), device);
            }
            if names.value(row) == device && (start.value(row)..end.value(row)).contains(&time) {
                rows.push(Row { start: start.value(row), end: end.value(row), ..one(batch, row)? });
            }
        }
        Ok(())
    })
}

fn one(batch: &RecordBatch, row: usize) -> anyhow::Result<Row> {
    let word = |name| Ok::<_, anyhow::Error>(text(texts(batch, name)?, row).map(str::to_owned));
    let double = |name| Ok::<_, anyhow::Error>(number(numbers::<Float64Type>(batch, name)?, row));
    let count = number(numbers::<Int64Type>(batch, "value_count")?, row);
    let mut found = Row {
        device: word("device")?.unwrap_or_default(),
        sensor: word("sensor")?,
        count,
        decision: double("decision")?,
        severity: double("severity")?,
        threshold: double("threshold")?,
        is_anomaly: column(batch, "is_anomaly")?.as_boolean_opt().context("`is_anomaly` is no boolean")?.value(row),
        status: word("status")?.unwrap_or_default(),
        top_feature: word("top_feature")?,
        model_key: word("model_key")?,
        model_set: word("model_set")?,
        model_version: word("model_version")?,
        ..Row::default()
    };
    for (name, statistic) in STATISTICS {
        found.statistics.extend(double(name)?.map(|value| (statistic, value)));
    }
    found.derive();
    found.features = features(column(batch, "features")?, row)?;
    Ok(found)
}

impl Row {
    /// Statistics that are not columns of their own.
    fn derive(&mut self) {
        let Some(count) = self.count.filter(|_| self.sensor.is_some()) else { return };
        let std = self.statistic(Statistic::Std);
        self.statistics.push((Statistic::Count, count as f64));
        self.statistics.extend(std_pop(count, std).map(|std| (Statistic::StdPop, std)));
    }

    fn statistic(&self, wanted: Statistic) -> Option<f64> {
        self.statistics.iter().find(|(statistic, _)| *statistic == wanted).map(|(_, value)| *value)
    }

    /// What the model was given.
    pub(super) fn values(&self, features: &[Feature], model: &Model) -> anyhow::Result<Vec<f64>> {
        let value = |(place, feature): (usize, &Feature)| {
            let named = feature.to_string();
            let given = self.features.iter().find(|(name, _)| *name == named).map(|(_, value)| *value);
            let own = feature.sensor.as_deref().is_none_or(|sensor| Some(sensor) == self.sensor.as_deref());
            let value = given.or_else(|| self.statistic(feature.statistic).filter(|_| own && self.sensor.is_some()));
            match value {
                Some(value) => Ok(value),
                None => self.stand_in(place, feature, model),
            }
        };
        features.iter().enumerate().map(value).collect()
    }

    fn stand_in(&self, place: usize, feature: &Feature, model: &Model) -> anyhow::Result<f64> {
        // A row that was scored though it lacks a feature was scored with the mean in its place.
        match model.centre().and_then(|centre| centre.get(place)).filter(|_| self.status == "scored") {
            Some(mean) => Ok(*mean),
            None => {
                bail!("the window lacks the feature `{feature}`, and was not scored: its status is `{}`", self.status)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use score::{Kernel, ModelKey, Step};

    use super::*;

    fn model(features: &[Feature], steps: Vec<Step>) -> Model {
        Model {
            key: ModelKey::device("d"),
            features: Some(features.to_vec()),
            steps,
            kernel: Kernel::Linear,
            support_vectors: vec![1.0; features.len()],
            coefficients: vec![1.0],
            intercept: -1.0,
            threshold: None,
            version: "v".into(),
            source: "a test".into(),
            trained_at: None,
            rows: None,
        }
    }

    fn features(names: &[&str]) -> Vec<Feature> {
        names.iter().map(|name| name.parse().expect("a feature")).collect()
    }

    fn series() -> Row {
        let statistics = vec![(Statistic::Mean, 2.0), (Statistic::Std, 0.5)];
        let mut row = Row { sensor: Some("temp".into()), count: Some(5), statistics, ..Row::default() };
        row.status = "scored".into();
        row.derive();
        row
    }

    #[test]
    fn a_series_gives_its_statistics() {
        let names = features(&["std_pop", "temp.mean", "count"]);
        let values = series().values(&names, &model(&names, Vec::new())).expect("all are there");
        assert!((values[0] - 0.5 * 0.8_f64.sqrt()).abs() < 1e-15);
        assert_eq!(values[1..], [2.0, 5.0]);
        let mut single = Row { sensor: Some("temp".into()), count: Some(1), ..Row::default() };
        single.derive();
        assert_eq!(
            single.values(&features(&["std_pop"]), &model(&names, Vec::new())).expect("0 of one reading"),
            [0.0]
        );
    }

    #[test]
    fn a_device_gives_what_its_model_was_given() {
        let names = features(&["temp.mean", "flow.max"]);
        let given = vec![("flow.max".to_owned(), 3.0), ("temp.mean".to_owned(), 2.0)];
        let row = Row { features: given, status: "scored".into(), ..Row::default() };
        assert_eq!(row.values(&names, &model(&names, Vec::new())).expect("all are there"), [2.0, 3.0]);
    }

    #[test]
    fn what_the_window_lacks_had_its_mean_or_there_was_no_score() {
        let names = features(&["mean", "delta"]);
        let centred = model(&names, vec![Step::Subtract(vec![7.0, 8.0])]);
        let mut row = series();
        assert_eq!(row.values(&names, &centred).expect("the mean stands in"), [2.0, 8.0]);
        let error = row.values(&names, &model(&names, Vec::new())).expect_err("no mean is known");
        assert!(error.to_string().contains("lacks the feature `delta`"), "{error}");
        row.status = "missing_feature".into();
        let error = row.values(&names, &centred).expect_err("it was not scored");
        assert!(error.to_string().contains("`missing_feature`"), "{error}");
        // Another sensor's statistic is not this one's.
        assert!(row.values(&features(&["flow.mean", "mean"]), &centred).is_err());
    }
}
