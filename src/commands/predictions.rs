//! Rows of `predictions` from any folder or URL, whoever wrote them: what was scored is evaluated, explained and watched by
//! commands that need no pipeline.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use arrow::array::{Array, AsArray, BooleanArray, Float64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use config::Config;
use score::Statistic;
use store::Location;
use types::Micros;

use super::dataset::Dataset;
use super::parquet_file::{File, column, number, numbers, text, texts};
use super::progress::{self, Unit};
use crate::runtime::Runtime;

/// A dataset that was found.
pub(crate) struct Predictions {
    files: Dataset,
    pub(crate) place: String,
}

/// What most commands look at of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row<'a> {
    pub(crate) device: &'a str,
    pub(crate) sensor: Option<&'a str>,
    /// The window is `[start, end)`.
    pub(crate) start: Micros,
    pub(crate) end: Micros,
    pub(crate) decision: Option<f64>,
    pub(crate) severity: Option<f64>,
    pub(crate) threshold: Option<f64>,
    pub(crate) is_anomaly: bool,
    pub(crate) status: &'a str,
    pub(crate) model_key: Option<&'a str>,
}

/// The columns of a window's statistics that are columns of their own and numbers.
pub(crate) const STATISTICS: [(&str, Statistic); 8] = [
    ("value_sum", Statistic::Sum),
    ("value_mean", Statistic::Mean),
    ("value_std", Statistic::Std),
    ("value_min", Statistic::Min),
    ("value_max", Statistic::Max),
    ("value_first", Statistic::First),
    ("value_last", Statistic::Last),
    ("value_delta", Statistic::Delta),
];

/// What is no column: the population's standard deviation, from the sample's.
pub(crate) fn std_pop(count: i64, std: Option<f64>) -> Option<f64> {
    match count {
        1 => Some(0.0),
        _ => std.map(|std| std * ((count - 1) as f64 / count as f64).sqrt()),
    }
}

/// What the model of a whole device was given; nothing in rows of series.
pub(crate) fn features(column: &dyn Array, row: usize) -> anyhow::Result<Vec<(String, f64)>> {
    let maps = column.as_map_opt().context("`features` is no map")?;
    if maps.is_null(row) {
        return Ok(Vec::new());
    }
    let entries = maps.value(row);
    let names = entries.column(0).as_string_opt::<i32>().context("a feature has no name")?;
    let values = entries.column(1).as_primitive_opt::<Float64Type>().context("a feature is no number")?;
    Ok((0..entries.len()).filter_map(|at| Some((names.value(at).to_owned(), number(values, at)?))).collect())
}

impl Predictions {
    /// Lists what is in the place; there must be something.
    pub(crate) fn open(location: Location, runtime: &Runtime) -> anyhow::Result<Predictions> {
        let files = Dataset::open(location, "predictions", runtime)?;
        let (place, objects) = (files.place.clone(), &files.objects);
        if objects.iter().any(|object| object.name.starts_with("predictions/")) {
            bail!(
                "`{place}` holds all datasets of a run, not predictions alone\nname the folder `predictions` in it: `{}/predictions`",
                place.trim_end_matches('/')
            );
        }
        if objects.is_empty() {
            bail!(
                "no Parquet file in `{place}`\nname the folder `predictions` below the results of `atalaia run` or `score`"
            );
        }
        Ok(Predictions { files, place })
    }

    /// Those that were named, else those of the configuration file, if there is one.
    pub(crate) fn find(
        url: Option<&str>,
        has_file: bool,
        config: &Config,
        runtime: &Runtime,
    ) -> anyhow::Result<Predictions> {
        match url {
            Some(url) => Predictions::at(url, config, runtime),
            None if has_file => {
                let places = sink::Places::open(&config.sink, &config.storage);
                Predictions::open(places.context("open the places of the results")?.predictions, runtime)
            }
            None => bail!(
                "no predictions are named: give their folder or URL with --predictions, or a configuration with -c"
            ),
        }
    }

    /// The folder or URL that a user named.
    pub(crate) fn at(url: &str, config: &Config, runtime: &Runtime) -> anyhow::Result<Predictions> {
        let location = store::open(url, &config.storage).context("open the place of the predictions")?;
        Predictions::open(location, runtime)
    }

    /// Only the files of windows that start on these days, as `2026-01-31`, both included. Names that tell no day stay.
    pub(crate) fn of_days(&mut self, first: &str, last: &str) {
        self.files.of_days(first, last);
    }

    /// The first day that there are files of, and the last.
    pub(crate) fn days(&self) -> Option<[String; 2]> {
        self.files.days()
    }

    pub(crate) fn count(&self) -> usize {
        self.files.objects.len()
    }

    /// Shows each file, in the order of their names, with its name below the place.
    pub(crate) fn files(
        &self,
        runtime: &Runtime,
        mut take: impl FnMut(&str, File) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.files.files(runtime, |object, file| take(&object.name, file))
    }

