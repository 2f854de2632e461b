//! Along one partition's log: where to begin, from commit to commit, and where the cursor is kept.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};
use types::PartitionId;

use super::{Followed, Follower, Trouble};
use crate::{Begin, Commit, Cursor, Cursors, Error, Log, Moved, Receiver, Stored};

/// Commits of a partition until the others have their turn.
const COMMITS_A_TURN: usize = 16;
/// The cursor is moved at least so often where no commit has an anomaly: well within the time that records are kept for.
const SAVE_EVERY: Duration = Duration::from_secs(300);
/// Somebody else moves it, too, but hardly as often.
const PUTS: usize = 5;

impl<L: Log, C: Cursors, R: Receiver> Follower<L, C, R> {
    pub(super) async fn advance(&mut self, partition: &PartitionId, head: u64) -> Result<(), Trouble> {
        // There is no log yet.
        let Some(mut followed) = self.partitions.remove(partition) else { return Ok(()) };
        let walked = self.walk(partition, &mut followed, head).await;
        self.partitions.insert(partition.clone(), followed);
        walked
    }

    async fn walk(&mut self, partition: &PartitionId, followed: &mut Followed, head: u64) -> Result<(), Trouble> {
        if followed.is_owing {
            self.put(partition, followed).await?;
        }
        for _ in 0..COMMITS_A_TURN {
            if followed.behind.is_some() {
                self.pass_unlogged(partition, followed).await?;
                continue;
            }
            if followed.cursor.next > head {
                break;
            }
            match self.log.commit(partition, followed.cursor.next).await? {
                Some(commit) => self.pass(partition, followed, &commit).await?,
                None if self.look_behind(partition, followed).await? => {}
                // Not there yet.
                None => break,
            }
        }
        if followed.cursor.next > head && followed.behind.is_none() {
            followed.waiting_since = None;
        }
        let is_due = followed.saved_at.elapsed() >= SAVE_EVERY && followed.saved.as_ref() != Some(&followed.cursor);
        if is_due {
            self.put(partition, followed).await?;
        }
        Ok(())
    }

    // === Where to begin ===

    /// None while there is no log.
    pub(super) async fn open(&self, partition: &PartitionId) -> Result<Option<Followed>, Error> {
        // The cursor first: the log only grows meanwhile.
        let stored = self.cursors.load(partition).await?;
        let kept = self.log.kept(partition, 0).await?;
        let (Some(&oldest), Some(&newest)) = (kept.first(), kept.last()) else { return Ok(None) };
        match stored {
            Some(stored) if stored.cursor.next <= newest + 1 => Ok(Some(Followed::at(stored))),
            Some(stored) => self.shorter(partition, stored, newest).await,
            None => self.begin(partition, oldest, newest).await,
        }
    }

    /// The log ends before the cursor: it was put back, or begun anew. What it says now was not forwarded.
    async fn shorter(&self, partition: &PartitionId, stored: Stored, newest: u64) -> Result<Option<Followed>, Error> {
        let Some(head) = self.log.commit(partition, newest).await? else { return Ok(None) };
        let is_same = head.genesis == stored.cursor.genesis;
        let next = if is_same { newest + 1 } else { 0 };
        let rows = if is_same { head.rows_total } else { 0 };
        warn!(%partition, was = stored.cursor.next, next, "the log ends before what was forwarded: it was put back or begun anew");
        let cursor = Cursor { genesis: head.genesis, next, rows };
        Ok(Some(Followed { cursor, is_owing: true, ..Followed::at(stored) }))
    }

    async fn begin(&self, partition: &PartitionId, oldest: u64, newest: u64) -> Result<Option<Followed>, Error> {
        let found = match self.settings.from {
            Begin::Earliest => self.log.commit(partition, oldest).await?.map(|commit| {
                // Older commits of this log are found in the dataset.
                Cursor { genesis: commit.genesis, next: 0, rows: 0 }
            }),
            Begin::Latest => self.present(partition, newest).await?,
        };
        // Collected meanwhile: the next turn looks again.
        let Some(cursor) = found else { return Ok(None) };
        // What came first counts: its begin may be before ours.
        if self.cursors.store(partition, &cursor, None).await? == Moved::Elsewhere {
            return Ok(self.cursors.load(partition).await?.map(Followed::at));
        }
        info!(%partition, receiver = self.receiver.name(), commit = cursor.next, "forwarding of anomalies begins");
        Ok(self.cursors.load(partition).await?.map(Followed::at))
    }

    /// The present: behind the newest commit of other processes. What this one has committed already is new.
    async fn present(&self, partition: &PartitionId, newest: u64) -> Result<Option<Cursor>, Error> {
        let mut first_of_ours: Option<Commit> = None;
        for seq in (0..=newest).rev() {
            match self.log.commit(partition, seq).await? {
                Some(commit) if commit.is_ours => first_of_ours = Some(commit),
                Some(commit) => {
                    let next = seq + 1;
                    return Ok(Some(Cursor { genesis: commit.genesis, next, rows: commit.rows_total }));
                }
                None => break,
            }
        }
        Ok(first_of_ours.map(|first| Cursor {
            next: first.seq,
            rows: first.rows_total.saturating_sub(first.rows()),
            genesis: first.genesis,
        }))
    }

    // === Where the cursor is kept ===

    /// Has the stored cursor say what ours says, unless somebody else's is ahead: then that one counts.
    pub(super) async fn put(&self, partition: &PartitionId, followed: &mut Followed) -> Result<(), Error> {
        for _ in 0..PUTS {
            match self.cursors.store(partition, &followed.cursor, followed.version.as_deref()).await? {
                Moved::Done(version) => {
                    followed.version = Some(version);
                    followed.saved(followed.cursor.clone());
                    return Ok(());
                }
                Moved::Elsewhere => {
                    let stored = self.cursors.load(partition).await?;
                    followed.version = stored.as_ref().map(|stored| stored.version.clone());
                    let ahead = stored.filter(|stored| stored.cursor.next >= followed.cursor.next);
                    if let Some(Stored { cursor, .. }) = ahead {
                        if cursor.next > followed.cursor.next {
                            followed.jump(cursor.clone());
                        }
                        followed.saved(cursor);
                        return Ok(());
                    }
                }
            }
        }
        Err(Error::Log { reason: "its cursor is moved by another process all the time".to_owned(), hint: None })
    }
}

impl Followed {
    pub(super) fn at(stored: Stored) -> Followed {
        Followed {
            cursor: stored.cursor.clone(),
            version: Some(stored.version),
            saved: Some(stored.cursor),
            saved_at: Instant::now(),
            done: (0, 0),
            is_owing: false,
            behind: None,
            waiting_since: None,
        }
    }

    /// The cursor is elsewhere: nothing is known of the commit there.
    pub(super) fn jump(&mut self, cursor: Cursor) {
        self.cursor = cursor;
        self.done = (0, 0);
        self.behind = None;
    }

    fn saved(&mut self, cursor: Cursor) {
        self.saved = Some(cursor);
        self.saved_at = Instant::now();
        self.is_owing = false;
    }
}
