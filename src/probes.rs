//! What the service answers when it is asked whether it is alive and whether it is ready.
//!
//! Alive is what gets round to its work, whatever is away: starting a process anew mends no broker and no store. Ready is
//! what does its work.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::http;
use crate::pipeline::Progress;

/// A source that cannot be reached for longer than this turns readiness off; brokers are restarted now and then.
const SOURCE_PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Probes {
    progress: Arc<Progress>,
    stuck_after: Duration,
    /// Set when everything is open.
    sinks: OnceLock<sink::Sinks>,
}

impl Probes {
    pub(crate) fn new(progress: Arc<Progress>, stuck_after: Duration) -> Arc<Self> {
        Arc::new(Probes { progress, stuck_after, sinks: OnceLock::new() })
    }

    /// Models are loaded, stores and sources open: workers begin.
    pub(crate) fn serving(&self, sinks: sink::Sinks) {
        // Set once, by the only caller.
        let _ = self.sinks.set(sinks);
    }

    pub(crate) fn for_http(self: &Arc<Self>) -> http::Probes {
        let (alive, ready) = (Arc::clone(self), Arc::clone(self));
        http::Probes { alive: Arc::new(move || alive.alive()), ready: Arc::new(move || ready.ready()) }
    }

    /// Before workers begin and when they have left there is nobody who could stand still.
    pub(crate) fn alive(&self) -> Result<(), String> {
        match self.progress.stuck(Instant::now(), self.stuck_after) {
            None => Ok(()),
            Some(stuck) => Err(format!(
                "worker {} has not got round to its partitions for {} s (`telemetry.stuck_after` is {} s)",
                stuck.worker,
                stuck.since.as_secs(),
                self.stuck_after.as_secs()
            )),
        }
    }

    /// Models loaded, sinks open, all partitions that are ours taken over, a source and a store that answer. An instance that
    /// the group gave nothing is a stand-by, and ready.
    pub(crate) fn ready(&self) -> Result<(), String> {
        let sinks = self.sinks.get().ok_or("starting: models are being loaded and stores checked")?;
        if let Some(trouble) = sinks.health().in_the_way() {
            return Err(format!("partition `{}` cannot commit: {}", trouble.partition, trouble.error));
        }
        if let Some((partition, why)) = self.progress.first_halted() {
            return Err(format!("partition `{partition}` is halted: {why}"));
        }
        if let Some(cut_off) = self.progress.cut_off(Instant::now(), SOURCE_PATIENCE) {
            let seconds = cut_off.since.as_secs();
            return Err(format!("the source cannot be reached for {seconds} s: {}", cut_off.reason));
        }
        let counts = self.progress.counts();
        // Read one by one while workers go on: for a moment more may be lost than was gained.
        let owned = counts.gained.saturating_sub(counts.lost);
        let taken_over = counts.started.saturating_sub(counts.stopped);
        match () {
            () if counts.joined == 0 => Err("the group has not answered yet".into()),
            () if taken_over < owned => Err(format!("{taken_over} of {owned} partitions are taken over")),
            () => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
