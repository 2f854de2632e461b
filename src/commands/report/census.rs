//! The first look at all rows: how many there are of what, from when to when, and who is worst.
//!
//! It remembers forty bytes of each series and no names, so that it does not matter how many rows there are, nor what a device
//! calls itself. What is worth a closer look is chosen in `plan`, and looked at in `course`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use types::Micros;

use super::sketch::{Sketch, Spread};
use super::smoothing::Smoothing;
use crate::commands::predictions::Row;
use crate::commands::ranking::{Has, Score};

/// So many words of a kind are told apart; there is a handful.
const WORDS_MAX: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Census {
    pub(super) rows: u64,
    pub(super) anomalies: u64,
    /// The earliest start and the latest end of a window.
    pub(super) first: Micros,
    pub(super) end: Micros,
    pub(super) statuses: BTreeMap<String, u64>,
    pub(super) pipelines: BTreeSet<String>,
    pub(super) spread: Spread,
    pub(super) series: HashMap<u64, Tally>,
    /// By severity, and by the decision.
    pub(super) sketches: [Sketch; 2],
    pub(super) has: Has,
    pub(super) smoothing: Smoothing,
    /// Whether there are rows of single sensors.
    pub(super) has_sensors: bool,
    widths: BTreeMap<Micros, u64>,
    newest: Names,
}

/// What is remembered of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tally {
    pub(super) device: u64,
    pub(super) windows: u32,
    pub(super) anomalies: u32,
    /// The worst alarm's score (without alarms the worst window's), by severity and by the decision.
    pub(super) worst: [f64; 2],
}

/// Rows are sorted: nearly always the same series as before.
#[derive(Debug, Default)]
pub(super) struct Names {
    device: String,
    sensor: Option<String>,
    hashes: Option<(u64, u64)>,
}

impl Names {
    /// Of the device, and of the series.
    pub(super) fn hashes(&mut self, device: &str, sensor: Option<&str>) -> (u64, u64) {
        if let Some(hashes) = self.hashes
            && self.device == device
            && self.sensor.as_deref() == sensor
        {
            return hashes;
        }
        let hashes = (hash(&device), hash(&(device, sensor)));
        device.clone_into(&mut self.device);
        self.sensor = sensor.map(str::to_owned);
        self.hashes = Some(hashes);
        hashes
    }
}

fn hash(names: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    hasher.finish()
}

/// By severity and by the decision; the lowest there is where there is none.
pub(super) fn ranks(row: &Row<'_>) -> [f64; 2] {
    [Score::Excess, Score::Decision].map(|score| {
        let score = score.of(row.decision, row.severity, row.threshold);
        score.filter(|score| !score.is_nan()).unwrap_or(f64::NEG_INFINITY)
    })
}

/// Which of the two is meant.
pub(super) fn place(score: Score) -> usize {
    usize::from(score == Score::Decision)
}

impl Census {
    pub(super) fn add(&mut self, row: &Row<'_>) {
        (self.first, self.end) = match self.rows {
            0 => (row.start, row.end),
            _ => (self.first.min(row.start), self.end.max(row.end)),
        };
        self.rows += 1;
        self.anomalies += u64::from(row.is_anomaly);
        self.has_sensors |= row.sensor.is_some();
        self.spread.add(row.start);
        count(&mut self.widths, row.end.saturating_sub(row.start));
        let is_known = self.statuses.len() < WORDS_MAX || self.statuses.contains_key(row.status);
        let status = if is_known { row.status } else { "others" };
        match self.statuses.get_mut(status) {
            Some(count) => *count += 1,
            None => drop(self.statuses.insert(status.to_owned(), 1)),
        }
        self.has.add(row.decision, row.severity, row.threshold);
        let ranks = ranks(row);
        if row.decision.is_some() {
            self.sketches.iter_mut().zip(ranks).for_each(|(sketch, rank)| sketch.add(rank));
        }
        let (device, series) = self.newest.hashes(row.device, row.sensor);
        self.smoothing.add(series, row);
        let fresh = Tally { device, windows: 0, anomalies: 0, worst: [f64::NEG_INFINITY; 2] };
        self.series.entry(series).or_insert(fresh).add(row.is_anomaly, ranks);
    }

    pub(super) fn pipeline(&mut self, name: Option<&str>) {
        if let Some(name) = name.filter(|_| self.pipelines.len() < WORDS_MAX) {
            self.pipelines.insert(name.to_owned());
        }
    }

    /// The usual width of a window.
    pub(super) fn window(&self) -> Micros {
        self.widths.iter().max_by_key(|(_, count)| **count).map_or(1, |(width, _)| (*width).max(1))
    }

    pub(super) fn score(&self) -> Score {
        Score::finest([self.has].into_iter())
    }
}

fn count(counts: &mut BTreeMap<Micros, u64>, width: Micros) {
    if counts.len() < WORDS_MAX || counts.contains_key(&width) {
        *counts.entry(width).or_default() += 1;
    }
}

impl Tally {
    fn add(&mut self, is_anomaly: bool, ranks: [f64; 2]) {
        self.windows = self.windows.saturating_add(1);
        if is_anomaly {
            if self.anomalies == 0 {
                self.worst = [f64::NEG_INFINITY; 2];
            }
            self.anomalies = self.anomalies.saturating_add(1);
        } else if self.anomalies > 0 {
            return;
        }
        self.worst = [0, 1].map(|at| self.worst[at].max(ranks[at]));
    }
}
