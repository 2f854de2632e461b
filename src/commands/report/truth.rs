//! Alarms held against labelled stretches, row by row: which stretch was found, how soon, and which alarms were false.
//!
//! `eval` judges with all rows in memory and by many rules; here there is one, which needs no more memory than the labels do: a
//! window that touches a stretch of its device and sensor should be an alarm.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use anyhow::Context;
use types::Micros;

use crate::commands::eval::labels::{Columns, Interval, LabelledRow, Labels, Whom};
use crate::commands::predictions::Row;

/// Kinds that have a row of their own; a file of labels that names more gives them together.
const KINDS_MAX: usize = 30;

#[derive(Debug, Default)]
pub(super) struct Truth {
    stretches: Vec<Stretch>,
    /// Places of the stretches of a device, in order of their beginnings, each with the latest end so far.
    of_device: HashMap<String, Vec<(usize, Micros)>>,
    of_everybody: Vec<(usize, Micros)>,
    /// Windows before this are not judged.
    from: Option<Micros>,
    pub(super) alarms: u64,
    pub(super) true_alarms: u64,
    pub(super) windows: u64,
    /// Windows that touch a stretch.
    pub(super) labelled_windows: u64,
    /// Devices that the labels name, and that have windows.
    present: HashSet<String>,
}

#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) interval: Interval,
    windows: u64,
    alarms: u64,
    /// End of the first window with an alarm.
    found: Option<Micros>,
}

/// The stretches of one kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Kind {
    pub(super) name: String,
    pub(super) stretches: u64,
    /// Of which no window was in the data at all.
    pub(super) unseen: u64,
    pub(super) found: u64,
    pub(super) windows: u64,
    pub(super) alarms: u64,
    /// The median time from the beginning of a stretch to the end of its first alarm.
    pub(super) delay: Option<Micros>,
}

impl Truth {
    /// Reads files, each as `FILE` or `DEVICE=FILE`. Only what touches `[since, until)` counts.
    pub(super) fn read(files: &[String], since: Option<Micros>, until: Option<Micros>) -> anyhow::Result<Truth> {
        let mut intervals = Vec::new();
        for named in files {
            let labels = match named.split_once('=') {
                Some((device, file)) if !Path::new(named).exists() => {
                    let own = Labels::read(Path::new(file), &Columns::default())?.of_device(device);
                    own.with_context(|| format!("take the labels of `{device}` from `{file}`"))?
                }
                _ => Labels::read(Path::new(named), &Columns::default())?,
            };
            match labels {
                Labels::Intervals(own) => intervals.extend(own),
                Labels::Rows(rows) => intervals.extend(runs(rows)),
            }
        }
        intervals.retain(|own| since.is_none_or(|since| own.to >= since) && until.is_none_or(|until| own.from < until));
        Ok(Truth { from: since, ..Truth::of(intervals) })
    }

    pub(super) fn of(mut intervals: Vec<Interval>) -> Truth {
        intervals.sort_by_key(|interval| interval.from);
        let mut truth = Truth::default();
        for (place, interval) in intervals.iter().enumerate() {
            let own = match &interval.whom.device {
                Some(device) => truth.of_device.entry(device.clone()).or_default(),
                None => &mut truth.of_everybody,
            };
            let latest = own.last().map_or(interval.to, |(_, latest)| interval.to.max(*latest));
            own.push((place, latest));
        }
        let stretch = |interval| Stretch { interval, windows: 0, alarms: 0, found: None };
        truth.stretches = intervals.into_iter().map(stretch).collect();
        truth
    }

    pub(super) fn judged_from(&self) -> Option<Micros> {
        self.from
    }

    pub(super) fn add(&mut self, row: &Row<'_>) {
        if self.from.is_some_and(|from| row.start < from) {
            return;
        }
        self.windows += 1;
        self.alarms += u64::from(row.is_anomaly);
        let of_device = self.of_device.get(row.device);
        if of_device.is_some() && !self.present.contains(row.device) {
            self.present.insert(row.device.to_owned());
        }
        let mut touches = false;
        for own in of_device.into_iter().chain([&self.of_everybody]) {
            for place in touched(own, &self.stretches, row) {
                touches = true;
                self.stretches[place].add(row);
            }
        }
        self.labelled_windows += u64::from(touches);
        self.true_alarms += u64::from(touches && row.is_anomaly);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// The stretches of a series that touch a span.
    pub(super) fn touching(&self, row: &Row<'_>) -> Vec<&Interval> {
        let lists = self.of_device.get(row.device).into_iter().chain([&self.of_everybody]);
        let places = lists.flat_map(|own| touched(own, &self.stretches, row));
        places.map(|place| &self.stretches[place].interval).collect()
    }

    /// By kind, in the order of their names, those without one last.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        let mut by_kind: BTreeMap<(bool, &str), Vec<&Stretch>> = BTreeMap::new();
        for stretch in &self.stretches {
            let name = stretch.interval.kind.as_deref();
            let key = (name.is_none(), name.unwrap_or("labelled"));
            let is_known = by_kind.len() < KINDS_MAX || by_kind.contains_key(&key);
            by_kind.entry(if is_known { key } else { (true, "other kinds") }).or_default().push(stretch);
        }
        by_kind.into_iter().map(|((_, name), stretches)| Kind::of(name, &stretches)).collect()
    }

