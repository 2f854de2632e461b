//! From our own predictions to a history: the aggregates stand in their rows.

use std::collections::HashMap;

use anyhow::Context;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use indicatif::ProgressBar;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use score::{Feature, Statistic};
use store::Location;
use tokio::runtime::Runtime;
use types::Micros;

use super::history::History;
use super::source::{Read, Wanted};
use crate::shutdown::Shutdown;

const COLUMNS: [&str; 14] = [
    "device",
    "sensor",
    "window_start",
    "window_end",
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
];

/// Reads all files of the dataset.
pub(crate) fn read(
    location: &Location,
    runtime: &Runtime,
    wanted: &Wanted,
    history: &mut History,
    bar: &ProgressBar,
    shutdown: &Shutdown,
) -> anyhow::Result<Read> {
    let files = runtime.block_on(store::list(location)).with_context(|| format!("list `{location}`"))?;
    let files: Vec<_> = files.into_iter().filter(|file| file.extension() == Some("parquet")).collect();
    let mut read = Read::default();
    // Where the end of an input closed a device's windows: the newest of these may lack readings.
    let mut drained = HashMap::new();
    for (number, file) in files.iter().enumerate() {
        if shutdown.requested() {
            anyhow::bail!("interrupted");
        }
        let failed = || format!("read `{file}` in `{location}`");
        let bytes = runtime.block_on(store::get(location, file)).with_context(failed)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).with_context(failed)?;
        let mask = ProjectionMask::columns(reader.parquet_schema(), COLUMNS.into_iter().chain(["features"]));
        for batch in reader.with_projection(mask).build().with_context(failed)? {
            let batch = batch.with_context(failed)?;
            read.records += batch.num_rows() as u64;
            rows(&batch, wanted, history, &mut drained).with_context(failed)?;
        }
        bar.set_position((number + 1) as u64 * 1000 / files.len() as u64);
    }
    for (device, (width, newest)) in drained {
        history.withdraw(&device, (newest - width, newest));
    }
    Ok(read)
}

fn rows(
    batch: &RecordBatch,
    wanted: &Wanted,
    history: &mut History,
    drained: &mut HashMap<String, (Micros, Micros)>,
) -> anyhow::Result<()> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .with_context(|| format!("it has no column `{name}`: is it a dataset of predictions?"))
    };
    let text = |name: &str| column(name)?.as_string_opt::<i32>().with_context(|| format!("`{name}` is not text"));
    let time = |name: &str| {
        column(name)?.as_primitive_opt::<TimestampMicrosecondType>().with_context(|| format!("`{name}` is no time"))
    };
    let number = |name: &str| {
        column(name)?.as_primitive_opt::<Float64Type>().with_context(|| format!("`{name}` is not a number"))
    };
    let (devices, sensors, closed_by) = (text("device")?, text("sensor")?, text("closed_by")?);
    let (starts, ends) = (time("window_start")?, time("window_end")?);
    let counts = column("value_count")?.as_primitive_opt::<Int64Type>().context("`value_count` is not a number")?;
    let [sums, means, stds, mins, maxs, firsts, lasts, deltas] = [
        number("value_sum")?,
        number("value_mean")?,
        number("value_std")?,
        number("value_min")?,
        number("value_max")?,
        number("value_first")?,
        number("value_last")?,
        number("value_delta")?,
    ];
    let maps = batch.column_by_name("features").and_then(|column| column.as_map_opt());
    for row in 0..batch.num_rows() {
        let (device, start, end) = (devices.value(row), starts.value(row), ends.value(row));
        // Also of windows that are not wanted: they tell that the ones before had ended.
        if closed_by.value(row) == "drain" && wanted.device(device) {
            let (_, newest) = drained.entry(device.to_owned()).or_insert((end - start, start));
            *newest = start.max(*newest);
        }
        if !wanted.window(device, start, end) {
            continue;
        }
        if closed_by.value(row) == "silence" {
            history.partial += 1;
            continue;
        }
        if sensors.is_valid(row) {
            let value = |of: &arrow::array::Float64Array| of.is_valid(row).then(|| of.value(row));
            let count = counts.is_valid(row).then(|| counts.value(row) as f64);
            let of = |statistic: &Statistic| match statistic {
                Statistic::Count => count,
                Statistic::Sum => value(sums),
                Statistic::Mean => value(means),
                Statistic::Min => value(mins),
                Statistic::Max => value(maxs),
                Statistic::First => value(firsts),
                Statistic::Last => value(lasts),
                Statistic::Std => value(stds),
                Statistic::StdPop if count == Some(1.0) => Some(0.0),
                Statistic::StdPop => value(stds).zip(count).map(|(std, n)| std * ((n - 1.0) / n).sqrt()),
                Statistic::Delta => value(deltas),
            };
            let numbers: Vec<Option<f64>> = history.statistics().iter().map(of).collect();
            history.push(device, sensors.value(row), start, &numbers);
        } else if let Some(maps) = maps.filter(|maps| maps.is_valid(row)) {
            let map = maps.value(row);
            let (names, values) =
                (map.column(0).as_string_opt::<i32>(), map.column(1).as_primitive_opt::<Float64Type>());
            let (names, values) = names.zip(values).context("`features` is not a map of numbers")?;
            let named = (0..map.len()).filter(|at| values.is_valid(*at)).filter_map(|at| {
                let feature: Feature = names.value(at).parse().ok()?;
                Some((feature, values.value(at)))
            });
            of_device(history, device, start, &named.collect::<Vec<_>>());
        }
    }
    Ok(())
}

/// What a device model was given: the same sensors again, apart.
fn of_device(history: &mut History, device: &str, start: Micros, named: &[(Feature, f64)]) {
    let mut sensors: Vec<&str> = named.iter().filter_map(|(feature, _)| feature.sensor.as_deref()).collect();
    sensors.sort_unstable();
    sensors.dedup();
    for sensor in sensors {
        let of = |statistic: &Statistic| {
            let is_it = |(feature, _): &&(Feature, f64)| {
                feature.sensor.as_deref() == Some(sensor) && feature.statistic == *statistic
            };
            named.iter().find(is_it).map(|(_, number)| *number)
        };
        let numbers: Vec<Option<f64>> = history.statistics().iter().map(of).collect();
        history.push(device, sensor, start, &numbers);
    }
}
