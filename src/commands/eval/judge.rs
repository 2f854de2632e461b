//! Verdicts meet labels: which window speaks for which labelled row, and when that is known.
//!
//! Nothing looks ahead unless it is asked to: by default a row is judged by what was known when it came.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use clap::ValueEnum;
use types::Micros;

use super::labels::{Interval, LabelledRow, Labels, Whom};
use super::measure::{Judged, Track};
use super::windows::{Dataset, Judge, Window};
use crate::commands::output::grouped;

/// Which window judges a labelled row. Labelled intervals need none of this: with them the windows themselves are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Causal {
    /// The newest window that ended at or before the row's time: what an operator knew at that moment
    #[default]
    Strict,
    /// As strict, but the last labelled row in a window is judged by that window. For labels that list every reading: none looks ahead
    LastRow,
    /// The window that the row lies in: a verdict may rest on readings up to one window's width after the row
    Window,
}

/// What part of the time counts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Part {
    pub(super) from: Option<Micros>,
    /// Not included.
    pub(super) to: Option<Micros>,
    /// Labelled rows, or windows, that are left out at the beginning of each track.
    pub(super) skip: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) causal: Causal,
    pub(super) part: Part,
    pub(super) judge: Judge,
}

impl Part {
    fn holds(&self, time: Micros) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to)
    }
}

/// The tracks of one dataset under its labels.
pub(super) fn tracks(dataset: &Dataset, labels: &Labels, rules: &Rules) -> anyhow::Result<Vec<Track>> {
    // A verdict on a whole device is one on each of its sensors.
    let of_devices = dataset.is_of_devices().then(|| labels.clone().without_sensors());
    let labels = of_devices.as_ref().unwrap_or(labels);
    let subjects = subjects(dataset, labels)?;
    if let Some(strangers) = strangers(dataset, labels)? {
        tracing::warn!("{strangers}");
    }
    let tracks = subjects.into_iter().map(|(device, sensor)| {
        let windows = match &sensor {
            Subject::Device => dataset.of_device(&device, rules.judge),
            Subject::Series(sensor) => dataset.of_series(&device, sensor.as_deref(), rules.judge),
        };
        let sensor_named = match &sensor {
            Subject::Device => None,
            Subject::Series(sensor) => sensor.as_deref(),
        };
        let mut track = match labels {
            Labels::Rows(rows) => {
                let own = rows.iter().filter(|row| row.whom.includes(&device, sensor_named));
                of_rows(own, &windows, rules)
            }
            Labels::Intervals(intervals) => {
                let own = intervals.iter().filter(|interval| interval.whom.includes(&device, sensor_named));
                of_intervals(own, &windows, rules)
            }
        };
        track.name = match sensor_named {
            Some(sensor) => format!("{device}/{sensor}"),
            None => device,
        };
        track
    });
    Ok(tracks.filter(|track| !track.judged.is_empty() || !track.intervals.is_empty()).collect())
}

/// What the labels are about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// All its series together.
    Device,
    Series(Option<String>),
}

fn subjects(dataset: &Dataset, labels: &Labels) -> anyhow::Result<BTreeSet<(String, Subject)>> {
    let scored: BTreeSet<&str> = dataset.devices().collect();
    let named: BTreeSet<&str> = labels.whom().filter_map(|whom| whom.device.as_deref()).collect();
    let all_name_one = !named.is_empty() && labels.whom().all(|whom| whom.device.is_some());
    if let Some(device) = named.iter().next()
        && named.is_disjoint(&scored)
    {
        let example = scored.iter().next().copied().unwrap_or_default();
        bail!(
            "no device of the labels is among the predictions: the labels name `{device}`, the predictions `{example}`\nwrite `--labels {example}=FILE` if the file is about one device that it does not name, or choose another --device-column"
        );
    }
    // Rows without a label say nothing; outside of intervals all is normal, of devices that no interval names too.
    let devices: BTreeSet<&str> = match labels {
        Labels::Rows(_) if all_name_one => named,
        _ => scored.union(&named).copied().collect(),
    };
    let by_sensor = labels.whom().any(|whom| whom.sensor.is_some());
    let mut subjects = BTreeSet::new();
    for device in devices {
        if !by_sensor {
            subjects.insert((device.to_owned(), Subject::Device));
            continue;
        }
        let of_labels = labels.whom().filter(|whom| whom.includes(device, whom.sensor.as_deref()));
        let of_labels = of_labels.filter_map(|whom| whom.sensor.as_deref().map(Some));
        let sensors: BTreeSet<Option<&str>> = match labels {
            Labels::Rows(_) => of_labels.collect(),
            Labels::Intervals(_) => of_labels.chain(dataset.sensors(device)).collect(),
        };
        subjects.extend(sensors.into_iter().map(|s| (device.to_owned(), Subject::Series(s.map(str::to_owned)))));
    }
    Ok(subjects)
}

