//! Reads the first records of a file, a topic or an event hub, by the sources of the service, in nobody's way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use config::{Config, Loaded};
use ingest::decode::Format;
use ingest::{Bound, Polled, Source, SourceKind};

use super::infer::{self, Context, Guess, Sample, Unknown, infer};
use crate::commands::input;
use crate::runtime::Runtime;

/// Most bytes of a sample: a document over many lines is read to its end up to here.
const BYTES_MAX: usize = 32 << 20;
/// Longer lines of a file are cut.
const LINE_BYTES_MAX: usize = 16 << 20;
/// How long a topic may be silent: before the first record, and after it.
const SILENCE_MAX: Duration = Duration::from_secs(30);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Properties that IoT Hub and Event Hubs give to a message: of device and time. The first pair that is there counts.
const PROPERTIES: [(&str, &str); 3] = [
    ("iothub-connection-device-id", "iothub-enqueuedtime"),
    ("connectionDeviceId", "enqueuedTime"),
    ("x-opt-partition-key", "x-opt-enqueued-time"),
];

/// What was found.
pub(super) struct Sampled {
    pub(super) guess: Guess,
    /// With the source that was looked at.
    pub(super) config: Config,
}

/// The configuration of the source to look at, if there is one.
pub(super) fn source(loaded: &Loaded, sample: Option<&str>, brokers: Option<&str>) -> anyhow::Result<Option<Config>> {
    let mut config = loaded.config.clone();
    let topic = sample.and_then(|sample| sample.strip_prefix("kafka://"));
    match (sample, topic, brokers) {
        (None, ..) => return Ok(loaded.origin("ingest.source").map(|_| config)),
        (Some(_), Some(_), Some(_)) => {
            bail!("the brokers are named twice\nleave `--brokers` out, or the `kafka://` of the sample")
        }
        (Some(_), Some(topic), None) => {
            let Some((brokers, topic)) =
                topic.split_once('/').filter(|(brokers, topic)| !brokers.is_empty() && !topic.is_empty())
            else {
                bail!("`kafka://{topic}` names no topic\nwrite `kafka://HOST:PORT/TOPIC`");
            };
            kafka(&mut config, brokers, topic.trim_end_matches('/'));
        }
        (Some(topic), None, Some(brokers)) => kafka(&mut config, brokers, topic),
        (Some(path), None, None) => {
            config.ingest.source = SourceKind::Files;
            path.clone_into(&mut config.ingest.files.path);
        }
    }
    Ok(Some(config))
}

fn kafka(config: &mut Config, brokers: &str, topic: &str) {
    config.ingest.source = SourceKind::Kafka;
    brokers.clone_into(&mut config.ingest.kafka.brokers);
    topic.clone_into(&mut config.ingest.kafka.topic);
}

/// Reads a sample, and finds out what it means.
pub(super) fn look(loaded: &Loaded, mut config: Config, records: usize) -> anyhow::Result<Sampled> {
    let mut problems = config::validate(&config).problems;
    problems.retain(|problem| problem.setting.starts_with("ingest.") && !problem.setting.starts_with("ingest.decode"));
    if !problems.is_empty() {
        return Err(config::Error::Invalid { problems }.into());
    }
    let given =
        loaded.origin("ingest.decode.device_property").or(loaded.origin("ingest.decode.time_property")).is_some();
    let has_properties = config.ingest.source == SourceKind::EventHubs
        || config.ingest.source == SourceKind::Files && may_be_avro(&config.ingest.files.path);
    let own = (config.ingest.decode.device_property.clone(), config.ingest.decode.time_property.clone());
    let name = super::document::device_name(&config);
    let mut first: Option<anyhow::Result<Sampled>> = None;
    for (device, time) in PROPERTIES {
        if has_properties && !given {
            config.ingest.decode.device_property = Some(device.into());
            config.ingest.decode.time_property = Some(time.into());
        }
        let samples = read(&config, records)?;
        let is_file = config.ingest.source == SourceKind::Files;
        let context = Context { lines: is_file, decode: &config.ingest.decode, name: &name };
        let outcome = infer(&samples, &context);
        let some_given = samples.iter().any(|sample| sample.device.is_some() || sample.time.is_some());
        let whole = matches!(&outcome, Ok(guess) if guess.decode.device_name.is_none());
        let sampled = outcome.map_err(refused).map(|guess| Sampled { config: config.clone(), guess });
        // Worth another look only where properties may make up for what the payloads lack.
        if some_given || whole || !has_properties || given {
            first = Some(sampled);
            break;
        }
        first.get_or_insert(sampled);
    }
    let mut sampled = first.context("look at the sample")??;
    (sampled.config.ingest.decode.device_property, sampled.config.ingest.decode.time_property) = own;
    Ok(sampled)
}

