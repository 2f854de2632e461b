//! The datasets as readers see them: files are read once, when they first show up, and must stay.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) device: String,
    /// Empty: the row is of the whole device, and has no values of its own.
    pub(crate) sensor: String,
    pub(crate) start: i64,
    pub(crate) count: i64,
    pub(crate) sum: f64,
    pub(crate) mean: f64,
    pub(crate) std: Option<f64>,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) delta: Option<f64>,
    pub(crate) closed_by: String,
    /// Smoothed over adjacent windows; none: not scored.
    pub(crate) severity: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Late {
    pub(crate) position: i64,
    pub(crate) index: i32,
    pub(crate) device: String,
    pub(crate) sensor: String,
    pub(crate) time: i64,
    pub(crate) value: f64,
    pub(crate) start: i64,
    pub(crate) late_by: i64,
    pub(crate) closed_by: String,
}

/// Consecutive refused items of one reason.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) reason: String,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: i64,
}

#[derive(Default)]
pub(crate) struct Datasets {
    seen: BTreeSet<String>,
    keys: HashSet<(u32, String, String, i64)>,
    pub(crate) rows: BTreeMap<u32, Vec<Row>>,
    pub(crate) late: BTreeMap<u32, Vec<Late>>,
    /// In the order of the log.
    runs: BTreeMap<u32, Vec<(u64, Vec<Run>)>>,
    pub(crate) looks: u64,
}

impl Datasets {
    pub(crate) fn look<'a>(&mut self, files: impl Iterator<Item = (&'a str, &'a Bytes)>) -> Result<(), String> {
        self.looks += 1;
        let mut still_there = 0;
        for (path, bytes) in files {
            if self.seen.contains(path) {
                still_there += 1;
                continue;
            }
            self.take(path, bytes).map_err(|why| format!("`{path}`: {why}"))?;
            self.seen.insert(path.to_owned());
            still_there += 1;
        }
        // Contents cannot change: the store refuses to write a name twice.
        if still_there == self.seen.len() { Ok(()) } else { Err("a file that was seen has disappeared".to_owned()) }
    }

    pub(crate) fn runs(&mut self, partition: u32) -> Vec<Run> {
        let mut runs = self.runs.remove(&partition).unwrap_or_default();
        runs.sort_by_key(|(seq, _)| *seq);
        let mut runs: Vec<Run> = runs.into_iter().flat_map(|(_, runs)| runs).collect();
        // Files of one commit are by date.
        runs.sort_by_key(|run| run.first);
        runs
    }

    fn take(&mut self, path: &str, bytes: &Bytes) -> Result<(), String> {
        let (dataset, file) = path.split_once('/').ok_or("no dataset")?;
        let parts: Vec<&str> = file.strip_suffix(".parquet").ok_or("another ending")?.split('-').collect();
        let [.., partition, genesis, seq] = parts[..] else { return Err("another name".to_owned()) };
        let partition: u32 = partition.parse().map_err(|_| "no partition")?;
        let seq: u64 = seq.parse().map_err(|_| "no seq")?;
        if !file.starts_with("date=") || genesis.len() != 8 {
            return Err("another name".to_owned());
        }
        match dataset {
            "predictions" => self.predictions(partition, bytes),
            "late" => {
                let late = read(
                    bytes,
                    &[
                        "device",
                        "sensor",
                        "event_time",
                        "value",
                        "window_start",
                        "late_by",
                        "closed_by",
                        "position",
                        "index",
                    ],
                    lates,
                )?;
                self.late.entry(partition).or_default().extend(late);
                Ok(())
            }
            "quarantine" => {
                let runs = read(bytes, &["reason", "first_position", "last_position", "count"], quarantine_runs)?;
                self.runs.entry(partition).or_default().push((seq, runs));
                Ok(())
            }
            // How commits went is nobody's result; that it can be read is looked at elsewhere.
            _ => Ok(()),
        }
    }

    fn predictions(&mut self, partition: u32, bytes: &Bytes) -> Result<(), String> {
        let columns = [
            "device",
            "sensor",
            "window_start",
            "value_count",
            "value_sum",
            "value_mean",
            "value_std",
            "value_min",
            "value_max",
            "value_first",
            "value_last",
            "value_delta",
            "closed_by",
            "severity",
        ];
        let rows = read(bytes, &columns, predictions)?;
        for row in &rows {
            let key = (partition, row.device.clone(), row.sensor.clone(), row.start);
            if !self.keys.insert(key) {
                return Err(format!("I7: a second row of {} {} at {}", row.device, row.sensor, row.start));
            }
        }
        self.rows.entry(partition).or_default().extend(rows);
        Ok(())
    }
}

