//! The configured input: opened for a run, asked for a check, described. What each kind of source needs stands here, and
//! commands do not tell them apart.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use config::Config;
use ingest::event_hubs::{self, EventHubsSource, HubInfo, Protocol};
use ingest::kafka::{self, Face, KafkaSource, TopicInfo};
use ingest::{Bound, Shard, Source, SourceKind, Wanted};
use tokio::runtime::Handle;
use types::PartitionId;

use super::output::grouped;
use crate::terminal::words::plural;

/// How long the first question to a broker may take before a job that needs the answer gives up.
pub(crate) const BROKER_TIMEOUT: Duration = Duration::from_secs(15);

/// One source for each worker, and what is known of them as a whole.
pub(crate) struct Sources {
    pub(crate) sources: Vec<Box<dyn Source>>,
    pub(crate) partitions: usize,
    /// The part of the input that they are of, if it is not all of it.
    pub(crate) shard: Option<Shard>,
    /// Files have one.
    pub(crate) files: Option<Files>,
}

/// Files that are read as one input.
pub(crate) struct Files {
    /// Its name.
    topic: Arc<str>,
    /// How far they are read.
    read: ingest::files::Progress,
}

impl Sources {
    /// How much of the input is read, from 0 to 1.
    pub(crate) fn share(&self) -> impl Fn() -> Option<f64> + Send + Sync + 'static {
        let read = self.files.as_ref().map(|files| files.read.clone());
        move || {
            let read = read.as_ref()?;
            let total = read.bytes_total();
            (total > 0).then(|| read.bytes_done() as f64 / total as f64)
        }
    }

    /// Of files: jobs that cut them otherwise would score them again.
    pub(crate) fn agree_on_shards(&self, sinks: &sink::Sinks) -> Result<(), sink::Error> {
        let Some(files) = &self.files else { return Ok(()) };
        sinks.agree_on_shards(&files.topic, self.shard.map(Shard::count))
    }

    /// What each record of the input has to be compared with to know whether it counts: sources leave out whole partitions only.
    pub(crate) fn filter(&self) -> Option<Shard> {
        self.shard.filter(|_| self.files.is_some())
    }
}

/// The configured input, by what reads it.
pub(crate) enum Input<'a> {
    /// A topic, or an event hub by its Kafka endpoint.
    Kafka(Cow<'a, kafka::Config>),
    /// An event hub, by AMQP.
    Hub(&'a event_hubs::Config),
    Files,
    Simulated,
}

impl Input<'_> {
    pub(crate) fn of(ingest: &ingest::Config) -> anyhow::Result<Input<'_>> {
        let hubs = &ingest.event_hubs;
        Ok(match ingest.source {
            SourceKind::Files => Input::Files,
            SourceKind::Simulated => Input::Simulated,
            SourceKind::Kafka => Input::Kafka(Cow::Borrowed(&ingest.kafka)),
            SourceKind::EventHubs if is_by_amqp(ingest) => Input::Hub(hubs),
            SourceKind::EventHubs => {
                Input::Kafka(Cow::Owned(event_hubs::over_kafka(hubs).context("read `ingest.event_hubs`")?))
            }
        })
    }
}

/// The configured source, once a worker. A bounded job asks the broker first, so that what is wrong is said at once.
pub(crate) fn sources(config: &Config, bound: Bound, runtime: &Handle) -> anyhow::Result<Sources> {
    shard(config, None, bound, runtime)
}

/// The same of a part of the input, or of all of it. A topic with too few partitions for that has no sources.
pub(crate) fn shard(config: &Config, shard: Option<Shard>, bound: Bound, runtime: &Handle) -> anyhow::Result<Sources> {
    let batch = config.run.batch_records;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = config.run.workers.unwrap_or(cores);
    match Input::of(&config.ingest)? {
        Input::Files => {
            let files = ingest::files::FilesSource::new(&config.ingest.files, &config.ingest.decode, batch)
                .and_then(|files| match shard {
                    Some(shard) => files.of_shard(shard),
                    None => Ok(files),
                })
                .context("open the input files")?;
            let one = Files { topic: files.partition().topic.clone(), read: files.progress() };
            Ok(Sources { sources: vec![Box::new(files)], partitions: 1, shard, files: Some(one) })
        }
        Input::Simulated => {
            let partitions = ours(config.ingest.simulated.partitions as usize, shard);
            let workers = workers(wanted, partitions, shard);
            let (first, step) = shard.map_or((0, 1), |shard| (shard.index() as usize, shard.count() as usize));
            let mut sources: Vec<Box<dyn Source>> = Vec::new();
            for worker in 0..workers {
                let (worker, workers) = (first + worker * step, workers * step);
                sources.push(Box::new(
                    ingest::simulated::SimulatedSource::new(&config.ingest.simulated, worker, workers, batch)
                        .context("make the simulated fleet")?,
                ));
            }
            Ok(Sources { sources, partitions, shard, files: None })
        }
        Input::Kafka(kafka) => kafka_sources(config, &kafka, shard, wanted, bound),
        Input::Hub(hubs) => event_hubs_sources(config, hubs, shard, wanted, bound, runtime),
    }
}

