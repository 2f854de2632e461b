//! Settling: what clocks and silence close, which rows that makes, and when a device is forgotten.
//!
//! Both rules only ever raise `closed_to`, and depend on nothing but clocks and open windows; so how often they are
//! asked changes nothing.

use types::{ClosedBy, Micros};

use crate::Clock;
use crate::interner::NONE;
use crate::slots::Window;
use crate::windows::Windows;

impl Windows {
    /// Looks at devices whose silence or age may have come to something on the arrival clock.
    #[inline]
    pub(crate) fn answer_alarms(&mut self) {
        let Some(now) = self.arrivals.now else { return };
        while let Some(device) = self.alarms.ringing(now) {
            self.answer(device, now);
        }
    }

    #[cold]
    fn answer(&mut self, index: u32, now: Micros) {
        if !self.settings.shared() {
            self.settle_device(index);
        }
        let at = self.alarm_of(index);
        if at > now {
            self.devices.get_mut(index).alarm = at;
            if at == Micros::MAX {
                self.alarms.remove(index, &mut self.devices);
            } else {
                self.alarms.set(index, at, &mut self.devices);
            }
        } else if self.devices.get(index).open == 0 {
            self.forget(index);
        } else {
            // Settling has closed all that silence closes by now: there is no such moment. Rather than ring for ever:
            self.devices.get_mut(index).alarm = Micros::MAX;
            self.alarms.remove(index, &mut self.devices);
        }
    }

    /// Makes sure that the device is looked at in time; an alarm that rings too early sets itself right then.
    #[inline]
    pub(crate) fn set_alarm(&mut self, index: u32) {
        let at = self.alarm_of(index);
        let device = self.devices.get_mut(index);
        if at < device.alarm {
            device.alarm = at;
            self.alarms.set(index, at, &mut self.devices);
        }
    }

    /// When silence closes a window of the device or, with nothing open, when it is forgotten. With device clocks a window
    /// never outlasts `device_ttl`; with the shared clock it may, and holds the device.
    #[inline]
    fn alarm_of(&self, index: u32) -> Micros {
        let device = self.devices.get(index);
        if self.arrivals.now.is_none() || device.series == NONE {
            return Micros::MAX;
        }
        if device.open == 0 {
            let named_at = self.arrivals.resolve(device.named_at);
            return self.settings.device_ttl.map_or(Micros::MAX, |ttl| named_at + ttl);
        }
        if self.settings.shared() || !self.settings.running() {
            return Micros::MAX;
        }
        device.clock.silent_at(device.oldest_end, &self.settings, &self.arrivals)
    }

    #[inline]
    pub(crate) fn settle_device(&mut self, index: u32) {
        if !self.settings.running() {
            return;
        }
        if let Some(end) = self.devices.get(index).clock.due(&self.settings, self.grid, &self.arrivals) {
            self.raise_device(index, end, ClosedBy::Device);
        }
        let device = self.devices.get(index);
        if let Some(silent_to) = device.clock.silent_to(&self.settings, &self.arrivals)
            && device.oldest_end <= silent_to
            && let Some(end) = self.newest_end(index, silent_to)
        {
            self.raise_device(index, end, ClosedBy::Silence);
        }
    }

    pub(crate) fn settle_shared(&mut self) {
        if !self.settings.running() {
            return;
        }
        if let Some(end) = self.shared.due(&self.settings, self.grid, &self.arrivals) {
            self.raise_shared(end, ClosedBy::Partition);
        }
        if let Some(silent_to) = self.shared.silent_to(&self.settings, &self.arrivals)
            && let Some((&end, _)) = self.open_by_end.range(..=silent_to).next_back()
        {
            self.raise_shared(end, ClosedBy::Silence);
        }
    }

    pub(crate) fn close_all(&mut self) {
        match self.settings.clock {
            Clock::Partition => {
                if let Some((&end, _)) = self.open_by_end.last_key_value() {
                    self.raise_shared(end, ClosedBy::Drain);
                }
            }
            Clock::Device => {
                for index in 0..self.devices.capacity() {
                    if let Some(end) = self.newest_end(index, Micros::MAX) {
                        self.raise_device(index, end, ClosedBy::Drain);
                        self.set_alarm(index);
                    }
                }
            }
        }
    }

