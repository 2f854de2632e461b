//! The windows of one partition: each record is judged against the state before it, then the clocks move.
//!
//! The order of steps is the specification's (`tests/timespec`, RECORD). One thing is arranged differently, without effect: a
//! device is looked at when its alarm rings, rather than all devices in the order in which they were last named.

use std::collections::BTreeMap;

use types::{ClosedBy, Micros, Reading, Reason, WindowRows};

use crate::alarms::Alarms;
use crate::boundaries::Boundaries;
use crate::clock::{Arrivals, EventClock, NEVER, in_range};
use crate::devices::Devices;
use crate::grid::Grid;
use crate::interner::{NONE, Series};
use crate::settings::{Settings, TIME_MAX};
use crate::slots::SeriesSlots;
use crate::tally::Tally;

/// How many bytes the names of a series may take on average: memory is bounded by `series_max` however long names are.
pub const NAME_BYTES_MEAN: usize = 128;

/// What a record tells before its readings are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrival {
    pub position: i64,
    /// When the broker took the record, if it says so.
    pub broker_time: Option<Micros>,
    /// The wall clock when the record was read. A guard against wrong broker times, and the reference for `future` where there are none.
    pub wall: Option<Micros>,
}

/// A reading that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the record.
    pub index: u32,
    pub what: Refusal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its window is closed: `closed_to` is how far, `closed_by` what last moved that.
    Late { window_start: Micros, closed_to: Micros, closed_by: ClosedBy },
    /// `Future`, `TooOld` or `SeriesLimit`.
    Rejected(Reason),
}

/// What the end of the input does with windows that are still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// Only what is due closes; the rest waits in the state.
    Due,
    All,
}

/// Readings in, closed windows out.
#[derive(Debug)]
pub struct Windows {
    pub(crate) settings: Settings,
    pub(crate) grid: Grid,
    pub(crate) position: Option<i64>,
    pub(crate) arrivals: Arrivals,
    /// F in the specification: where unknown devices start.
    pub(crate) floor: Micros,
    pub(crate) boundaries: Boundaries,
    /// The one clock of all devices, with `clock = "partition"`.
    pub(crate) shared: EventClock,
    /// Series with a window that ends then. Kept with the shared clock only.
    pub(crate) open_by_end: BTreeMap<Micros, Vec<u32>>,
    pub(crate) names: Series,
    pub(crate) slots: SeriesSlots,
    pub(crate) devices: Devices,
    pub(crate) alarms: Alarms,
    pub(crate) closed: WindowRows,
    /// How often closed rows were taken that have not been recycled.
    pub(crate) taken: u32,
    pub(crate) tally: Tally,
    /// Shadows beyond the boundary of a drain do not count.
    pub(crate) open_windows: usize,
    /// The largest event time accepted, of devices not forgotten before a restart. For displays: decides nothing.
    pub(crate) newest: Micros,
    /// Devices named in the present record; empty between records.
    touched: Vec<Touched>,
}

#[derive(Debug, Clone, Copy)]
struct Touched {
    device: u32,
    /// Largest event time accepted in this record.
    newest: Micros,
}

/// Which event times this record may carry.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    oldest: Micros,
    newest: Micros,
}

impl Windows {
    #[must_use]
    pub fn new(settings: Settings) -> Windows {
        let settings = settings.in_range();
        Windows {
            settings,
            grid: Grid::new(settings.window, settings.offset),
            position: None,
            arrivals: Arrivals::default(),
            floor: NEVER,
            boundaries: Boundaries::default(),
            shared: EventClock::new(NEVER),
            open_by_end: BTreeMap::new(),
            names: Series::default(),
            slots: SeriesSlots::new(),
            devices: Devices::default(),
            alarms: Alarms::default(),
            closed: WindowRows { width: settings.window, ..WindowRows::default() },
            taken: 0,
            tally: Tally::default(),
            open_windows: 0,
            newest: NEVER,
            touched: Vec::new(),
        }
    }

    /// A fresh state that takes windows before `floor` for closed, as if a device forgotten before had reached so far: for a
    /// new beginning where rows exist already. A floor within a window closes that window too.
    #[must_use]
    pub fn with_floor(settings: Settings, floor: Micros) -> Windows {
        let mut windows = Windows::new(settings);
        windows.floor = windows.grid.end_from(floor.clamp(-TIME_MAX, TIME_MAX));
        if windows.settings.shared() {
            windows.shared = EventClock::new(windows.floor);
        }
        windows
    }

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

    /// Readings of the record just observed that the decoder refused. They are counted, and do nothing else.
    pub fn refuse_readings(&mut self, count: u64) {
        self.tally.readings += count;
        self.tally.refused += count;
    }

    /// The record just observed is counted elsewhere: only its readings are here.
    pub fn disown_record(&mut self) {
        self.tally.records -= 1;
        self.tally.decoded -= 1;
    }

    /// A record that could not be read: it moves the arrival clock and nothing else.
    pub fn undecodable(&mut self, arrival: Arrival) {
        self.arrive(arrival);
        self.tally.undecodable += 1;
    }

    /// A record without a value: it moves the arrival clock and nothing else.
    pub fn tombstone(&mut self, arrival: Arrival) {
        self.arrive(arrival);
        self.tally.tombstones += 1;
    }

    /// The arrival clock moves to `to`, if that is ahead: the time elapsed while the partition was proven caught up.
    /// Files have no such time; there it does nothing.
    pub fn tick(&mut self, to: Micros) {
        if self.settings.files {
            return;
        }
        self.advance(to);
        self.settle();
    }

    /// Closes what clocks and silence allow by now. Changes when rows come out, never what they say; costs nothing when
    /// nothing is due.
    #[inline]
    pub fn settle(&mut self) {
        if self.settings.shared() {
            self.settle_shared();
        }
        self.answer_alarms();
    }

    /// The end of the input. More may follow: what comes for windows closed here is late.
    pub fn end(&mut self, close: Close) {
        self.settle();
        match close {
            Close::Due => {}
            Close::All => self.close_all(),
        }
    }

    #[must_use]
    pub fn arrival_clock(&self) -> Option<Micros> {
        self.arrivals.now
    }

    /// Position of the last record that was seen.
    #[must_use]
    pub fn last_position(&self) -> Option<i64> {
        self.position
    }

    #[must_use]
    pub fn names(&self) -> &Series {
        &self.names
    }

    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// F in the specification: unknown devices start with windows closed up to here, if to anywhere.
    #[must_use]
    pub fn floor(&self) -> Option<Micros> {
        Some(self.floor).filter(|floor| *floor != NEVER)
    }

    #[must_use]
    pub fn open_windows(&self) -> usize {
        self.open_windows
    }

    /// The newest event time taken into windows.
    #[must_use]
    pub fn newest(&self) -> Option<Micros> {
        Some(self.newest).filter(|newest| *newest != NEVER)
    }

    /// Devices known: not those that were forgotten.
    #[must_use]
    pub fn devices(&self) -> usize {
        self.devices.known()
    }

    /// Series known: not those of forgotten devices.
    #[must_use]
    pub fn series(&self) -> usize {
        self.names.known()
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
    fn advance(&mut self, to: Micros) {
        if self.arrivals.advance(to) {
            // Until now there was nothing by which a device could be silent or forgotten.
            for device in 0..self.devices.capacity() {
                self.set_alarm(device);
            }
        }
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
