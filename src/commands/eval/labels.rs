//! Labels as people keep them: a column of a CSV file of rows, or intervals in CSV or JSON.

mod csv;
mod json;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, bail};
use ingest::decode::{TimeUnit, parse_time};
use types::Micros;

use crate::commands::output::grouped;
use crate::wall;

/// What a file of labels says. Of rows each has its own label; of intervals everything outside them is normal.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::commands) enum Labels {
    Rows(Vec<LabelledRow>),
    Intervals(Vec<Interval>),
}

/// Whom a label is about; none: everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::commands) struct Whom {
    pub(in crate::commands) device: Option<String>,
    pub(in crate::commands) sensor: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::commands) struct LabelledRow {
    pub(in crate::commands) whom: Whom,
    pub(in crate::commands) time: Micros,
    pub(in crate::commands) is_anomaly: bool,
}

/// Anomalous from here to there, both included.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::commands) struct Interval {
    pub(in crate::commands) whom: Whom,
    /// What went wrong, where the file has a word for it.
    pub(in crate::commands) kind: Option<String>,
    pub(in crate::commands) from: Micros,
    pub(in crate::commands) to: Micros,
}

/// The columns of a CSV file; those not named are looked for under their usual names.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::commands) struct Columns {
    /// Column of a row's time [default: `datetime`, `timestamp`, `time`, `ts` or `date`]
    #[arg(long, value_name = "NAME")]
    pub(in crate::commands) time_column: Option<String>,

    /// Column of a row's label, 0 or 1 [default: `anomaly`, `is_anomaly` or `label`]
    #[arg(long, value_name = "NAME")]
    pub(in crate::commands) label_column: Option<String>,

    /// Column of the device [default: `device`, where there is one]
    #[arg(long, value_name = "NAME")]
    pub(in crate::commands) device_column: Option<String>,

    /// Column of the sensor [default: `sensor`, where there is one]
    #[arg(long, value_name = "NAME")]
    pub(in crate::commands) sensor_column: Option<String>,
}

impl Labels {
    pub(in crate::commands) fn read(path: &Path, columns: &Columns) -> anyhow::Result<Labels> {
        let read = || {
            let text = std::fs::read_to_string(path)?;
            Labels::parse(text.trim_start_matches('\u{feff}'), columns)
        };
        read().with_context(|| format!("read the labels in `{}`", path.display()))
    }

    fn parse(text: &str, columns: &Columns) -> anyhow::Result<Labels> {
        match text.trim_start().starts_with(['{', '[']) {
            true => json::parse(text),
            false => csv::parse(text, columns),
        }
    }

    /// What it says of this device; what names no device is about it, too, and so is all of a file that names nothing but one file.
    pub(in crate::commands) fn of_device(mut self, device: &str) -> anyhow::Result<Labels> {
        let names: BTreeSet<String> = self.whom().filter_map(|whom| whom.device.clone()).collect();
        let is_of_device = |name: &str| name == device || is_file_of(name, device);
        let is_one_file = names.len() == 1 && names.iter().all(|name| name.ends_with(".csv"));
        if !is_one_file {
            self.retain(|whom| whom.device.as_deref().is_none_or(is_of_device));
            if let (0, Some(name)) = (self.whom().count(), names.first()) {
                bail!(
                    "nothing in it is about `{device}`: it names {} other devices, such as `{name}`\nname the file alone, without `{device}=`, to have each device judged by its own labels",
                    names.len()
                );
            }
        }
        self.whom_mut().for_each(|whom| whom.device = Some(device.to_owned()));
        Ok(self)
    }

    fn retain(&mut self, keep: impl Fn(&Whom) -> bool) {
        match self {
            Labels::Rows(rows) => rows.retain(|row| keep(&row.whom)),
            Labels::Intervals(intervals) => intervals.retain(|interval| keep(&interval.whom)),
        }
    }

    /// What it says of a sensor it says of the whole device.
    pub(in crate::commands) fn without_sensors(mut self) -> Labels {
        self.whom_mut().for_each(|whom| whom.sensor = None);
        self
    }

    pub(in crate::commands) fn whom(&self) -> Box<dyn Iterator<Item = &Whom> + '_> {
        match self {
            Labels::Rows(rows) => Box::new(rows.iter().map(|row| &row.whom)),
            Labels::Intervals(intervals) => Box::new(intervals.iter().map(|interval| &interval.whom)),
        }
    }

    pub(in crate::commands) fn whom_mut(&mut self) -> Box<dyn Iterator<Item = &mut Whom> + '_> {
        match self {
            Labels::Rows(rows) => Box::new(rows.iter_mut().map(|row| &mut row.whom)),
            Labels::Intervals(intervals) => Box::new(intervals.iter_mut().map(|interval| &mut interval.whom)),
        }
    }
}

impl Whom {
    /// Whether a label for `self` is one for this series or device.
    pub(in crate::commands) fn includes(&self, device: &str, sensor: Option<&str>) -> bool {
        let device = self.device.as_deref().is_none_or(|own| own == device);
        device && self.sensor.as_deref().is_none_or(|own| Some(own) == sensor)
    }
}

impl Interval {
    fn new(whom: Whom, from: &str, to: &str) -> anyhow::Result<Interval> {
        let interval = Interval { whom, kind: None, from: time(from)?, to: time(to)? };
        if interval.to < interval.from {
            bail!("the interval from `{from}` to `{to}` ends before it begins");
        }
        Ok(interval)
    }
}

/// What is said where no window touches any of the labels: mostly it is a year, a time zone or a name that is wrong.
pub(in crate::commands) fn untouched(
    count: u64,
    labelled: &str,
    [first, last]: [Micros; 2],
    [start, end]: [Micros; 2],
) -> String {
    let [first, last, start, end] = [first, last, start, end].map(wall::text);
    format!(
        "no window touches any of the {} labelled {labelled}, which lie between {first} and {last}; the windows lie between {start} and {end}. \
         Compare years, time zones and names",
        grouped(count)
    )
}

/// Benchmarks name series by their files: `folder/pump.csv` is `pump`.
fn is_file_of(name: &str, device: &str) -> bool {
    Path::new(name).file_stem().and_then(|stem| stem.to_str()) == Some(device)
}

fn time(text: &str) -> anyhow::Result<Micros> {
    parse_time(text, TimeUnit::Auto).map_err(|why| anyhow::anyhow!("`{text}` is no time: {why}"))
}

#[cfg(test)]
mod tests;
