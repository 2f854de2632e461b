//! Handing on closed rows: out of the state in the order of closing, within limits, and back again for their memory.
//!
//! What was taken is no longer in a snapshot, but its series' names stay known until it is given back.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use types::{Micros, SeriesNames, WindowRows};

use crate::interner::Series;
use crate::windows::Windows;

const DAY: Micros = 86_400_000_000;

/// How much to take at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakeLimit {
    pub rows: usize,
    /// Distinct UTC dates of the windows' starts.
    pub dates: usize,
}

impl TakeLimit {
    pub const ALL: TakeLimit = TakeLimit { rows: usize::MAX, dates: usize::MAX };

    /// Which rows are taken; none if that is all of them. Of a device rows are taken in their order, and those that closed
    /// together are taken together: who looks at a device's windows as a whole has all there is of each.
    fn choose(self, rows: &WindowRows, names: &Series, is_shared: bool) -> Option<Vec<bool>> {
        if rows.len() <= self.rows && self.surely_holds_dates(&rows.start) {
            return None;
        }
        // What closes together lies together: of a device, or of all devices where they share a clock.
        let device = |row: usize| names.device(rows.series[row]);
        let closed_together = |one: usize, other: usize| match is_shared {
            true => rows.start[one] == rows.start[other],
            false => device(one) == device(other),
        };
        let mut dates: HashSet<Micros, RandomState> = HashSet::default();
        let mut left: HashSet<&str, RandomState> = HashSet::default();
        let (mut taken, mut last, mut is_full) = (0, None, false);
        let takes = (0..rows.len()).map(|row| {
            is_full = is_full || taken >= self.rows && !(row > 0 && closed_together(row - 1, row));
            if is_full {
                return false;
            }
            let date = rows.start[row].div_euclid(DAY);
            let fits = last == Some(date) || dates.contains(&date) || (dates.len() < self.dates && dates.insert(date));
            let takes = fits && (left.is_empty() || !left.contains(device(row)));
            if takes {
                (taken, last) = (taken + 1, Some(date));
            } else {
                left.insert(device(row));
            }
            takes
        });
        let takes: Vec<bool> = takes.collect();
        (taken < takes.len()).then_some(takes)
    }

    /// Without counting: no more dates than from the first to the last.
    fn surely_holds_dates(self, starts: &[Micros]) -> bool {
        if self.dates >= starts.len() {
            return true;
        }
        let dates = |start: Option<&Micros>| start.map_or(0, |start| start.div_euclid(DAY));
        dates(starts.iter().max()) - dates(starts.iter().min()) < Micros::try_from(self.dates).unwrap_or(Micros::MAX)
    }
}

impl Windows {
    /// Closed rows that wait to be taken; they are part of the state.
    #[must_use]
    pub fn closed(&self) -> &WindowRows {
        &self.closed
    }

    /// Readings in these rows.
    #[must_use]
    pub fn pending_readings(&self) -> u64 {
        self.closed.count.iter().sum()
    }

    /// Takes closed rows out of the state, those closed first before others, as far as `limit` allows: rows of a date too
    /// many stay, and with them their order. The names of what was taken stay known until it is given back by
    /// [`recycle`](Self::recycle); a snapshot made in between no longer holds it.
    pub fn take_closed(&mut self, limit: TakeLimit) -> WindowRows {
        self.taken = self.taken.saturating_add(1);
        match limit.choose(&self.closed, &self.names, self.settings.shared()) {
            Some(takes) => split(&mut self.closed, &takes),
            None => std::mem::replace(&mut self.closed, WindowRows { width: self.grid.width, ..WindowRows::default() }),
        }
    }

    /// Gives back rows that were taken: their memory is used again if nothing was closed meanwhile, and so are the indices of
    /// forgotten series to which no row refers, taken or not.
    pub fn recycle(&mut self, mut rows: WindowRows) {
        self.taken = self.taken.saturating_sub(1);
        if self.closed.is_empty() && rows.width == self.grid.width {
            rows.clear();
            self.closed = rows;
        }
        if self.taken == 0 {
            self.names.release_forgotten(&self.closed.series);
        }
    }
}

/// Moves the rows that `takes` marks out of `rows`; both parts keep their order.
fn split(rows: &mut WindowRows, takes: &[bool]) -> WindowRows {
    let WindowRows { width, series, start, count, sum, mean, m2, min, max, first, last, delta, closed_by } = rows;
    WindowRows {
        width: *width,
        series: split_column(series, takes),
        start: split_column(start, takes),
        count: split_column(count, takes),
        sum: split_column(sum, takes),
        mean: split_column(mean, takes),
        m2: split_column(m2, takes),
        min: split_column(min, takes),
        max: split_column(max, takes),
        first: split_column(first, takes),
        last: split_column(last, takes),
        delta: split_column(delta, takes),
        closed_by: split_column(closed_by, takes),
    }
}

fn split_column<T: Copy>(column: &mut Vec<T>, takes: &[bool]) -> Vec<T> {
    let mut taken = Vec::new();
    let mut takes = takes.iter();
    column.retain(|figure| {
        let is_taken = takes.next() == Some(&true);
        if is_taken {
            taken.push(*figure);
        }
        !is_taken
    });
    taken
}
