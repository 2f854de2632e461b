//! What was found against what was injected, read from the files that any reader would read.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use ingest::simulated::{Episode, FaultKind};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use types::Micros;

/// Counts behind precision and recall.
#[derive(Debug)]
pub(super) struct Judgement {
    alarms: usize,
    alarms_on_faults: usize,
    pub(super) kinds: Vec<Kind>,
}

/// Faults of one kind, and how many of them raised an alarm.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) faults: usize,
    pub(super) found: usize,
}

impl Judgement {
    /// Share of alarmed windows that touch an injected fault of the same sensor, or of its device.
    pub(super) fn precision(&self) -> f64 {
        share(self.alarms_on_faults, self.alarms)
    }

    /// Share of injected faults with an alarm in a window they touch.
    pub(super) fn recall(&self) -> f64 {
        share(self.kinds.iter().map(|kind| kind.found).sum(), self.faults())
    }

    pub(super) fn faults(&self) -> usize {
        self.kinds.iter().map(|kind| kind.faults).sum()
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

struct Alarm {
    sensor: String,
    start: Micros,
    end: Micros,
}

pub(super) fn judge(predictions: &Path, truth: &[Episode]) -> anyhow::Result<Judgement> {
    let mut alarms: HashMap<String, Vec<Alarm>> = HashMap::new();
    for file in parquet_files(predictions)? {
        read_alarms(&file, &mut alarms).with_context(|| format!("read `{}`", file.display()))?;
    }
    let mut faults: HashMap<&str, Vec<&Episode>> = HashMap::new();
    for episode in truth {
        faults.entry(&episode.device).or_default().push(episode);
    }
    let touches = |alarm: &Alarm, episode: &Episode| {
        let is_its = episode.sensor.as_ref().is_none_or(|own| *own == alarm.sensor);
        is_its && alarm.start < episode.to && episode.from < alarm.end
    };
    let on_fault = |device: &String, alarm: &Alarm| {
        let mut own = faults.get(device.as_str()).into_iter().flatten();
        own.any(|episode| touches(alarm, episode))
    };
    let alarms_on_faults =
        alarms.iter().map(|(device, own)| own.iter().filter(|alarm| on_fault(device, alarm)).count()).sum();
    let is_found = |episode: &&Episode| {
        alarms.get(&episode.device).is_some_and(|own| own.iter().any(|alarm| touches(alarm, episode)))
    };
    let kinds = FaultKind::OF_SENSORS.into_iter().chain([FaultKind::Outage]).map(|kind| {
        let of_kind = truth.iter().filter(|episode| episode.kind == kind);
        Kind { name: kind.as_str(), faults: of_kind.clone().count(), found: of_kind.filter(is_found).count() }
    });
    let kinds = kinds.collect();
    Ok(Judgement { alarms: alarms.values().map(Vec::len).sum(), alarms_on_faults, kinds })
}

fn parquet_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().with_context(|| format!("list `{}`", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    Ok(files)
}

fn read_alarms(file: &Path, alarms: &mut HashMap<String, Vec<Alarm>>) -> anyhow::Result<()> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
    let columns = ["device", "sensor", "window_start", "window_end", "is_anomaly"];
    let mask = ProjectionMask::columns(reader.parquet_schema(), columns);
    for batch in reader.with_projection(mask).build()? {
        let batch: RecordBatch = batch?;
        let column = |name: &str| batch.column_by_name(name).with_context(|| format!("no column `{name}`"));
        let devices = column("device")?.as_string::<i32>();
        let sensors = column("sensor")?.as_string::<i32>();
        let starts = column("window_start")?.as_primitive::<TimestampMicrosecondType>();
        let ends = column("window_end")?.as_primitive::<TimestampMicrosecondType>();
        let flags = column("is_anomaly")?.as_boolean();
        for row in (0..batch.num_rows()).filter(|row| flags.is_valid(*row) && flags.value(*row)) {
            let alarm = Alarm { sensor: sensors.value(row).to_owned(), start: starts.value(row), end: ends.value(row) };
            alarms.entry(devices.value(row).to_owned()).or_default().push(alarm);
        }
    }
    Ok(())
}
