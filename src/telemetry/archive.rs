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

    /// Takes the lines of the first day among those that wait.
    fn take(&self) -> Option<Chunk> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let date = waiting.lines.front()?.0.clone();
        let mut text = String::new();
        while waiting.lines.front().is_some_and(|(of_line, _)| *of_line == date)
            && let Some((_, line)) = waiting.lines.pop_front()
        {
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
        let lines = Arc::clone(&self.lines);
        loop {
            let is_over = tokio::select! {
                () = sleep(self.interval) => false,
                () = lines.enough.notified() => false,
                () = stopped(&mut stop) => true,
            };
            self.write().await;
            if is_over {
                return;
            }
        }
    }

    /// Until nothing waits, or the store refuses: then what was taken out is tried first the next time, under the same name.
    async fn write(&mut self) {
        while let Some(chunk) = self.pending.take().or_else(|| self.lines.take()) {
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
        match timeout(self.location.within(chunk.text.len() as u64), put).await {
            // It is ours: an earlier try arrived, and its answer did not.
            Ok(Ok(_) | Err(object_store::Error::AlreadyExists { .. })) => Ok(()),
            Ok(Err(error)) => Err(store::Error::from_store(&self.location, &error).to_string()),
            Err(_) => Err("the store does not answer in time".into()),
        }
    }
}

fn date(now: Micros) -> String {
    wall::text(now).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;

    use super::*;

    fn archive(name: &str) -> Archive {
        let location = store::open(&format!("memory://{name}/logs"), &store::Config::default()).unwrap();
        Archive::new(Lines::new(), location, Duration::from_secs(60), "host.example/12")
    }

    async fn objects(location: &Location) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let all: Vec<_> = location.store.list(Some(&location.prefix)).try_collect().await.unwrap();
        for meta in all {
            let bytes = location.store.get(&meta.location).await.unwrap().bytes().await.unwrap();
            found.push((meta.location.to_string(), String::from_utf8(bytes.to_vec()).unwrap()));
        }
        found.sort();
        found
    }

    #[tokio::test(start_paused = true)]
    async fn every_chunk_is_a_new_object_and_the_end_writes_the_rest() {
        let archive = archive("archive-chunks");
        let (lines, location) = (Arc::clone(&archive.lines), archive.location.clone());
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let running = tokio::spawn(archive.run(stopping));
        lines.push("one".into());
        lines.push("two".into());
        sleep(Duration::from_secs(61)).await;
        assert_eq!(objects(&location).await.len(), 1);
        lines.push("last words".into());
        stop.send(true).unwrap();
        running.await.unwrap();
        let objects = objects(&location).await;
        let texts: Vec<_> = objects.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["one\ntwo\n", "last words\n"]);
        for (number, (name, _)) in objects.iter().enumerate() {
            let today = date(wall::now());
            assert!(name.starts_with(&format!("logs/date={today}/host-example-12-")), "{name}");
            assert!(name.ends_with(&format!("-{number:05}.jsonl")), "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_has_its_own_folder() {
        let mut archive = archive("archive-days");
        {
            let mut waiting = archive.lines.waiting.lock().unwrap();
            for (date, line) in [("2026-01-31", "a"), ("2026-01-31", "b"), ("2026-02-01", "c")] {
                waiting.lines.push_back((date.into(), line.into()));
            }
        }
        archive.write().await;
        let objects = objects(&archive.location).await;
        assert_eq!(objects.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["a\nb\n", "c\n"]);
        assert!(objects[1].0.contains("/date=2026-02-01/"), "{objects:?}");
    }

    #[tokio::test]
    async fn an_object_that_is_there_already_is_ours() {
        let mut archive = archive("archive-again");
        archive.lines.push("one".into());
        archive.write().await;
        archive.written = 0;
        archive.lines.push("one".into());
        archive.write().await;
        assert!(archive.pending.is_none());
        assert_eq!(objects(&archive.location).await.len(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let lines = Lines::new();
        for _ in 0..100 {
            lines.push("x".repeat(100_000));
        }
        let waiting = lines.waiting.lock().unwrap();
        assert!(waiting.bytes <= BYTES_MAX && waiting.lines.len() == BYTES_MAX / 100_001, "{}", waiting.lines.len());
    }
}
