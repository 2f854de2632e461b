//! Reads a snapshot (layout: `snapshot`) and believes nothing in it that the windows rely on.
//!
//! Whatever the bytes, the result is an error or a state with which every later call is as safe as with one that grew by itself.

use types::{ClosedBy, Micros};

use crate::boundaries::Boundaries;
use crate::clock::{Arrivals, EventClock, NEVER};
use crate::codec::Reader;
use crate::error::span_text;
use crate::interner::NONE;
use crate::snapshot::{Bases, MAGIC, VERSION};
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
        windows.newest = windows.shared.newest;
        for device in windows.devices.indices().collect::<Vec<_>>() {
            windows.newest = windows.newest.max(windows.devices.get(device).clock.newest);
            windows.set_alarm(device);
        }
        Ok(windows)
    }

    fn read_settings(&self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if !reader.bytes(MAGIC.len()).is_ok_and(|magic| magic == MAGIC) {
            return Err(Error::NotASnapshot { found: "it does not begin with `ATALWIND`" });
        }
        let version = reader.u16()?;
        if !(1..=VERSION).contains(&version) {
            return Err(Error::SnapshotVersion { found: version, known: VERSION });
        }
        reader.version = version;
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
        let zero = Bases::new(None, self.grid);
        let (now, first) = (reader.time(zero.time)?, reader.time(zero.time)?);
        reader.check(first != NEVER, "an arrival clock that never began")?;
        self.arrivals = Arrivals { now: (now != NEVER).then_some(now), first };
        self.floor = reader.bound(zero.bound, self.grid)?;
        if reader.version > 1 {
            let (not_before, until) = (reader.bound(zero.bound, self.grid)?, reader.bound(zero.bound, self.grid)?);
            let [not_before, until] = [not_before, until].map(|bound| Some(bound).filter(|bound| *bound != NEVER));
            self.boundaries = Boundaries { not_before, until };
        }
        let now = Bases::new(self.arrivals.now, self.grid);
        self.shared = self.read_clock(reader, now, now.time)?;
        let mut counts = [0; Tally::FIELDS];
        let known = if reader.version == 1 { 10 } else { Tally::FIELDS };
        for count in &mut counts[..known] {
            *count = reader.number()?;
        }
        self.tally = Tally::from_array(counts);
        reader.check(self.tally.is_conserved(), "its counts contradict each other")
    }

    /// Says which index each series of the snapshot was given.
    fn read_devices(&mut self, reader: &mut Reader<'_>) -> Result<Vec<u32>, Error> {
        let mut numbered = Vec::new();
        let mut open = 0u64;
        for _ in 0..reader.count()? {
            self.read_device(reader, &mut numbered, &mut open)?;
        }
        reader.check(open == self.tally.open, "its open windows hold other readings than were counted")?;
        Ok(numbered)
    }

    fn read_device(&mut self, reader: &mut Reader<'_>, numbered: &mut Vec<u32>, open: &mut u64) -> Result<(), Error> {
        let name = reader.text()?;
        reader.check(self.devices.find(name, &self.names).is_none(), "a device occurs twice")?;
        let now = Bases::new(self.arrivals.now, self.grid);
        let named_at = reader.time(now.time)?;
        let clock = if self.settings.shared() {
            EventClock::new(NEVER)
        } else {
            self.read_clock(reader, now, Bases::new(Some(named_at), self.grid).time)?
        };
        let count = reader.count()?;
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
        let clock = if self.settings.shared() { self.shared } else { self.devices.get(device).clock };
        let base = Bases::new(self.arrivals.now, self.grid).of_clock(&clock, self.grid).bound;
        let closed_end = reader.bound(base, self.grid)?;
        let closed_mean = if reader.version == 1 || closed_end != NEVER { reader.f64()? } else { 0.0 };
        let slots = self.slots.get_mut(series);
        (slots.closed_end, slots.closed_mean) = (closed_end, closed_mean);
        let mut after = NEVER;
        for _ in 0..reader.count()? {
            let start = reader.bound(base, self.grid)?;
            let window = reader.aggregates(start)?;
            reader.check(window.start > after, "open windows out of order")?;
            reader.check(window.start >= clock.closed_to, "an open window that is closed already")?;
            reader.check(clock.newest != NEVER, "open windows of a clock that never ran")?;
            after = window.start;
            if self.boundaries.is_beyond(window.start) {
                reader.check(window.count <= self.tally.left, "a window beyond the boundary of more than was left")?;
            } else {
                *open = open.checked_add(window.count).ok_or_else(|| reader.damaged("a count out of range"))?;
            }
            self.slots.insert(series, window);
            self.opened(series, device, window.start);
        }
        Ok(())
    }

    fn read_forgotten(&mut self, reader: &mut Reader<'_>, numbered: &mut Vec<u32>) -> Result<(), Error> {
        for _ in 0..reader.count()? {
            let (device, sensor) = (reader.text()?, reader.text()?);
            let series = self.names.insert_forgotten(device, sensor);
            numbered.push(series.ok_or_else(|| reader.damaged("too many series"))?);
        }
        Ok(())
    }

    fn read_rows(&mut self, reader: &mut Reader<'_>, numbered: &[u32]) -> Result<(), Error> {
        let mut counted = 0u64;
        let mut before = Bases::new(self.arrivals.now, self.grid).bound;
        for _ in 0..reader.count()? {
            let number = reader.count()? as usize;
            let series = *numbered.get(number).ok_or_else(|| reader.damaged("a row of an unknown series"))?;
            let start = reader.bound(before, self.grid)?;
            reader.check(start != NEVER && !self.boundaries.is_beyond(start), "a row of no window")?;
            let window = reader.aggregates(start)?;
            before = start;
            let has_delta = reader.flag()?;
            let delta = if reader.version == 1 || has_delta { Some(reader.f64()?) } else { None };
            let delta = delta.filter(|_| has_delta);
            let by = reader.cause()?;
            reader.check(by != ClosedBy::Floor, "a row closed by the floor")?;
            counted = counted.checked_add(window.count).ok_or_else(|| reader.damaged("a count out of range"))?;
            self.push_row(series, &window, delta, by);
        }
        let within = counted <= self.tally.counted && self.closed.len() as u64 <= self.tally.rows;
        reader.check(within, "more rows than were counted")
    }

    fn read_clock(&self, reader: &mut Reader<'_>, now: Bases, named_at: Micros) -> Result<EventClock, Error> {
        let (newest, moved_at) = (reader.time(now.time)?, reader.time(named_at)?);
        let clock = EventClock { newest, moved_at, ..EventClock::new(NEVER) };
        let closed_to = reader.bound(now.of_clock(&clock, self.grid).bound, self.grid)?;
        Ok(EventClock { closed_to, closed_by: reader.cause()?, ..clock })
    }
}
