//! `atalaia preview`: what becomes of the first records, with the decoder of the service and nothing written.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ingest::decode::{Decoded, Decoder};
use ingest::{Bound, Given, Polled, RawRecord, SourceKind};
use jiff::Timestamp;
use serde::Serialize;
use types::PartitionId;

use super::output::{Output, grouped};
use super::{ConfigArgs, Format, input};
use crate::runtime::Runtime;

/// Shows what becomes of the first records: the readings they decode to, or why they are refused
///
/// Reads with the service's own decoder; writes nothing and commits nothing. A topic is read under a group of its own,
/// so that a running service is not disturbed; an event hub over AMQP in the consumer group that is configured, which has to be
/// one that nobody reads in: `--set ingest.event_hubs.consumer_group=NAME`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia preview -c pipeline.toml
  atalaia preview -c pipeline.toml --format json | jq 'select(.reject)'
  zcat sample.jsonl.gz | atalaia preview -c pipeline.toml --set ingest.source=files \\
    --set ingest.files.path=-")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,

    /// Stop after this many records [default: 20 as text, all as JSON]
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,

    /// `json` prints one object a record: its `events`, or the `reject` with its reason
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// How long a topic may stay silent before we give up. A pipe may be silent for ever: whoever types waits for nobody.
const SILENCE_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize)]
struct Shown {
    partition: u32,
    position: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tombstone: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    broker_time_us: Option<i64>,
    events: Vec<Event>,
    /// Why the record is refused; of a record with several readings, the first one refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reject: Option<Reject>,
    /// Refused readings of a record whose others are good.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejects: Vec<Reject>,
}

#[derive(Debug, Serialize)]
struct Event {
    device: String,
    sensor: String,
    time_us: i64,
    value: f64,
}

#[derive(Debug, Clone, Serialize)]
struct Reject {
    reason: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut config = args.config.load()?;
    input::apart(&mut config, "preview");
    let runtime = Runtime::new()?;
    let sources = input::sources(&config, Bound::PresentEnd, runtime.handle())?;
    let mut source = sources.sources.into_iter().next().context("the source has no partitions")?;
    let mut decoder = Decoder::new(&config.ingest.decode).context("read `ingest.decode`")?;

    let limit = args.limit.unwrap_or(if args.format == Format::Json { u64::MAX } else { 20 });
    let mut view = View { out: Output::new(), format: args.format, left: limit, tally: Tally::default() };
    let patience = (config.ingest.source != SourceKind::Files).then_some(SILENCE_MAX);
    let mut reading = Reading::of(sources.partitions, patience);
    while view.left > 0 && reading.goes_on() {
        match source.poll(Duration::from_millis(100)).context("read from the source")? {
            // Of a topic, partitions come back; what an event hub's other reader has does not.
            Polled::Lost(lost) if input::is_by_amqp(&config.ingest) => {
                return Err(input::taken(&config.ingest, &lost));
            }
            Polled::Idle | Polled::CaughtUp { .. } | Polled::Lost(_) => continue,
            Polled::Gained(partitions) => {
                reading.gained(&partitions);
                for partition in partitions {
                    let position = source.resolve(&partition, config.ingest.start)?;
                    source.start(&partition, position)?;
                }
            }
            Polled::Ended { partition, .. } => reading.ended(partition),
            Polled::Records(records) => {
                decoder.begin(&records);
                let partition = records.partition().index;
                for (number, raw) in records.iter().enumerate() {
                    if view.left == 0 || !view.show(&decode(&mut decoder, partition, raw, records.given(number)), raw) {
                        break;
                    }
                }
                view.flush();
            }
        }
        reading.last = Instant::now();
    }
    source.leave();
    let enough = view.left == 0;
    view.close()?;
    if enough { Ok(ExitCode::SUCCESS) } else { reading.conclude().map(|()| ExitCode::SUCCESS) }
}

/// How much of the source is read.
struct Reading {
    partitions: usize,
    gained: BTreeSet<PartitionId>,
    ended: BTreeSet<PartitionId>,
    last: Instant,
    patience: Option<Duration>,
}

