//! Writes the whole state as bytes; `restore` reads them.
//!
//! Layout, version 2. `number` is a u64 of seven bits a byte, the lowest first, all but the last byte with their highest bit set;
//! `text` = number of bytes + UTF-8; other integers are little-endian, `f64` as its bits. `time` is a number: 0 for none,
//! else 1 + twice the distance from a base (for a distance d below 0: 1 + twice -d, less one), in microseconds; `bound` is the same in
//! windows. Numbers once given to a meaning keep it; another layout is another version, and each is read for ever.
//!
//! ```text
//! magic     8 bytes "ATALWIND"; version u16
//! settings  window i64, offset i64 (its remainder by window), clock u8 (0 device, 1 partition)
//! partition position: flag u8, i64; arrival clock: now time, first time; floor bound; not_before bound; until bound (all from 0);
//!           shared clock
//! tally     13 x number, in the order of `Tally`
//! devices   count number, each:
//!             name text, named_at time (from now), clock (with device clocks only), series: count number (from 1 up), each:
//!               sensor text, closed_end bound, closed_mean f64 (if there is a closed_end),
//!               open windows: count number, each, in rising order: start bound, aggregates
//! forgotten count number, each: device text, sensor text (series that only closed rows refer to)
//! rows      count number, each:
//!             series number (counted through devices, then forgotten), start bound (from the row before), aggregates,
//!             delta: flag u8, f64 if set; closed_by u8
//!
//! clock       newest time (from now), moved_at time (from named_at), closed_to bound,
//!             closed_by u8 (0 device, 1 silence, 2 partition, 3 drain, 4 floor)
//! aggregates  shape u8: 1: of one reading: value f64; else the sum of 2 min is first, 4 min is last, 8 max is first,
//!             16 max is last: count number; sum, mean, m2, first, last: f64; min, max: f64, unless the shape says it
//! ```
//!
//! A missing base counts as 0. Bounds are from the window that holds their clock's newest time, the first row's start from the one
//! that holds now. In version 1 all numbers are fixed: counts u32, times and bounds i64 (`i64::MIN` for none), tally 10 x u64;
//! there are no boundaries and no shapes, closed_mean and delta are always there, and aggregates have first and last at the end.

use types::{Micros, SeriesNames};

use crate::Clock;
use crate::clock::{EventClock, NEVER};
use crate::codec::Writer;
use crate::grid::Grid;
use crate::interner::NONE;
use crate::slots::Window;
use crate::windows::Windows;

pub(crate) const MAGIC: &[u8; 8] = b"ATALWIND";
pub(crate) const VERSION: u16 = 2;

/// What is learnt on the way through the whole state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotFacts {
    /// Everything before this time has been taken, save for devices that upload later: the start of the oldest window that is
    /// open or not yet taken, else of the arrival clock's window; never beyond the boundary of a drain.
    pub complete_to: Option<Micros>,
    pub open_windows: usize,
    pub pending_rows: usize,
    pub pending_readings: u64,
}

/// What times and bounds are written relative to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bases {
    pub(crate) time: Micros,
    pub(crate) bound: Micros,
}

impl Bases {
    pub(crate) fn new(time: Option<Micros>, grid: Grid) -> Bases {
        let time = time.filter(|time| *time != NEVER).unwrap_or(0);
        Bases { time, bound: grid.start_of(time) }
    }

    /// For the bounds that belong to a clock.
    pub(crate) fn of_clock(self, clock: &EventClock, grid: Grid) -> Bases {
        if clock.newest == NEVER { self } else { Bases { bound: grid.start_of(clock.newest), ..self } }
    }
}

impl Windows {
    /// Appends the whole state, rows not yet taken included.
    pub fn snapshot(&self, out: &mut Vec<u8>) -> SnapshotFacts {
        let mut writer = Writer(out);
        self.write_head(&mut writer);
        let mut numbers = vec![NONE; self.names.indices()];
        let (known, oldest_open) = self.write_devices(&mut writer, &mut numbers);
        self.write_forgotten(&mut writer, &mut numbers, known);
        self.write_rows(&mut writer, &numbers);
        SnapshotFacts {
            complete_to: self.complete_to(oldest_open),
            open_windows: self.open_windows,
            pending_rows: self.closed.len(),
            pending_readings: self.pending_readings(),
        }
    }

    /// The series that a snapshot holds, in its order: what is kept of series elsewhere can be written by number, and found again
    /// after a restart, where indices are others and this order is the same.
    pub fn series_in_state(&self) -> impl Iterator<Item = u32> {
        let known = self.devices.indices().flat_map(|index| self.series_of(index));
        let mut seen = vec![false; self.names.indices()];
        let mut listed: Vec<u32> = known.collect();
        listed.iter().for_each(|&series| seen[series as usize] = true);
        for &series in &self.closed.series {
            if !std::mem::replace(&mut seen[series as usize], true) {
                listed.push(series);
            }
        }
        listed.into_iter()
    }

