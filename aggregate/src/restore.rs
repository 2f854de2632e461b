//! Reads a snapshot (layout: `snapshot`) and believes nothing in it that the windows rely on.
//!
//! Whatever the bytes, the result is an error or a state with which every later call is as safe as with one that grew by itself.

use types::{ClosedBy, Micros, Span};

use crate::clock::{Arrivals, EventClock, NEVER, in_range};
use crate::codec::Reader;
use crate::interner::NONE;
use crate::settings::TIME_MAX;
use crate::slots::Window;
use crate::snapshot::{MAGIC, VERSION};
use crate::tally::Tally;
use crate::windows::Windows;
use crate::{Clock, Error, Settings};

impl Windows {
    /// The state that [`Windows::snapshot`] wrote. Settings may differ from then, save for those that decide where windows lie
    /// and whose clock closes them. Indices of series are new ones.
    ///
    /// # Errors
    /// Names the setting that differs with both values, or what is wrong with the bytes and where.
    pub fn restore(settings: Settings, bytes: &[u8]) -> Result<Windows, Error> {
        let mut reader = Reader::new(bytes);
        let mut windows = Windows::new(settings);
        windows.read_settings(&mut reader)?;
        windows.read_partition(&mut reader)?;
        let mut numbered = windows.read_devices(&mut reader)?;
        windows.read_forgotten(&mut reader, &mut numbered)?;
        windows.read_rows(&mut reader, &numbered)?;
        reader.check(reader.at_end(), "bytes follow its end")?;
        for device in windows.devices.indices().collect::<Vec<_>>() {
            windows.set_alarm(device);
        }
        Ok(windows)
    }

    fn read_settings(&self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if !reader.bytes(MAGIC.len()).is_ok_and(|magic| magic == MAGIC) {
            return Err(Error::NotASnapshot { found: "it does not begin with `ATALWIND`" });
        }
        let version = reader.u16()?;
        if version != VERSION {
            return Err(Error::SnapshotVersion { found: version, known: VERSION });
        }
        let spans = [("window", self.settings.window), ("offset", self.settings.offset)];
        for (setting, configured) in spans {
            let snapshot = reader.i64()?;
            if snapshot != configured {
                let (snapshot, configured) = (span_text(snapshot), span_text(configured));
                return Err(Error::SnapshotSettings { setting, snapshot, configured });
            }
        }
        let snapshot = match reader.u8()? {
            0 => Clock::Device,
            1 => Clock::Partition,
            _ => return Err(reader.damaged("an unknown clock")),
        };
        if snapshot != self.settings.clock {
            let [snapshot, configured] = [snapshot, self.settings.clock].map(|clock| format!("`{}`", clock.as_str()));
            return Err(Error::SnapshotSettings { setting: "clock", snapshot, configured });
        }
        Ok(())
    }

    fn read_partition(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        let has_position = reader.flag()?;
        self.position = Some(reader.i64()?).filter(|_| has_position);
        let now = read_time(reader)?;
        let first = reader.i64()?;
        reader.check(in_range(first), "a time out of range")?;
        self.arrivals = Arrivals { now: (now != NEVER).then_some(now), first };
        self.floor = self.read_bound(reader)?;
        self.shared = self.read_clock(reader)?;
        let mut counts = [0; 10];
        for count in &mut counts {
            *count = reader.u64()?;
        }
        self.tally = Tally::from_array(counts);
        reader.check(self.tally.is_conserved(), "its counts contradict each other")
    }

    /// Says which index each series of the snapshot was given.
    fn read_devices(&mut self, reader: &mut Reader<'_>) -> Result<Vec<u32>, Error> {
        let mut numbered = Vec::new();
        let mut open = 0u64;
        for _ in 0..reader.u32()? {
            self.read_device(reader, &mut numbered, &mut open)?;
        }
        reader.check(open == self.tally.open, "its open windows hold other readings than were counted")?;
        Ok(numbered)
    }

    fn read_device(&mut self, reader: &mut Reader<'_>, numbered: &mut Vec<u32>, open: &mut u64) -> Result<(), Error> {
        let name = reader.text()?;
        reader.check(self.devices.find(name, &self.names).is_none(), "a device occurs twice")?;
        let named_at = read_time(reader)?;
        let clock = if self.settings.shared() { EventClock::new(NEVER) } else { self.read_clock(reader)? };
        let count = reader.u32()?;
        reader.check(count > 0, "a device without series")?;
        let (mut device, mut before) = (NONE, NONE);
        for _ in 0..count {
            let sensor = reader.text()?;
            reader.check(self.names.find(name, sensor).is_none(), "a series occurs twice")?;
            let series = self.names.insert(name, sensor).ok_or_else(|| reader.damaged("too many series"))?;
            numbered.push(series);
            if before == NONE {
                device = self.devices.insert(series, clock, &self.names);
                self.devices.get_mut(device).named_at = named_at;
            } else {
                self.slots.get_mut(before).next = series;
            }
            self.slots.begin(series, device, NONE);
            before = series;
            self.read_series(reader, series, device, open)?;
        }
        Ok(())
    }