    pub(super) fn all(&self) -> Kind {
        Kind::of("all", &self.stretches.iter().collect::<Vec<_>>())
    }

    /// Whether any window was of a device that the labels are about.
    pub(super) fn is_about_these(&self) -> bool {
        !self.present.is_empty() || !self.of_everybody.is_empty() && self.windows > 0
    }

    /// How many of the devices that the labels name have no window, and some of them.
    pub(super) fn absent(&self) -> Option<(usize, String)> {
        const SHOWN: usize = 3;
        let names = self.of_device.keys().map(String::as_str);
        let mut names: Vec<&str> = names.filter(|name| !self.present.contains(*name)).collect();
        if names.is_empty() {
            return None;
        }
        names.sort_unstable();
        let more = if names.len() > SHOWN { ", …" } else { "" };
        let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{}`", name.escape_debug())).collect();
        Some((names.len(), format!("{}{more}", shown.join(", "))))
    }

    /// From the first beginning to the last end.
    pub(super) fn span(&self) -> Option<[Micros; 2]> {
        let intervals = || self.stretches.iter().map(|stretch| &stretch.interval);
        Some([intervals().map(|own| own.from).min()?, intervals().map(|own| own.to).max()?])
    }

    /// Share of alarms that touch a stretch.
    pub(super) fn precision(&self) -> Option<f64> {
        (self.alarms > 0).then(|| self.true_alarms as f64 / self.alarms as f64)
    }

    /// Share of stretches that were found.
    pub(super) fn recall(&self) -> Option<f64> {
        let all = self.all();
        (all.stretches > 0).then(|| all.found as f64 / all.stretches as f64)
    }
}

/// Places of the stretches that touch the window. Ends are included, as labels have them.
fn touched(own: &[(usize, Micros)], stretches: &[Stretch], row: &Row<'_>) -> Vec<usize> {
    let begun = own.partition_point(|(place, _)| stretches[*place].interval.from < row.end);
    let open = own[..begun].iter().rev().take_while(|(_, latest)| *latest >= row.start);
    let places = open.map(|(place, _)| *place);
    places
        .filter(|place| {
            let interval = &stretches[*place].interval;
            interval.to >= row.start && is_about(&interval.whom, row.sensor)
        })
        .collect()
}

/// A verdict on a whole device is one on each of its sensors.
fn is_about(whom: &Whom, sensor: Option<&str>) -> bool {
    sensor.is_none() || whom.sensor.is_none() || whom.sensor.as_deref() == sensor
}

/// Rows that are anomalous one after the other are a stretch.
fn runs(mut rows: Vec<LabelledRow>) -> Vec<Interval> {
    rows.sort_by(|a, b| (&a.whom, a.time).cmp(&(&b.whom, b.time)));
    let runs = rows.chunk_by(|a, b| a.whom == b.whom && a.is_anomaly == b.is_anomaly);
    let anomalous = runs.filter(|run| run[0].is_anomaly);
    anomalous
        .map(|run| Interval { whom: run[0].whom.clone(), kind: None, from: run[0].time, to: run[run.len() - 1].time })
        .collect()
}

impl Stretch {
    fn add(&mut self, row: &Row<'_>) {
        self.windows += 1;
        if row.is_anomaly {
            self.alarms += 1;
            self.found = Some(self.found.map_or(row.end, |found| found.min(row.end)));
        }
    }
}

impl Kind {
    fn of(name: &str, stretches: &[&Stretch]) -> Kind {
        let delay = |stretch: &&Stretch| Some((stretch.found?.saturating_sub(stretch.interval.from)).max(0));
        let mut delays: Vec<Micros> = stretches.iter().filter_map(delay).collect();
        delays.sort_unstable();
        Kind {
            name: name.to_owned(),
            stretches: stretches.len() as u64,
            unseen: stretches.iter().filter(|stretch| stretch.windows == 0).count() as u64,
            found: delays.len() as u64,
            windows: stretches.iter().map(|stretch| stretch.windows).sum(),
            alarms: stretches.iter().map(|stretch| stretch.alarms).sum(),
            delay: delays.get(delays.len() / 2).copied(),
        }
    }
}
