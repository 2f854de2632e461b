//! A process's consumer: it hears of its partitions when it polls (zombies late), reads on where it was started, and now and
//! then is brought what it must not count: records of an earlier start, records below its position.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ingest::kafka::Face;
use ingest::{Anchor, Error, Extent, Held, Polled, Records, Source, Start};
use rand::RngExt;
use types::{PartitionId, Position};

use crate::fleet::SECOND;
use crate::objects::TOPIC;
use crate::scenario::Mutant;
use crate::world::{Shared, World, lock};

pub(crate) struct SimSource {
    world: Shared,
    process: usize,
    life: u32,
    /// The generation of the group that was heard of.
    generation: u64,
    readers: BTreeMap<u32, Reader>,
    /// Polls until the next change of the group is noticed.
    notices_in: u32,
    turn: u32,
}

#[derive(Default)]
struct Reader {
    is_started: bool,
    is_paused: bool,
    next: i64,
    /// The record before `next`, as it was when it was read.
    last: Option<Anchor>,
    version: u64,
    starts: u32,
    /// Fetched for an earlier start, and still on their way: start and position.
    strays: VecDeque<(u32, i64)>,
    /// The next batch begins so far before `next`, as compressed ones do.
    begins_before: i64,
    told_end_at: Option<i64>,
}

impl SimSource {
    pub(crate) fn new(world: &Shared, process: usize) -> Self {
        let life = lock(world).processes[process].life;
        SimSource {
            world: Arc::clone(world),
            process,
            life,
            generation: 0,
            readers: BTreeMap::new(),
            notices_in: 0,
            turn: 0,
        }
    }

    fn is_cut_off(&self, world: &World) -> bool {
        world.now() < world.processes[self.process].broker_cut_until
    }

    fn unreachable() -> Error {
        Error::Unreachable { brokers: "simulated".into(), reason: "cut off".into(), face: Face::Kafka }
    }

    fn ask(&self) -> Result<std::sync::MutexGuard<'_, World>, Error> {
        let world = lock(&self.world);
        if self.is_cut_off(&world) { Err(Self::unreachable()) } else { Ok(world) }
    }

    fn membership(&mut self, world: &mut World) -> Option<Polled> {
        let now = world.now();
        let World { broker, rng, processes, .. } = world;
        let me = (self.process, self.life);
        self.notices_in += std::mem::take(&mut processes[self.process].drowsy);
        let is_news = !broker.is_member(me) || broker.generation != self.generation;
        if is_news && self.generation > 0 && self.notices_in > 0 {
            // It reads on as if nothing had happened.
            self.notices_in -= 1;
            return None;
        }
        broker.heartbeat(rng, me, now);
        if broker.generation == self.generation {
            return None;
        }
        let lost: Vec<u32> = std::mem::take(&mut self.readers).into_keys().collect();
        if !lost.is_empty() {
            return Some(Polled::Lost(lost.into_iter().map(id).collect()));
        }
        self.generation = broker.generation;
        self.notices_in = if rng.random_bool(0.2) { rng.random_range(1..15) } else { 0 };
        let gained = broker.assigned(me);
        self.readers = gained.iter().map(|index| (*index, Reader::default())).collect();
        Some(Polled::Gained(gained.into_iter().map(id).collect()))
    }

    fn fetch(&mut self, world: &mut World) -> Result<Option<Polled>, Error> {
        let count = world.broker.partitions.len() as u32;
        for step in 0..count {
            let index = (self.turn + step) % count;
            let Some(reader) = self.readers.get_mut(&index).filter(|reader| reader.is_started && !reader.is_paused)
            else {
                continue;
            };
            reader.verify(world, index)?;
            let polled = reader.stray(world, index).or_else(|| reader.records(world, index));
            if polled.is_some() {
                self.turn = index + 1;
                return Ok(polled);
            }
        }
        for (index, reader) in &mut self.readers {
            if let Some(position) = reader.end(world, *index) {
                return Ok(Some(Polled::CaughtUp { partition: id(*index), position }));
            }
        }
        Ok(None)
    }
}

pub(crate) fn id(index: u32) -> PartitionId {
    PartitionId { topic: TOPIC.into(), index }
}

impl Reader {
    /// A client notices that the log lost what it has read, before it reads on.
    fn verify(&mut self, world: &World, index: u32) -> Result<(), Error> {
        let held = &world.broker.partitions[index as usize];
        if held.version == self.version {
            return Ok(());
        }
        let partition = id(index);
        let (position, high) = (Position(self.next), Position(held.high()));
        let contradiction = match (self.last, self.last.map(|last| held.held(last.position))) {
            _ if position > high => Some(Error::PositionAhead { partition, position, high }),
            (Some(read), Some(Held::Record(found))) if found != read => {
                Some(Error::Rewritten { partition, read, found })
            }
            _ => None,
        };
        if let Some(error) = contradiction {
            self.is_started = false;
            return Err(error);
        }
        self.version = held.version;
        Ok(())
    }

    fn stray(&mut self, world: &mut World, index: u32) -> Option<Polled> {
        while let Some((start, position)) = self.strays.pop_front() {
            world.broker.strays_sent += 1;
            if start != self.starts && world.scenario.mutant != Some(Mutant::Generations) {
                continue;
            }
            let held = &world.broker.partitions[index as usize];
            let Some(raw) = held.raw(position) else { continue };
            let mut records = Records::new(id(index));
            records.push(raw);
            world.note(format_args!("stray {index}@{position}"));
            return Some(Polled::Records(records));
        }
        None
    }

