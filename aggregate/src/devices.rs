//! What is known of each device, by dense index: its clock, its series, and when it was last named.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use types::{Micros, SeriesNames};

use crate::alarms::Places;
use crate::clock::{EventClock, NEVER};
use crate::interner::{NONE, Series};

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) clock: EventClock,
    /// L in the specification: the arrival clock when a record last named the device.
    pub(crate) named_at: Micros,
    /// End of its oldest open window, `Micros::MAX` if none is open. Kept with device clocks only.
    pub(crate) oldest_end: Micros,
    /// When its alarm rings; the true moment may be later. `Micros::MAX` without an alarm.
    pub(crate) alarm: Micros,
    alarm_place: u32,
    /// The first of its series; each device has one.
    pub(crate) series: u32,
    /// Its place among those that the present record names.
    pub(crate) touch: u32,
    pub(crate) open: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Devices {
    table: HashTable<u32>,
    hasher: RandomState,
    list: Vec<Device>,
    free: Vec<u32>,
}

impl Devices {
    /// Names are kept once, with the series: a device is named by its first one.
    pub(crate) fn find(&self, device: &str, names: &Series) -> Option<u32> {
        let hash = self.hasher.hash_one(device);
        self.table.find(hash, |&other| names.device(self.list[other as usize].series) == device).copied()
    }

    /// Adds an unknown device with its first series.
    pub(crate) fn insert(&mut self, series: u32, clock: EventClock, names: &Series) -> u32 {
        let entry = Device {
            clock,
            named_at: NEVER,
            oldest_end: Micros::MAX,
            alarm: Micros::MAX,
            alarm_place: NONE,
            series,
            touch: NONE,
            open: 0,
        };
        let device = if let Some(device) = self.free.pop() {
            self.list[device as usize] = entry;
            device
        } else {
            self.list.push(entry);
            // There are at most as many devices as series, whose indices are u32.
            (self.list.len() - 1) as u32
        };
        let Devices { table, hasher, list, .. } = self;
        table.insert_unique(hasher.hash_one(names.device(series)), device, |&other| {
            hasher.hash_one(names.device(list[other as usize].series))
        });
        device
    }

    /// Before its series are forgotten: their names lead to it.
    pub(crate) fn remove(&mut self, device: u32, names: &Series) {
        let hash = self.hasher.hash_one(names.device(self.get(device).series));
        if let Ok(entry) = self.table.find_entry(hash, |&other| other == device) {
            entry.remove();
            self.get_mut(device).series = NONE;
            self.free.push(device);
        }
    }

    #[inline]
    pub(crate) fn get(&self, device: u32) -> &Device {
        &self.list[device as usize]
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, device: u32) -> &mut Device {
        &mut self.list[device as usize]
    }

    pub(crate) fn known(&self) -> usize {
        self.table.len()
    }

    /// Indices of the known devices, in rising order.
    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> {
        self.list.iter().enumerate().filter(|(_, device)| device.series != NONE).map(|(index, _)| index as u32)
    }

    /// One more than the largest index ever given.
    pub(crate) fn capacity(&self) -> u32 {
        self.list.len() as u32
    }
}

impl Places for Devices {
    fn place(&mut self, device: u32) -> &mut u32 {
        &mut self.get_mut(device).alarm_place
    }
}
