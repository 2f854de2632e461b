//! What goes wrong again and again is said once a minute.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info, warn};

const SAY_AGAIN: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Tell {
    said_at: Option<Instant>,
    failures: u64,
}

impl Tell {
    pub(crate) fn failed(&mut self, receiver: &str, problem: &str, hint: Option<&str>, is_stuck: bool) {
        self.failures += 1;
        if self.said_at.is_some_and(|at| at.elapsed() < SAY_AGAIN) {
            return;
        }
        self.said_at = Some(Instant::now());
        let (failures, hint) = (self.failures, hint.unwrap_or_default());
        if is_stuck {
            error!(
                receiver,
                problem, hint, failures, "anomalies cannot be forwarded: nothing is lost, and it is tried again"
            );
        } else {
            warn!(receiver, problem, hint, failures, "anomalies cannot be forwarded now: it is tried again");
        }
    }

    /// The next failure is news.
    pub(crate) fn worked(&mut self, receiver: &str) {
        if self.said_at.take().is_some() {
            info!(receiver, failures = self.failures, "anomalies are forwarded again");
        }
        self.failures = 0;
    }
}