    /// The same, with its progress shown.
    pub(crate) fn watched(
        &self,
        runtime: &Runtime,
        mut take: impl FnMut(File) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let meter = progress::count("reading predictions", Unit::Bytes, self.files.bytes());
        self.files.files(runtime, |object, file| {
            take(file)?;
            meter.add(object.bytes);
            Ok(())
        })
    }

    /// Shows every row; gives the pipelines that wrote them.
    pub(crate) fn rows(&self, runtime: &Runtime, mut show: impl FnMut(Row<'_>)) -> anyhow::Result<Pipelines> {
        let mut pipelines = Pipelines::default();
        self.watched(runtime, |file| {
            let pipeline = file.footer.pipeline.clone();
            let mut span = None;
            rows(file, &mut |row| {
                let (first, end) = span.unwrap_or((row.start, row.end));
                span = Some((row.start.min(first), row.end.max(end)));
                show(row);
            })?;
            pipelines.add(pipeline, span);
            Ok(())
        })?;
        Ok(pipelines)
    }
}

/// Who wrote rows, with the time that they span.
#[derive(Debug, Default)]
pub(crate) struct Pipelines(BTreeMap<String, (Micros, Micros)>);

impl Pipelines {
    fn add(&mut self, name: Option<String>, span: Option<(Micros, Micros)>) {
        if let (Some(name), Some((first, end))) = (name, span) {
            let own = self.0.entry(name).or_insert((first, end));
            *own = (own.0.min(first), own.1.max(end));
        }
    }

    /// Two that speak of the same time: a window may have a row of each.
    pub(crate) fn overlapping(&self) -> Option<[&str; 2]> {
        let mut spans: Vec<_> = self.0.iter().map(|(name, (first, end))| (*first, *end, name.as_str())).collect();
        spans.sort_unstable();
        let mut longest = *spans.first()?;
        for next in spans.into_iter().skip(1) {
            if next.0 < longest.1 {
                return Some([longest.2, next.2]);
            }
            longest = next;
        }
        None
    }
}

fn rows(file: File, show: &mut dyn FnMut(Row<'_>)) -> anyhow::Result<()> {
    file.batches(&COLUMNS, |batch| {
        let columns = Columns::of(batch)?;
        (0..batch.num_rows()).for_each(|row| show(columns.row(row)));
        Ok(())
    })
}

/// The columns that a [`Row`] is made of.
pub(crate) const COLUMNS: [&str; 10] = [
    "device",
    "sensor",
    "window_start",
    "window_end",
    "decision",
    "severity",
    "threshold",
    "is_anomaly",
    "status",
    "model_key",
];

/// They, of some rows.
pub(crate) struct Columns<'a> {
    device: &'a StringArray,
    sensor: &'a StringArray,
    start: &'a TimestampMicrosecondArray,
    end: &'a TimestampMicrosecondArray,
    decision: &'a Float64Array,
    severity: &'a Float64Array,
    threshold: &'a Float64Array,
    is_anomaly: &'a BooleanArray,
    status: &'a StringArray,
    model_key: &'a StringArray,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> anyhow::Result<Columns<'a>> {
        Ok(Columns {
            device: texts(batch, "device")?,
            sensor: texts(batch, "sensor")?,
            start: numbers::<TimestampMicrosecondType>(batch, "window_start")?,
            end: numbers::<TimestampMicrosecondType>(batch, "window_end")?,
            decision: numbers::<Float64Type>(batch, "decision")?,
            severity: numbers::<Float64Type>(batch, "severity")?,
            threshold: numbers::<Float64Type>(batch, "threshold")?,
            is_anomaly: column(batch, "is_anomaly")?.as_boolean_opt().context("`is_anomaly` is no boolean")?,
            status: texts(batch, "status")?,
            model_key: texts(batch, "model_key")?,
        })
    }

    pub(crate) fn row(&self, row: usize) -> Row<'a> {
        Row {
            device: self.device.value(row),
            sensor: text(self.sensor, row),
            start: self.start.value(row),
            end: self.end.value(row),
            decision: number(self.decision, row),
            severity: number(self.severity, row),
            threshold: number(self.threshold, row),
            is_anomaly: self.is_anomaly.value(row),
            status: self.status.value(row),
            model_key: text(self.model_key, row),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipelines_of_one_time_are_told_from_those_of_one_day_each() {
        let of = |spans: &[(&str, Micros, Micros)]| {
            let mut pipelines = Pipelines::default();
            spans.iter().for_each(|(name, first, end)| pipelines.add(Some((*name).to_owned()), Some((*first, *end))));
            pipelines.overlapping().map(|names| names.map(str::to_owned))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("a", 0, 5), ("a", 5, 9)]), None, "one");
        assert_eq!(of(&[("b", 10, 20), ("a", 0, 10), ("c", 20, 30)]), None, "one after the other");
        assert_eq!(of(&[("b", 9, 20), ("a", 0, 10), ("c", 20, 30)]), Some(["a".to_owned(), "b".to_owned()]));
    }
}
