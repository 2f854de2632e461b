//! Scored windows by device and sensor, as an evaluation holds them, and what their score is.

use std::collections::BTreeMap;

use types::Micros;

use crate::commands::predictions::Row;
use crate::commands::ranking::Has;
pub(super) use crate::commands::ranking::Score;

/// One row of a dataset of predictions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Raw {
    start: Micros,
    end: Micros,
    decision: Option<f64>,
    severity: Option<f64>,
    threshold: Option<f64>,
    is_anomaly: bool,
}

/// A window of a device or of one of its series, judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) start: Micros,
    pub(super) end: Micros,
    pub(super) alarm: bool,
    /// None: not scored.
    pub(super) score: Option<f64>,
}

/// All rows of a dataset.
#[derive(Debug, Default)]
pub(super) struct Dataset {
    series: BTreeMap<(String, Option<String>), Vec<Raw>>,
    pub(super) rows: u64,
}

// === impl Dataset ===

impl Dataset {
    pub(super) fn add(&mut self, row: Row<'_>) {
        let Row { start, end, decision, severity, threshold, is_anomaly, .. } = row;
        self.rows += 1;
        let raw = Raw { start, end, decision, severity, threshold, is_anomaly };
        // Files are sorted: nearly always the same series as before.
        let key = (row.device.to_owned(), row.sensor.map(str::to_owned));
        self.series.entry(key).or_default().push(raw);
    }

    /// Of which scores its rows have what.
    pub(super) fn has(&self) -> Has {
        let mut has = Has::default();
        self.series.values().flatten().for_each(|raw| has.add(raw.decision, raw.severity, raw.threshold));
        has
    }

    /// Whether nothing but whole devices is scored.
    pub(super) fn is_of_devices(&self) -> bool {
        self.series.keys().all(|(_, sensor)| sensor.is_none())
    }

    pub(super) fn devices(&self) -> impl Iterator<Item = &str> {
        let mut last = None;
        let names = self.series.keys().map(|(device, _)| device.as_str());
        names.filter(move |device| last.replace(*device) != Some(*device))
    }

    /// The sensors of a device, with none for what is scored as a whole.
    pub(super) fn sensors<'a>(&'a self, device: &'a str) -> impl Iterator<Item = Option<&'a str>> {
        let of_device = self.series.range((device.to_owned(), None)..).take_while(move |((own, _), _)| own == device);
        of_device.map(|((_, sensor), _)| sensor.as_deref())
    }

    /// The windows of a series, in order of their ends.
    pub(super) fn of_series(&self, device: &str, sensor: Option<&str>, judge: Judge) -> Vec<Window> {
        let key = (device.to_owned(), sensor.map(str::to_owned));
        together(self.series.get(&key).into_iter().flatten(), judge)
    }

    /// The windows of a device: an alarm of any of its series is one.
    pub(super) fn of_device(&self, device: &str, judge: Judge) -> Vec<Window> {
        let of_device = self.series.range((device.to_owned(), None)..).take_while(|((own, _), _)| own == device);
        together(of_device.flat_map(|(_, rows)| rows), judge)
    }
}

/// How a row becomes a verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judge {
    pub(super) score: Score,
    /// In place of the rows' own verdicts.
    pub(super) threshold: Option<f64>,
}

impl Judge {
    fn window(self, raw: &Raw) -> Window {
        let score = self.score.of(raw.decision, raw.severity, raw.threshold).filter(|_| raw.decision.is_some());
        let alarm = match self.threshold {
            Some(threshold) => score.is_some_and(|score| score > threshold),
            None => raw.is_anomaly,
        };
        Window { start: raw.start, end: raw.end, alarm, score }
    }
}

fn together<'a>(rows: impl Iterator<Item = &'a Raw>, judge: Judge) -> Vec<Window> {
    let mut windows: Vec<Window> = rows.map(|raw| judge.window(raw)).collect();
    windows.sort_by_key(|window| (window.end, window.start));
    windows.dedup_by(|next, kept| {
        let same = (next.start, next.end) == (kept.start, kept.end);
        if same {
            kept.alarm |= next.alarm;
            kept.score = match (kept.score, next.score) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
        }
        same
    });
    windows
}
