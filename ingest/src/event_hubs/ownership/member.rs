//! One member of the consumer group: a worker thread's, with a task in the background that talks to the store.
//!
//! The thread only looks at what the task has found out, and leaves notes for it. Each start is a new member, with an id that was
//! never there before: what it reads back with that id in it, it wrote itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::warn;

use super::metrics::{self, Claim};
use super::state::State;
use super::{Checkpoint, CheckpointStore, Settings, rounds};
use crate::Error;
use crate::event_hubs::{Change, Membership, Wake};

/// How long leaving may take; what is not released by then expires.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// Claims partitions, renews the claims, and writes checkpoints. Dropped without leaving, its claims stay until they expire.
pub struct Member {
    runtime: Handle,
    shared: Arc<Shared>,
    task: Option<Task>,
}

struct Task {
    handle: JoinHandle<()>,
    left: Receiver<()>,
}

pub(super) struct Shared {
    pub(super) id: String,
    pub(super) store: CheckpointStore,
    pub(super) settings: Settings,
    worker: usize,
    state: Mutex<State>,
    wake: OnceLock<Wake>,
    /// There is reason to look at once.
    pub(super) look: Notify,
    /// There are checkpoints to write.
    pub(super) progress: Notify,
    pub(super) is_leaving: AtomicBool,
}

impl Member {
    /// Nothing is asked of the store before [`Membership::begin`].
    #[must_use]
    pub fn new(runtime: Handle, store: CheckpointStore, settings: Settings, worker: usize) -> Self {
        let id = format!("{:032x}-{worker}", rand::rng().random::<u128>());
        let shared = Shared {
            id,
            store,
            settings,
            worker,
            state: Mutex::default(),
            wake: OnceLock::new(),
            look: Notify::new(),
            progress: Notify::new(),
            is_leaving: AtomicBool::new(false),
        };
        Member { runtime, shared: Arc::new(shared), task: None }
    }

    /// By which others know it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.id
    }
}

impl Membership for Member {
    fn begin(&mut self, wake: Wake) {
        if self.shared.wake.set(wake).is_err() {
            return;
        }
        let (tell, left) = sync_channel(1);
        let shared = Arc::clone(&self.shared);
        let handle = self.runtime.spawn(async move {
            rounds::run(&shared).await;
            // Nobody may be waiting any more.
            let _ = tell.try_send(());
        });
        self.task = Some(Task { handle, left });
    }

    fn hub_has(&mut self, count: u32) {
        let mut state = self.shared.state();
        // Partitions are added to a hub, and never taken away.
        if state.count.is_none_or(|known| known < count) {
            state.count = Some(count);
            self.shared.look.notify_one();
        }
    }

    fn changes(&mut self) -> Result<Vec<Change>, Error> {
        let mut state = self.shared.state();
        match state.failed.take() {
            Some(error) => Err(error.into()),
            None => Ok(state.changes()),
        }
    }

    fn acknowledge(&self, partition: u32, sequence_number: i64, offset: Option<&str>) {
        // Before the first event there is nothing to tell.
        if sequence_number < 0 {
            return;
        }
        let mut state = self.shared.state();
        if state.progress.get(&partition).is_none_or(|known| known.sequence_number < sequence_number) {
            let offset = offset.map(str::to_owned);
            state.progress.insert(partition, Checkpoint { sequence_number, offset });
            self.shared.progress.notify_one();
        }
    }

    fn stolen(&self, partition: u32) {
        self.shared.change(|state| {
            if state.stolen(partition, Instant::now()) {
                metrics::claim(Claim::Stolen, 1);
            }
        });
    }

    fn leave(&mut self) {
        let Some(task) = self.task.take() else { return };
        self.shared.is_leaving.store(true, Ordering::Relaxed);
        self.shared.look.notify_one();
        if task.left.recv_timeout(LEAVE_WITHIN).is_err() {
            warn!(member = self.shared.id, "the claims could not be released in time: they stay until they expire");
        }
        task.handle.abort();
        metrics::partitions(self.shared.worker, 0);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.handle.abort();
        }
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    /// Changes the state, and wakes the source if there is news for it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let changed = change(&mut state);
        let (held, is_news) = (state.held().len(), state.has_news());
        drop(state);
        metrics::partitions(self.worker, held);
        if let Some(wake) = self.wake.get().filter(|_| is_news) {
            wake();
        }
        changed
    }
}

#[cfg(test)]
mod tests;