fn read<T>(bytes: &Bytes, columns: &[&str], rows: fn(&RecordBatch) -> Vec<T>) -> Result<Vec<T>, String> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).map_err(|error| error.to_string())?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    let reader = builder.with_projection(mask).build().map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    for batch in reader {
        out.extend(rows(&batch.map_err(|error| error.to_string())?));
    }
    Ok(out)
}

struct Columns<'a>(&'a RecordBatch);

impl Columns<'_> {
    fn text(&self, name: &str, row: usize) -> String {
        self.0.column_by_name(name).expect(name).as_string::<i32>().value(row).to_owned()
    }

    fn text_or_none(&self, name: &str, row: usize) -> Option<String> {
        let column = self.0.column_by_name(name).expect(name).as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    }

    fn double(&self, name: &str, row: usize) -> Option<f64> {
        let column = self.0.column_by_name(name).expect(name).as_primitive::<Float64Type>();
        column.is_valid(row).then(|| column.value(row))
    }

    fn value(&self, name: &str, row: usize) -> f64 {
        self.double(name, row).expect(name)
    }

    fn long(&self, name: &str, row: usize) -> i64 {
        self.0.column_by_name(name).expect(name).as_primitive::<Int64Type>().value(row)
    }

    fn int(&self, name: &str, row: usize) -> i32 {
        self.0.column_by_name(name).expect(name).as_primitive::<Int32Type>().value(row)
    }

    fn time(&self, name: &str, row: usize) -> i64 {
        self.0.column_by_name(name).expect(name).as_primitive::<TimestampMicrosecondType>().value(row)
    }
}

fn predictions(batch: &RecordBatch) -> Vec<Row> {
    let columns = Columns(batch);
    (0..batch.num_rows())
        .map(|row| Row {
            device: columns.text("device", row),
            sensor: columns.text_or_none("sensor", row).unwrap_or_default(),
            start: columns.time("window_start", row),
            count: columns.long("value_count", row),
            sum: columns.double("value_sum", row).unwrap_or_default(),
            mean: columns.double("value_mean", row).unwrap_or_default(),
            std: columns.double("value_std", row),
            min: columns.double("value_min", row).unwrap_or_default(),
            max: columns.double("value_max", row).unwrap_or_default(),
            first: columns.double("value_first", row).unwrap_or_default(),
            last: columns.double("value_last", row).unwrap_or_default(),
            delta: columns.double("value_delta", row),
            closed_by: columns.text("closed_by", row),
            severity: columns.double("severity", row),
        })
        .collect()
}

fn lates(batch: &RecordBatch) -> Vec<Late> {
    let columns = Columns(batch);
    (0..batch.num_rows())
        .map(|row| Late {
            position: columns.long("position", row),
            index: columns.int("index", row),
            device: columns.text("device", row),
            sensor: columns.text("sensor", row),
            time: columns.time("event_time", row),
            value: columns.value("value", row),
            start: columns.time("window_start", row),
            late_by: columns.long("late_by", row),
            closed_by: columns.text("closed_by", row),
        })
        .collect()
}

fn quarantine_runs(batch: &RecordBatch) -> Vec<Run> {
    let columns = Columns(batch);
    (0..batch.num_rows())
        .map(|row| Run {
            reason: columns.text("reason", row),
            first: columns.long("first_position", row),
            last: columns.long("last_position", row),
            count: columns.long("count", row),
        })
        .collect()
}
