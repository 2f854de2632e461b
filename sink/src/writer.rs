//! Makes one commit durable: its files, all of them, and only then the state.
//!
//! The task does not give up. What may heal is tried again after a growing, jittered pause; what needs somebody to act
//! (a container gone, a right taken away) at a slow, steady pace, with readiness off. Dropping the sink ends it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::{self, TryStreamExt};
use rand::RngExt;
use tracing::{error, info, warn};
use types::PartitionId;

use crate::encode::DataFile;
use crate::health::Trouble;
use crate::metrics;
use crate::place::{Creation, Scratch};
use crate::sinks::Shared;

/// Files of one commit that are on their way at the same time.
const FILES_AT_ONCE: usize = 4;
const LOG_EVERY: Duration = Duration::from_secs(10);

/// How long to wait before a write is tried again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    /// Where waiting alone does not help.
    pub(crate) stuck: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { first: Duration::from_millis(200), longest: Duration::from_secs(30), stuck: Duration::from_secs(30) }
    }
}

pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) partition: PartitionId,
    pub(crate) scratch: Scratch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Done,
    /// A file that this commit was to create is there with other contents: somebody else commits for the partition.
    Fenced,
}

impl Writer {
    pub(crate) async fn commit(&self, files: Vec<DataFile>, state_name: &str, state: &Bytes) -> Written {
        let created = stream::iter(files.iter().map(Ok::<_, Written>))
            .try_for_each_concurrent(FILES_AT_ONCE, |file| self.create(file))
            .await;
        if let Err(written) = created {
            return written;
        }
        self.patiently(|| self.shared.state.replace(state_name, state, &self.scratch)).await;
        for file in &files {
            metrics::wrote(file.dataset, file.rows);
        }
        Written::Done
    }

    async fn create(&self, file: &DataFile) -> Result<(), Written> {
        let place = self.shared.dataset(file.dataset);
        match self.patiently(|| place.create(&file.name, &file.bytes, &self.scratch)).await {
            Creation::Visible => Ok(()),
            Creation::Taken => {
                warn!(partition = %self.partition, place = %place.location, file = file.name, "another process commits for this partition");
                Err(Written::Fenced)
            }
        }
    }

    async fn patiently<T, F>(&self, mut attempt: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, store::Error>>,
    {
        let mut failing: Option<Failing> = None;
        loop {
            match attempt().await {
                Ok(value) => {
                    if let Some(failing) = failing {
                        self.healed(&failing);
                    }
                    return value;
                }
                Err(error) => {
                    let failing = failing.get_or_insert_with(Failing::now);
                    let pause = self.failed(failing, &error);
                    metrics::retried();
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Tells people, and says how long to wait.
    fn failed(&self, failing: &mut Failing, error: &store::Error) -> Duration {
        let Patience { first, longest, stuck: steady } = self.shared.patience;
        let stuck = error.kind() != store::Kind::Retry;
        failing.tries += 1;
        let hint = error.hint();
        let (partition, tries) = (&self.partition, failing.tries);
        if self.shared.ward.may_log(LOG_EVERY) {
            let hint = hint.as_deref().unwrap_or_default();
            if stuck {
                error!(%partition, tries, hint, "cannot commit: {error}");
            } else {
                warn!(%partition, tries, hint, "commit is retried: {error}");
            }
        }
        self.shared.ward.report(Trouble {
            partition: partition.clone(),
            error: error.to_string(),
            hint,
            stuck,
            since: failing.since,
        });
        self.count_stuck();
        if stuck {
            return steady;
        }
        let ceiling = first.saturating_mul(1 << (tries - 1).min(16)).min(longest);
        // Full jitter, so that partitions that failed together do not come back together.
        ceiling.mul_f64(rand::rng().random_range(0.0..=1.0)).max(first.min(ceiling) / 4)
    }

    fn healed(&self, failing: &Failing) {
        self.shared.ward.clear(&self.partition);
        self.count_stuck();
        info!(partition = %self.partition, tries = failing.tries, seconds = failing.since.elapsed().as_secs(), "storage answers again");
    }

    fn count_stuck(&self) {
        metrics::stuck(self.shared.ward.health().troubles.iter().filter(|trouble| trouble.stuck).count());
    }
}

struct Failing {
    since: Instant,
    tries: u32,
}

impl Failing {
    fn now() -> Self {
        Failing { since: Instant::now(), tries: 0 }
    }
}