impl Reading {
    fn of(partitions: usize, patience: Option<Duration>) -> Self {
        Reading { partitions, gained: BTreeSet::new(), ended: BTreeSet::new(), last: Instant::now(), patience }
    }

    fn gained(&mut self, partitions: &[PartitionId]) {
        self.gained.extend(partitions.iter().cloned());
    }

    fn ended(&mut self, partition: PartitionId) {
        self.ended.insert(partition);
    }

    fn goes_on(&self) -> bool {
        self.unread() > 0 && self.patience.is_none_or(|patience| self.last.elapsed() < patience)
    }

    fn unread(&self) -> usize {
        self.partitions.saturating_sub(self.ended.len())
    }

    /// Whether what was shown is all there is.
    fn conclude(&self) -> anyhow::Result<()> {
        if self.unread() == 0 {
            return Ok(());
        }
        let of = format!("{} of {} partitions were not read to their end", self.unread(), self.partitions);
        let silence = format!("{} s", self.patience.unwrap_or_default().as_secs());
        if self.gained.len() < self.partitions {
            bail!(
                "{of}: the brokers assigned only {} of them, and nothing came for {silence}\n\
                 The coordinator of the group may be away or slow, or may refuse this user; look for warnings above, \
                 and try again",
                self.gained.len()
            );
        }
        bail!(
            "{of}: nothing came for {silence}\n\
             The brokers that lead them may be away or slow, or may refuse to let this user read the topic; \
             look for warnings above, and try again"
        );
    }
}

fn decode(decoder: &mut Decoder, partition: u32, raw: RawRecord<'_>, given: Given<'_>) -> Shown {
    let mut shown = Shown {
        partition,
        position: raw.position,
        tombstone: raw.payload.is_none(),
        broker_time_us: raw.broker_time,
        events: Vec::new(),
        reject: None,
        rejects: Vec::new(),
    };
    let Some(payload) = raw.payload else {
        let detail = "a record without a value; counted, and nothing else".to_owned();
        shown.reject = Some(Reject { reason: "tombstone", detail, index: None });
        return shown;
    };
    let event = |reading: types::Reading<'_>| Event {
        device: reading.device.to_owned(),
        sensor: reading.sensor.to_owned(),
        time_us: reading.time,
        value: reading.value,
    };
    match decoder.decode_given(payload, given) {
        Decoded::One(reading) => shown.events.push(event(reading)),
        Decoded::Many(many) => {
            shown.events.extend(many.iter().map(|(_, reading)| event(reading)));
            shown.rejects.extend(many.rejects().iter().map(|(index, reject)| Reject {
                reason: reject.reason.as_str(),
                detail: reject.detail.clone(),
                index: Some(*index),
            }));
            shown.reject = shown.rejects.first().cloned();
        }
        Decoded::Reject(reject) => {
            shown.reject = Some(Reject { reason: reject.reason.as_str(), detail: reject.detail, index: None });
        }
    }
    shown
}

/// What was printed, and what it adds up to.
struct View {
    out: Output,
    format: Format,
    left: u64,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    records: u64,
    events: u64,
    rejects: BTreeMap<&'static str, u64>,
    /// Which partition a device was first seen in, and whether in another one since.
    devices: BTreeMap<String, (u32, bool)>,
}

/// Devices remembered to tell whether one shows up in two partitions.
const DEVICES_WATCHED_MAX: usize = 100_000;

impl View {
    /// Shows a record; returns whether somebody still reads, and ends the preview otherwise.
    fn show(&mut self, shown: &Shown, raw: RawRecord<'_>) -> bool {
        self.left -= 1;
        self.tally.add(shown);
        let reads = match self.format {
            Format::Json => match serde_json::to_string(shown) {
                Ok(line) => self.out.line(line),
                Err(error) => {
                    self.out.line(serde_json::json!({ "position": shown.position, "error": error.to_string() }))
                }
            },
            Format::Text => self.show_text(shown, raw),
        };
        self.enough_unless(reads);
        reads
    }

    /// What has come shows at once, also while a pipe stays open.
    fn flush(&mut self) {
        let reads = self.out.flush();
        self.enough_unless(reads);
    }

    fn enough_unless(&mut self, reads: bool) {
        if !reads {
            self.left = 0;
        }
    }

