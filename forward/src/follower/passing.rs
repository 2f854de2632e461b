//! One commit: its anomalies are sent, and only then it is passed.

use tracing::error;
use types::PartitionId;

use super::{Followed, Follower, Trouble};
use crate::{Commit, Cursor, Cursors, Event, Failure, File, Log, Receiver, Rows, metrics};

/// A receiver that refuses so many events one after the other means itself, not them: all of them wait.
const REFUSALS_MAX: usize = 20;

/// What passing a commit amounted to.
#[derive(Default)]
pub(super) struct Passed {
    /// Rows that were looked at.
    pub(super) rows: u64,
    pub(super) events: u64,
    lost: u64,
}

impl<L: Log, C: Cursors, R: Receiver> Follower<L, C, R> {
    pub(super) async fn pass(
        &mut self,
        partition: &PartitionId,
        followed: &mut Followed,
        commit: &Commit,
    ) -> Result<(), Trouble> {
        followed.waiting_since = Some(commit.written_at);
        let cursor = Cursor { genesis: commit.genesis.clone(), next: commit.seq + 1, rows: commit.rows_total };
        if commit.anomalies == 0 {
            followed.jump(cursor);
            return Ok(());
        }
        if !self.settings.guards.acknowledged {
            let was = std::mem::replace(&mut followed.cursor, cursor.clone());
            let put = self.put(partition, followed).await;
            followed.cursor = was;
            put?;
        }
        let passed = self.send_all(partition, followed, commit.seq, &commit.files).await?;
        self.tell_lost(partition, commit.seq, passed.lost);
        followed.jump(cursor);
        followed.is_owing = true;
        self.put(partition, followed).await?;
        Ok(())
    }

    /// Sends the anomalies of a commit's files from where it was interrupted the last time.
    pub(super) async fn send_all(
        &mut self,
        partition: &PartitionId,
        followed: &mut Followed,
        seq: u64,
        files: &[File],
    ) -> Result<Passed, Trouble> {
        let mut passed = Passed::default();
        for (index, file) in files.iter().enumerate() {
            let Some(bytes) = self.log.file(partition, seq, file).await? else {
                passed.lost += file.rows;
                continue;
            };
            let rows = match Rows::open(&self.settings.pipeline, bytes) {
                Ok(rows) => rows,
                Err(reason) => {
                    error!(%partition, file = file.name, reason, "a file of predictions cannot be read");
                    passed.lost += file.rows;
                    continue;
                }
            };
            passed.rows += rows.in_file();
            self.send_rows(followed, (index, file), rows, &mut passed).await?;
        }
        Ok(passed)
    }

    async fn send_rows(
        &mut self,
        followed: &mut Followed,
        (index, file): (usize, &File),
        rows: Rows,
        passed: &mut Passed,
    ) -> Result<(), Trouble> {
        let mut seen = 0;
        for batch in rows {
            let events = match batch {
                Ok(events) => events,
                Err(reason) => {
                    // Its checksum was right: these are the bytes that were committed.
                    error!(file = file.name, reason, "rows of a file of predictions cannot be read");
                    passed.lost += file.rows;
                    break;
                }
            };
            for events in events.chunks(self.receiver.batch().max(1)) {
                seen += events.len();
                let is_done = followed.done.0 > index || followed.done.0 == index && followed.done.1 >= seen;
                if !is_done {
                    self.send(events).await?;
                    followed.done = (index, seen);
                }
            }
        }
        passed.events += seen as u64;
        Ok(())
    }

    async fn send(&mut self, events: &[Event]) -> Result<(), Trouble> {
        let refusals = match self.receiver.send(events).await {
            Ok(refusals) => refusals,
            Err(failure) if self.settings.guards.again => return Err(Trouble::Receiver(failure)),
            Err(_) => Vec::new(),
        };
        let receiver = self.receiver.name();
        if let Some(last) = refusals.last().filter(|_| refusals.len() == events.len()) {
            if self.refused + refusals.len() > REFUSALS_MAX {
                return Err(Trouble::Receiver(Failure::stuck(format!(
                    "it refuses one event after the other: {}",
                    last.reason
                ))));
            }
            self.refused += refusals.len();
        } else {
            self.refused = 0;
        }
        for refusal in &refusals {
            let id = events.get(refusal.index).map(|event| event.id.as_str()).unwrap_or_default();
            error!(
                receiver,
                id,
                reason = refusal.reason,
                "the receiver refuses an anomaly for good: it is passed over"
            );
        }
        metrics::sent(receiver, (events.len() - refusals.len()) as u64, refusals.len() as u64);
        self.worked();
        Ok(())
    }

    /// Nothing is lost silently.
    pub(super) fn tell_lost(&self, partition: &PartitionId, commit: u64, rows: u64) {
        if rows == 0 {
            return;
        }
        let receiver = self.receiver.name();
        metrics::lost(receiver, rows);
        error!(
            %partition, receiver, commit, rows,
            "files were removed before their anomalies were forwarded: keep them for longer, or mend the receiver sooner"
        );
    }
}
