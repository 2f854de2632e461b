//! Files of predictions for tests, with some column of each type.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Float64Builder, Int32Array, Int64Array, MapBuilder, MapFieldNames,
    RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use types::Micros;

const WIDTH: Micros = 10_000_000;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prediction {
    pub(crate) device: String,
    pub(crate) sensor: Option<String>,
    /// Number of the window.
    pub(crate) window: i64,
    pub(crate) severity: Option<f64>,
    pub(crate) is_anomaly: bool,
}

impl Prediction {
    pub(crate) fn new(device: &str, window: i64, is_anomaly: bool) -> Self {
        Prediction { device: device.into(), sensor: Some("t".into()), window, severity: Some(0.5), is_anomaly }
    }
}

pub(crate) fn parquet(rows: &[Prediction]) -> Bytes {
    let times = |shift: i64| {
        let times = rows.iter().map(|row| (row.window + shift) * WIDTH);
        TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")
    };
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut features = MapBuilder::new(Some(names), StringBuilder::new(), Float64Builder::new());
    for _ in rows {
        for (name, value) in [("mean", Some(1.5)), ("t.std", None)] {
            features.keys().append_value(name);
            features.values().append_option(value);
        }
        features.append(true).unwrap();
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("device", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.device.as_str())))),
        ("sensor", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.sensor.as_deref())))),
        ("window_start", Arc::new(times(0))),
        ("window_end", Arc::new(times(1))),
        ("value_count", Arc::new(Int64Array::from_iter_values(rows.iter().map(|_| 7)))),
        ("features", Arc::new(features.finish())),
        ("severity", Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.severity)))),
        ("is_anomaly", Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(row.is_anomaly))))),
        ("source_partition", Arc::new(Int32Array::from_iter_values(rows.iter().map(|_| 0)))),
    ];
    written(columns)
}

/// Of something else.
pub(crate) fn foreign_parquet() -> Bytes {
    written(vec![("x", Arc::new(Int32Array::from(vec![1])))])
}

fn written(columns: Vec<(&str, ArrayRef)>) -> Bytes {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes.into()
}