    fn show_text(&mut self, shown: &Shown, raw: RawRecord<'_>) -> bool {
        let place = format!("{}:{}", shown.partition, shown.position);
        let mut reads = true;
        for event in &shown.events {
            let time =
                Timestamp::from_microsecond(event.time_us).map_or(event.time_us.to_string(), |time| time.to_string());
            reads = self.out.line(format_args!(
                "{place:>10}  {} / {}  {time}  {}",
                escaped(&event.device),
                escaped(&event.sensor),
                event.value
            ));
        }
        let rejects = if shown.rejects.is_empty() { shown.reject.as_slice() } else { &shown.rejects };
        for reject in rejects {
            reads =
                self.out.line(format_args!("{place:>10}  refused as `{}`: {}", reject.reason, escaped(&reject.detail)));
        }
        if shown.reject.is_some()
            && let Some(payload) = raw.payload
        {
            let start = &payload[..payload.len().min(160)];
            reads = self.out.line(format_args!("{:>10}  {}", "", start.escape_ascii()));
        }
        reads
    }

    fn close(mut self) -> anyhow::Result<()> {
        let split: Vec<_> =
            self.tally.devices.iter().filter(|(_, (_, split))| *split).map(|(device, _)| escaped(device)).collect();
        if self.format == Format::Text {
            let rejects: Vec<_> =
                self.tally.rejects.iter().map(|(reason, count)| format!("{} {reason}", grouped(*count))).collect();
            let refused =
                if rejects.is_empty() { "none refused".to_owned() } else { format!("refused: {}", rejects.join(", ")) };
            self.out.line(format_args!(
                "{} records, {} readings of {} devices, {refused}",
                grouped(self.tally.records),
                grouped(self.tally.events),
                grouped(self.tally.devices.len() as u64),
            ));
        }
        self.out.finish()?;
        if let Some(device) = split.first() {
            tracing::warn!(
                "device `{device}` (and {} others) shows up in two partitions: its windows would be split. Produce with the device id as the record key",
                split.len() - 1
            );
        }
        Ok(())
    }
}

impl Tally {
    fn add(&mut self, shown: &Shown) {
        self.records += 1;
        self.events += shown.events.len() as u64;
        for event in &shown.events {
            if let Some((partition, split)) = self.devices.get_mut(&event.device) {
                *split |= *partition != shown.partition;
            } else if self.devices.len() < DEVICES_WATCHED_MAX {
                self.devices.insert(event.device.clone(), (shown.partition, false));
            }
        }
        let rejects = if shown.rejects.is_empty() { shown.reject.as_slice() } else { &shown.rejects };
        for reject in rejects {
            *self.tally_of(reject.reason) += 1;
        }
    }

    fn tally_of(&mut self, reason: &'static str) -> &mut u64 {
        self.rejects.entry(reason).or_default()
    }
}

/// Ids come from the wire: what would move a terminal's cursor is shown as an escape.
fn escaped(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(index: u32) -> PartitionId {
        PartitionId { topic: "t".into(), index }
    }

    #[test]
    fn a_preview_ends_when_each_partition_has_and_says_so_otherwise() {
        let mut reading = Reading::of(2, Some(SILENCE_MAX));
        reading.gained(&[partition(0)]);
        reading.ended(partition(0));
        // Lost and gained again, it ends a second time.
        reading.ended(partition(0));
        assert!(reading.goes_on());
        let error = reading.conclude().expect_err("one is missing").to_string();
        assert!(
            error.starts_with("1 of 2 partitions were not read to their end: the brokers assigned only 1"),
            "{error}"
        );
        reading.gained(&[partition(1)]);
        let error = reading.conclude().expect_err("one is not read").to_string();
        assert!(error.contains("to their end: nothing came for 30 s\n"), "{error}");
        reading.ended(partition(1));
        assert!(!reading.goes_on());
        reading.conclude().expect("all are read");
    }

    #[test]
    fn only_a_topic_may_not_be_silent() {
        let silent = |patience| Reading { last: Instant::now(), ..Reading::of(1, patience) };
        assert!(!silent(Some(Duration::ZERO)).goes_on());
        assert!(silent(None).goes_on());
    }
}
