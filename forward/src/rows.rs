//! A file of predictions -> events of the rows that are anomalies, a batch of rows at a time.
//!
//! `data` has the columns of the file under their own names and in their own order, whatever they are: what a later version adds, goes along.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::event::{Event, Key, time_text};

/// Rows that are looked at at a time; each of them may become an event in memory.
const ROWS_AT_ONCE: usize = 1024;

/// The events of a file, in the order of its rows.
pub struct Rows {
    pipeline: String,
    rows: u64,
    reader: ParquetRecordBatchReader,
}

impl Rows {
    /// # Errors
    /// If it is no Parquet file.
    pub fn open(pipeline: &str, file: Bytes) -> Result<Rows, String> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
        let reader = builder.with_batch_size(ROWS_AT_ONCE).build().map_err(|error| error.to_string())?;
        Ok(Rows { pipeline: pipeline.to_owned(), rows, reader })
    }

    /// Rows in the file, whatever they say.
    #[must_use]
    pub fn in_file(&self) -> u64 {
        self.rows
    }

    fn events(&self, batch: Result<RecordBatch, ArrowError>) -> Result<Vec<Event>, String> {
        let batch = batch.map_err(|error| error.to_string())?;
        let columns = Columns::of(&batch)?;
        let anomalies = (0..batch.num_rows()).filter(|row| columns.is_anomaly.value(*row));
        Ok(anomalies.map(|row| Event::new(columns.key(&self.pipeline, row), Row { batch: &batch, row })).collect())
    }
}

impl Iterator for Rows {
    type Item = Result<Vec<Event>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(self.events(batch))
    }
}

/// Those that decide and name; they are in every file of predictions.
struct Columns<'a> {
    device: &'a arrow::array::StringArray,
    sensor: &'a arrow::array::StringArray,
    window_start: &'a arrow::array::TimestampMicrosecondArray,
    window_end: &'a arrow::array::TimestampMicrosecondArray,
    is_anomaly: &'a arrow::array::BooleanArray,
    source_partition: &'a arrow::array::Int32Array,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, String> {
        let column = |name: &str| batch.column_by_name(name).ok_or(format!("it has no column `{name}`"));
        let wrong = |name: &str| format!("its column `{name}` is of another type");
        let text = |name: &str| column(name)?.as_string_opt::<i32>().ok_or_else(|| wrong(name));
        let time = |name: &str| column(name)?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| wrong(name));
        Ok(Columns {
            device: text("device")?,
            sensor: text("sensor")?,
            window_start: time("window_start")?,
            window_end: time("window_end")?,
            is_anomaly: column("is_anomaly")?.as_boolean_opt().ok_or_else(|| wrong("is_anomaly"))?,
            source_partition: column("source_partition")?
                .as_primitive_opt::<Int32Type>()
                .ok_or_else(|| wrong("source_partition"))?,
        })
    }

    fn key<'k>(&'k self, pipeline: &'k str, row: usize) -> Key<'k> {
        Key {
            pipeline,
            partition: self.source_partition.value(row),
            device: self.device.value(row),
            sensor: self.sensor.is_valid(row).then(|| self.sensor.value(row)),
            window_start: self.window_start.value(row),
            window_end: self.window_end.value(row),
        }
    }
}

/// `data` of an event.
struct Row<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.batch.num_columns()))?;
        for (field, column) in self.batch.schema_ref().fields().iter().zip(self.batch.columns()) {
            map.serialize_entry(field.name(), &Value { column, row: self.row })?;
        }
        map.end()
    }
}

/// One value. Numbers are written so that reading them gives the same bits; what JSON cannot write is null.
struct Value<'a> {
    column: &'a dyn Array,
    row: usize,
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Value { column, row } = *self;
        if column.is_null(row) {
            return serializer.serialize_none();
        }
        match column.data_type() {
            DataType::Utf8 => serializer.serialize_str(column.as_string::<i32>().value(row)),
            DataType::Int32 => serializer.serialize_i32(column.as_primitive::<Int32Type>().value(row)),
            DataType::Int64 => serializer.serialize_i64(column.as_primitive::<Int64Type>().value(row)),
            DataType::Float64 => serializer.serialize_f64(column.as_primitive::<Float64Type>().value(row)),
            DataType::Boolean => serializer.serialize_bool(column.as_boolean().value(row)),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let time = column.as_primitive::<TimestampMicrosecondType>().value(row);
                match time_text(time) {
                    Some(text) => serializer.serialize_str(&text),
                    None => serializer.serialize_i64(time),
                }
            }
            DataType::Map(..) => {
                let entries = column.as_map().value(row);
                let (keys, values) = (entries.column(0), entries.column(1));
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for entry in 0..entries.len() {
                    map.serialize_entry(&Value { column: keys, row: entry }, &Value { column: values, row: entry })?;
                }
                map.end()
            }
            // No column of predictions is of another type; one that a later version adds is left to that version.
            _ => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Prediction, parquet};

    fn events(rows: &[Prediction]) -> Vec<Event> {
        let opened = Rows::open("p", parquet(rows)).unwrap();
        assert_eq!(opened.in_file(), rows.len() as u64);
        opened.flat_map(Result::unwrap).collect()
    }

    #[test]
    fn anomalies_alone_are_events_in_the_order_of_rows() {
        let rows: Vec<Prediction> = (0..5000).map(|i| Prediction::new(&format!("d{i:04}"), i, i % 3 == 0)).collect();
        let found: Vec<String> = events(&rows).into_iter().map(|event| event.device).collect();
        let wanted: Vec<&str> = rows.iter().filter(|row| row.is_anomaly).map(|row| row.device.as_str()).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn data_has_every_column_by_its_name_and_exact_numbers() {
        for severity in [0.1 + 0.2, 1e-300, 5e-324, 1.797_693_134_862_315_7e308, -0.0, 123_456_789.123_456_79] {
            let row = Prediction { severity: Some(severity), ..Prediction::new("d", 7, true) };
            let event = &events(std::slice::from_ref(&row))[0];
            assert_eq!(event, &events(&[row])[0], "the same row, the same bytes");
            let read: serde_json::Value = serde_json::from_slice(&event.body).unwrap();
            let data = &read["data"];
            assert_eq!(data["severity"].as_f64().unwrap().to_bits(), severity.to_bits(), "{severity}");
            assert_eq!(data["features"], serde_json::json!({ "mean": 1.5, "t.std": null }));
            assert_eq!(data["window_start"], "1970-01-01T00:01:10Z");
            assert_eq!((&data["is_anomaly"], &data["value_count"]), (&true.into(), &7.into()));
            assert_eq!(data["source_partition"], 0);
            assert_eq!(read["time"], data["window_end"]);
        }
        let bare = Prediction { severity: Some(f64::NAN), sensor: None, ..Prediction::new("d", 7, true) };
        let read: serde_json::Value = serde_json::from_slice(&events(&[bare])[0].body).unwrap();
        assert!(read["data"]["severity"].is_null() && read["data"]["sensor"].is_null(), "{read}");
    }

    #[test]
    fn other_files_are_refused_in_words() {
        assert!(Rows::open("p", Bytes::from_static(b"no Parquet")).is_err());
        let foreign = crate::testing::foreign_parquet();
        let refused = Rows::open("p", foreign).unwrap().next().unwrap();
        assert_eq!(refused, Err("it has no column `device`".to_owned()));
    }
}
