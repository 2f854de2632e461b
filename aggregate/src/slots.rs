//! The aggregates: for each series its open windows and what its newest closed window leaves for `delta`.
//!
//! A series mostly has one open window: it stands in the series itself and answers a reading in it without a division or a
//! search. Further open windows, however many, are kept by `further`.

use types::Micros;

use crate::clock::NEVER;
use crate::further::Further;
use crate::grid::Grid;
use crate::interner::NONE;

/// Running aggregates of one window: Welford, in log order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// [`NEVER`] if there is no window.
    pub(crate) start: Micros,
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) mean: f64,
    pub(crate) m2: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) first: f64,
    pub(crate) last: f64,
}

impl Window {
    const ABSENT: Window =
        Window { start: NEVER, count: 0, sum: 0.0, mean: 0.0, m2: 0.0, min: 0.0, max: 0.0, first: 0.0, last: 0.0 };

    pub(crate) fn new(start: Micros, value: f64) -> Window {
        Window { start, count: 1, sum: value, mean: value, m2: 0.0, min: value, max: value, first: value, last: value }
    }

    /// The operations and their order are the specification's: the same log gives the same bits.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        let step = value - self.mean;
        self.mean += step / self.count as f64;
        self.m2 += step * (value - self.mean);
        if value < self.min {
            self.min = value;
        }
        if value > self.max {
            self.max = value;
        }
        self.last = value;
    }

    /// An absent window holds no time: its start is further from every time in range than any width.
    #[inline]
    pub(crate) fn holds(&self, time: Micros, grid: Grid) -> bool {
        (time.wrapping_sub(self.start) as u64) < grid.width as u64
    }
}

/// What one series keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slots {
    pub(crate) device: u32,
    /// The next series of the same device.
    pub(crate) next: u32,
    /// The tree of the further open windows, all older than `window`; [`NONE`] if there are none.
    more: u32,
    /// The newest of the open windows.
    window: Window,
    /// End and mean of the newest closed window.
    pub(crate) closed_end: Micros,
    pub(crate) closed_mean: f64,
}

#[derive(Debug)]
pub(crate) struct SeriesSlots {
    series: Vec<Slots>,
    further: Further,
}

impl SeriesSlots {
    pub(crate) fn new() -> SeriesSlots {
        SeriesSlots { series: Vec::new(), further: Further::new() }
    }

    /// Readies the slots of a series just interned; `next` is the device's chain so far.
    pub(crate) fn begin(&mut self, series: u32, device: u32, next: u32) {
        let slots = Slots { device, next, more: NONE, window: Window::ABSENT, closed_end: NEVER, closed_mean: 0.0 };
        let index = series as usize;
        if index >= self.series.len() {
            // Indices are dense; those between belong to series that only closed rows refer to.
            self.series.resize(index + 1, Slots { device: NONE, next: NONE, ..slots });
        }
        self.series[index] = slots;
    }

    #[inline]
    pub(crate) fn get(&self, series: u32) -> &Slots {
        &self.series[series as usize]
    }

    pub(crate) fn get_mut(&mut self, series: u32) -> &mut Slots {
        &mut self.series[series as usize]
    }

    /// Adds to the window that holds `time`; if that had to be opened, its start.
    #[inline]
    pub(crate) fn add(&mut self, series: u32, time: Micros, value: f64, grid: Grid) -> Option<Micros> {
        let slots = &mut self.series[series as usize];
        if slots.window.holds(time, grid) {
            slots.window.add(value);
            return None;
        }
        self.add_elsewhere(series, time, value, grid)
    }

    #[cold]
    fn add_elsewhere(&mut self, series: u32, time: Micros, value: f64, grid: Grid) -> Option<Micros> {
        let more = self.get(series).more;
        if let Some(window) = self.further.find(more, time, grid) {
            window.add(value);
            return None;
        }
        let start = grid.start_of(time);
        self.insert(series, Window::new(start, value));
        Some(start)
    }

    /// Adds a window that the series does not have yet.
    pub(crate) fn insert(&mut self, series: u32, window: Window) {
        let slots = &mut self.series[series as usize];
        // The newest stays at hand: the next reading most likely belongs there.
        let older =
            if window.start < slots.window.start { window } else { std::mem::replace(&mut slots.window, window) };
        if older.start != NEVER {
            slots.more = self.further.insert(slots.more, older);
        }
    }

    /// Takes out the oldest open window if it ends at or before `end`.
    pub(crate) fn take_oldest(&mut self, series: u32, end: Micros, grid: Grid) -> Option<Window> {
        let start_max = end - grid.width;
        let slots = &mut self.series[series as usize];
        if slots.more == NONE {
            let due = slots.window.start != NEVER && slots.window.start <= start_max;
            return due.then(|| std::mem::replace(&mut slots.window, Window::ABSENT));
        }
        let (window, more) = self.further.take_oldest(slots.more, start_max)?;
        slots.more = more;
        Some(window)
    }

    /// Start of the oldest open window.
    pub(crate) fn oldest_start(&self, series: u32) -> Option<Micros> {
        let Slots { window, more, .. } = self.get(series);
        self.further.oldest_start(*more).or(Some(window.start).filter(|start| *start != NEVER))
    }

    /// The latest start of an open window at or before `start_max`.
    pub(crate) fn newest_start(&self, series: u32, start_max: Micros) -> Option<Micros> {
        let Slots { window, more, .. } = self.get(series);
        if window.start != NEVER && window.start <= start_max {
            return Some(window.start);
        }
        self.further.newest_start(*more, start_max)
    }

    /// The open windows of a series, oldest first.
    pub(crate) fn open(&self, series: u32) -> impl Iterator<Item = &Window> {
        let Slots { window, more, .. } = self.get(series);
        self.further.windows(*more).chain(Some(window).filter(|window| window.start != NEVER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_come_out_oldest_first_in_whatever_order_they_were_opened() {
        let grid = Grid::new(10, 0);
        let mut slots = SeriesSlots::new();
        slots.begin(0, 0, NONE);
        slots.begin(1, 0, 0);
        for round in 0..3 {
            for time in [35, 5, 55, 15, 36, 6, 45] {
                slots.add(0, time, 1.0, grid);
                slots.add(1, time, 1.0, grid);
            }
            assert_eq!(slots.open(0).map(|window| window.start).collect::<Vec<_>>(), [0, 10, 30, 40, 50]);
            assert_eq!(slots.oldest_start(0), Some(0));
            assert_eq!(
                [-1, 0, 39, 49, 50].map(|max| slots.newest_start(0, max)),
                [None, Some(0), Some(30), Some(40), Some(50)]
            );
            let mut taken = Vec::new();
            while let Some(window) = slots.take_oldest(0, 50, grid) {
                taken.push((window.start, window.count));
            }
            assert_eq!(taken, [(0, 2), (10, 1), (30, 2), (40, 1)], "round {round}");
            assert_eq!(slots.take_oldest(0, 60, grid).map(|window| window.start), Some(50));
            assert_eq!((slots.oldest_start(0), slots.newest_start(0, 100), slots.open(0).count()), (None, None, 0));
            assert_eq!(slots.oldest_start(1), Some(0));
            while slots.take_oldest(1, 1000, grid).is_some() {}
        }
    }
}
