//! One receiver's follower: for each partition of ours it walks along the log, behind those who write it.
//!
//! The order of steps is the whole guarantee: read a commit, send its events, have them acknowledged, move the cursor. Dropped anywhere, or
//! killed, it begins again at the cursor: events may be sent again, with the same id and bytes, and none is passed over. It waits for
//! nobody itself: after a failure it gives back control, and says when it will try again.

mod behind;
mod passing;
mod walk;

#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;
use types::{Micros, PartitionId};

use self::behind::Behind;
use crate::backoff::Backoff;
use crate::tell::Tell;
use crate::{Begin, Cursor, Cursors, Error, Failure, Log, Receiver, metrics};

/// Partitions that are ours, each with the newest commit that is known.
pub type Heads = BTreeMap<PartitionId, u64>;

/// How a follower works.
#[derive(Debug, Clone)]
pub struct Settings {
    pub pipeline: String,
    pub from: Begin,
    /// The wall clock, for telling how far it is behind.
    pub now: fn() -> Micros,
    /// For the lengths of pauses.
    pub seed: u64,
    pub guards: Guards,
}

/// Steps that only tests take away, to see that something notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    /// The cursor moves after the acknowledgement, not before.
    pub acknowledged: bool,
    /// What is not acknowledged is sent again.
    pub again: bool,
    /// Commits whose records are gone are read from the dataset.
    pub unlogged: bool,
}

impl Default for Guards {
    fn default() -> Self {
        Guards { acknowledged: true, again: true, unlogged: true }
    }
}

/// What there is left to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turn {
    /// Commits that are not passed yet.
    pub commits: u64,
    /// Nothing can be done before so much time is over.
    pub wait: Option<Duration>,
}

pub struct Follower<L, C, R> {
    log: L,
    cursors: C,
    receiver: R,
    settings: Settings,
    partitions: BTreeMap<PartitionId, Followed>,
    /// Partitions whose log or cursor could not be read lately.
    pauses: BTreeMap<PartitionId, Pause>,
    /// After failures of the receiver, which all partitions wait for.
    pause: Pause,
    /// Whose event it failed at: the others go first then, since it may be that event alone.
    failed_last: Option<PartitionId>,
    /// Events one after the other that it refused for good.
    refused: usize,
    tell: Tell,
    rng: ChaCha8Rng,
}

/// Where a partition stands.
struct Followed {
    cursor: Cursor,
    /// The version of the stored cursor, if there is one.
    version: Option<String>,
    /// What is stored.
    saved: Option<Cursor>,
    saved_at: Instant,
    /// Of the commit at the cursor: the file, and its events that are acknowledged.
    done: (usize, usize),
    /// Events were acknowledged that the stored cursor does not know of.
    is_owing: bool,
    /// Commits whose records are gone.
    behind: Option<Behind>,
    /// When the oldest commit was written that is not passed, as far as known.
    waiting_since: Option<Micros>,
}

#[derive(Default)]
struct Pause {
    backoff: Backoff,
    until: Option<Instant>,
    since: Option<Micros>,
}

/// Why a walk ended early.
enum Trouble {
    Log(Error),
    Receiver(Failure),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Log(error)
    }
}

impl<L: Log, C: Cursors, R: Receiver> Follower<L, C, R> {
    pub fn new(log: L, cursors: C, receiver: R, settings: Settings) -> Self {
        metrics::begun(receiver.name());
        Follower {
            rng: ChaCha8Rng::seed_from_u64(settings.seed),
            log,
            cursors,
            receiver,
            settings,
            partitions: BTreeMap::new(),
            pauses: BTreeMap::new(),
            pause: Pause::default(),
            failed_last: None,
            refused: 0,
            tell: Tell::default(),
        }
    }

    #[must_use]
    pub fn receiver(&self) -> &R {
        &self.receiver
    }

