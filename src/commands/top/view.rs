//! What `top` shows, as plain data: what each service said last, how old that is, and what it amounts to together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use types::Micros;

use super::documents::{Anomaly, Documents, Partition, Status, Totals};
use super::sort::Sort;
use crate::terminal::{Finding, Key, Top};

/// A rate is told over what was said within so many seconds.
const RATE_SECONDS: f64 = 10.0;

#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) instances: Vec<Instance>,
    pub(super) sort: Sort,
    /// Rows of the partitions' table that are above the screen.
    pub(super) scrolled: usize,
    /// Whether keys do something: not in a single frame.
    pub(super) keys: bool,
    /// Seconds since `top` began.
    pub(super) now: f64,
}

#[derive(Debug, Default)]
pub(super) struct Instance {
    pub(super) url: String,
    /// What it said last, if it ever did.
    pub(super) said: Option<Documents>,
    /// When that was.
    pub(super) said_at: f64,
    /// Why it does not answer now.
    pub(super) away: Option<String>,
    totals: VecDeque<(f64, Totals)>,
    positions: BTreeMap<(String, u32), VecDeque<(f64, i64)>>,
}

/// A partition's row.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) partition: Partition,
    /// Records a second.
    pub(super) rate: Option<f64>,
    /// How long ago its last commit was.
    pub(super) committed: Option<f64>,
    /// What it says is old: its service is away.
    pub(super) is_old: bool,
}

/// A second.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub(super) struct Rates {
    pub(super) records: Option<f64>,
    pub(super) rows: Option<f64>,
    pub(super) anomalies: Option<f64>,
}

// === impl View ===

impl View {
    pub(super) fn of(urls: &[String]) -> View {
        let instance = |url: &String| Instance { url: url.clone(), ..Instance::default() };
        View { instances: urls.iter().map(instance).collect(), ..View::default() }
    }

    /// What an instance said, or why it did not.
    pub(super) fn take(&mut self, number: usize, at: f64, said: Result<Documents, String>) {
        self.now = self.now.max(at);
        let Some(instance) = self.instances.get_mut(number) else { return };
        match said {
            Ok(documents) => instance.take(at, documents),
            Err(why) => instance.away = Some(why),
        }
    }

    pub(super) fn press(&mut self, key: Key) {
        const PAGE: usize = 10;
        let rows: usize = self.instances.iter().map(|instance| instance.partitions().len()).sum();
        match key {
            Key::Char('s') => self.sort = self.sort.next(),
            Key::Char('S') => self.sort = self.sort.previous(),
            Key::Char('r') => self.sort = self.sort.reversed(),
            Key::Down | Key::Char('j') => self.scrolled += 1,
            Key::Up | Key::Char('k') => self.scrolled = self.scrolled.saturating_sub(1),
            Key::PageDown => self.scrolled += PAGE,
            Key::PageUp => self.scrolled = self.scrolled.saturating_sub(PAGE),
            Key::Home => self.scrolled = 0,
            Key::End => self.scrolled = rows,
            Key::Leave | Key::Char(_) => {}
        }
        self.scrolled = self.scrolled.min(rows.saturating_sub(1));
    }

    pub(super) fn is_single(&self) -> bool {
        self.instances.len() == 1
    }

    /// Nobody answers: all that is shown is old.
    pub(super) fn is_old(&self) -> bool {
        self.away() > 0 && self.away() == self.instances.len()
    }

    /// How many do not answer.
    pub(super) fn away(&self) -> usize {
        self.instances.iter().filter(|instance| instance.away.is_some()).count()
    }

    /// What those said that did say something.
    pub(super) fn said(&self) -> impl Iterator<Item = &Documents> {
        self.instances.iter().filter_map(|instance| instance.said.as_ref())
    }

    pub(super) fn totals(&self) -> Totals {
        self.said().fold(Totals::default(), |sum, said| sum.plus(said.status.totals))
    }

    /// Windows that closed and wait to be judged and written, as far as somebody said it lately.
    pub(super) fn waiting(&self) -> u64 {
        self.rows().iter().map(|row| row.partition.closed_rows).sum()
    }

    pub(super) fn rates(&self) -> Rates {
        let mut sum = Rates::default();
        for rates in self.instances.iter().filter(|instance| instance.away.is_none()).map(Instance::rates) {
            let pairs =
                [(&mut sum.records, rates.records), (&mut sum.rows, rates.rows), (&mut sum.anomalies, rates.anomalies)];
            for (sum, rate) in pairs {
                *sum = rate.map_or(*sum, |rate| Some(sum.unwrap_or(0.0) + rate));
            }
        }
        sum
    }

    /// A series of the last hour, a second, summed; the newest is the last.
    pub(super) fn history(&self, of: impl Fn(&Documents) -> &[u64]) -> Vec<f64> {
        let longest = self.said().map(|said| of(said).len()).max().unwrap_or(0);
        let mut sum = vec![0.0; longest];
        for said in self.said() {
            let steps = of(said);
            let seconds = said.throughput.step_seconds.max(1) as f64;
            for (sum, step) in sum[longest - steps.len()..].iter_mut().zip(steps) {
                *sum += *step as f64 / seconds;
            }
        }
        sum
    }

