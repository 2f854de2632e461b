//! Hand-over between two pipelines at a boundary of windows: the old one drains until it, its successor counts nothing before it.
//!
//! To the rest of the state a drain is invisible: readings beyond the boundary move clocks and fill windows as ever, but these
//! are shadows, of which nothing comes out. So what does come out is to the bit what it would have been without a drain.
//! A reading before a successor's first boundary leaves no trace but the count.

use types::Micros;

use crate::Error;
use crate::clock::{NEVER, in_range};
use crate::windows::{Arrival, Windows};

/// Both on the grid of windows. A reading that they exclude is left to another pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Boundaries {
    /// Readings before it are left to the predecessor.
    pub not_before: Option<Micros>,
    /// Readings from it on are left to the successor.
    pub until: Option<Micros>,
}

impl Boundaries {
    #[inline]
    pub(crate) fn precedes(&self, time: Micros) -> bool {
        self.not_before.is_some_and(|not_before| time < not_before)
    }

    #[inline]
    pub(crate) fn is_beyond(&self, time: Micros) -> bool {
        self.until.is_some_and(|until| time >= until)
    }
}

impl Windows {
    #[must_use]
    pub fn boundaries(&self) -> Boundaries {
        self.boundaries
    }

    /// Leaves all readings before `boundary` alone, as the successor of a pipeline that drained until it. To be said on a fresh
    /// state; repeating it is harmless.
    ///
    /// # Errors
    /// If `boundary` is not on the grid of these windows, or something was seen already.
    pub fn set_not_before(&mut self, boundary: Micros) -> Result<(), Error> {
        let not_before = self.boundaries.not_before;
        if not_before == Some(boundary) {
            return Ok(());
        }
        self.check_on_grid(boundary)?;
        if not_before.is_some() || self.tally.records > 0 {
            return Err(Error::NotBeforeTooLate { boundary, not_before, records: self.tally.records });
        }
        self.boundaries.not_before = Some(boundary);
        Ok(())
    }

    /// From now on leaves all readings at or after `boundary` to a successor that starts at the position reached. Repeating it
    /// is harmless.
    ///
    /// # Errors
    /// If `boundary` is not on the grid, another one was set, or something at or after it was counted already; then the error
    /// names the least boundary that is possible now.
    pub fn drain_until(&mut self, boundary: Micros) -> Result<(), Error> {
        match self.boundaries.until {
            Some(until) if until == boundary => return Ok(()),
            Some(until) => return Err(Error::DrainsAlready { boundary, until }),
            None => self.check_on_grid(boundary)?,
        }
        match self.least_drain_boundary() {
            Some(least) if boundary < least => Err(Error::DrainTooEarly { boundary, least }),
            _ => {
                self.boundaries.until = Some(boundary);
                Ok(())
            }
        }
    }

    /// Whether a drain has come to its end: nothing before its boundary is open, and the arrival clock says that nothing is to
    /// be expected. Closed rows may still wait to be taken.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let (Some(until), Some(now)) = (self.boundaries.until, self.arrivals.now) else { return false };
        self.open_windows == 0 && now >= until + self.settings.close_after
    }

    /// A record that is left to the successor whole, as one that cannot be read once a drain began: it moves the arrival clock
    /// and nothing else.
    pub fn leave(&mut self, arrival: Arrival) {
        self.arrive(arrival);
        self.tally.left_records += 1;
    }

    /// Like [`refuse_readings`](Self::refuse_readings), once a drain began: the successor refuses them.
    pub fn leave_readings(&mut self, count: u64) {
        self.tally.readings += count;
        self.tally.left += count;
    }

    /// The end of the newest window that may hold readings: all that were accepted are older than their device's newest, or lie
    /// before the floor if their device is forgotten. What lies before a predecessor's boundary is not ours.
    fn least_drain_boundary(&self) -> Option<Micros> {
        let clocks = self.devices.indices().map(|device| self.devices.get(device).clock.newest);
        let newest = clocks.chain([self.shared.newest]).max().filter(|newest| *newest != NEVER);
        let end = newest.map(|newest| self.grid.start_of(newest) + self.grid.width);
        end.into_iter().chain(self.floor()).chain(self.boundaries.not_before).max()
    }

    fn check_on_grid(&self, boundary: Micros) -> Result<(), Error> {
        if in_range(boundary) && self.grid.aligned(boundary) {
            return Ok(());
        }
        Err(Error::BoundaryOffGrid { boundary, window: self.settings.window, offset: self.settings.offset })
    }
}
