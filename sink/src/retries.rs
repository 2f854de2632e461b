//! Patience with a store: what may heal is tried again after a growing, jittered pause; what needs somebody to act (a
//! container gone, a right taken away) at a slow, steady pace, with readiness off. Without end: dropping the task ends it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tracing::{error, info, warn};
use types::PartitionId;

use crate::health::Trouble;
use crate::metrics;
use crate::sinks::Shared;

const LOG_EVERY: Duration = Duration::from_secs(10);

/// How long to wait before a request is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub first: Duration,
    pub longest: Duration,
    /// Where waiting alone does not help.
    pub stuck: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { first: Duration::from_millis(200), longest: Duration::from_secs(30), stuck: Duration::from_secs(30) }
    }
}

/// The failures of one partition's requests in a row, and when to try again. Clones share them.
#[derive(Clone)]
pub(crate) struct Retries {
    shared: Arc<Shared>,
    partition: PartitionId,
    state: Arc<Mutex<State>>,
}

struct State {
    failing: Option<Failing>,
    /// Whoever waited for the requests is gone.
    ended: bool,
    rng: ChaCha8Rng,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    since: Instant,
    tries: u32,
}

impl Retries {
    pub(crate) fn new(shared: Arc<Shared>, partition: PartitionId, seed: u64) -> Self {
        let state = State { failing: None, ended: false, rng: ChaCha8Rng::seed_from_u64(seed) };
        Retries { shared, partition, state: Arc::new(Mutex::new(state)) }
    }

    /// Repeats a request that changes nothing until it has an answer.
    pub(crate) async fn until_answered<T, F>(&self, mut request: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, store::Error>>,
    {
        loop {
            match request().await {
                Ok(answer) => {
                    self.answered();
                    return answer;
                }
                Err(error) => self.pause(&error).await,
            }
        }
    }

    /// The store has answered: what follows is a new story.
    pub(crate) fn answered(&self) {
        let Some(failing) = self.lock().failing.take() else { return };
        self.shared.ward.clear(&self.partition);
        self.count_stuck();
        info!(partition = %self.partition, tries = failing.tries, seconds = failing.since.elapsed().as_secs(), "storage answers again");
    }

    /// What still runs of the partition's requests is nobody's trouble any more, and cannot bring it back.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        self.shared.ward.clear(&self.partition);
        drop(state);
        self.count_stuck();
    }

    /// Tells people, and waits.
    pub(crate) async fn pause(&self, error: &store::Error) {
        metrics::retried();
        let pause = self.failed(error);
        tokio::time::sleep(pause).await;
    }

    fn failed(&self, error: &store::Error) -> Duration {
        let Patience { first, longest, stuck: steady } = self.shared.patience;
        let stuck = error.kind() != store::Kind::Retry;
        let mut state = self.lock();
        let failing = state.failing.get_or_insert_with(|| Failing { since: Instant::now(), tries: 0 });
        failing.tries += 1;
        let Failing { since, tries } = *failing;
        let share = state.rng.random_range(0.0..=1.0);
        let (partition, hint) = (&self.partition, error.hint());
        if !state.ended {
            let (partition, hint) = (partition.clone(), hint.clone());
            self.shared.ward.report(Trouble { partition, error: error.to_string(), hint, stuck, since });
        }
        drop(state);

        if self.shared.ward.may_log(LOG_EVERY) {
            let hint = hint.as_deref().unwrap_or_default();
            if stuck {
                error!(%partition, tries, hint, "cannot commit: {error}");
            } else {
                warn!(%partition, tries, hint, "storage is asked again: {error}");
            }
        }
        self.count_stuck();
        if stuck {
            return steady;
        }
        let ceiling = first.saturating_mul(1 << (tries - 1).min(16)).min(longest);
        // Full jitter, so that partitions that failed together do not come back together.
        ceiling.mul_f64(share).max(first.min(ceiling) / 4)
    }

    fn count_stuck(&self) {
        metrics::stuck(self.shared.ward.health().troubles.iter().filter(|trouble| trouble.stuck).count());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