    /// In the order that is wanted. What an instance that is away said of partitions that another has by now is left out.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.instances.iter().flat_map(Instance::rows).collect();
        let name = |row: &Row| (row.partition.topic.clone(), row.partition.partition);
        let now: BTreeSet<(String, u32)> = rows.iter().filter(|row| !row.is_old).map(name).collect();
        rows.retain(|row| !row.is_old || !now.contains(&name(row)));
        self.sort.apply(&mut rows);
        rows
    }

    /// The newest first.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut all: Vec<&Anomaly> = self.said().flat_map(|said| &said.anomalies.anomalies).collect();
        // Those of one service come in this order; a stable sort merges them.
        all.sort_by_key(|anomaly| std::cmp::Reverse(anomaly.scored_at));
        let today = self.said().filter_map(|said| said.status.now).max().map(day);
        all.into_iter().map(|anomaly| finding(anomaly, today)).collect()
    }

    /// Reasons of refusals, the most frequent first.
    pub(super) fn refused(&self) -> Vec<(String, u64)> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for refused in self.said().flat_map(|said| &said.quarantine.reasons) {
            *counts.entry(&refused.reason).or_default() += refused.count;
        }
        let mut counts: Vec<_> = counts.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }
}

fn day(time: Micros) -> i64 {
    time.div_euclid(86_400_000_000)
}

fn finding(anomaly: &Anomaly, today: Option<i64>) -> Finding {
    let top = anomaly
        .top_feature
        .as_ref()
        .and_then(|top| Some(Top { name: top.name.clone(), value: top.value?, mean: top.mean? }));
    Finding {
        device: anomaly.device.clone(),
        sensor: anomaly.sensor.clone(),
        window_start: anomaly.window_start.unwrap_or(0),
        is_today: anomaly.window_start.map(day) == today,
        decision: anomaly.decision,
        severity: anomaly.severity,
        threshold: anomaly.threshold,
        top_feature: top,
    }
}

// === impl Instance ===

impl Instance {
    fn take(&mut self, at: f64, documents: Documents) {
        self.away = None;
        let restarted =
            self.said.as_ref().is_some_and(|before| before.status.started_at != documents.status.started_at);
        if restarted {
            self.totals.clear();
            self.positions.clear();
        }
        remember(&mut self.totals, at, documents.status.totals);
        let partitions = &documents.partitions.partitions;
        let mut before = std::mem::take(&mut self.positions);
        for partition in partitions {
            let name = (partition.topic.clone(), partition.partition);
            let Some(position) = partition.position else { continue };
            let mut known = before.remove(&name).unwrap_or_default();
            remember(&mut known, at, position);
            self.positions.insert(name, known);
        }
        (self.said, self.said_at) = (Some(documents), at);
    }

    /// By itself, or by its address until it said its name.
    pub(super) fn name(&self) -> &str {
        self.status().map_or(&self.url, |status| &status.instance)
    }

    pub(super) fn status(&self) -> Option<&Status> {
        self.said.as_ref().map(|said| &said.status)
    }

    pub(super) fn partitions(&self) -> &[Partition] {
        self.said.as_ref().map_or(&[], |said| &said.partitions.partitions)
    }

    pub(super) fn lag_records(&self) -> Option<u64> {
        let known: Vec<u64> = self.partitions().iter().filter_map(|partition| partition.lag_records).collect();
        (!known.is_empty()).then(|| known.iter().sum())
    }

    pub(super) fn up_seconds(&self) -> Option<f64> {
        self.status().and_then(|status| since(status.started_at, status.now))
    }

    /// From what it counted while it was watched, else from its own last step.
    pub(super) fn rates(&self) -> Rates {
        let rate = |of: fn(&Totals) -> u64, step: fn(&Documents) -> &[u64]| {
            let watched = slope(&self.totals, |totals| of(totals) as f64);
            watched.or_else(|| {
                let said = self.said.as_ref()?;
                Some(*step(said).last()? as f64 / said.throughput.step_seconds.max(1) as f64)
            })
        };
        Rates {
            records: rate(|totals| totals.records, |said| &said.throughput.records),
            rows: rate(|totals| totals.rows, |said| &said.throughput.rows),
            anomalies: rate(|totals| totals.anomalies, |said| &said.throughput.anomalies),
        }
    }

    fn rows(&self) -> impl Iterator<Item = Row> {
        let now = self.status().and_then(|status| status.now);
        self.partitions().iter().map(move |partition| Row {
            rate: self
                .positions
                .get(&(partition.topic.clone(), partition.partition))
                .and_then(|positions| slope(positions, |position| *position as f64)),
            committed: since(partition.last_commit_at, now),
            is_old: self.away.is_some(),
            partition: partition.clone(),
        })
    }
}

impl Totals {
    fn plus(self, other: Totals) -> Totals {
        Totals {
            records: self.records + other.records,
            readings: self.readings + other.readings,
            rows: self.rows + other.rows,
            durable_rows: self.durable_rows + other.durable_rows,
            anomalies: self.anomalies + other.anomalies,
            unscored: self.unscored + other.unscored,
            late: self.late + other.late,
            quarantined: self.quarantined + other.quarantined,
            commits: self.commits + other.commits,
            files: self.files + other.files,
        }
    }
}

fn since(then: Option<Micros>, now: Option<Micros>) -> Option<f64> {
    Some(now?.saturating_sub(then?).max(0) as f64 / 1e6)
}

/// At least two, however far apart.
fn remember<T>(values: &mut VecDeque<(f64, T)>, at: f64, value: T) {
    values.push_back((at, value));
    while values.len() > 2 && values.front().is_some_and(|(oldest, _)| at - oldest > RATE_SECONDS) {
        values.pop_front();
    }
}

/// A second; none before there are two, or where it went back.
fn slope<T>(values: &VecDeque<(f64, T)>, of: impl Fn(&T) -> f64) -> Option<f64> {
    let ((from, first), (to, last)) = (values.front()?, values.back()?);
    let rate = (of(last) - of(first)) / (to - from);
    (to > from && rate >= 0.0).then_some(rate)
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
