//! The arrival clock of a partition, and the event clock that closes windows: a device's own, or one for all devices.
//!
//! Only the arithmetic of the rules; who is closed and what becomes of the windows is decided in `closing`.

use types::{ClosedBy, Micros};

use crate::grid::Grid;
use crate::settings::{Settings, TIME_MAX};

/// No time: below every time that is in range.
pub(crate) const NEVER: Micros = Micros::MIN;

/// A in the specification: the running maximum of broker times and ticks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Arrivals {
    pub(crate) now: Option<Micros>,
    /// Stands in for marks that were taken before there was an arrival clock.
    pub(crate) first: Micros,
}

impl Arrivals {
    /// True if the clock has just begun to run.
    #[inline]
    pub(crate) fn advance(&mut self, to: Micros) -> bool {
        if !in_range(to) {
            return false;
        }
        let begins = self.now.is_none();
        if begins {
            self.first = to;
        }
        self.now = Some(self.now.map_or(to, |now| now.max(to)));
        begins
    }

    pub(crate) fn mark(&self) -> Micros {
        self.now.unwrap_or(NEVER)
    }

    pub(crate) fn resolve(&self, mark: Micros) -> Micros {
        if mark == NEVER { self.first } else { mark }
    }
}

#[inline]
pub(crate) fn in_range(time: Micros) -> bool {
    (-TIME_MAX..=TIME_MAX).contains(&time)
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct EventClock {
    /// M in the specification: the largest accepted event time.
    pub(crate) newest: Micros,
    /// R: the arrival clock when `newest` last moved.
    pub(crate) moved_at: Micros,
    /// C: windows that end at or before it are closed. On the grid, or [`NEVER`].
    pub(crate) closed_to: Micros,
    /// What last raised `closed_to`; `Floor` while nothing has.
    pub(crate) closed_by: ClosedBy,
}

impl EventClock {
    pub(crate) fn new(floor: Micros) -> EventClock {
        EventClock { newest: NEVER, moved_at: NEVER, closed_to: floor, closed_by: ClosedBy::Floor }
    }

    #[inline]
    pub(crate) fn saw(&mut self, time: Micros, arrivals: &Arrivals) {
        if time > self.newest {
            self.newest = time;
            self.moved_at = arrivals.mark();
        }
    }

    /// Where the clock rule raises `closed_to`, if it does.
    #[inline]
    pub(crate) fn due(&self, settings: &Settings, grid: Grid, arrivals: &Arrivals) -> Option<Micros> {
        if self.newest == NEVER {
            return None;
        }
        let newest = if settings.shared() { self.capped(self.newest, arrivals) } else { self.newest };
        let watermark = newest - settings.out_of_orderness;
        // `closed_to` is on the grid: no division unless the watermark has left its window.
        if self.closed_to != NEVER && watermark < self.closed_to + grid.width {
            return None;
        }
        Some(grid.start_of(watermark))
    }

    /// S in the specification: windows with data that end at or before it are closed by silence.
    #[inline]
    pub(crate) fn silent_to(&self, settings: &Settings, arrivals: &Arrivals) -> Option<Micros> {
        let now = arrivals.now?;
        if self.newest == NEVER {
            return None;
        }
        let projected = self.newest + (now - arrivals.resolve(self.moved_at));
        let projected = if settings.shared() { projected.min(now) } else { projected };
        Some(projected - settings.close_after)
    }

    /// When silence closes the window that ends at `end`, on a device's own clock.
    #[inline]
    pub(crate) fn silent_at(&self, end: Micros, settings: &Settings, arrivals: &Arrivals) -> Micros {
        end + settings.close_after - self.newest + arrivals.resolve(self.moved_at)
    }

    fn capped(&self, newest: Micros, arrivals: &Arrivals) -> Micros {
        arrivals.now.map_or(newest, |now| newest.min(now))
    }
}
