//! How fast records are written.

use std::thread;
use std::time::{Duration, Instant};

use ingest::simulated::Config;
use types::Micros;

use crate::shutdown::Shutdown;

/// When the next record is due, by wall time since the beginning.
pub(super) struct Pace {
    begun: Instant,
    start: Micros,
    rate: f64,
    speed: f64,
}

impl Pace {
    pub(super) fn new(config: &Config) -> Self {
        Pace { begun: Instant::now(), start: config.start.0, rate: config.rate, speed: config.speed }
    }

    /// Waits until the record is due that follows so many others. Returns false if asked to stop meanwhile.
    pub(super) fn wait(&mut self, before: u64, arrival: Micros, shutdown: &Shutdown) -> bool {
        /// A stop is noticed this soon.
        const STEP: Duration = Duration::from_millis(100);
        let due = if self.rate > 0.0 {
            before as f64 / self.rate
        } else if self.speed > 0.0 {
            arrival.saturating_sub(self.start) as f64 / 1e6 / self.speed
        } else {
            return true;
        };
        let due = Duration::try_from_secs_f64(due).unwrap_or(Duration::MAX);
        loop {
            let Some(left) = due.checked_sub(self.begun.elapsed()).filter(|left| !left.is_zero()) else { return true };
            if shutdown.requested() {
                return false;
            }
            thread::park_timeout(left.min(STEP));
        }
    }
}
