//! The records of a fleet in order of arrival, generated as they are asked for.
//!
//! Devices are visited in order of true time; what they send waits in a heap until nothing can arrive before it any
//! more. So memory holds what is on its way (backlogs of outages among it) and never the run.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use types::Micros;

use super::config::Moment;
use super::device::{Device, Sent};
use super::fleet::{Fleet, Plan};

/// One record of the fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    pub partition: u32,
    /// Its number in its partition, from 0.
    pub number: i64,
    /// When the broker takes it, in whole milliseconds.
    pub arrival: Micros,
    pub device: u32,
    pub sensor: u32,
    /// Event time, by the device's clock, in whole milliseconds.
    pub time: Micros,
    pub value: f64,
    pub content: Content,
    /// The value as its text without the point.
    pub(super) shown: i64,
    pub(super) decimals: u8,
}

/// Whether a record is a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Reading,
    /// A copy of the reading before it, spoilt.
    Malformed(Damage),
}

/// What is wrong with a malformed record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It ends too early.
    Cut,
    MissingValue,
    TextValue,
    BadTime,
}

impl Damage {
    pub(crate) const ALL: [Damage; 4] = [Damage::Cut, Damage::MissingValue, Damage::TextValue, Damage::BadTime];
}

// === one partition ===

/// The records of one partition in order of arrival.
pub struct PartitionEvents {
    plan: Arc<Plan>,
    partition: u32,
    /// By phase: in this order their moments follow each other.
    devices: Vec<Device>,
    /// The next device to visit, and the beginning of the interval it is visited in.
    cursor: usize,
    interval_start: Micros,
    waiting: BinaryHeap<Reverse<Waiting>>,
    sent: u64,
    number: i64,
}

impl PartitionEvents {
    pub(super) fn new(plan: Arc<Plan>, partition: u32) -> Self {
        let members = plan.members.get(partition as usize).map_or(&[][..], Vec::as_slice);
        let mut devices: Vec<Device> = members.iter().map(|device| Device::new(&plan, *device)).collect();
        devices.sort_by_key(|device| (device.phase, device.index));
        let interval_start = plan.config.start.0;
        PartitionEvents {
            plan,
            partition,
            devices,
            cursor: 0,
            interval_start,
            waiting: BinaryHeap::new(),
            sent: 0,
            number: 0,
        }
    }

    /// The next moment at which a device reads; none after the end of the run.
    fn next_moment(&self) -> Option<Micros> {
        let moment = self.interval_start + self.devices.get(self.cursor)?.phase;
        (moment < self.plan.end).then_some(moment)
    }

    fn visit(&mut self, moment: Micros) {
        let device = &mut self.devices[self.cursor];
        let (waiting, order, index) = (&mut self.waiting, &mut self.sent, device.index);
        let from = self.plan.config.recorded_from.map_or(Micros::MIN, |Moment(from)| from);
        device.tick(&self.plan, moment, |sent| {
            if sent.time < from {
                return;
            }
            waiting.push(Reverse(Waiting { order: *order, device: index, sent }));
            *order += 1;
        });
        self.cursor += 1;
        if self.cursor == self.devices.len() {
            self.cursor = 0;
            self.interval_start += self.plan.config.interval.micros();
        }
    }
}

impl Iterator for PartitionEvents {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        // Nothing arrives before it is read, so whatever arrives before the next reading is in its place.
        while let Some(moment) = self.next_moment() {
            if self.waiting.peek().is_some_and(|Reverse(first)| first.sent.arrival < moment) {
                break;
            }
            self.visit(moment);
        }
        let Reverse(Waiting { device, sent, .. }) = self.waiting.pop()?;
        let profile = &self.plan.profiles[sent.sensor as usize];
        let number = self.number;
        self.number += 1;
        Some(Event {
            partition: self.partition,
            number,
            arrival: sent.arrival,
            device,
            sensor: sent.sensor,
            time: sent.time,
            value: sent.shown as f64 / profile.steps(),
            content: sent.content,
            shown: sent.shown,
            decimals: profile.decimals,
        })
    }
}

/// A record on its way: first by arrival, then in the order of sending.
struct Waiting {
    order: u64,
    device: u32,
    sent: Sent,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.sent.arrival, self.order).cmp(&(other.sent.arrival, other.order))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

// === the whole fleet ===

/// The records of all partitions in order of arrival.
pub struct Events {
    partitions: Vec<PartitionEvents>,
    /// The next record of each partition that has one.
    heads: Vec<Option<Event>>,
    queue: BinaryHeap<Reverse<(Micros, usize)>>,
}

impl Events {
    pub(super) fn new(fleet: &Fleet) -> Self {
        let mut partitions: Vec<_> = (0..fleet.config().partitions).map(|index| fleet.partition(index)).collect();
        let heads: Vec<_> = partitions.iter_mut().map(Iterator::next).collect();
        let first = |(index, head): (usize, &Option<Event>)| head.map(|event| Reverse((event.arrival, index)));
        let queue = heads.iter().enumerate().filter_map(first).collect();
        Events { partitions, heads, queue }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let Reverse((_, index)) = self.queue.pop()?;
        let event = self.heads[index].take()?;
        self.heads[index] = self.partitions[index].next();
        if let Some(next) = self.heads[index] {
            self.queue.push(Reverse((next.arrival, index)));
        }
        Some(event)
    }
}
