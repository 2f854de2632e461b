//! The map: how a record becomes a durable row.
//!
//! ```text
//! source.poll ─ Gained ──> sink.recover ─> source.start(position)
//!             ─ Records ─> decode ─> windows.observe ─────────────┐ (fold; no I/O, no clock)
//!             ─ CaughtUp ─> windows.tick                          │
//!             ─ Lost ───> forget the partition                    │
//!  every turn: closed windows due? ─> score ─> sink.encode ─> sink.begin ─ … ─> sink.poll ─> source.acknowledge
//! ```
//!
//! A worker is one OS thread with its own source and the tasks of the partitions it owns; nothing is shared between
//! partitions. Everything that does I/O is behind the two traits `ingest::Source` and `sink::Sink`.

mod finish;
mod metrics;
mod progress;
mod refusals;
mod state;
mod task;
mod worker;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;

pub use finish::{Ending, Finish};
pub use metrics::describe as describe_metrics;
pub use progress::{Counts, Progress};
pub use task::Cadence;

use crate::shutdown::Shutdown;

/// Everything a run needs besides its sources and its sink.
pub struct Job {
    pub decode: ingest::decode::Config,
    /// The rules of time.
    pub windows: aggregate::Settings,
    pub models: Arc<score::ModelSet>,
    pub score: score::Config,
    pub cadence: Cadence,
    /// Bytes of closed rows that a worker lets wait behind unfinished commits before reading pauses.
    pub pending_bytes_max: usize,
    /// Where a partition without state begins.
    pub start: ingest::Start,
    /// Whether records are judged against the wall clock where the broker gives no time: for live sources.
    pub wall: bool,
    /// When the run is over by itself.
    pub ending: Ending,
    /// How long a clean stop may take.
    pub grace: Duration,
}

/// Opens the durable end of a partition; called from worker threads.
pub type OpenSink<'a> = &'a (dyn Fn(&types::PartitionId) -> Box<dyn sink::Sink> + Sync);

/// Runs one worker thread a source until the job ends by itself, a worker fails, or shutdown is asked for.
///
/// # Errors
/// The first worker's failure; the others are stopped in good order before this returns.
pub fn run(
    job: &Job,
    sources: Vec<Box<dyn ingest::Source>>,
    open_sink: OpenSink<'_>,
    progress: &Progress,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let finish = Finish::new(job.ending, sources.len());
    thread::scope(|scope| {
        let workers: Vec<_> = sources
            .into_iter()
            .enumerate()
            .map(|(number, source)| {
                let finish = &finish;
                thread::Builder::new()
                    .name(format!("worker-{number}"))
                    .spawn_scoped(scope, move || {
                        // Also when it panics: the others must not wait for a worker that is gone.
                        let _stop_others = shutdown.stop_on_drop_unless(|| finish.decided());
                        worker::Worker::new(number, job, source, open_sink, progress, finish).work(shutdown)
                    })
                    .context("start a worker thread")
            })
            .collect::<Result<_, _>>()
            // Those that did start must not be waited for without end.
            .inspect_err(|_| shutdown.request())?;
        let mut first_error = None;
        for worker in workers {
            let result =
                worker.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a worker thread panicked: this is a bug")));
            if let Err(error) = result {
                first_error.get_or_insert(error);
            }
        }
        first_error.map_or(Ok(()), Err)
    })
}
