//! One record against the state before it: its readings are judged one by one, then the clocks move.
//!
//! The steps and their numbers are the specification's (`tests/timespec`, RECORD). What the clocks close is decided in `closing`.

use types::{Micros, Reading, Reason};

use super::{Arrival, NAME_BYTES_MEAN, Refusal, Refused, Touched, Windows};
use crate::clock::{EventClock, NEVER, in_range};
use crate::interner::NONE;
use crate::settings::TIME_MAX;

/// Which event times this record may carry.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    oldest: Micros,
    newest: Micros,
}

impl Windows {
    /// One record. Refused readings are appended to `refused`, which the caller clears.
    ///
    /// A series is known from its first naming, whatever becomes of the reading; beyond `series_max`, or the room for that
    /// many names, unknown ones are rejected as `SeriesLimit`, before any other judgement, and leave no trace but the count.
    pub fn observe<'a>(
        &mut self,
        arrival: Arrival,
        readings: impl Iterator<Item = Reading<'a>>,
        refused: &mut Vec<Refused>,
    ) {
        self.arrive(arrival);
        self.tally.decoded += 1;
        let bounds = self.bounds(arrival.wall);
        let mut index = 0;
        for reading in readings {
            self.tally.readings += 1;
            if self.boundaries.precedes(reading.time) {
                self.tally.left += 1;
            } else if let Err(what) = self.judge(&reading, bounds) {
                self.refuse(Refused { index, what }, reading.time, refused);
            }
            index = index.saturating_add(1);
        }
        self.move_clocks();
    }

    /// Steps 1 to 3 of a record: the arrival clock, then what follows from it alone.
    #[inline]
    pub(crate) fn arrive(&mut self, arrival: Arrival) {
        self.tally.records += 1;
        self.position = Some(arrival.position);
        if let Some(broker_time) = arrival.broker_time.filter(|_| !self.settings.files) {
            let wall = arrival.wall.filter(|wall| in_range(*wall));
            let believed = wall.is_none_or(|wall| broker_time <= wall + self.settings.max_future_skew);
            if believed {
                self.advance(broker_time);
            }
        }
        self.settle();
    }

    #[inline]
    fn bounds(&self, wall: Option<Micros>) -> Bounds {
        let reference = self.arrivals.now.or(wall.filter(|wall| in_range(*wall)));
        let newest = reference.map_or(TIME_MAX, |reference| reference + self.settings.max_future_skew);
        let oldest = match (self.arrivals.now, self.settings.max_past) {
            (Some(now), Some(max_past)) => now - max_past,
            _ => -TIME_MAX,
        };
        Bounds { oldest: oldest.max(-TIME_MAX), newest: newest.min(TIME_MAX) }
    }

    /// Steps 4 and 5 for one reading. That a device is settled when the record first names it is as good as settling all
    /// named devices first: nothing in between moves its clock.
    #[inline]
    fn judge(&mut self, reading: &Reading<'_>, bounds: Bounds) -> Result<(), Refusal> {
        let series = match self.names.find(reading.device, reading.sensor) {
            Some(series) => series,
            None => self.begin_series(reading).ok_or(Refusal::Rejected(Reason::SeriesLimit))?,
        };
        let device = self.slots.get(series).device;
        let touch = self.touch(device);
        let time = reading.time;
        if time > bounds.newest {
            return Err(Refusal::Rejected(Reason::Future));
        }
        if time < bounds.oldest {
            return Err(Refusal::Rejected(Reason::TooOld));
        }
        let clock = if self.settings.shared() { &self.shared } else { &self.devices.get(device).clock };
        // `closed_to` is on the grid: what is before it lies in a window that ends at or before it.
        if time < clock.closed_to {
            let EventClock { closed_to, closed_by, .. } = *clock;
            return Err(Refusal::Late { window_start: self.grid.start_of(time), closed_to, closed_by });
        }
        if let Some(start) = self.slots.add(series, time, reading.value, self.grid) {
            self.opened(series, device, start);
        }
        // What lies beyond is counted in a shadow, which closes like any window and makes no row.
        if self.boundaries.is_beyond(time) {
            self.tally.left += 1;
        } else {
            self.tally.open += 1;
        }
        let newest = &mut self.touched[touch].newest;
        *newest = time.max(*newest);
        Ok(())
    }

    #[cold]
    fn refuse(&mut self, refusal: Refused, time: Micros, refused: &mut Vec<Refused>) {
        if self.boundaries.is_beyond(time) {
            self.tally.left += 1;
            return;
        }
        match refusal.what {
            Refusal::Late { .. } => self.tally.late += 1,
            Refusal::Rejected(_) => self.tally.rejected += 1,
        }
        refused.push(refusal);
    }

    #[cold]
    fn begin_series(&mut self, reading: &Reading<'_>) -> Option<u32> {
        let known = self.devices.find(reading.device, &self.names);
        let most = self.settings.series_max as usize;
        let bytes = self.names.bytes() + reading.device.len() + reading.sensor.len();
        let room = self.names.known() < most && bytes <= most.saturating_mul(NAME_BYTES_MEAN);
        let series = if room { self.names.insert(reading.device, reading.sensor) } else { None };
        match (known, series) {
            (Some(device), Some(series)) => {
                let next = std::mem::replace(&mut self.devices.get_mut(device).series, series);
                self.slots.begin(series, device, next);
            }
            (None, Some(series)) => {
                let floor = if self.settings.shared() { NEVER } else { self.floor };
                let device = self.devices.insert(series, EventClock::new(floor), &self.names);
                self.slots.begin(series, device, NONE);
            }
            // The record names the device, and that keeps it known.
            (Some(device), None) => _ = self.touch(device),
            (None, None) => {}
        }
        series
    }

    /// The device's place among those that this record names; at its first naming it is settled.
    #[inline]
    fn touch(&mut self, device: u32) -> usize {
        let touch = self.devices.get(device).touch as usize;
        if self.touched.get(touch).is_some_and(|touched| touched.device == device) {
            return touch;
        }
        if !self.settings.shared() {
            self.settle_device(device);
        }
        let touch = self.touched.len();
        // A record has fewer readings than 2^32: its bytes are bounded far below.
        self.devices.get_mut(device).touch = touch as u32;
        self.touched.push(Touched { device, newest: NEVER });
        touch
    }

    pub(crate) fn opened(&mut self, series: u32, device: u32, start: Micros) {
        let end = start + self.grid.width;
        let device = self.devices.get_mut(device);
        device.open += 1;
        device.oldest_end = device.oldest_end.min(end);
        self.open_windows += usize::from(!self.boundaries.is_beyond(start));
        if self.settings.shared() {
            self.open_by_end.entry(end).or_default().push(series);
        }
    }

    /// Step 6: clocks move after the last reading, so that the order within a record does not matter.
    #[inline]
    fn move_clocks(&mut self) {
        let shared = self.settings.shared();
        for at in 0..self.touched.len() {
            let Touched { device: index, newest } = self.touched[at];
            let device = self.devices.get_mut(index);
            device.named_at = self.arrivals.mark();
            self.newest = self.newest.max(newest);
            if shared {
                self.shared.saw(newest, &self.arrivals);
            } else {
                device.clock.saw(newest, &self.arrivals);
                self.settle_device(index);
            }
            self.set_alarm(index);
        }
        self.touched.clear();
        if shared {
            self.settle_shared();
        }
    }
}
