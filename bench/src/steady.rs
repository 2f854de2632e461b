//! How fast it goes once it goes.

use std::time::Duration;

/// The slope of progress between a tenth and nine tenths of all events: without start and end.
pub(crate) struct Steady {
    events: u64,
    first: Option<(u64, Duration)>,
    last: Option<(u64, Duration)>,
}

impl Steady {
    pub(crate) fn new(events: u64) -> Self {
        Steady { events, first: None, last: None }
    }

    pub(crate) fn saw(&mut self, records: u64, at: Duration) {
        if records * 10 >= self.events && self.first.is_none() {
            self.first = Some((records, at));
        }
        if records * 10 <= self.events * 9 {
            self.last = Some((records, at));
        }
    }

    pub(crate) fn rate(&self) -> Option<f64> {
        let ((first, begun), (last, ended)) = self.first.zip(self.last)?;
        (last > first).then(|| (last - first) as f64 / (ended - begun).as_secs_f64())
    }
}
