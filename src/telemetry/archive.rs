//! Log lines as files in a store: `date=…/<instance>-<start>-<number>.jsonl`, each written once and whole.
//!
//! New objects only, so that a right to create is enough, and any number of jobs may share the place. Best effort: lines wait in bounded
//! memory, and nobody waits for them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::path::Path;
use object_store::{PutMode, PutOptions, PutPayload};
use store::Location;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use types::Micros;

use super::failures::Failures;
use super::pump::{Stop, stopped};
use crate::wall;

/// Lines that wait, chunks that could not be written included.
const BYTES_MAX: usize = 4 << 20;
/// So many are written without waiting for the time.
const BYTES_ENOUGH: usize = 1 << 20;
/// A store that refused is asked again no later, and for no line sooner.
const TRY_AGAIN: Duration = Duration::from_secs(10);

const DROPPED: &str = "atalaia_process_log_lines_dropped_total";

pub(super) fn describe_metrics() {
    use metrics::{Unit, describe_counter};
    describe_counter!(
        DROPPED,
        Unit::Count,
        "Log lines that were dropped on their way to the files of `telemetry.logs`"
    );
}

/// Lines on their way.
pub(super) struct Lines {
    waiting: Mutex<Waiting>,
    enough: Notify,
    /// Taken out, and not written yet.
    in_chunk: AtomicU64,
    dropped: metrics::Counter,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<(String, String)>,
    bytes: usize,
}

impl Lines {
    pub(super) fn new() -> Arc<Lines> {
        let dropped = metrics::counter!(DROPPED);
        dropped.increment(0);
        Arc::new(Lines { waiting: Mutex::default(), enough: Notify::new(), in_chunk: AtomicU64::new(0), dropped })
    }

    pub(super) fn push(&self, line: String) {
        let date = date(wall::now());
        let in_chunk = usize::try_from(self.in_chunk.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.bytes.saturating_add(in_chunk).saturating_add(line.len()) > BYTES_MAX {
            self.dropped.increment(1);
            return;
        }
        waiting.bytes += line.len() + 1;
        waiting.lines.push_back((date, line));
        if waiting.bytes >= BYTES_ENOUGH {
            self.enough.notify_one();
        }
    }

    fn count(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).lines.len()
    }

    /// Takes the lines of the first day among those that wait, and of these no more than are left to be taken.
    fn take(&self, left: &mut usize) -> Option<Chunk> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let date = waiting.lines.front().filter(|_| *left > 0)?.0.clone();
        let mut text = String::new();
        while *left > 0
            && waiting.lines.front().is_some_and(|(of_line, _)| *of_line == date)
            && let Some((_, line)) = waiting.lines.pop_front()
        {
            *left -= 1;
            text.push_str(&line);
            text.push('\n');
        }
        waiting.bytes = waiting.bytes.saturating_sub(text.len());
        self.in_chunk.store(text.len() as u64, Ordering::Relaxed);
        Some(Chunk { date, text })
    }
}

/// What becomes one object.
struct Chunk {
    date: String,
    text: String,
}

/// Writes what waits, every so often and at the end.
pub(super) struct Archive {
    lines: Arc<Lines>,
    location: Location,
    interval: Duration,
    /// Who writes, as a file's name: no two processes have the same.
    writer: String,
    written: u64,
    pending: Option<Chunk>,
    failures: Failures,
}

impl Archive {
    pub(super) fn new(lines: Arc<Lines>, location: Location, interval: Duration, instance: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
        let instance: String = instance.chars().map(plain).take(100).collect();
        // In a container the host's and the process' names may be the same each time; two starts in one microsecond are none.
        let writer = format!("{instance}-{:x}", wall::now());
        let failures = Failures::of("log lines cannot be written to `telemetry.logs`");
        Archive { lines, location, interval, writer, written: 0, pending: None, failures }
    }

    pub(super) async fn run(mut self, mut stop: Stop) {
        loop {
            let is_over = self.wait(&mut stop).await;
            self.write().await;
            if is_over {
                return;
            }
        }
    }

    /// Until it is time to write; whether for the last time.
    async fn wait(&self, stop: &mut Stop) -> bool {
        let is_refused = self.pending.is_some();
        let pause = if is_refused { self.interval.min(TRY_AGAIN) } else { self.interval };
        tokio::select! {
            () = sleep(pause) => false,
            () = self.lines.enough.notified(), if !is_refused => false,
            () = stopped(stop) => true,
        }
    }

    /// What waits by now: what comes meanwhile is for the next time, or there would be an object for every few lines. If the store refuses,
    /// what was taken out is tried first then, under the same name.
    async fn write(&mut self) {
        let mut left = self.lines.count();
        while let Some(chunk) = self.pending.take().or_else(|| self.lines.take(&mut left)) {
            match self.put(&chunk).await {
                Ok(()) => {
                    self.written += 1;
                    self.lines.in_chunk.store(0, Ordering::Relaxed);
                    self.failures.worked();
                }
                Err(problem) => {
                    self.pending = Some(chunk);
                    return self.failures.failed(&problem);
                }
            }
        }
    }

    async fn put(&self, chunk: &Chunk) -> Result<(), String> {
        let path: Path = self.location.path(&format!("date={}/{}-{:05}.jsonl", chunk.date, self.writer, self.written));
        let payload = PutPayload::from(chunk.text.clone());
        let put = self.location.store.put_opts(&path, payload, PutOptions::from(PutMode::Create));
        let Ok(answer) = timeout(self.location.within(chunk.text.len() as u64), put).await else {
            return Err("the store does not answer in time".into());
        };
        match answer.map_err(|error| store::Error::from_store(&self.location, &error)) {
            // One that exists is ours: an earlier try arrived, and its answer did not.
            Ok(_) | Err(store::Error::Exists { .. }) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn date(now: Micros) -> String {
    wall::text(now).chars().take(10).collect()
}

#[cfg(test)]
mod tests;