/// How many of the partitions are the shard's.
fn ours(partitions: usize, shard: Option<Shard>) -> usize {
    let Some(shard) = shard else { return partitions };
    let (index, count) = (shard.index() as usize, shard.count() as usize);
    partitions.saturating_sub(index).div_ceil(count)
}

/// None where there is nothing for the shard.
fn workers(wanted: usize, partitions: usize, shard: Option<Shard>) -> usize {
    let least = usize::from(shard.is_none() || partitions > 0);
    wanted.clamp(least, partitions.max(least))
}

fn kafka_sources(
    config: &Config,
    kafka: &kafka::Config,
    shard: Option<Shard>,
    wanted: usize,
    bound: Bound,
) -> anyhow::Result<Sources> {
    let partitions = match bound {
        Bound::PresentEnd => topic(kafka)?.partitions,
        Bound::Unbounded => usize::MAX,
    };
    if partitions == 0 {
        bail!("topic `{}` has no partitions", kafka.topic);
    }
    let headers = Wanted::of(&config.ingest.decode).with_traces(config.telemetry.otlp.traces());
    let batch = config.run.batch_records;
    let (partitions, all) = (ours(partitions, shard), partitions);
    let workers = workers(wanted, partitions, shard);
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    for worker in 0..workers {
        let opened = match shard {
            None => KafkaSource::new(kafka, worker, bound, batch),
            Some(shard) => {
                let all = u32::try_from(all).unwrap_or(u32::MAX);
                let ours = (0..all).filter(|partition| shard.has_partition(*partition));
                let dealt = ours.skip(worker).step_by(workers).map(u32::cast_signed).collect();
                KafkaSource::of_partitions(kafka, worker, dealt, bound, batch)
            }
        };
        let source = opened.and_then(|source| source.with_headers(&headers)).context("open the Kafka source")?;
        sources.push(Box::new(source));
    }
    Ok(Sources { sources, partitions, shard, files: None })
}

fn event_hubs_sources(
    config: &Config,
    hubs: &event_hubs::Config,
    shard: Option<Shard>,
    wanted: usize,
    bound: Bound,
    runtime: &Handle,
) -> anyhow::Result<Sources> {
    // A service that is away is waited for, by a service of ours; a job says so.
    let partitions = match bound {
        Bound::PresentEnd => hub(hubs)?.partitions as usize,
        Bound::Unbounded => usize::MAX,
    };
    let partitions = ours(partitions, shard);
    let workers = workers(wanted, partitions, shard);
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    for worker in 0..workers {
        let membership = event_hubs::membership(hubs, &config.storage, worker, workers, shard, runtime.clone())
            .context("read `ingest.event_hubs.ownership`")?;
        let wanted = Wanted::of(&config.ingest.decode).with_traces(config.telemetry.otlp.traces());
        let batch = config.run.batch_records;
        let source = EventHubsSource::new(hubs, worker, bound, batch, wanted, membership, runtime.clone())
            .context("open the Event Hubs source")?;
        sources.push(Box::new(source));
    }
    Ok(Sources { sources, partitions, shard, files: None })
}

fn topic(kafka: &kafka::Config) -> anyhow::Result<TopicInfo> {
    KafkaSource::check(kafka, BROKER_TIMEOUT).context("ask the broker for the topic")
}

fn hub(hubs: &event_hubs::Config) -> anyhow::Result<HubInfo> {
    EventHubsSource::check(hubs, BROKER_TIMEOUT).context("ask the service for the event hub")
}

/// How many partitions the input has now.
pub(crate) fn partitions(config: &Config) -> anyhow::Result<usize> {
    Ok(match Input::of(&config.ingest)? {
        Input::Files => 1,
        Input::Simulated => config.ingest.simulated.partitions as usize,
        Input::Kafka(kafka) => topic(&kafka)?.partitions,
        Input::Hub(hubs) => hub(hubs)?.partitions as usize,
    })
}

/// Whether it is an event hub, read by AMQP.
pub(crate) fn is_by_amqp(ingest: &ingest::Config) -> bool {
    ingest.source == SourceKind::EventHubs && ingest.event_hubs.protocol != Protocol::Kafka
}

/// For how long the claims of a member that died keep partitions from us, where claims are what partitions are shared by. The
/// broker of a group knows who is alive, and answers no sooner.
pub(crate) fn withheld(config: &Config) -> Duration {
    let ownership = &config.ingest.event_hubs.ownership;
    match ownership.url {
        Some(_) if is_by_amqp(&config.ingest) => ownership.expiry.duration() + ownership.renew_interval.duration() * 2,
        _ => Duration::ZERO,
    }
}