    fn complete_to(&self, oldest_open: Option<Micros>) -> Option<Micros> {
        let oldest_closed = self.closed.start.iter().copied().min();
        let oldest = oldest_open.into_iter().chain(oldest_closed).min();
        let to = oldest.or_else(|| self.arrivals.now.map(|now| self.grid.start_of(now)));
        to.map(|to| self.boundaries.until.map_or(to, |until| to.min(until)))
    }

    fn write_head(&self, writer: &mut Writer<'_>) {
        writer.bytes(MAGIC);
        writer.u16(VERSION);
        writer.i64(self.settings.window);
        writer.i64(self.settings.offset);
        writer.u8(match self.settings.clock {
            Clock::Device => 0,
            Clock::Partition => 1,
        });
        writer.u8(u8::from(self.position.is_some()));
        writer.i64(self.position.unwrap_or_default());
        let zero = Bases::new(None, self.grid);
        writer.time(self.arrivals.mark(), zero.time);
        writer.time(self.arrivals.first, zero.time);
        let bounds = [Some(self.floor), self.boundaries.not_before, self.boundaries.until];
        for bound in bounds {
            writer.bound(bound.unwrap_or(NEVER), zero.bound, self.grid.width);
        }
        let now = Bases::new(self.arrivals.now, self.grid);
        self.write_clock(writer, &self.shared, now, now.time);
        for count in self.tally.to_array() {
            writer.number(count);
        }
    }

    /// Numbers the series as it meets them, and says how many there were; also when the oldest open window begins.
    fn write_devices(&self, writer: &mut Writer<'_>, numbers: &mut [u32]) -> (u32, Option<Micros>) {
        let mut number = 0;
        let mut oldest_open = Micros::MAX;
        let mut open: Vec<&Window> = Vec::new();
        let now = Bases::new(self.arrivals.now, self.grid);
        writer.count(self.devices.known());
        for index in self.devices.indices() {
            let device = self.devices.get(index);
            writer.text(self.names.device(device.series));
            writer.time(device.named_at, now.time);
            if !self.settings.shared() {
                let named_at = Bases::new(Some(device.named_at), self.grid).time;
                self.write_clock(writer, &device.clock, now, named_at);
            }
            let bases = now.of_clock(if self.settings.shared() { &self.shared } else { &device.clock }, self.grid);
            writer.count(self.series_of(index).count());
            for series in self.series_of(index) {
                numbers[series as usize] = number;
                number += 1;
                let slots = self.slots.get(series);
                writer.text(self.names.sensor(series));
                writer.bound(slots.closed_end, bases.bound, self.grid.width);
                if slots.closed_end != NEVER {
                    writer.f64(slots.closed_mean);
                }
                open.clear();
                open.extend(self.slots.open(series));
                oldest_open = open.first().map_or(oldest_open, |window| window.start.min(oldest_open));
                writer.count(open.len());
                for window in &open {
                    writer.bound(window.start, bases.bound, self.grid.width);
                    writer.aggregates(window);
                }
            }
        }
        (number, Some(oldest_open).filter(|start| *start != Micros::MAX))
    }

    fn write_forgotten(&self, writer: &mut Writer<'_>, numbers: &mut [u32], known: u32) {
        let mut forgotten = Vec::new();
        for &series in &self.closed.series {
            let number = &mut numbers[series as usize];
            if *number == NONE {
                *number = known + forgotten.len() as u32;
                forgotten.push(series);
            }
        }
        writer.count(forgotten.len());
        for series in forgotten {
            writer.text(self.names.device(series));
            writer.text(self.names.sensor(series));
        }
    }

    fn write_rows(&self, writer: &mut Writer<'_>, numbers: &[u32]) {
        let rows = &self.closed;
        let mut before = Bases::new(self.arrivals.now, self.grid).bound;
        writer.count(rows.len());
        for row in 0..rows.len() {
            writer.number(u64::from(numbers[rows.series[row] as usize]));
            let window = Window {
                start: rows.start[row],
                count: rows.count[row],
                sum: rows.sum[row],
                mean: rows.mean[row],
                m2: rows.m2[row],
                min: rows.min[row],
                max: rows.max[row],
                first: rows.first[row],
                last: rows.last[row],
            };
            writer.bound(window.start, before, self.grid.width);
            before = window.start;
            writer.aggregates(&window);
            writer.u8(u8::from(rows.delta[row].is_some()));
            if let Some(delta) = rows.delta[row] {
                writer.f64(delta);
            }
            writer.cause(rows.closed_by[row]);
        }
    }

    fn write_clock(&self, writer: &mut Writer<'_>, clock: &EventClock, now: Bases, named_at: Micros) {
        writer.time(clock.newest, now.time);
        writer.time(clock.moved_at, named_at);
        writer.bound(clock.closed_to, now.of_clock(clock, self.grid).bound, self.grid.width);
        writer.cause(clock.closed_by);
    }
}
