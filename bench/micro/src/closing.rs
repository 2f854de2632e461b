//! Open windows -> rows, many at a time, by each of the rules that close them.

use aggregate::{Clock, Refused, Settings, TakeLimit, Windows};
use types::{Micros, Span};

use crate::Work;
use crate::fleet::{Round, SECOND, START, observe, settings};

const WINDOW: Micros = 10 * SECOND;

/// A window of each series, due or nearly so.
struct Due {
    round: Round,
    settings: Settings,
    windows: Windows,
    refused: Vec<Refused>,
    /// Begin of the next windows.
    start: Micros,
}

// === impl Due ===

impl Due {
    fn new(series: usize, clock: Clock) -> Due {
        let settings = settings(Span::from_secs(10), clock);
        let windows = Windows::new(settings);
        Due { round: Round::new(series), settings, windows, refused: Vec::new(), start: START }
    }

    /// Hands on what was closed before, as a commit does, and opens a window for each series.
    fn open(&mut self) {
        let rows = self.windows.take_closed(TakeLimit::ALL);
        self.windows.recycle(rows);
        observe(&mut self.windows, self.round.readings(self.start), &mut self.refused);
        assert_eq!(self.windows.open_windows(), self.round.len(), "each has one, and only one");
        self.start += WINDOW;
    }

    fn check(&self) {
        assert_eq!(self.windows.closed().len(), self.round.len(), "each has closed");
        assert!(self.refused.is_empty(), "all count");
    }
}

/// Every series' next reading closes its device's windows: the way of a live stream. These readings are measured too.
pub(crate) struct OwnClocks(Due);

impl OwnClocks {
    pub(crate) fn new(series: usize) -> OwnClocks {
        OwnClocks(Due::new(series, Clock::Device))
    }
}

impl Work for OwnClocks {
    fn prepare(&mut self) {
        if self.0.windows.open_windows() == 0 {
            self.0.open();
        }
        let rows = self.0.windows.take_closed(TakeLimit::ALL);
        self.0.windows.recycle(rows);
    }

    fn run(&mut self) {
        // Late enough in the next window to close the one before.
        let due = &mut self.0;
        observe(&mut due.windows, due.round.readings(due.start + 3 * SECOND), &mut due.refused);
        due.start += WINDOW;
        due.check();
    }

    fn units(&self) -> usize {
        self.0.round.len()
    }
}

/// All devices fell silent at once, and the arrival clock tells.
pub(crate) struct Silence(Due);

impl Silence {
    pub(crate) fn new(series: usize) -> Silence {
        Silence(Due::new(series, Clock::Device))
    }
}

impl Work for Silence {
    fn prepare(&mut self) {
        self.0.open();
    }

    fn run(&mut self) {
        let due = &mut self.0;
        due.windows.tick(due.start + due.settings.close_after + 2 * due.settings.out_of_orderness);
        due.start += 2 * due.settings.close_after;
        due.check();
    }

    fn units(&self) -> usize {
        self.0.round.len()
    }
}

/// One device's reading closes the windows of all.
pub(crate) struct SharedClock(Due);

impl SharedClock {
    pub(crate) fn new(series: usize) -> SharedClock {
        SharedClock(Due::new(series, Clock::Partition))
    }
}

impl Work for SharedClock {
    fn prepare(&mut self) {
        self.0.open();
    }

    fn run(&mut self) {
        // Late enough in the next window, where it counts with those that `open` adds.
        let due = &mut self.0;
        observe(&mut due.windows, due.round.readings(due.start + 3 * SECOND).take(1), &mut due.refused);
        due.check();
    }

    fn units(&self) -> usize {
        self.0.round.len()
    }
}
