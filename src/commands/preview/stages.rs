//! The first records through the stages of the service: decoder, windows, scorer, each the real one, with nothing behind them.
//! Only what a service remembers from earlier is missing here: every partition begins without open windows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aggregate::{Arrival, Close, Refusal, Settings, TakeLimit, Windows};
use anyhow::Context;
use config::Config;
use ingest::decode::{Decoded, Decoder};
use ingest::{Given, RawRecord, Records, SourceKind};
use score::{ModelSet, Scorer};
use types::{Micros, Reading};

use super::models::Finder;
use super::record::{Event, LATE, Refused, Reject, Shown, TOMBSTONE};
use super::window::{self, Window};
use crate::wall;

/// As much of a refused record as it takes to tell what is wrong with it.
const PAYLOAD_KEPT_MAX: usize = 64 * 1024;

pub(super) struct Stages {
    decoder: Decoder,
    settings: Settings,
    score: score::Config,
    /// Whether records are judged against the wall clock too.
    is_live: bool,
    partitions: BTreeMap<u32, Partition>,
    refused: Vec<aggregate::Refused>,
}

struct Partition {
    windows: Windows,
    scorer: Option<Scorer>,
}

impl Stages {
    pub(super) fn new(config: &Config) -> anyhow::Result<Stages> {
        let is_files = config.ingest.source == SourceKind::Files;
        let sorted = config.ingest.files.assume_sorted;
        Ok(Stages {
            decoder: Decoder::new(&config.ingest.decode).context("read `ingest.decode`")?,
            settings: config.aggregate.settings(is_files, sorted).context("read `aggregate`")?,
            score: config.score.clone(),
            is_live: !is_files,
            partitions: BTreeMap::new(),
            refused: Vec::new(),
        })
    }

    pub(super) fn window_width(&self) -> Micros {
        self.settings.window
    }

    /// Before the records of a batch.
    pub(super) fn begin(&mut self, records: &Records) {
        self.decoder.begin(records);
    }