    fn read_series(&mut self, reader: &mut Reader<'_>, series: u32, device: u32, open: &mut u64) -> Result<(), Error> {
        let closed_end = self.read_bound(reader)?;
        let closed_mean = reader.f64()?;
        let slots = self.slots.get_mut(series);
        (slots.closed_end, slots.closed_mean) = (closed_end, closed_mean);
        let clock = if self.settings.shared() { self.shared } else { self.devices.get(device).clock };
        let mut after = NEVER;
        for _ in 0..reader.u32()? {
            let window = self.read_window(reader)?;
            reader.check(window.start > after, "open windows out of order")?;
            reader.check(window.start >= clock.closed_to, "an open window that is closed already")?;
            reader.check(clock.newest != NEVER, "open windows of a clock that never ran")?;
            after = window.start;
            *open = open.checked_add(window.count).ok_or_else(|| reader.damaged("a count out of range"))?;
            self.slots.insert(series, window);
            self.opened(series, device, window.start);
        }
        Ok(())
    }

    fn read_forgotten(&mut self, reader: &mut Reader<'_>, numbered: &mut Vec<u32>) -> Result<(), Error> {
        for _ in 0..reader.u32()? {
            let (device, sensor) = (reader.text()?, reader.text()?);
            let series = self.names.insert_forgotten(device, sensor);
            numbered.push(series.ok_or_else(|| reader.damaged("too many series"))?);
        }
        Ok(())
    }

    fn read_rows(&mut self, reader: &mut Reader<'_>, numbered: &[u32]) -> Result<(), Error> {
        let mut counted = 0u64;
        for _ in 0..reader.u32()? {
            let number = reader.u32()? as usize;
            let series = *numbered.get(number).ok_or_else(|| reader.damaged("a row of an unknown series"))?;
            let window = self.read_window(reader)?;
            let has_delta = reader.flag()?;
            let delta = Some(reader.f64()?).filter(|_| has_delta);
            let by = reader.cause()?;
            reader.check(by != ClosedBy::Floor, "a row closed by the floor")?;
            counted = counted.checked_add(window.count).ok_or_else(|| reader.damaged("a count out of range"))?;
            self.push_row(series, &window, delta, by);
        }
        let within = counted <= self.tally.counted && self.closed.len() as u64 <= self.tally.rows;
        reader.check(within, "more rows than were counted")
    }

    fn read_clock(&self, reader: &mut Reader<'_>) -> Result<EventClock, Error> {
        let (newest, moved_at) = (read_time(reader)?, read_time(reader)?);
        Ok(EventClock { newest, moved_at, closed_to: self.read_bound(reader)?, closed_by: reader.cause()? })
    }

    fn read_window(&self, reader: &mut Reader<'_>) -> Result<Window, Error> {
        let start = self.read_bound(reader)?;
        reader.check(start != NEVER, "a window without a start")?;
        let count = reader.u64()?;
        reader.check(count > 0, "a window without readings")?;
        let mut figures = [0.0; 7];
        for figure in &mut figures {
            *figure = reader.f64()?;
        }
        let [sum, mean, m2, min, max, first, last] = figures;
        Ok(Window { start, count, sum, mean, m2, min, max, first, last })
    }

    /// A window's start or end, or none.
    fn read_bound(&self, reader: &mut Reader<'_>) -> Result<Micros, Error> {
        let bound = reader.i64()?;
        // Windows may reach beyond the range of event times by their width and more.
        let near = (-2 * TIME_MAX..=2 * TIME_MAX).contains(&bound);
        reader.check(bound == NEVER || near && self.grid.aligned(bound), "not a bound of a window")?;
        Ok(bound)
    }
}

/// A time in range, or none.
fn read_time(reader: &mut Reader<'_>) -> Result<Micros, Error> {
    let time = reader.i64()?;
    reader.check(time == NEVER || in_range(time), "a time out of range")?;
    Ok(time)
}

fn span_text(micros: Micros) -> String {
    match u64::try_from(micros) {
        Ok(micros) if micros % 1000 == 0 => format!("`{}`", Span::from_millis(micros / 1000)),
        _ => format!("{micros} µs"),
    }
}
