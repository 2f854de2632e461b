//! The map: how a record becomes a durable row.
//!
//! ```text
//! source.poll ─ Gained ──> sink.claim ─> … ─> state and position ─> source.start(position)
//!             ─ Records ─> decode ─> windows.observe ─────────────┐ (fold; no I/O, no clock)
//!             ─ CaughtUp ─> windows.tick                          │
//!             ─ Lost ───> forget the partition                    │
//!  every turn: closed windows due? ─> score ─> sink.encode ─> sink.begin ─ … ─> sink.poll ─> source.acknowledge
//! ```
//!
//! A worker is one OS thread with its own source and the tasks of the partitions it owns; nothing is shared between
//! partitions. Everything that does I/O is behind the two traits `ingest::Source` and `sink::Sink`.

mod board;
mod clock;
mod finish;
mod metrics;
mod opening;
mod progress;
mod recent;
mod refusals;
mod state;
mod task;
#[cfg(test)]
pub(crate) mod testing;
mod worker;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;

pub use board::{Board, CutOff, PartitionStatus, Phase, Stuck, WorkerStatus};
pub use clock::{Clock, SystemClock};
pub use finish::{Ending, Finish};
pub(crate) use metrics::collect as collect_metrics;
pub(crate) use metrics::describe as describe_metrics;
pub use progress::{Account, Counts, Progress};
pub use recent::{Anomaly, Recent};
pub(crate) use state::{Fresh, fresh, windows};
pub use task::{Cadence, anchor_of};
pub use worker::Worker;

use crate::shutdown::Shutdown;

/// Everything a run needs besides its sources and its sink.
pub struct Job {
    pub decode: ingest::decode::Config,
    /// The rules of time.
    pub windows: aggregate::Settings,
    /// Of files: every job reads all of them, and only the devices of its shard count.
    pub shard: Option<ingest::Shard>,
    /// What judges; a newer set comes in between two commits.
    pub models: Arc<score::Models>,
    pub score: score::Config,
    pub cadence: Cadence,
    /// Bytes of closed rows that a worker lets wait behind unfinished commits before reading pauses.
    pub pending_bytes_max: usize,
    /// Where a partition without state begins.
    pub start: ingest::Start,
    /// The pipeline that hands over to this one, if any: partitions begin where its drain began.
    pub predecessor: Option<String>,
    /// What to do about records that expired before they were read.
    pub on_gap: ingest::OnGap,
    /// Whether records are judged against the wall clock where the broker gives no time: for live sources.
    pub wall: bool,
    /// When the run is over by itself.
    pub ending: Ending,
    /// How long a clean stop may take.
    pub grace: Duration,
    pub clock: Arc<dyn Clock>,
    /// For so long partitions may be withheld from us for the sake of a member that is dead.
    pub withheld: Duration,
    pub guards: Guards,
}

/// Checks that only tests take away, to see that something notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    /// Records below the position are dropped.
    pub positions: bool,
    /// The last record read must still be the same.
    pub anchor: bool,
}

impl Default for Guards {
    fn default() -> Self {
        Guards { positions: true, anchor: true }
    }
}

/// The durable side, as workers see it; called from their threads.
pub trait Keeper: Sync {
    /// The durable end of a partition.
    fn sink(&self, partition: &types::PartitionId) -> Box<dyn sink::Sink>;

    /// The boundary up to which this pipeline is to drain, if that was asked for.
    fn drain(&self) -> Option<types::Micros>;

    /// Changes when somebody has mended a partition: what is halted is looked at again.
    fn attention(&self) -> u64 {
        0
    }

    /// Where another pipeline's drain began in a partition; none if it has not begun.
    ///
    /// # Errors
    /// If that pipeline's log cannot be read.
    fn handed_over(
        &self,
        pipeline: &str,
        partition: &types::PartitionId,
    ) -> Result<Option<sink::record::DrainFrom>, sink::Error>;
}

impl Keeper for sink::Sinks {
    fn sink(&self, partition: &types::PartitionId) -> Box<dyn sink::Sink> {
        Box::new(self.partition(partition))
    }

    fn drain(&self) -> Option<types::Micros> {
        self.drain()
    }

    fn attention(&self) -> u64 {
        self.attention()
    }

    fn handed_over(
        &self,
        pipeline: &str,
        partition: &types::PartitionId,
    ) -> Result<Option<sink::record::DrainFrom>, sink::Error> {
        self.handed_over(pipeline, partition)
    }
}

/// Runs one worker thread a source until the job ends by itself, a worker fails, or shutdown is asked for.
///
/// # Errors
/// The first worker's failure; the others are stopped in good order before this returns.
pub(crate) fn run(
    job: &Job,
    sources: Vec<Box<dyn ingest::Source>>,
    keeper: &dyn Keeper,
    progress: &Progress,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let finish = Finish::new(job.ending, sources.len(), job.clock.now()).withheld(job.withheld);
    metrics::configured(job);
    shutdown.begin_work();
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
                        let _stop_others = shutdown.stop_on_drop_unless(|| finish.decided(job.clock.now()));
                        Worker::new(number, job, source, keeper, progress, finish).work(shutdown)
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
