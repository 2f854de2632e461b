//! Writes the whole state as bytes; `restore` reads them.
//!
//! Layout, version 1. All numbers are little-endian, `f64` as its bits, `text` = u32 length + UTF-8; a time of `i64::MIN`
//! stands for none. Numbers once given to a meaning keep it; another layout is another version.
//!
//! ```text
//! magic     8 bytes "ATALWIND"; version u16
//! settings  window i64, offset i64 (its remainder by window), clock u8 (0 device, 1 partition)
//! partition position: flag u8, i64; arrival clock: now i64, first i64; floor i64; shared clock
//! tally     10 x u64, in the order of `Tally`
//! devices   count u32, each:
//!             name text, named_at i64, clock (with device clocks only), series: count u32 (from 1 up), each:
//!               sensor text, closed_end i64, closed_mean f64, open windows: count u32, each, in rising order:
//!                 start i64, aggregates
//! forgotten count u32, each: device text, sensor text (series that only closed rows refer to)
//! rows      count u32, each:
//!             series u32 (counted through devices, then forgotten), start i64, aggregates,
//!             delta: flag u8, f64; closed_by u8
//!
//! clock       newest i64, moved_at i64, closed_to i64, closed_by u8 (0 device, 1 silence, 2 partition, 3 drain, 4 floor)
//! aggregates  count u64; sum, mean, m2, min, max, first, last: f64
//! ```

use types::SeriesNames;

use crate::Clock;
use crate::clock::{EventClock, NEVER};
use crate::codec::Writer;
use crate::interner::NONE;
use crate::slots::Window;
use crate::windows::Windows;

pub(crate) const MAGIC: &[u8; 8] = b"ATALWIND";
pub(crate) const VERSION: u16 = 1;

impl Windows {
    /// Appends the whole state, rows not yet drained included.
    pub fn snapshot(&self, out: &mut Vec<u8>) {
        let mut writer = Writer(out);
        self.write_head(&mut writer);
        let mut numbers = vec![NONE; self.names.indices()];
        let known = self.write_devices(&mut writer, &mut numbers);
        self.write_forgotten(&mut writer, &mut numbers, known);
        self.write_rows(&mut writer, &numbers);
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
        writer.i64(self.arrivals.now.unwrap_or(NEVER));
        writer.i64(self.arrivals.first);
        writer.i64(self.floor);
        write_clock(writer, &self.shared);
        for count in self.tally.to_array() {
            writer.u64(count);
        }
    }

    /// Numbers the series as it meets them, and says how many there were.
    fn write_devices(&self, writer: &mut Writer<'_>, numbers: &mut [u32]) -> u32 {
        let mut number = 0;
        let mut open: Vec<&Window> = Vec::new();
        writer.count(self.devices.known());
        for index in self.devices.indices() {
            let device = self.devices.get(index);
            writer.text(self.names.device(device.series));
            writer.i64(device.named_at);
            if !self.settings.shared() {
                write_clock(writer, &device.clock);
            }
            writer.count(self.series_of(index).count());
            for series in self.series_of(index) {
                numbers[series as usize] = number;
                number += 1;
                let slots = self.slots.get(series);
                writer.text(self.names.sensor(series));
                writer.i64(slots.closed_end);
                writer.f64(slots.closed_mean);
                open.clear();
                open.extend(self.slots.open(series));
                writer.count(open.len());
                for window in &open {
                    writer.i64(window.start);
                    write_aggregates(writer, window);
                }
            }
        }
        number
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
        writer.count(rows.len());
        for row in 0..rows.len() {
            writer.u32(numbers[rows.series[row] as usize]);
            writer.i64(rows.start[row]);
            writer.u64(rows.count[row]);
            for column in [&rows.sum, &rows.mean, &rows.m2, &rows.min, &rows.max, &rows.first, &rows.last] {
                writer.f64(column[row]);
            }
            writer.u8(u8::from(rows.delta[row].is_some()));
            writer.f64(rows.delta[row].unwrap_or_default());
            writer.cause(rows.closed_by[row]);
        }
    }
}

fn write_clock(writer: &mut Writer<'_>, clock: &EventClock) {
    writer.i64(clock.newest);
    writer.i64(clock.moved_at);
    writer.i64(clock.closed_to);
    writer.cause(clock.closed_by);
}

fn write_aggregates(writer: &mut Writer<'_>, window: &Window) {
    let Window { start: _, count, sum, mean, m2, min, max, first, last } = *window;
    writer.u64(count);
    for figure in [sum, mean, m2, min, max, first, last] {
        writer.f64(figure);
    }
}
