//! What goes wrong again and again is said once a minute.

use std::time::{Duration, Instant};

const SAY_AGAIN: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Failures {
    /// What cannot be done, as the beginning of a sentence.
    what: &'static str,
    said_at: Option<Instant>,
    unsaid: u64,
}

impl Failures {
    pub(super) fn of(what: &'static str) -> Self {
        Failures { what, said_at: None, unsaid: 0 }
    }

    pub(super) fn failed(&mut self, problem: &str) {
        if self.said_at.is_some_and(|at| at.elapsed() < SAY_AGAIN) {
            self.unsaid += 1;
            return;
        }
        self.said_at = Some(Instant::now());
        tracing::warn!(problem, failures_before = std::mem::take(&mut self.unsaid), "{}", self.what);
    }

    /// The next one is news.
    pub(super) fn worked(&mut self) {
        self.said_at = None;
    }
}
