//! From our own predictions to a history: the aggregates stand in their rows.

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use score::{Feature, Statistic};
use types::{Micros, Status};

use super::history::History;
use super::source::{Read, Wanted};
use crate::commands::parquet_file::{column, number, numbers, text, texts};
use crate::commands::predictions::{Predictions, STATISTICS, features, std_pop};
use crate::commands::progress::Counter;
use crate::runtime::Runtime;
use crate::shutdown::Shutdown;

const OTHERS: [&str; 8] =
    ["device", "sensor", "window_start", "window_end", "value_count", "closed_by", "status", "features"];

/// Reads all files of the dataset.
pub(crate) fn read(
    predictions: &Predictions,
    runtime: &Runtime,
    wanted: &Wanted,
    history: &mut History,
    counter: &Counter,
    shutdown: &Shutdown,
) -> anyhow::Result<Read> {
    let columns: Vec<&str> = OTHERS.into_iter().chain(STATISTICS.map(|(name, _)| name)).collect();
    let (mut read, mut drained, mut done) = (Read::default(), Drained::default(), 0);
    predictions.files(runtime, |path, file| {
        if shutdown.requested() {
            anyhow::bail!("interrupted");
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        file.batches(&columns, |batch| {
            read.records += batch.num_rows() as u64;
            rows(batch, name, wanted, history, &mut drained)
        })?;
        done += 1;
        counter.set(read.records);
        counter.set_share(done as f64 / predictions.count() as f64);
        Ok(())
    })?;
    drained.settle(history);
    Ok(read)
}

/// Windows that the end of an input closed, until all of them are known: a device's newest may lack readings.
///
/// Each run has its own end, and a dataset may hold the results of many. What one commit wrote has the same file name below every date.
#[derive(Debug, Default)]
struct Drained(BTreeMap<(String, String), End>);

/// Of one device in the files of one name.
#[derive(Debug)]
struct End {
    newest: Micros,
    windows: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    sensor: String,
    start: Micros,
    end: Micros,
    numbers: Numbers,
}

/// As many as [`History::statistics`]; none of a window that has too few readings.
type Numbers = Option<Vec<Option<f64>>>;

impl Drained {
    /// That the device has such a window, be it wanted or not: those before had ended.
    fn see(&mut self, file: &str, device: &str, start: Micros) -> &mut End {
        let new = || End { newest: start, windows: Vec::new() };
        let end = self.0.entry((file.to_owned(), device.to_owned())).or_insert_with(new);
        end.newest = end.newest.max(start);
        end
    }

    fn settle(self, history: &mut History) {
        for ((_, device), End { newest, windows }) in self.0 {
            for Held { sensor, start, end, numbers } in windows {
                match end > newest {
                    true => history.partial += 1,
                    false => put(history, &device, &sensor, start, numbers),
                }
            }
        }
    }
}

fn put(history: &mut History, device: &str, sensor: &str, start: Micros, numbers: Numbers) {
    match numbers {
        Some(numbers) => history.push(device, sensor, start, &numbers),
        None => history.push_too_few(device, sensor, start),
    }
}

fn rows(
    batch: &RecordBatch,
    file: &str,
    wanted: &Wanted,
    history: &mut History,
    drained: &mut Drained,
) -> anyhow::Result<()> {
    let (devices, sensors) = (texts(batch, "device")?, texts(batch, "sensor")?);
    let (closed_by, statuses) = (texts(batch, "closed_by")?, texts(batch, "status")?);
    let starts = numbers::<TimestampMicrosecondType>(batch, "window_start")?;
    let ends = numbers::<TimestampMicrosecondType>(batch, "window_end")?;
    let counts = numbers::<Int64Type>(batch, "value_count")?;
    let mut values = Vec::with_capacity(STATISTICS.len());
    for (name, statistic) in STATISTICS {
        values.push((statistic, numbers::<Float64Type>(batch, name)?));
    }
    let maps = column(batch, "features")?;
    let statistics = history.statistics().to_vec();
    for row in 0..batch.num_rows() {
        let (device, start, end) = (devices.value(row), starts.value(row), ends.value(row));
        let is_drained = closed_by.value(row) == "drain" && wanted.device(device);
        let mut held = is_drained.then(|| &mut drained.see(file, device, start).windows);
        if !wanted.window(device, start, end) {
            continue;
        }
        if closed_by.value(row) == "silence" {
            history.partial += 1;
            continue;
        }
        let has_too_few = match sensors.is_valid(row) && counts.is_valid(row) {
            true => history.is_too_few(counts.value(row) as u64),
            // The count is of all sensors: only whoever judged it knows.
            false => statuses.value(row) == Status::TooFew.as_str(),
        };
        let mut put = |sensor: &str, numbers: Vec<Option<f64>>| {
            let numbers = (!has_too_few).then_some(numbers);
            match &mut held {
                Some(held) => held.push(Held { sensor: sensor.to_owned(), start, end, numbers }),
                None => put(history, device, sensor, start, numbers),
            }
        };
        if let Some(sensor) = text(sensors, row) {
            let count = number(counts, row);
            let value =
                |wanted| values.iter().find(|(statistic, _)| *statistic == wanted).and_then(|(_, of)| number(of, row));
            let of = |statistic: &Statistic| match statistic {
                Statistic::Count => count.map(|count| count as f64),
                Statistic::StdPop => std_pop(count?, value(Statistic::Std)),
                other => value(*other),
            };
            put(sensor, statistics.iter().map(of).collect());
        } else {
            let given = features(maps, row)?;
            let named: Vec<(Feature, f64)> =
                given.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value))).collect();
            of_device(&statistics, &named, &mut put);
        }
    }
    Ok(())
}