    /// Sends what is there, a bounded part of it; never waits for a failure to pass. Partitions that are not among `heads` are somebody
    /// else's now.
    pub async fn turn(&mut self, heads: &Heads) -> Turn {
        self.partitions.retain(|partition, _| heads.contains_key(partition));
        self.pauses.retain(|partition, _| heads.contains_key(partition));
        // Where each begins is settled even while the receiver is away: all that is committed from then on is to reach it.
        for partition in heads.keys() {
            if !self.partitions.contains_key(partition) && !self.is_paused(partition) {
                match self.open(partition).await {
                    Ok(opened) => self.partitions.extend(opened.map(|followed| (partition.clone(), followed))),
                    Err(error) => self.failed(partition, Trouble::Log(error)),
                }
            }
        }
        for (partition, head) in in_turn(heads, self.failed_last.clone()) {
            if self.pause.is_on() {
                break;
            }
            if self.is_paused(partition) {
                continue;
            }
            match self.advance(partition, head).await {
                Ok(()) => {
                    self.pauses.remove(partition);
                }
                Err(trouble) => self.failed(partition, trouble),
            }
        }
        let commits = self.measure(heads);
        let pauses = self.pauses.values().chain([&self.pause]).filter_map(|pause| pause.until);
        let wait = pauses.map(|until| until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
        Turn { commits, wait: wait.min() }
    }

    /// Has the cursors say how far it came, also where nothing was to be sent: the next process need not look at that again.
    ///
    /// # Errors
    /// If the store does not answer. Nothing is lost by that.
    pub async fn save(&mut self) -> Result<(), Error> {
        let partitions: Vec<PartitionId> = self.partitions.keys().cloned().collect();
        for partition in partitions {
            let Some(mut followed) = self.partitions.remove(&partition) else { continue };
            let saved = match followed.saved.as_ref() == Some(&followed.cursor) {
                true => Ok(()),
                false => self.put(&partition, &mut followed).await,
            };
            self.partitions.insert(partition, followed);
            saved?;
        }
        Ok(())
    }

    fn is_paused(&self, partition: &PartitionId) -> bool {
        self.pauses.get(partition).is_some_and(Pause::is_on)
    }

    fn failed(&mut self, partition: &PartitionId, trouble: Trouble) {
        let now = (self.settings.now)();
        let receiver = self.receiver.name();
        let share = self.rng.random_range(0.5..=1.0);
        match trouble {
            Trouble::Receiver(Failure { reason, is_stuck, wait }) => {
                metrics::retried(receiver);
                self.pause.begin(now, |backoff| backoff.failed(is_stuck, share, wait));
                self.failed_last = Some(partition.clone());
                self.tell.failed(receiver, &reason, None, is_stuck);
            }
            Trouble::Log(error) => {
                let pause = self.pauses.entry(partition.clone()).or_default();
                pause.begin(now, |backoff| backoff.failed(false, share, None));
                self.tell.failed(receiver, &format!("{partition}: {error}"), error.hint().as_deref(), false);
            }
        }
    }

    /// The receiver has taken what it was given.
    fn worked(&mut self) {
        self.pause = Pause::default();
        if self.pauses.is_empty() {
            self.tell.worked(self.receiver.name());
        }
    }

    /// Tells how far it is behind; gives the number of commits.
    fn measure(&self, heads: &Heads) -> u64 {
        let left = |(partition, head): (&PartitionId, &u64)| match self.partitions.get(partition) {
            Some(followed) => (head + 1).saturating_sub(followed.cursor.next),
            // Not looked at yet.
            None => u64::from(self.pauses.contains_key(partition) || self.pause.until.is_some()),
        };
        let commits = heads.iter().map(left).sum();
        let waiting = self.partitions.values().filter_map(|followed| followed.waiting_since);
        let oldest = waiting.chain(self.pauses.values().filter_map(|pause| pause.since)).min();
        let behind = oldest.map_or(0, |oldest| (self.settings.now)().saturating_sub(oldest).max(0));
        metrics::lag(self.receiver.name(), behind as f64 / 1e6, commits);
        commits
    }
}

/// All of them, those behind the given one first.
fn in_turn(heads: &Heads, last: Option<PartitionId>) -> impl Iterator<Item = (&PartitionId, u64)> {
    let first = last.map_or(0, |last| heads.range(..=last).count());
    heads.iter().cycle().skip(first).take(heads.len()).map(|(partition, head)| (partition, *head))
}

impl Pause {
    fn begin(&mut self, now: Micros, length: impl FnOnce(&mut Backoff) -> Duration) {
        self.since.get_or_insert(now);
        self.until = Some(Instant::now() + length(&mut self.backoff));
    }

    fn is_on(&self) -> bool {
        self.until.is_some_and(|until| until > Instant::now())
    }
}
