//! The second look at all rows: how it went over time, for the fleet and for what the plan chose.

use anyhow::Context;
use arrow::datatypes::{Float64Type, Int64Type};
use types::Micros;

use super::census::{Names, place, ranks};
use super::plan::Plan;
use super::sketch::Histogram;
use crate::commands::parquet_file::{File, number, numbers, text, texts};
use crate::commands::predictions::{COLUMNS, Columns, Row};

/// A row with what its window held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) row: Row<'a>,
    pub(super) count: Option<i64>,
    pub(super) mean: Option<f64>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) top_feature: Option<&'a str>,
}

/// Windows of a bin, and the alarms among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) windows: u64,
    pub(super) alarms: u64,
}

/// A device in the overview.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) all: Cell,
    pub(super) cells: Vec<Cell>,
}

/// A series over time. Of a device judged as a whole its score, else its values.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Line {
    pub(super) device: String,
    pub(super) sensor: Option<String>,
    pub(super) all: Cell,
    pub(super) bins: Vec<Bin>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Bin {
    pub(super) cell: Cell,
    sum: f64,
    weight: f64,
    pub(super) range: Option<(f64, f64)>,
}

/// The worst alarm of a series.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Alarm {
    pub(super) device: String,
    pub(super) sensor: Option<String>,
    pub(super) start: Micros,
    pub(super) end: Micros,
    pub(super) decision: Option<f64>,
    pub(super) severity: Option<f64>,
    pub(super) threshold: Option<f64>,
    pub(super) mean: Option<f64>,
    pub(super) range: Option<(f64, f64)>,
    pub(super) top_feature: Option<String>,
}

/// All of it. Lists are in the order of the plan.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) fleet: Vec<Cell>,
    pub(super) devices: Vec<Device>,
    pub(super) lines: Vec<Line>,
    pub(super) alarms: Vec<Option<Alarm>>,
    pub(super) scores: Histogram,
    /// Windows outside the axes.
    pub(super) stray: u64,
    names: Names,
}

/// Shows every row of a file.
pub(super) fn windows(file: File, mut show: impl FnMut(&Window<'_>)) -> anyhow::Result<()> {
    const MORE: [&str; 5] = ["value_count", "value_mean", "value_min", "value_max", "top_feature"];
    let columns: Vec<&str> = COLUMNS.into_iter().chain(MORE).collect();
    file.batches(&columns, |batch| {
        let columns = Columns::of(batch)?;
        let count = numbers::<Int64Type>(batch, "value_count")?;
        let [mean, min, max] = ["value_mean", "value_min", "value_max"].map(|name| numbers::<Float64Type>(batch, name));
        let (mean, min, max) = (mean?, min?, max?);
        let top_feature = texts(batch, "top_feature").context("find what moved the decision")?;
        for row in 0..batch.num_rows() {
            show(&Window {
                row: columns.row(row),
                count: number(count, row),
                mean: number(mean, row),
                min: number(min, row),
                max: number(max, row),
                top_feature: text(top_feature, row),
            });
        }
        Ok(())
    })
}

impl Course {
    pub(super) fn new(plan: &Plan) -> Course {
        let overview = vec![Cell::default(); plan.overview.count];
        let device = Device { cells: overview.clone(), ..Device::default() };
        let line = Line { bins: vec![Bin::default(); plan.fine.count], ..Line::default() };
        Course {
            fleet: overview,
            devices: vec![device; plan.devices.len()],
            lines: vec![line; plan.drawn.len()],
            alarms: vec![None; plan.alarms.len()],
            scores: plan.scores.clone(),
            stray: 0,
            names: Names::default(),
        }
    }

    pub(super) fn add(&mut self, plan: &Plan, window: &Window<'_>) {
        let row = &window.row;
        let (device, series) = self.names.hashes(row.device, row.sensor);
        let bin = plan.overview.index(row.start);
        match bin {
            Some(bin) => self.fleet[bin].add(row.is_anomaly),
            None => self.stray += 1,
        }
        if let Some(place) = plan.devices.get(&device) {
            self.devices[*place].add(row, bin);
        }
        if let Some(place) = plan.drawn.get(&series) {
            self.lines[*place].add(plan, window);
        }
        let rank = ranks(row)[place(plan.score)];
        if row.decision.is_some() {
            self.scores.add(rank, row.is_anomaly);
        }
        if row.is_anomaly
            && let Some((place, worst)) = plan.alarms.get(&series)
            && self.alarms[*place].is_none()
            && rank.total_cmp(worst).is_eq()
        {
            self.alarms[*place] = Some(Alarm::of(window));
        }
    }
}

impl Cell {
    fn add(&mut self, is_alarm: bool) {
        self.windows += 1;
        self.alarms += u64::from(is_alarm);
    }
}

impl Device {
    fn add(&mut self, row: &Row<'_>, bin: Option<usize>) {
        if self.all.windows == 0 {
            row.device.clone_into(&mut self.name);
        }
        self.all.add(row.is_anomaly);
        if let Some(bin) = bin {
            self.cells[bin].add(row.is_anomaly);
        }
    }
}

impl Line {
    fn add(&mut self, plan: &Plan, window: &Window<'_>) {
        let row = &window.row;
        if self.all.windows == 0 {
            row.device.clone_into(&mut self.device);
            self.sensor = row.sensor.map(str::to_owned);
        }
        self.all.add(row.is_anomaly);
        let Some(bin) = plan.fine.index(row.start) else { return };
        let bin = &mut self.bins[bin];
        bin.cell.add(row.is_anomaly);
        let score = || plan.score.of(row.decision, row.severity, row.threshold);
        let value = if row.sensor.is_some() { window.mean } else { score() };
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        let weight = window.count.filter(|_| row.sensor.is_some()).map_or(1.0, |count| count.max(1) as f64);
        bin.sum += value * weight;
        bin.weight += weight;
        let finite = |bound: Option<f64>| bound.filter(|bound| bound.is_finite()).unwrap_or(value);
        let (low, high) = (finite(window.min), finite(window.max));
        let (low, high) = if row.sensor.is_some() { (low, high) } else { (value, value) };
        bin.range = Some(bin.range.map_or((low, high), |(least, most)| (least.min(low), most.max(high))));
    }
}

impl Bin {
    pub(super) fn mean(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight).filter(|mean| mean.is_finite())
    }
}

impl Alarm {
    fn of(window: &Window<'_>) -> Alarm {
        let row = &window.row;
        Alarm {
            device: row.device.to_owned(),
            sensor: row.sensor.map(str::to_owned),
            start: row.start,
            end: row.end,
            decision: row.decision,
            severity: row.severity,
            threshold: row.threshold,
            mean: window.mean,
            range: window.min.zip(window.max),
            top_feature: window.top_feature.map(str::to_owned),
        }
    }
}
