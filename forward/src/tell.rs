//! What goes wrong again and again is said once a minute.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info, warn};

const SAY_AGAIN: Duration = Duration::from_secs(60);

/// A failure that lasted so long is worth a word when it is over.
const LONG: Duration = Duration::from_secs(10);

/// Where the problem says nothing of what to do.
const LOOK: &str = "look whether it runs and answers at its address: `atalaia validate -c FILE --online` asks it";

#[derive(Debug, Default)]
pub(crate) struct Tell {
    said_at: Option<Instant>,
    failing_since: Option<Instant>,
    /// Since it was said.
    failures: u64,
}

impl Tell {
    pub(crate) fn failed(&mut self, receiver: &str, problem: &str, hint: Option<&str>, is_stuck: bool) {
        self.failures += 1;
        let now = Instant::now();
        self.failing_since.get_or_insert(now);
        if self.said_at.is_some_and(|at| now.duration_since(at) < SAY_AGAIN) {
            return;
        }
        self.said_at = Some(now);
        let (failures, hint) = (std::mem::take(&mut self.failures), hint.unwrap_or(LOOK));
        if is_stuck {
            let what = "anomalies cannot be forwarded: nothing is lost, and it is tried again";
            error!(receiver, problem, hint, failures, "{what}");
        } else {
            warn!(receiver, problem, hint, failures, "anomalies cannot be forwarded now: it is tried again");
        }
    }

    pub(crate) fn worked(&mut self, receiver: &str) {
        if self.failing_since.take().is_some_and(|since| since.elapsed() >= LONG) {
            info!(receiver, "anomalies are forwarded again");
        }
    }
}