/// Anomalies of series that are not among the predictions count as missed. Mostly it is a name that was mistyped, so it is said.
fn strangers(dataset: &Dataset, labels: &Labels) -> anyhow::Result<Option<String>> {
    let devices: BTreeSet<&str> = dataset.devices().collect();
    let series: BTreeSet<(&str, Option<&str>)> =
        devices.iter().flat_map(|device| dataset.sensors(device).map(|sensor| (*device, sensor))).collect();
    let sensors: BTreeSet<Option<&str>> = series.iter().map(|(_, sensor)| *sensor).collect();
    let is_scored = |whom: &Whom| match (whom.device.as_deref(), whom.sensor.as_deref()) {
        (None, None) => true,
        (Some(device), None) => devices.contains(device),
        (None, sensor) => sensors.contains(&sensor),
        (Some(device), sensor) => series.contains(&(device, sensor)),
    };
    let mut counts: BTreeMap<&Whom, u64> = BTreeMap::new();
    labels.whom().for_each(|whom| *counts.entry(whom).or_default() += 1);
    let total: u64 = counts.values().sum();
    counts.retain(|whom, _| !is_scored(whom));
    let Some(example) = counts.keys().next() else { return Ok(None) };
    let one_scored = series.iter().next().map(|(device, sensor)| named(Some(device), *sensor)).unwrap_or_default();
    let example = named(example.device.as_deref(), example.sensor.as_deref());
    let strange: u64 = counts.values().sum();
    if strange == total {
        bail!(
            "no series of the labels is among the predictions: the labels name `{example}`, the predictions `{one_scored}`\ncorrect the names, or choose another --sensor-column"
        );
    }
    let effect = match labels {
        Labels::Rows(_) => "without windows there, all their anomalies are missed",
        Labels::Intervals(_) => "no window can hit them, and recall, which counts windows, does not know them",
    };
    Ok(Some(format!(
        "{} of {} labels are of {} devices or series that are not among the predictions, such as `{example}`: {effect}. Check the names; the predictions have `{one_scored}`",
        grouped(strange),
        grouped(total),
        grouped(counts.len() as u64)
    )))
}

fn named(device: Option<&str>, sensor: Option<&str>) -> String {
    let name = match (device, sensor) {
        (Some(device), None) => device.to_owned(),
        (device, sensor) => format!("{}/{}", device.unwrap_or("*"), sensor.unwrap_or("*")),
    };
    name.escape_debug().to_string()
}

fn of_rows<'a>(rows: impl Iterator<Item = &'a LabelledRow>, windows: &[Window], rules: &Rules) -> Track {
    let mut rows: Vec<&LabelledRow> = rows.collect();
    rows.sort_by_key(|row| row.time);
    let times: Vec<Micros> = rows.iter().map(|row| row.time).collect();
    let speakers = speakers(&times, windows, rules.causal);
    let judged: Vec<Judged> = rows
        .iter()
        .zip(speakers)
        .skip(rules.part.skip)
        .filter(|(row, _)| rules.part.holds(row.time))
        .map(|(row, window)| Judged {
            start: row.time,
            end: row.time + 1,
            known: window.filter(|_| rules.causal == Causal::Window).map_or(row.time, |window| window.end),
            is_positive: row.is_anomaly,
            alarm: window.is_some_and(|window| window.alarm),
            score: window.and_then(|window| window.score),
        })
        .collect();
    let runs = judged.chunk_by(|a, b| a.is_positive == b.is_positive).filter(|run| run[0].is_positive);
    let intervals = runs.map(|run| (run[0].start, run[run.len() - 1].start)).collect();
    let span = span(&judged);
    Track { name: String::new(), judged, intervals, span }
}

/// For each row, whose times are sorted, the window that speaks for it; windows are sorted by their ends.
fn speakers<'a>(times: &[Micros], windows: &'a [Window], causal: Causal) -> Vec<Option<&'a Window>> {
    // From when on a window speaks.
    let since: Vec<Micros> = windows
        .iter()
        .map(|window| match causal {
            Causal::Strict => window.end,
            Causal::Window => window.start,
            Causal::LastRow => {
                let before_end = times.partition_point(|&time| time < window.end);
                let last = before_end.checked_sub(1).map(|last| times[last]);
                last.filter(|&last| last >= window.start).unwrap_or(window.end)
            }
        })
        .collect();
    let mut next = 0;
    let mut newest: Option<&Window> = None;
    let mut speakers = Vec::with_capacity(times.len());
    for &time in times {
        while next < windows.len() && since[next] <= time {
            newest = Some(&windows[next]);
            next += 1;
        }
        let speaks = |window: &&Window| causal != Causal::Window || time < window.end;
        speakers.push(newest.filter(speaks));
    }
    speakers
}

fn of_intervals<'a>(intervals: impl Iterator<Item = &'a Interval>, windows: &[Window], rules: &Rules) -> Track {
    let part = rules.part;
    let mut own: Vec<(Micros, Micros)> = intervals.map(|interval| (interval.from, interval.to)).collect();
    own.sort_unstable();
    let judged: Vec<Judged> = windows
        .iter()
        .skip(part.skip)
        .filter(|window| part.holds(window.start))
        .map(|window| Judged {
            start: window.start,
            end: window.end,
            known: window.end,
            is_positive: own.iter().any(|&(from, to)| window.end > from && window.start <= to),
            alarm: window.alarm,
            score: window.score,
        })
        .collect();
    // What ended before the evaluated part cannot be hit any more.
    let begin = match part.skip {
        0 => part.from,
        _ => judged.first().map(|first| first.start).max(part.from),
    };
    own.retain(|&(from, to)| begin.is_none_or(|begin| to >= begin) && part.to.is_none_or(|end| from < end));
    let span = match (judged.first(), judged.last()) {
        (Some(first), Some(last)) => last.end - first.start,
        _ => 0,
    };
    Track { name: String::new(), judged, intervals: own, span }
}

/// From the first row to the last, and as much more as rows usually lie apart.
fn span(judged: &[Judged]) -> Micros {
    let (Some(first), Some(last)) = (judged.first(), judged.last()) else { return 0 };
    let mut steps: Vec<Micros> = judged.windows(2).map(|pair| pair[1].start - pair[0].start).collect();
    steps.sort_unstable();
    last.start - first.start + steps.get(steps.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
