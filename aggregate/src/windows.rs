//! The windows of one partition: its whole state, and what can be done with it. What a record does is in `record`.
//!
//! The order of steps is the specification's (`tests/timespec`, RECORD). One thing is arranged differently, without effect: a
//! device is looked at when its alarm rings, rather than all devices in the order in which they were last named.

mod record;

use std::collections::BTreeMap;

use types::{ClosedBy, Micros, Reason, WindowRows};

use crate::alarms::Alarms;
use crate::boundaries::Boundaries;
use crate::clock::{Arrivals, EventClock, NEVER};
use crate::devices::Devices;
use crate::grid::Grid;
use crate::interner::Series;
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

    #[inline]
    fn advance(&mut self, to: Micros) {
        if self.arrivals.advance(to) {
            // Until now there was nothing by which a device could be silent or forgotten.
            for device in 0..self.devices.capacity() {
                self.set_alarm(device);
            }
        }
    }
}
