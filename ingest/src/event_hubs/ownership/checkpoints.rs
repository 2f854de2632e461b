//! How far reading got, for those who look from outside. It only ever moves forward, whoever writes last.
//!
//! Nobody here begins to read at a checkpoint. They are looked at when a member begins, because two programs that spell the group
//! differently each see progress of their own; that is told while somebody looks.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use tracing::warn;

use super::store::{Blob, CheckpointStore, Version};
use super::{Error, layout};

/// Checkpoints of one partition in two spellings may lie this far apart: a program that changes over writes the one and then the other.
const APART_EVENTS_MAX: u64 = 10_000;
/// What our checkpoints say of their writer.
const CLIENT: &str = "atalaia";
/// Races that are run again at once; what is left waits for the next time.
const RACES_MAX: usize = 3;
const REQUESTS_MAX: usize = 16;

/// The last event that is done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub sequence_number: i64,
    /// As the service gave it: it is not always a number.
    pub offset: Option<String>,
}

/// A checkpoint's blob, as it was last seen.
#[derive(Debug, Clone)]
pub(super) struct Noted {
    /// None if there is none that could be read.
    checkpoint: Option<Checkpoint>,
    version: Version,
    is_ours: bool,
}

impl CheckpointStore {
    /// The checkpoint of each partition; of two spellings the larger one.
    ///
    /// # Errors
    /// If two lie too far apart, or the store does not answer, or refuses.
    pub async fn checkpoints(&self) -> Result<BTreeMap<u32, Checkpoint>, Error> {
        let mut found = self.noted(&self.agreed).await?;
        if let Some(verbatim) = &self.verbatim {
            for (partition, other) in self.noted(verbatim).await? {
                let Some(right) = other.checkpoint.as_ref().map(|checkpoint| checkpoint.sequence_number) else {
                    continue;
                };
                let agreed = found.get(&partition).filter(|noted| noted.checkpoint.is_some());
                let left = agreed.and_then(|noted| noted.checkpoint.as_ref()).map(|found| found.sequence_number);
                if let (Some(noted), Some(left)) = (agreed, left)
                    && left.abs_diff(right) > APART_EVENTS_MAX
                {
                    let (left_at, right_at) = (&self.agreed, verbatim);
                    // Ours follow from the commit log: another program's progress says nothing about them.
                    if !noted.is_ours {
                        return Err(self.forked(partition, (left, left_at), (right, right_at)));
                    }
                    warn!(
                        partition,
                        left, left_at, right, right_at, "another program left a checkpoint in another spelling"
                    );
                }
                if left.is_none_or(|left| left < right) {
                    found.insert(partition, other);
                }
            }
        }
        let read = found.into_iter().filter_map(|(partition, noted)| Some((partition, noted.checkpoint?)));
        Ok(read.collect())
    }

    /// Moves a partition's checkpoint forward; one that is there already, or beyond, stays. `known` is what was seen of it
    /// last, and is kept. Gives whether it is done; others may be writing it all the time.
    pub(super) async fn advance(
        &self,
        partition: u32,
        to: &Checkpoint,
        known: &mut Option<Noted>,
    ) -> Result<bool, store::Error> {
        let path = self.checkpoint_path(&self.agreed, partition);
        for _ in 0..RACES_MAX {
            if known.is_none() {
                *known = self.blob(&path).await?.map(Noted::read);
            }
            let reached = known.as_ref().and_then(|noted| noted.checkpoint.as_ref());
            if reached.is_some_and(|reached| reached.sequence_number >= to.sequence_number) {
                return Ok(true);
            }
            let seen = known.take();
            if let Some(version) = self.put(&path, to.metadata(), seen.as_ref().map(|noted| &noted.version)).await? {
                *known = Some(Noted { checkpoint: Some(to.clone()), version, is_ours: true });
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn noted(&self, folder: &str) -> Result<BTreeMap<u32, Noted>, store::Error> {
        let listed = self.list(&format!("{folder}/checkpoint")).await?;
        let read = stream::iter(listed).map(|(partition, _)| async move {
            let blob = self.blob(&self.checkpoint_path(folder, partition)).await?;
            Ok::<_, store::Error>(blob.map(|blob| (partition, Noted::read(blob))))
        });
        let read: Vec<_> = read.buffer_unordered(REQUESTS_MAX).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }

    fn checkpoint_path(&self, folder: &str, partition: u32) -> Path {
        self.location.path(&format!("{folder}/checkpoint/{partition}"))
    }

    fn forked(&self, partition: u32, (left, left_in): (i64, &str), (right, right_in): (i64, &str)) -> Error {
        let at = |folder: &str| self.location.display_of(&format!("{folder}/checkpoint/{partition}"));
        Error::Forked { partition, left, left_at: at(left_in), right, right_at: at(right_in) }
    }
}

impl Noted {
    fn read(Blob { metadata, version, .. }: Blob) -> Self {
        let sequence_number =
            layout::value(&metadata, layout::SEQUENCE_NUMBER).and_then(|text| text.trim().parse().ok());
        let checkpoint = sequence_number.map(|sequence_number| {
            // The words that older .NET clients wrote for none.
            let offset = layout::value(&metadata, layout::OFFSET).filter(|offset| !["", "no offset"].contains(offset));
            Checkpoint { sequence_number, offset: offset.map(str::to_owned) }
        });
        let is_ours = layout::value(&metadata, layout::CLIENT) == Some(CLIENT);
        Noted { checkpoint, version, is_ours }
    }
}

impl Checkpoint {
    fn metadata(&self) -> object_store::Attributes {
        let number = self.sequence_number.to_string();
        let offset = self.offset.as_deref().filter(|offset| layout::is_sendable(offset));
        let offset = offset.map(|offset| (layout::OFFSET, offset));
        layout::metadata(
            [(layout::SEQUENCE_NUMBER, number.as_str()), (layout::CLIENT, CLIENT)].into_iter().chain(offset),
        )
    }
}

#[cfg(test)]
mod tests;
