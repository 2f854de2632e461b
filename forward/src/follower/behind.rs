//! Commits whose records were swept before they were looked at, because the receiver was away for long: their files are in the dataset, and
//! the names of files say whose they are. The accounts of the log tell whether any is missing.

use std::collections::VecDeque;

use tracing::{info, warn};
use types::PartitionId;

use super::{Followed, Follower, Trouble};
use crate::{Cursor, Cursors, Error, File, Log, Receiver, Unlogged};

/// Commits between the cursor and the oldest record that is kept.
pub(super) struct Behind {
    /// In the order of commits.
    files: VecDeque<Unlogged>,
    /// Where the log goes on: the cursor at the oldest record that is kept.
    then: Cursor,
    /// Whether the rows of all these commits are of one log, so that they can be counted.
    is_counted: bool,
}

impl<L: Log, C: Cursors, R: Receiver> Follower<L, C, R> {
    /// There is no record at the cursor. Finds what is behind that; false if the record is only not there yet.
    pub(super) async fn look_behind(&self, partition: &PartitionId, followed: &mut Followed) -> Result<bool, Error> {
        let next = followed.cursor.next;
        let Some(&first) = self.log.kept(partition, next).await?.first() else { return Ok(false) };
        // Both are so when the log has moved on meanwhile.
        if first == next {
            return Ok(true);
        }
        let Some(oldest) = self.log.commit(partition, first).await? else { return Ok(true) };
        let then =
            Cursor { next: first, rows: oldest.rows_total.saturating_sub(oldest.rows()), genesis: oldest.genesis };
        let mut files = match self.settings.guards.unlogged {
            true => self.log.files_of(partition, next..first).await?,
            false => Vec::new(),
        };
        // A log of the same name that was begun and removed before may have left files, too.
        files.retain(|file| file.genesis == followed.cursor.genesis || file.genesis == then.genesis);
        let is_counted = followed.cursor.genesis == then.genesis;
        info!(
            %partition, receiver = self.receiver.name(), commits = first - next, files = files.len(),
            "records of these commits are gone: their files are read from the dataset"
        );
        if !is_counted {
            warn!(%partition, "there was a reset in between: whether files of these commits are missing cannot be told");
        }
        followed.done = (0, 0);
        followed.behind = Some(Behind { files: files.into(), then, is_counted });
        Ok(true)
    }

    /// Passes the first of those commits, or the last bit behind them.
    pub(super) async fn pass_unlogged(
        &mut self,
        partition: &PartitionId,
        followed: &mut Followed,
    ) -> Result<(), Trouble> {
        let Some(behind) = &followed.behind else { return Ok(()) };
        let Some(Unlogged { seq, genesis, .. }) = behind.files.front().cloned() else {
            let Behind { then, is_counted, .. } = followed.behind.take().expect("it is there");
            let missing = then.rows.saturating_sub(followed.cursor.rows);
            self.tell_lost(partition, then.next - 1, if is_counted { missing } else { 0 });
            followed.jump(then);
            return Ok(());
        };
        let of_commit = behind.files.iter().take_while(|file| file.seq == seq);
        let files: Vec<File> = of_commit.map(|file| File { name: file.name.clone(), rows: 0, check: None }).collect();
        let passed = self.send_all(partition, followed, seq, &files).await?;
        let rest = followed.behind.take().map(|mut behind| {
            behind.files.drain(..files.len());
            behind
        });
        // A reset begins its account anew.
        let before = if genesis == followed.cursor.genesis { followed.cursor.rows } else { 0 };
        let rows = before + passed.rows;
        followed.jump(Cursor { genesis, next: seq + 1, rows });
        followed.behind = rest;
        if passed.events > 0 {
            followed.is_owing = true;
            self.put(partition, followed).await?;
        }
        Ok(())
    }
}