    /// End of the newest open window of the device among those that end at or before `limit`.
    fn newest_end(&self, index: u32, limit: Micros) -> Option<Micros> {
        let start_max = limit - self.grid.width;
        let starts = self.series_of(index).filter_map(|series| self.slots.newest_start(series, start_max));
        starts.max().map(|start| start + self.grid.width)
    }

    pub(crate) fn series_of(&self, index: u32) -> impl Iterator<Item = u32> {
        let first = self.devices.get(index).series;
        let some = |series| (series != NONE).then_some(series);
        std::iter::successors(some(first), move |&series| some(self.slots.get(series).next))
    }

    fn raise_device(&mut self, index: u32, end: Micros, by: ClosedBy) {
        let device = self.devices.get_mut(index);
        if end <= device.clock.closed_to {
            return;
        }
        device.clock.closed_to = end;
        device.clock.closed_by = by;
        if device.oldest_end > end {
            return;
        }
        let mut series = device.series;
        let mut oldest_end = Micros::MAX;
        while series != NONE {
            while let Some(window) = self.slots.take_oldest(series, end, self.grid) {
                self.close(series, index, &window, by);
            }
            if let Some(start) = self.slots.oldest_start(series) {
                oldest_end = oldest_end.min(start + self.grid.width);
            }
            series = self.slots.get(series).next;
        }
        self.devices.get_mut(index).oldest_end = oldest_end;
    }

    fn raise_shared(&mut self, end: Micros, by: ClosedBy) {
        if end <= self.shared.closed_to {
            return;
        }
        self.shared.closed_to = end;
        self.shared.closed_by = by;
        while let Some(entry) = self.open_by_end.first_entry().filter(|entry| *entry.key() <= end) {
            let (window_end, members) = entry.remove_entry();
            for series in members {
                let device = self.slots.get(series).device;
                if let Some(window) = self.slots.take_oldest(series, window_end, self.grid) {
                    self.close(series, device, &window, by);
                }
                self.set_alarm(device);
            }
        }
    }

    /// A window becomes a row, unless it is a shadow beyond the boundary of a drain. Those of a series come in the order of
    /// their start, so that `delta` finds its predecessor.
    fn close(&mut self, series: u32, device: u32, window: &Window, by: ClosedBy) {
        let Window { start, count, mean, .. } = *window;
        self.devices.get_mut(device).open -= 1;
        if self.boundaries.is_beyond(start) {
            return;
        }
        let slots = self.slots.get_mut(series);
        let delta = (slots.closed_end == start).then_some(mean - slots.closed_mean);
        slots.closed_end = start + self.grid.width;
        slots.closed_mean = mean;

        self.push_row(series, window, delta, by);
        self.open_windows -= 1;
        self.tally.rows += 1;
        self.tally.counted += count;
        self.tally.open -= count;
    }

    pub(crate) fn push_row(&mut self, series: u32, window: &Window, delta: Option<f64>, by: ClosedBy) {
        let Window { start, count, sum, mean, m2, min, max, first, last } = *window;
        let rows = &mut self.closed;
        rows.series.push(series);
        rows.start.push(start);
        rows.count.push(count);
        rows.sum.push(sum);
        rows.mean.push(mean);
        rows.m2.push(m2);
        rows.min.push(min);
        rows.max.push(max);
        rows.first.push(first);
        rows.last.push(last);
        rows.delta.push(delta);
        rows.closed_by.push(by);
    }

    /// The device and its series become unknown; what remains of it is the floor for those yet unknown.
    fn forget(&mut self, index: u32) {
        self.alarms.remove(index, &mut self.devices);
        let clock = if self.settings.shared() { &self.shared } else { &self.devices.get(index).clock };
        self.floor = self.floor.max(clock.closed_to);
        let mut series = self.devices.get(index).series;
        self.devices.remove(index, &self.names);
        while series != NONE {
            self.names.forget(series);
            series = self.slots.get(series).next;
        }
    }
}