    fn records(&mut self, world: &mut World, index: u32) -> Option<Polled> {
        let World { broker, rng, .. } = world;
        let held = &broker.partitions[index as usize];
        if self.next >= held.high() {
            return None;
        }
        let end = held.high().min(self.next + rng.random_range(1..60));
        let from = (self.next - std::mem::take(&mut self.begins_before)).max(0);
        broker.repeats_sent += u64::from(from < self.next);
        let mut records = Records::new(id(index));
        for position in from..end {
            if let Some(raw) = held.raw(position) {
                records.push(raw);
            }
        }
        self.next = end;
        self.last = held.anchor(end - 1);
        Some(Polled::Records(records))
    }

    fn end(&mut self, world: &World, index: u32) -> Option<Position> {
        let now = world.now();
        let is_told = self.told_end_at.is_some_and(|told| now - told < SECOND);
        let held = &world.broker.partitions[index as usize];
        if !self.is_started || self.is_paused || is_told || self.next < held.high() {
            return None;
        }
        self.told_end_at = Some(now);
        Some(Position(self.next))
    }
}

impl Source for SimSource {
    fn poll(&mut self, _: Duration) -> Result<Polled, Error> {
        let world = Arc::clone(&self.world);
        let mut world = lock(&world);
        if self.is_cut_off(&world) {
            return Ok(Polled::Idle);
        }
        let polled = match self.membership(&mut world) {
            Some(news) => Ok(news),
            None => self.fetch(&mut world).map(|polled| polled.unwrap_or(Polled::Idle)),
        };
        let (process, life) = (self.process, self.life);
        match &polled {
            Ok(Polled::Idle | Polled::CaughtUp { .. } | Polled::Ended { .. }) => {}
            Ok(Polled::Gained(partitions)) => {
                let gained: Vec<u32> = partitions.iter().map(|partition| partition.index).collect();
                world.note(format_args!("{process}.{life} gained {gained:?}"));
            }
            Ok(Polled::Lost(partitions)) => {
                world.note(format_args!("{process}.{life} lost {} partitions", partitions.len()));
            }
            Ok(Polled::Records(records)) => {
                let (index, next) = (records.partition().index, records.next());
                world.note(format_args!("{process}.{life} reads {index}: {} up to {next}", records.len()));
            }
            Err(error) => world.note(format_args!("{process}.{life} {error}")),
        }
        polled
    }

    fn resolve(&mut self, _: &PartitionId, _: Start) -> Result<Position, Error> {
        self.ask().map(|_| Position(0))
    }

    fn start(&mut self, partition: &PartitionId, position: Position) -> Result<(), Error> {
        let world = Arc::clone(&self.world);
        let mut world = lock(&world);
        if self.is_cut_off(&world) {
            return Err(Self::unreachable());
        }
        let not_ours = || Error::NotAssigned { partition: partition.clone() };
        let reader = self.readers.get_mut(&partition.index).ok_or_else(not_ours)?;
        let World { broker, rng, .. } = &mut *world;
        let held = &broker.partitions[partition.index as usize];
        let Extent { high, .. } = held.extent();
        if position > high {
            return Err(Error::PositionAhead { partition: partition.clone(), position, high });
        }
        if rng.random_bool(0.3) {
            // Fetched before, anywhere near.
            let from = (position.0 + rng.random_range(-10..30)).max(0);
            let count = rng.random_range(1..4);
            reader.strays.extend((from..from + count).map(|stray| (reader.starts, stray)));
        }
        reader.starts += 1;
        reader.is_started = true;
        reader.is_paused = false;
        reader.next = position.0;
        reader.last = held.anchor(position.0 - 1);
        reader.version = held.version;
        reader.begins_before = if rng.random_bool(0.3) { rng.random_range(1..6) } else { 0 };
        reader.told_end_at = None;
        let (process, life) = (self.process, self.life);
        world.note(format_args!("{process}.{life} starts {partition} at {position}"));
        Ok(())
    }

    fn stop(&mut self, partition: &PartitionId) {
        if let Some(reader) = self.readers.get_mut(&partition.index) {
            reader.is_started = false;
            reader.is_paused = false;
        }
    }

    fn partitions(&mut self) -> Result<Option<u32>, Error> {
        self.ask().map(|world| Some(world.broker.partitions.len() as u32))
    }

    fn extent(&mut self, partition: &PartitionId) -> Result<Option<Extent>, Error> {
        self.ask().map(|world| Some(world.broker.partitions[partition.index as usize].extent()))
    }

    fn record_at(&mut self, partition: &PartitionId, position: Position) -> Result<Held, Error> {
        self.ask().map(|world| world.broker.partitions[partition.index as usize].held(position.0))
    }

    fn pause(&mut self, partition: &PartitionId) {
        if let Some(reader) = self.readers.get_mut(&partition.index) {
            reader.is_paused = true;
        }
    }

    fn resume(&mut self, partition: &PartitionId) {
        if let Some(reader) = self.readers.get_mut(&partition.index) {
            reader.is_paused = false;
        }
    }

    fn acknowledge(&mut self, _: &PartitionId, _: Position, _: Option<&str>) {}

    fn leave(&mut self) {
        let World { broker, rng, .. } = &mut *lock(&self.world);
        broker.leave(rng, (self.process, self.life));
        self.readers.clear();
    }
}
