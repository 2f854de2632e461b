//! The simulated fleet as a source: partitions that can be read from any position, at any pace.
//!
//! A partition is regenerated from its beginning and skipped to the position asked for; nothing is kept.

use std::iter::Peekable;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use types::{Micros, PartitionId, Position};

use crate::{Anchor, Error, Held, Polled, RawRecord, Records, Source, Start};

use super::config::Config;
use super::encode::Encoder;
use super::fleet::{Fleet, partition_of};
use super::stream::{Event, PartitionEvents};

/// The furthest position of an endless fleet that is looked for: some minutes of generating.
const SKIP_MAX: i64 = 1_000_000_000;
const CAUGHT_UP_EVERY: Duration = Duration::from_secs(1);

/// One worker's partitions of a simulated fleet: those whose index modulo the workers is the worker's.
pub struct SimulatedSource {
    pub(super) fleet: Fleet,
    encoder: Encoder,
    batch_records: usize,
    pace: Pace,
    announced: bool,
    partitions: Vec<Partition>,
    /// Whose turn it is.
    turn: usize,
    /// Buffers of a record being written.
    key: Vec<u8>,
    payload: Vec<u8>,
}

struct Partition {
    id: PartitionId,
    state: State,
    paused: bool,
}

enum State {
    Gained,
    Reading(Box<Reading>),
    Ended,
}

struct Reading {
    events: Peekable<PartitionEvents>,
    /// The next record's.
    position: i64,
    pacer: Pacer,
    caught_up: Option<Instant>,
}

impl SimulatedSource {
    /// # Errors
    /// If a setting makes no fleet.
    pub fn new(config: &Config, worker: usize, workers: usize, batch_records: usize) -> Result<Self, Error> {
        let fleet = Fleet::new(config)?;
        let topic: Arc<str> = topic(config).into();
        let partitions = (0..config.partitions)
            .filter(|index| *index as usize % workers.max(1) == worker)
            .map(|index| Partition {
                id: PartitionId { topic: Arc::clone(&topic), index },
                state: State::Gained,
                paused: false,
            })
            .collect();
        Ok(SimulatedSource {
            encoder: Encoder::new(&fleet),
            batch_records: batch_records.max(1),
            pace: Pace::of(config),
            announced: false,
            partitions,
            turn: 0,
            key: Vec::new(),
            payload: Vec::new(),
            fleet,
        })
    }

    fn encode(&mut self, event: &Event) -> RawRecord<'_> {
        let (key, payload) = (&mut self.key, &mut self.payload);
        key.clear();
        payload.clear();
        self.encoder.key(event, key);
        self.encoder.json(event, payload);
        RawRecord { position: event.number, broker_time: Some(event.arrival), key, payload: Some(payload) }
    }

    fn find(&mut self, id: &PartitionId) -> Result<&mut Partition, Error> {
        let found = self.partitions.iter_mut().find(|partition| partition.id == *id);
        found.ok_or_else(|| Error::NotAssigned { partition: id.clone() })
    }

    /// What the partition has to say now; `Err` with the time until it may.
    fn poll_partition(&mut self, index: usize) -> Result<Polled, Option<Duration>> {
        let partition = &mut self.partitions[index];
        let State::Reading(reading) = &mut partition.state else { return Err(None) };
        if partition.paused {
            return Err(None);
        }
        if reading.events.peek().is_none() {
            let polled = Polled::Ended { partition: partition.id.clone(), position: Position(reading.position) };
            partition.state = State::Ended;
            return Ok(polled);
        }
        let mut records = Records::new(partition.id.clone());
        let due = reading.pacer.due();
        while records.len() < self.batch_records
            && let Some(event) = reading.events.next_if(|event| due.allows(event.arrival, records.len()))
        {
            self.key.clear();
            self.payload.clear();
            self.encoder.key(&event, &mut self.key);
            self.encoder.json(&event, &mut self.payload);
            records.push(RawRecord {
                position: event.number,
                broker_time: Some(event.arrival),
                key: &self.key,
                payload: Some(&self.payload),
            });
        }
        if !records.is_empty() {
            reading.position = records.next().0;
            reading.pacer.handed_over(records.len());
            return Ok(Polled::Records(records));
        }
        let now = Instant::now();
        let silent = reading.caught_up.is_none_or(|last| now.duration_since(last) >= CAUGHT_UP_EVERY);
        if self.fleet.config().endless() && silent {
            reading.caught_up = Some(now);
            return Ok(Polled::CaughtUp { partition: partition.id.clone(), position: Position(reading.position) });
        }
        let next = reading.events.peek().map_or(Micros::MAX, |event| event.arrival);
        Err(Some(reading.pacer.until(next)))
    }
}

impl Source for SimulatedSource {
    fn poll(&mut self, wait: Duration) -> Result<Polled, Error> {
        if !self.announced {
            self.announced = true;
            return Ok(Polled::Gained(self.partitions.iter().map(|partition| partition.id.clone()).collect()));
        }
        let mut pause = wait;
        for _ in 0..self.partitions.len() {
            self.turn = (self.turn + 1) % self.partitions.len();
            match self.poll_partition(self.turn) {
                Ok(polled) => return Ok(polled),
                Err(due) => pause = pause.min(due.unwrap_or(wait)),
            }
        }
        thread::park_timeout(pause);
        Ok(Polled::Idle)
    }

