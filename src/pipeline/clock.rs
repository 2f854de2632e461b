//! The pipeline's clocks: one for how long things last, one for the time of day. Tests bring their own.

use std::time::Instant;

use types::Micros;

use crate::wall;

/// Where the pipeline's time comes from.
pub trait Clock: Send + Sync {
    /// For spans: it never goes back.
    fn now(&self) -> Instant;

    /// Microseconds since 1970. It may jump.
    fn wall(&self) -> Micros;
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> Micros {
        wall::now()
    }
}