/// For a command that only looks: in nobody's way, and by one worker.
pub(crate) fn apart(config: &mut Config, purpose: &str) {
    // Not by the process' id: in a container it is always the same, and two jobs would share the partitions.
    let unique = RandomState::new().build_hasher().finish();
    let hubs = &mut config.ingest.event_hubs;
    hubs.ownership.url = None;
    // Over AMQP, groups are not made by naming them: who looks on reads in the group that it is told, and cuts nobody off.
    if hubs.protocol == Protocol::Kafka {
        hubs.consumer_group = format!("{}-{purpose}-{unique:016x}", hubs.consumer_group);
    }
    let kafka = &mut config.ingest.kafka;
    kafka.group = format!("{}-{purpose}-{unique:016x}", kafka.group);
    kafka.instance_id = None;
    config.run.workers = Some(1);
}

/// What to say when a command that only looks loses partitions.
pub(crate) fn taken(ingest: &ingest::Config, lost: &[PartitionId]) -> anyhow::Error {
    let lost: Vec<String> = lost.iter().map(|partition| format!("`{partition}`")).collect();
    let remedy = match is_by_amqp(ingest) {
        true => {
            "another reader of the consumer group has them: name a group of its own, with `--set \
             ingest.event_hubs.consumer_group=NAME`"
        }
        false => "try again",
    };
    anyhow::anyhow!("{} were taken away while they were read\n{remedy}", lost.join(", "))
}

/// What it is, without asking it.
pub(crate) fn described(ingest: &ingest::Config) -> String {
    match ingest.source {
        SourceKind::Kafka => {
            let kafka = &ingest.kafka;
            format!(
                "topic `{}` at `{}`, group `{}`; a new partition begins at {}",
                kafka.topic, kafka.brokers, kafka.group, ingest.start
            )
        }
        SourceKind::EventHubs => {
            let hubs = &ingest.event_hubs;
            let hub = hubs
                .hub
                .as_ref()
                .map_or("the event hub of the connection string".into(), |hub| format!("event hub `{hub}`"));
            let face = match hubs.protocol {
                Protocol::Amqp => "AMQP",
                Protocol::AmqpWebsockets => "AMQP over websockets",
                Protocol::Kafka => "the Kafka endpoint",
            };
            let group = &hubs.consumer_group;
            let shared = match (&hubs.ownership.url, hubs.protocol) {
                (_, Protocol::Kafka) => String::new(),
                (Some(url), _) => format!("partitions shared by notes in `{url}`, "),
                (None, _) => "all partitions this instance's, ".into(),
            };
            format!("{hub} by {face}, consumer group `{group}`; {shared}a new partition begins at {}", ingest.start)
        }
        SourceKind::Files if ingest.files.assume_sorted => format!("files `{}`, in order of time", ingest.files.path),
        SourceKind::Files => format!("files `{}`, as one input: windows close at its end", ingest.files.path),
        SourceKind::Simulated => {
            let fleet = &ingest.simulated;
            let (devices, sensors) = (u64::from(fleet.devices), fleet.sensors.len() as u64);
            format!("a simulated fleet of {} with {} each", plural(devices, "device"), plural(sensors, "sensor"))
        }
    }
}

/// What it is, by its own answer.
pub(crate) fn checked(config: &Config, runtime: &Handle) -> anyhow::Result<String> {
    let ingest = &config.ingest;
    Ok(match Input::of(ingest)? {
        Input::Kafka(kafka) => {
            let topic = KafkaSource::check(&kafka, BROKER_TIMEOUT)?;
            match kafka.face {
                Face::Kafka => {
                    let partitions = plural(topic.partitions as u64, "partition");
                    format!("topic `{}` has {partitions} on {}", kafka.topic, plural(topic.brokers as u64, "broker"))
                }
                Face::EventHubs => {
                    let partitions = plural(topic.partitions as u64, "partition");
                    format!("event hub `{}` has {partitions}, by its Kafka endpoint", kafka.topic)
                }
            }
        }
        Input::Hub(hubs) => {
            let hub = EventHubsSource::check(hubs, BROKER_TIMEOUT)?;
            let notes = event_hubs::notes(hubs, &config.storage)?;
            if let Some(notes) = &notes {
                runtime.block_on(notes.checkpoints()).context("look at `ingest.event_hubs.ownership.url`")?;
            }
            let shared = if notes.is_some() { "; instances share them by notes" } else { "" };
            format!("event hub `{}` has {}{shared}", hub.name, plural(hub.partitions.into(), "partition"))
        }
        // Reading it would take it away from the run.
        Input::Files if ingest.files.path == "-" => "standard input".into(),
        Input::Files => {
            let files = ingest::files::FilesSource::new(&ingest.files, &ingest.decode, 1)?;
            format!("{} KiB of files", grouped(files.progress().bytes_total().div_ceil(1024)))
        }
        Input::Simulated => "a simulated fleet needs nothing".into(),
    })
}
