//! What the live view of the demo shows, as plain data: made from samples of the counters that the pipeline keeps anyway.

use std::collections::{BTreeMap, HashMap, VecDeque};

use ingest::simulated::Fleet;
use types::{Micros, PartitionId, Reason};

use crate::pipeline::{Anomaly, Counts};
use crate::terminal::{Finding, Top};

/// Between two columns of the rates' history.
const STEP_SECONDS: f64 = 0.25;
const STEPS_MAX: usize = 400;
/// A rate is told over so many steps.
const RATE_STEPS: usize = 4;
/// More than any screen has lines.
const NEWEST_MAX: usize = 200;
/// For so long (of simulated time) an anomaly counts as recent on the map.
const RECENT: Micros = 3 * 3_600_000_000;
/// So many recent anomalies of a device are many.
const MANY: usize = 6;

/// What the demo does now, in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Reads the day that models learn from.
    #[default]
    Reading,
    Training,
    Streaming,
    Judging,
}

/// The counters at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    /// Seconds since the demo began.
    pub(super) at: f64,
    pub(super) stage: Stage,
    /// When the stage began.
    pub(super) stage_began: f64,
    /// How much of the stage is done, and how much there is to do, in steps of its own.
    pub(super) steps: Option<(u64, u64)>,
    pub(super) counts: Counts,
    pub(super) refused: Vec<(Reason, u64)>,
    /// The newest event time of each partition.
    pub(super) clocks: BTreeMap<PartitionId, Micros>,
    /// The oldest first.
    pub(super) new: Vec<Anomaly>,
    pub(super) stopping: bool,
}

/// How a device fares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Heat {
    /// Nothing was ever wrong.
    #[default]
    Never,
    /// Not lately.
    Earlier,
    Some,
    Many,
}

#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) devices: u32,
    pub(super) seed: u64,
    pub(super) now: Sample,
    /// The newest first.
    pub(super) newest: VecDeque<Finding>,
    pub(super) events: History,
    pub(super) windows: History,
    pub(super) anomalies: History,
    /// Events of the day that models learn from.
    pub(super) clean: History,
    numbers: HashMap<String, usize>,
    /// Ends of the recent anomalous windows of each device that had any.
    recent: Vec<Vec<Micros>>,
    /// The partition of each device, once it is known.
    partitions: Vec<Option<PartitionId>>,
    stepped: f64,
}

/// A rate over time.
#[derive(Debug, Default)]
pub(super) struct History {
    before: u64,
    pub(super) rates: Vec<f64>,
}

// === impl View ===

impl View {
    pub(super) fn new(fleet: &Fleet) -> View {
        let config = fleet.config();
        let numbers = (0..config.devices).map(|device| (fleet.device_name(device), device as usize)).collect();
        View { numbers, ..View::of(config.devices, config.seed) }
    }

    fn of(devices: u32, seed: u64) -> View {
        let none = devices as usize;
        View { devices, seed, recent: vec![Vec::new(); none], partitions: vec![None; none], ..View::default() }
    }

    pub(super) fn take(&mut self, mut sample: Sample) {
        for anomaly in sample.new.drain(..) {
            if let Some(&number) = self.numbers.get(&anomaly.device) {
                self.recent[number].push(anomaly.window_end);
                self.partitions[number] = Some(anomaly.partition.clone());
            }
            self.newest.push_front(finding(anomaly));
        }
        self.newest.truncate(NEWEST_MAX);
        let since = sample.at - self.stepped;
        if since >= STEP_SECONDS {
            self.stepped = sample.at;
            let counts = &sample.counts;
            match sample.stage {
                // Of the day that models learn from it is only known how much was read.
                Stage::Reading => self.clean.step(sample.steps.map_or(0, |(done, _)| done), since),
                Stage::Training => {}
                Stage::Streaming | Stage::Judging => {
                    self.events.step(counts.records, since);
                    self.windows.step(counts.rows, since);
                    self.anomalies.step(counts.anomalies, since);
                }
            }
        }
        self.now = sample;
    }

    /// Simulated time, in the middle of what partitions have come to. None: nothing was read yet.
    pub(super) fn simulated(&self) -> Option<Micros> {
        let clocks = &self.now.clocks;
        let sum: i128 = clocks.values().map(|clock| i128::from(*clock)).sum();
        Micros::try_from(sum.checked_div(clocks.len() as i128)?).ok()
    }

    /// How much of the stage is done, where that is known.
    pub(super) fn share(&self) -> Option<f64> {
        self.now.steps.map(|(done, of)| (done as f64 / of.max(1) as f64).min(1.0))
    }

    /// How long the stage will take yet.
    pub(super) fn seconds_left(&self) -> Option<f64> {
        let spent = self.now.at - self.now.stage_began;
        let share = self.share().filter(|share| *share > 0.02)?;
        (spent > 0.5).then(|| spent * (1.0 - share) / share)
    }

    /// One for each device.
    pub(super) fn heat(&self) -> Vec<Heat> {
        (0..self.recent.len()).map(|number| self.heat_of(number)).collect()
    }

    fn heat_of(&self, number: usize) -> Heat {
        let ends = &self.recent[number];
        if ends.is_empty() {
            return Heat::Never;
        }
        let clock = self.partitions[number].as_ref().and_then(|partition| self.now.clocks.get(partition));
        let from = clock.map_or(Micros::MIN, |clock| clock - RECENT);
        match ends.iter().filter(|end| **end >= from).count() {
            0 => Heat::Earlier,
            few if few < MANY => Heat::Some,
            _ => Heat::Many,
        }
    }
}

fn finding(anomaly: Anomaly) -> Finding {
    let top = anomaly.top_feature.map(|top| Top { name: top.name.to_string(), value: top.value, mean: top.mean });
    Finding {
        device: anomaly.device,
        sensor: anomaly.sensor,
        window_start: anomaly.window_start,
        // Its day stands above.
        is_today: true,
        decision: anomaly.decision,
        severity: anomaly.severity,
        threshold: anomaly.threshold,
        top_feature: top,
    }
}

// === impl History ===

impl History {
    fn step(&mut self, total: u64, seconds: f64) {
        self.rates.push(total.saturating_sub(self.before) as f64 / seconds);
        self.before = total;
        if self.rates.len() > STEPS_MAX {
            self.rates.remove(0);
        }
    }

    /// A second, over the last steps.
    pub(super) fn rate(&self) -> f64 {
        let last = &self.rates[self.rates.len().saturating_sub(RATE_STEPS)..];
        if last.is_empty() { 0.0 } else { last.iter().sum::<f64>() / last.len() as f64 }
    }
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
