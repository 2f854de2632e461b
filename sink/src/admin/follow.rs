//! For who follows the log behind those who write it: what was committed, read without taking anything over. Unlike what commands ask, none of
//! it blocks.

use std::ops::Range;

use bytes::Bytes;
use store::Location;
use types::PartitionId;

use crate::log::Found;
use crate::names::{self, DataName};
use crate::record::{FileEntry, Header, RECORD_BYTES_MAX};
use crate::{Dataset, Error, Sinks};

impl Sinks {
    /// The numbers of the records that are kept of a partition's log, from `from` on, in rising order.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn kept_from(&self, partition: &PartitionId, from: u64) -> Result<Vec<u64>, Error> {
        let seen = self.log(partition).seen().await?;
        let mut kept: Vec<u64> = seen.into_iter().map(|record| record.seq).filter(|seq| *seq >= from).collect();
        kept.sort_unstable();
        Ok(kept)
    }

    /// What a record says of itself; none if there is no such record (any more).
    ///
    /// # Errors
    /// If the store does not answer, or the record is damaged or somebody else's.
    pub async fn header(&self, partition: &PartitionId, seq: u64) -> Result<Option<Header>, Error> {
        let log = self.log(partition);
        match log.header(seq).await? {
            None => Ok(None),
            Some(Ok(header)) => {
                self.shared.identity.check(partition, &header, seq, || log.display(seq))?;
                Ok(Some(header))
            }
            Some(Err(damage)) => Err(Error::of_damage(partition.clone(), log.display(seq), damage)),
        }
    }

    /// Whether this very process wrote the record.
    #[must_use]
    pub fn is_own(&self, header: &Header) -> bool {
        header.owner == self.shared.owner()
    }

    /// A committed file of predictions, byte for byte: from the dataset, or, where it is not visible yet or not what was committed, from its
    /// record. None if it is in neither any more.
    ///
    /// # Errors
    /// If the store does not answer, or the record is damaged.
    pub async fn committed_file(
        &self,
        partition: &PartitionId,
        seq: u64,
        name: &str,
        check: Option<(u64, u32)>,
    ) -> Result<Option<Bytes>, Error> {
        let is_whole = |bytes: &Bytes| {
            check.is_none_or(|(length, crc)| bytes.len() as u64 == length && crc32c::crc32c(bytes) == crc)
        };
        let found = self.shared.dataset(Dataset::Predictions).read(name, RECORD_BYTES_MAX).await?;
        if let Some(bytes) = found.filter(is_whole) {
            return Ok(Some(bytes));
        }
        let log = self.log(partition);
        let is_it = |file: &FileEntry| file.dataset == Dataset::Predictions.as_str() && file.name == name;
        match log.read(seq).await? {
            Found::Nothing => Ok(None),
            Found::Damaged(damage) => Err(Error::of_damage(partition.clone(), log.display(seq), damage)),
            Found::Record(record) => Ok(record.header().files.iter().position(is_it).map(|index| record.file(index))),
        }
    }

    /// Names of a partition's files of predictions, of these commits, by what lies in the dataset; in the order of commits and names. Lists all
    /// of it.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn published(&self, partition: &PartitionId, seqs: Range<u64>) -> Result<Vec<(DataName, String)>, Error> {
        let place = self.shared.dataset(Dataset::Predictions);
        let listed = place.list("", None).await?;
        let named = listed.iter().filter_map(|meta| {
            let name = place.name_of(&meta.location)?;
            Some((names::parse_data_file(&name)?, name))
        });
        let mut found: Vec<(DataName, String)> =
            named.filter(|(data, _)| data.partition == *partition && seqs.contains(&data.seq)).collect();
        found.sort_by(|(one, name), (other, other_name)| (one.seq, name).cmp(&(other.seq, other_name)));
        Ok(found)
    }

    /// The place of the state.
    #[must_use]
    pub fn state_place(&self) -> &Location {
        &self.shared.state.location
    }

    /// The name, below the place of the state, of the note how far a receiver was told of a partition's results.
    pub fn cursor_name(&self, receiver: &'static str) -> impl Fn(&PartitionId) -> String + use<> {
        let pipeline = self.shared.identity.pipeline.clone();
        move |partition| names::cursor(&names::partition(&pipeline, partition), receiver)
    }
}
