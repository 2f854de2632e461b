//! What became of each key: as Parquet, a row a key, and in short.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use score::{Error, Model, ModelKey, TrainReport};
use types::Micros;

use super::learn::Outcome;

/// One line of the report.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) device: Option<String>,
    pub(crate) sensor: Option<String>,
    pub(crate) status: Status,
    /// Rows that there were, windows that lacked a feature, and such that had too few readings.
    rows: Option<u64>,
    incomplete: Option<u64>,
    too_few: Option<u64>,
    first: Option<Micros>,
    last: Option<Micros>,
    trained: Option<TrainReport>,
    version: Option<String>,
    /// Why there is no new model.
    pub(crate) failure: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Trained,
    /// An existing model: it is fresh enough, or no other could be trained.
    Kept,
    Failed,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Status::Trained => "trained",
            Status::Kept => "kept",
            Status::Failed => "failed",
        }
    }
}

impl Line {
    pub(crate) fn of(outcome: &Outcome) -> Line {
        let (status, trained, version, failure) = match &outcome.trained {
            Ok(trained) => (Status::Trained, Some(trained.report.clone()), Some(trained.model.version.clone()), None),
            Err(error) => (Status::Failed, None, None, Some(reason(error))),
        };
        Line {
            device: outcome.key.device.clone(),
            sensor: outcome.key.sensor.clone(),
            status,
            rows: Some(outcome.rows),
            incomplete: Some(outcome.incomplete),
            too_few: Some(outcome.too_few),
            first: outcome.span.map(|(first, _)| first),
            last: outcome.span.map(|(_, last)| last),
            trained,
            version,
            failure,
        }
    }

    pub(crate) fn kept(model: &Model) -> Line {
        Line {
            device: model.key.device.clone(),
            sensor: model.key.sensor.clone(),
            status: Status::Kept,
            rows: None,
            incomplete: None,
            too_few: None,
            first: None,
            last: None,
            trained: None,
            version: Some(model.version.clone()),
            failure: None,
        }
    }

    /// There is no new model, but an older one.
    pub(crate) fn keep(&mut self, model: &Model) {
        self.status = Status::Kept;
        self.version = Some(model.version.clone());
    }

    pub(crate) fn key(&self) -> ModelKey {
        ModelKey { device: self.device.clone(), sensor: self.sensor.clone() }
    }

    pub(crate) fn warnings(&self) -> impl Iterator<Item = &score::Warning> {
        self.trained.iter().flat_map(|report| &report.warnings)
    }
}

/// The cause: that no model could be trained is clear.
fn reason(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Writes the lines as a Parquet file.
pub(crate) fn write(lines: &[Line], file: &Path) -> anyhow::Result<()> {
    let shown = file.display();
    let batch = batch(lines)?;
    let out = File::create(file).with_context(|| format!("write the report to `{shown}`"))?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(out, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close().with_context(|| format!("write the report to `{shown}`"))?;
    Ok(())
}

fn batch(lines: &[Line]) -> anyhow::Result<RecordBatch> {
    let texts =
        |of: &dyn Fn(&Line) -> Option<String>| Arc::new(StringArray::from_iter(lines.iter().map(of))) as ArrayRef;
    let counts = |of: &dyn Fn(&Line) -> Option<u64>| {
        Arc::new(Int64Array::from_iter(lines.iter().map(|line| of(line).map(|count| count as i64)))) as ArrayRef
    };
    let times = |of: &dyn Fn(&Line) -> Option<Micros>| {
        Arc::new(TimestampMicrosecondArray::from_iter(lines.iter().map(of)).with_timezone("UTC")) as ArrayRef
    };
    let of_count = |of: fn(&TrainReport) -> u64| counts(&move |line| line.trained.as_ref().map(of));
    let of_number = |of: fn(&TrainReport) -> Option<f64>| {
        Arc::new(Float64Array::from_iter(lines.iter().map(|line| line.trained.as_ref().and_then(of)))) as ArrayRef
    };
    let warnings = |line: &Line| {
        let words: Vec<String> = line.warnings().map(ToString::to_string).collect();
        (!words.is_empty()).then(|| words.join("; "))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("device", texts(&|line| line.device.clone())),
        ("sensor", texts(&|line| line.sensor.clone())),
        ("status", texts(&|line| Some(line.status.as_str().into()))),
        ("rows", counts(&|line| line.rows)),
        ("rows_incomplete", counts(&|line| line.incomplete)),
        ("rows_too_few", counts(&|line| line.too_few)),
        ("rows_used", of_count(|report| report.rows_used)),
        ("rows_trimmed", of_count(|report| report.rows_trimmed)),
        ("first_window", times(&|line| line.first)),
        ("last_window", times(&|line| line.last)),
        ("support_vectors", of_count(|report| report.support_vectors)),
        ("flagged", of_number(|report| Some(report.flagged))),
        ("threshold", of_number(|report| report.threshold)),
        ("gamma", of_number(|report| Some(report.gamma))),
        ("solver", texts(&|line| line.trained.as_ref().map(|report| report.solver.to_string()))),
        ("version", texts(&|line| line.version.clone())),
        ("warnings", texts(&warnings)),
        ("failure", texts(&|line| line.failure.clone())),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))?)
}
