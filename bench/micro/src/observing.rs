//! Readings -> open windows, while none closes: finding the series, and adding to its window.

use aggregate::{Clock, Refused, Windows};
use types::{Micros, Span};

use crate::Work;
use crate::fleet::{Round, START, observe, settings};

/// So short that no number of runs reaches the end of the hour.
const STEP: Micros = 1000;

pub(crate) struct Observing {
    round: Round,
    windows: Windows,
    refused: Vec<Refused>,
    now: Micros,
}

impl Observing {
    pub(crate) fn new(series: usize) -> Observing {
        let windows = Windows::new(settings(Span::from_secs(3600), Clock::Device));
        let mut observing = Observing { round: Round::new(series), windows, refused: Vec::new(), now: START };
        // Indices are given in another order than the one in which series are named from now on.
        let mut readings: Vec<_> = observing.round.readings(START).collect();
        readings.sort_unstable_by_key(|reading| (reading.device, reading.sensor));
        observe(&mut observing.windows, readings.into_iter(), &mut observing.refused);
        observing
    }
}

impl Work for Observing {
    fn run(&mut self) {
        self.now += STEP;
        observe(&mut self.windows, self.round.readings(self.now), &mut self.refused);
        assert!(self.refused.is_empty() && self.windows.closed().is_empty(), "all count, and none closes a window");
    }

    fn units(&self) -> usize {
        self.round.len()
    }
}