    fn resolve(&mut self, partition: &PartitionId, start: Start) -> Result<Position, Error> {
        self.find(partition)?;
        let count = |events: &mut dyn Iterator<Item = Event>| {
            let count = events.take(usize::try_from(SKIP_MAX).unwrap_or(usize::MAX)).count();
            Ok(Position(i64::try_from(count).unwrap_or(i64::MAX)))
        };
        let mut events = self.fleet.partition(partition.index);
        match start {
            Start::Earliest => Ok(Position(0)),
            // The latest record of a fleet that never ends is the first one: it begins now.
            Start::Latest if self.fleet.config().endless() => Ok(Position(0)),
            Start::Latest => count(&mut events),
            Start::Time(time) => count(&mut events.take_while(|event| event.arrival < time)),
        }
    }

    fn start(&mut self, id: &PartitionId, position: Position) -> Result<(), Error> {
        let mut events = self.fleet.partition(id.index);
        let pace = self.pace;
        let (run_start, is_cut) = (self.fleet.config().start.0, self.fleet.config().recorded_from.is_some());
        let partition = self.find(id)?;
        let skipped = (0..position.0.min(SKIP_MAX)).take_while(|_| events.next().is_some()).count();
        let skipped = i64::try_from(skipped).unwrap_or(i64::MAX);
        if skipped < position.0 {
            return Err(Error::PositionAhead { partition: id.clone(), position, high: Position(skipped) });
        }
        let mut events = events.peekable();
        let begin = match events.peek() {
            Some(event) if skipped > 0 || is_cut => event.arrival,
            _ => run_start,
        };
        let pacer = Pacer { pace, started: Instant::now(), begin, handed_over: 0 };
        partition.state = State::Reading(Box::new(Reading { events, position: skipped, pacer, caught_up: None }));
        partition.paused = false;
        Ok(())
    }

    fn stop(&mut self, partition: &PartitionId) {
        if let Ok(partition) = self.find(partition)
            && !matches!(partition.state, State::Gained)
        {
            partition.state = State::Gained;
            partition.paused = false;
        }
    }

    fn partitions(&mut self) -> Result<Option<u32>, Error> {
        Ok(Some(self.fleet.config().partitions))
    }

    /// Generated once more, and worth it: another version of this program may generate other records.
    fn record_at(&mut self, id: &PartitionId, position: Position) -> Result<Held, Error> {
        if id.index >= self.fleet.config().partitions {
            return Err(Error::NoPartition { partition: id.clone() });
        }
        let number = usize::try_from(position.0).ok().filter(|_| position.0 < SKIP_MAX);
        let Some(event) = number.and_then(|number| self.fleet.partition(id.index).nth(number)) else {
            return Ok(Held::Nothing);
        };
        Ok(Held::Record(Anchor::of(&self.encode(&event))))
    }

    fn pause(&mut self, partition: &PartitionId) {
        if let Ok(partition) = self.find(partition) {
            partition.paused = true;
        }
    }

    fn resume(&mut self, partition: &PartitionId) {
        if let Ok(partition) = self.find(partition) {
            partition.paused = false;
        }
    }

    fn acknowledge(&mut self, _: &PartitionId, _: Position, _: Option<&str>) {}

    fn leave(&mut self) {
        self.partitions.clear();
    }
}

/// A name for what this configuration generates: other records, another name, so that no state is resumed on them.
fn topic(config: &Config) -> String {
    let records = Config { rate: 0.0, speed: 0.0, ..config.clone() };
    let settings = serde_json::to_vec(&records).unwrap_or_default();
    format!("simulated-{}-{:08x}", config.seed, partition_of(&settings, u32::MAX))
}

// === pace ===

/// How fast one partition is played.
#[derive(Debug, Clone, Copy)]
enum Pace {
    Free,
    /// Records per second of wall time.
    Rate(f64),
    /// Seconds of arrival time per second of wall time.
    Speed(f64),
}

impl Pace {
    fn of(config: &Config) -> Self {
        if config.rate > 0.0 {
            Pace::Rate(config.rate / f64::from(config.partitions))
        } else if config.speed > 0.0 {
            Pace::Speed(config.speed)
        } else {
            Pace::Free
        }
    }
}

/// Says what is due; wall time is only ever a span since the partition was started.
struct Pacer {
    pace: Pace,
    started: Instant,
    /// Arrival time that goes with `started`.
    begin: Micros,
    handed_over: usize,
}

/// What may be handed over at this moment.
enum Due {
    Everything,
    Records(usize),
    Until(Micros),
}

impl Due {
    #[inline]
    fn allows(&self, arrival: Micros, already: usize) -> bool {
        match self {
            Due::Everything => true,
            Due::Records(records) => already < *records,
            Due::Until(time) => arrival <= *time,
        }
    }
}

impl Pacer {
    fn due(&self) -> Due {
        let elapsed = self.started.elapsed().as_secs_f64();
        match self.pace {
            Pace::Free => Due::Everything,
            Pace::Rate(rate) => Due::Records(((elapsed * rate) as usize).saturating_sub(self.handed_over)),
            Pace::Speed(speed) => Due::Until(self.begin.saturating_add((elapsed * speed * 1e6) as Micros)),
        }
    }

    fn handed_over(&mut self, records: usize) {
        self.handed_over += records;
    }

    /// How long until the next record, which arrives at this time, is due.
    fn until(&self, arrival: Micros) -> Duration {
        let elapsed = self.started.elapsed().as_secs_f64();
        let at = match self.pace {
            Pace::Free => return Duration::ZERO,
            Pace::Rate(rate) => (self.handed_over + 1) as f64 / rate,
            Pace::Speed(speed) => arrival.saturating_sub(self.begin) as f64 / 1e6 / speed,
        };
        // A millisecond at least, so that rounding never makes a busy loop.
        Duration::try_from_secs_f64(at - elapsed).unwrap_or_default().max(Duration::from_millis(1))
    }
}