/// Only files of Capture have properties; and a pipe cannot be read a second time.
fn may_be_avro(path: &str) -> bool {
    path.contains(".avro") || std::path::Path::new(path).is_dir()
}

fn refused(unknown: Unknown) -> anyhow::Error {
    anyhow::anyhow!("{unknown}; no file was written\n{}", unknown.hint())
}

/// The first records, as they are.
pub(crate) fn read(config: &Config, records: usize) -> anyhow::Result<Vec<Sample>> {
    let mut config = config.clone();
    input::apart(&mut config, "init");
    let decode = &mut config.ingest.decode;
    if config.ingest.source == SourceKind::Files {
        // Line by line: what the lines are is to be found out.
        decode.format = Format::Json;
        decode.record_bytes_max = decode.record_bytes_max.max(LINE_BYTES_MAX);
    }
    config.run.batch_records = config.run.batch_records.min(records.max(1));
    let runtime = Runtime::new()?;
    let sources = input::sources(&config, Bound::PresentEnd, runtime.handle())?;
    let mut source = sources.sources.into_iter().next().context("the source has no partitions")?;
    let samples = poll(source.as_mut(), &config, sources.partitions, records);
    source.leave();
    samples
}

fn poll(source: &mut dyn Source, config: &Config, partitions: usize, records: usize) -> anyhow::Result<Vec<Sample>> {
    // Some of each partition: devices differ.
    let each = records.div_ceil(partitions.max(1)).max(20);
    let mut samples: Vec<Sample> = Vec::new();
    let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
    let mut over: std::collections::BTreeSet<u32> = std::collections::BTreeSet::new();
    let (mut bytes, mut last) = (0, Instant::now());
    let is_file = config.ingest.source == SourceKind::Files;
    loop {
        match source.poll(Duration::from_millis(100)).context("read the sample")? {
            Polled::Idle | Polled::CaughtUp { .. } => {
                let patience = if samples.is_empty() { SILENCE_MAX } else { PAUSE_MAX };
                if !is_file && last.elapsed() > patience {
                    break;
                }
                continue;
            }
            Polled::Lost(lost) if input::is_by_amqp(&config.ingest) => return Err(input::taken(&config.ingest, &lost)),
            Polled::Lost(_) => {}
            Polled::Gained(gained) => {
                for partition in gained {
                    let position = source.resolve(&partition, config.ingest.start)?;
                    source.start(&partition, position)?;
                }
            }
            Polled::Ended { partition, .. } => {
                over.insert(partition.index);
            }
            Polled::Records(batch) => {
                let count = seen.entry(batch.partition().index).or_default();
                for (number, raw) in batch.iter().enumerate().filter(|(_, raw)| raw.payload.is_some()) {
                    let goes_on = *count < each || is_file && document(&samples);
                    if !goes_on || bytes > BYTES_MAX {
                        over.insert(batch.partition().index);
                        break;
                    }
                    let given = batch.given(number);
                    let payload = raw.payload.unwrap_or_default().to_vec();
                    bytes += payload.len();
                    let (device, time) = (given.device.map(str::to_owned), given.time.map(str::to_owned));
                    samples.push(Sample { payload, key: raw.key.to_vec(), device, time });
                    *count += 1;
                }
                if *count >= each && !(is_file && document(&samples)) {
                    over.insert(batch.partition().index);
                }
            }
        }
        if over.len() >= partitions {
            break;
        }
        last = Instant::now();
    }
    Ok(samples)
}

/// Whether the lines so far are parts of one document rather than records.
fn document(samples: &[Sample]) -> bool {
    samples.first().is_some_and(|first| infer::opens_document(&first.payload))
}