    pub(super) fn record(
        &mut self,
        partition: u32,
        raw: RawRecord<'_>,
        given: Given<'_>,
        line: Option<(&Path, u64)>,
    ) -> Shown {
        let Stages { decoder, settings, partitions, refused, .. } = self;
        let windows = &mut partitions
            .entry(partition)
            .or_insert_with(|| Partition { windows: Windows::new(*settings), scorer: None })
            .windows;
        let wall = self.is_live.then(wall::now);
        let arrival = Arrival { position: raw.position, broker_time: raw.broker_time, wall };
        let mut shown = Shown {
            partition,
            position: raw.position,
            file: line.map(|(file, _)| file.display().to_string()),
            line: line.map(|(_, line)| line),
            tombstone: raw.payload.is_none(),
            broker_time_us: raw.broker_time,
            events: Vec::new(),
            reject: None,
            rejects: Vec::new(),
            ignored: Vec::new(),
            payload: None,
        };
        let Some(payload) = raw.payload else {
            windows.tombstone(arrival);
            let detail = "a record without a value; counted, and nothing else".to_owned();
            shown.reject = Some(Reject { reason: TOMBSTONE, detail, index: None });
            return shown;
        };
        let event = |reading: Reading<'_>| Event {
            device: reading.device.to_owned(),
            sensor: reading.sensor.to_owned(),
            time_us: reading.time,
            value: reading.value,
            window_start_us: window_start(settings, reading.time),
            refused: None,
        };
        refused.clear();
        match decoder.decode_given(payload, given) {
            Decoded::One(reading) => {
                windows.observe(arrival, std::iter::once(reading), refused);
                shown.events.push(event(reading));
            }
            Decoded::Many(many) => {
                windows.observe(arrival, many.iter().map(|(_, reading)| reading), refused);
                windows.refuse_readings(many.rejects().len() as u64);
                shown.events.extend(many.iter().map(|(_, reading)| event(reading)));
                shown.rejects.extend(many.rejects().iter().map(|(index, reject)| Reject {
                    reason: reject.reason.as_str(),
                    detail: reject.detail.clone(),
                    index: Some(*index),
                }));
                shown.reject = shown.rejects.first().cloned();
                shown.ignored.extend(many.ignored().map(|(name, why)| (name.to_owned(), why)));
            }
            Decoded::Reject(reject) => {
                windows.undecodable(arrival);
                shown.reject = Some(Reject { reason: reject.reason.as_str(), detail: reject.detail, index: None });
            }
        }
        // By their order in the record, as they were observed.
        for refused in refused.drain(..) {
            if let Some(event) = shown.events.get_mut(refused.index as usize) {
                event.refused = Some(why(refused.what, event.time_us, arrival, settings));
            }
        }
        if shown.reject.is_some() || shown.events.iter().any(|event| event.refused.is_some()) {
            shown.payload = Some(payload[..payload.len().min(PAYLOAD_KEPT_MAX)].to_vec());
        }
        shown
    }

    /// Rows that the rules have closed, and that wait to be judged.
    pub(super) fn closed(&self) -> usize {
        self.partitions.values().map(|partition| partition.windows.closed().len()).sum()
    }

    pub(super) fn series(&self) -> usize {
        self.partitions.values().map(|partition| partition.windows.series()).sum()
    }

    /// Judges what the rules of time have closed by now.
    pub(super) fn judge(&mut self, set: &Arc<ModelSet>, finder: &mut Finder) -> Vec<Window> {
        self.partitions.values_mut().for_each(|partition| partition.windows.settle());
        self.take(set, finder, false)
    }

    /// Judges what is still open, as if it closed now. `is_whole`: nothing more could come.
    pub(super) fn judge_rest(&mut self, set: &Arc<ModelSet>, finder: &mut Finder, is_whole: bool) -> Vec<Window> {
        self.partitions.values_mut().for_each(|partition| partition.windows.end(Close::All));
        self.take(set, finder, !is_whole)
    }

    fn take(&mut self, set: &Arc<ModelSet>, finder: &mut Finder, so_far: bool) -> Vec<Window> {
        let mut judged = Vec::new();
        for (index, partition) in &mut self.partitions {
            let rows = partition.windows.take_closed(TakeLimit::ALL);
            let scorer = partition.scorer.get_or_insert_with(|| Scorer::new(Arc::clone(set), &self.score));
            let names = partition.windows.names();
            let scores = scorer.score(&rows, names);
            let batch = window::Batch { partition: *index, rows: &rows, scores: &scores, names, so_far };
            judged.extend(batch.windows(set, self.score.key, finder));
            partition.windows.recycle(rows);
        }
        judged
    }
}

fn window_start(settings: &Settings, time: Micros) -> Micros {
    let since = time.saturating_sub(settings.offset);
    since.div_euclid(settings.window).saturating_mul(settings.window).saturating_add(settings.offset)
}

fn why(what: Refusal, time: Micros, arrival: Arrival, settings: &Settings) -> Refused {
    match what {
        Refusal::Late { closed_to, closed_by, .. } => Refused {
            reason: LATE,
            detail: format!(
                "its window is closed: those of the device were closed up to {} by {}",
                wall::text(closed_to),
                match closed_by {
                    types::ClosedBy::Device => "its own newer readings",
                    types::ClosedBy::Silence => "its silence",
                    types::ClosedBy::Partition => "newer readings of the partition",
                    types::ClosedBy::Drain | types::ClosedBy::Floor => "the end of the input",
                }
            ),
        },
        Refusal::Rejected(reason) => {
            let reference = arrival.broker_time.or(arrival.wall);
            let far = |distance: Micros| types::Span::from_millis((distance / 1_000_000).unsigned_abs() * 1000);
            let detail = match (reason, reference) {
                (types::Reason::Future, Some(reference)) => format!(
                    "its time is {} ahead of its arrival; up to {} is believed",
                    far(time.saturating_sub(reference)),
                    far(settings.max_future_skew)
                ),
                (types::Reason::TooOld, Some(reference)) => format!(
                    "its time is {} behind its arrival; up to {} is taken",
                    far(reference.saturating_sub(time)),
                    far(settings.max_past.unwrap_or_default())
                ),
                _ => "the partition holds as many series as it may".to_owned(),
            };
            Refused { reason: reason.as_str(), detail }
        }
    }
}
