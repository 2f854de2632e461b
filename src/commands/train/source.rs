//! From the configured source, read to its present end, to a history: decoder and windows are those of the service.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use aggregate::{Arrival, Close, Windows};
use anyhow::{Context, bail};
use config::Config;
use ingest::decode::{Decoded, Decoder};
use ingest::{Bound, Polled, Records, SourceKind};
use types::{Micros, PartitionId, Reading};

use super::exclude::Excluded;
use super::history::History;
use crate::commands::input;
use crate::commands::output::grouped;
use crate::commands::progress::Counter;
use crate::runtime::Runtime;
use crate::shutdown::Shutdown;

/// Closed windows that may wait before they are taken into the history.
const WAITING_MAX: usize = 50_000;
/// How long a topic may stay silent before we give up.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Which part of the input is wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Windows before it are left out.
    pub(crate) from: Option<Micros>,
    /// Windows that end after it are left out.
    pub(crate) until: Option<Micros>,
    /// Records of each device that are read, the first ones.
    pub(crate) records: Option<u64>,
    pub(crate) excluded: Excluded,
    /// Devices are dealt out to so many shards, of which this one is wanted.
    pub(crate) shard: (u64, u64),
}

impl Wanted {
    pub(crate) fn window(&self, device: &str, start: Micros, end: Micros) -> bool {
        self.from.is_none_or(|from| from <= start)
            && self.until.is_none_or(|until| end <= until)
            && !self.excluded.touches(device, start, end)
            && self.device(device)
    }

    pub(crate) fn device(&self, device: &str) -> bool {
        let (shard, shards) = self.shard;
        if shards == 1 {
            return true;
        }
        let mut hasher = DefaultHasher::new();
        device.hash(&mut hasher);
        hasher.finish() % shards == shard
    }
}

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Read {
    pub(crate) records: u64,
    pub(crate) readings: u64,
    /// Records and readings that were refused, late or malformed.
    pub(crate) refused: u64,
}

impl Read {
    /// For the question why so little came of it.
    pub(super) fn text(self) -> String {
        let Read { records, readings, refused } = self;
        let [records, readings, refused] = [records, readings, refused].map(grouped);
        format!(
            "of {records} records with {readings} readings, {refused} refused; `--since` and `--until` bound what counts"
        )
    }
}

/// Reads the source to its end.
pub(crate) fn read(
    config: &Config,
    wanted: &Wanted,
    history: &mut History,
    counter: &Counter,
    shutdown: &Shutdown,
) -> anyhow::Result<Read> {
    let mut config = config.clone();
    input::apart(&mut config, "train");
    let files = config.ingest.source == SourceKind::Files;
    let runtime = Runtime::new()?;
    let sources = input::sources(&config, Bound::PresentEnd, runtime.handle())?;
    let (partitions, share) = (sources.partitions, sources.share());
    let mut source = sources.sources.into_iter().next().context("the source has no partitions")?;
    let mut fold = Fold {
        decoder: Decoder::new(&config.ingest.decode).context("read `ingest.decode`")?,
        settings: config.aggregate.settings(files, config.ingest.files.assume_sorted).context("read `aggregate`")?,
        windows: HashMap::new(),
        wanted,
        history,
        seen: HashMap::new(),
        read: Read::default(),
    };
    let (mut ended, mut last) = (0, Instant::now());
    while ended < partitions {
        if shutdown.requested() {
            bail!("interrupted");
        }
        match source.poll(Duration::from_millis(100)).context("read from the source")? {
            Polled::Lost(lost) => return Err(input::taken(&config.ingest, &lost)),
            Polled::Idle | Polled::CaughtUp { .. } => {
                if !files && last.elapsed() > SILENCE_MAX {
                    bail!(
                        "{ended} of {partitions} partitions were read to their end, and nothing came for {} s\n\
                         The brokers may be away or slow, or may refuse to let this user read the topic; look for warnings above, \
                         and try again",
                        SILENCE_MAX.as_secs()
                    );
                }
                continue;
            }
            Polled::Gained(gained) => {
                for partition in gained {
                    let position = source.resolve(&partition, config.ingest.start)?;
                    source.start(&partition, position)?;
                }
            }
            Polled::Ended { partition, .. } => {
                ended += 1;
                fold.end(&partition);
            }
            Polled::Records(records) => {
                fold.records(&records);
                counter.set(fold.read.records);
                counter.set_share(share().unwrap_or(ended as f64 / partitions.max(1) as f64));
            }
        }
        last = Instant::now();
    }
    source.leave();
    Ok(fold.read)
}

struct Fold<'a> {
    decoder: Decoder,
    settings: aggregate::Settings,
    windows: HashMap<PartitionId, Windows>,
    wanted: &'a Wanted,
    history: &'a mut History,
    /// Records of each device, where only the first ones count.
    seen: HashMap<String, u64>,
    read: Read,
}

impl Fold<'_> {
    fn records(&mut self, records: &Records) {
        self.decoder.begin(records);
        let Fold { decoder, settings, windows, wanted, history, seen, read } = self;
        let windows = windows.entry(records.partition().clone()).or_insert_with(|| Windows::new(*settings));
        // With a clock of their own devices do not know of one another, so that those of other shards need not be held.
        let own_clocks = settings.clock == aggregate::Clock::Device;
        let mut refused = Vec::new();
        for (number, raw) in records.iter().enumerate() {
            read.records += 1;
            let arrival = Arrival { position: raw.position, broker_time: raw.broker_time, wall: None };
            let Some(payload) = raw.payload else {
                windows.tombstone(arrival);
                continue;
            };
            let counts = |device: &str| !own_clocks || wanted.device(device);
            match decoder.decode_given(payload, records.given(number)) {
                Decoded::One(reading) => {
                    let counts = counts(reading.device) && within(wanted.records, seen, std::iter::once(reading));
                    windows.observe(arrival, Some(reading).filter(|_| counts).into_iter(), &mut refused);
                    read.readings += 1;
                }
                Decoded::Many(many) => {
                    let readings = || many.iter().map(|(_, reading)| reading);
                    let within = within(wanted.records, seen, readings());
                    windows.observe(arrival, readings().filter(|r| within && counts(r.device)), &mut refused);
                    read.readings += many.len() as u64;
                    read.refused += many.rejects().len() as u64;
                }
                Decoded::Reject(_) => {
                    windows.undecodable(arrival);
                    read.refused += 1;
                }
            }
            read.refused += refused.len() as u64;
            refused.clear();
            if windows.closed().len() > WAITING_MAX {
                history.take(windows, &|device, start, end| wanted.window(device, start, end));
            }
        }
    }

    fn end(&mut self, partition: &PartitionId) {
        let Some(mut windows) = self.windows.remove(partition) else { return };
        windows.end(Close::All);
        self.history.take(&mut windows, &|device, start, end| self.wanted.window(device, start, end));
    }
}

/// Counts the record for its devices; whether it is among the first ones of all of them.
fn within<'a>(most: Option<u64>, seen: &mut HashMap<String, u64>, readings: impl Iterator<Item = Reading<'a>>) -> bool {
    let Some(most) = most else { return true };
    let mut within = true;
    let mut last: Option<&str> = None;
    for reading in readings {
        // The readings of a device lie side by side.
        if last.replace(reading.device) == Some(reading.device) {
            continue;
        }
        let count = match seen.get_mut(reading.device) {
            Some(count) => count,
            None => seen.entry(reading.device.to_owned()).or_default(),
        };
        *count += 1;
        within &= *count <= most;
    }
    within
}