/// What a device model was given: the same sensors again, apart.
fn of_device(statistics: &[Statistic], named: &[(Feature, f64)], put: &mut dyn FnMut(&str, Vec<Option<f64>>)) {
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
        put(sensor, statistics.iter().map(of).collect());
    }
}

#[cfg(test)]
mod tests {
    use score::Key;

    use super::*;

    /// Of a series: device, start, readings, what closed it; windows are 10 wide.
    type Row<'a> = (&'a str, Micros, i64, &'a str);

    fn batch(rows: &[Row<'_>]) -> RecordBatch {
        use std::sync::Arc;

        use arrow::array::{
            ArrayRef, Float64Array, Float64Builder, Int64Array, MapBuilder, StringArray, StringBuilder,
            TimestampMicrosecondArray,
        };

        let texts =
            |of: &dyn Fn(&Row<'_>) -> String| Arc::new(StringArray::from_iter_values(rows.iter().map(of))) as ArrayRef;
        let times = |after: Micros| {
            let times = rows.iter().map(|row| row.1 + after);
            Arc::new(TimestampMicrosecondArray::from_iter_values(times)) as ArrayRef
        };
        let mut columns = vec![
            ("device", texts(&|row| row.0.into())),
            ("sensor", texts(&|_| "s".into())),
            ("status", texts(&|_| "no_model".into())),
            ("closed_by", texts(&|row| row.3.into())),
            ("window_start", times(0)),
            ("window_end", times(10)),
            ("value_count", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))) as ArrayRef),
        ];
        for (name, _) in STATISTICS {
            columns.push((name, Arc::new(Float64Array::from(vec![1.0; rows.len()])) as ArrayRef));
        }
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Float64Builder::new());
        rows.iter().for_each(|_| maps.append(false).expect("no values without keys"));
        columns.push(("features", Arc::new(maps.finish())));
        RecordBatch::try_from_iter(columns).expect("columns of one length")
    }

    #[test]
    fn what_may_lack_readings_or_has_too_few_is_left_out_whichever_run_wrote_it() {
        let score = score::Config { key: Key::Series, min_readings: 3, ..score::Config::default() };
        let mut history = History::new(10, &score, Some(vec![Statistic::Mean.into()]));
        let wanted = Wanted {
            from: None,
            until: Some(80),
            records: None,
            excluded: super::super::exclude::Excluded::default(),
            shard: (0, 1),
        };
        let mut drained = Drained::default();
        for (file, of_file) in [
            // A run whose end lies on two days.
            ("t-00000-0000000a-0000000001.parquet", &[("d", 0, 5, "device"), ("d", 10, 5, "drain")][..]),
            ("t-00000-0000000a-0000000001.parquet", &[("d", 20, 5, "drain"), ("e", 10, 5, "drain")]),
            // The next one, which sees the last window of the one before whole, and one of few readings.
            ("t-00000-0000000b-0000000001.parquet", &[("d", 20, 5, "partition"), ("d", 30, 2, "device")]),
            ("t-00000-0000000b-0000000001.parquet", &[("d", 40, 3, "silence"), ("d", 50, 2, "drain")]),
            // Its newest window is not wanted, but tells that the one before had ended.
            ("t-00000-0000000b-0000000001.parquet", &[("d", 70, 5, "drain"), ("d", 80, 5, "drain")]),
        ] {
            rows(&batch(of_file), file, &wanted, &mut history, &mut drained).expect("rows of predictions");
        }
        drained.settle(&mut history);
        // Partial: the first run's newest of either device, and the one closed by silence.
        assert_eq!((history.partial, history.too_few, history.windows), (3, 2, 4));
        let of_d = history.into_keys().next().expect("a key").rows();
        assert_eq!((of_d.rows.starts, of_d.too_few), (vec![0, 10, 20, 70], 2));
    }
}
