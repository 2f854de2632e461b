//! For commands that look after a pipeline: what its logs and datasets hold, read without taking anything over; and a new
//! beginning where going on is not possible. What they decide is theirs; what is written is written by the same protocol.
//!
//! What is asked of [`Sinks`] blocks: not for async tasks. What a follower of the log asks does not.

mod datasets;
mod follow;
mod fresh;
mod survey;

use std::sync::Arc;

use types::{Micros, PartitionId};

pub use bytes::Bytes;
pub use datasets::{Folder, Footer, Object};
pub use fresh::{Behind, Fresh, Restart};
pub use survey::{Head, Kept, Trace};

pub use crate::names::DataName;

use crate::log::{Found, Log};
use crate::record::{Header, Hex32};
use crate::{Error, Sinks};

impl Sinks {
    fn log(&self, partition: &PartitionId) -> Log {
        Log::new(self.shared.state.clone(), &self.shared.identity.pipeline, partition)
    }

    /// Whether a record is of this pipeline and partition, and made by the rules that are configured.
    ///
    /// # Errors
    /// What of it is not.
    pub fn check_header(&self, partition: &PartitionId, header: &Header) -> Result<(), Error> {
        let log = self.log(partition);
        self.shared.identity.check(partition, header, header.seq, || log.display(header.seq))
    }

    /// Where everything of a partition lies, as people write it.
    #[must_use]
    pub fn place_of(&self, partition: &PartitionId) -> String {
        let folder = crate::names::partition(&self.shared.identity.pipeline, partition);
        self.shared.state.location.display_of(&folder)
    }

    /// The state that a record goes on from; none if the record that holds it is gone.
    ///
    /// # Errors
    /// If the store does not answer, or what it has is damaged.
    pub fn state_of(&self, partition: &PartitionId, header: &Header) -> Result<Option<Vec<u8>>, Error> {
        let (log, partition, state) = (self.log(partition), partition.clone(), header.state);
        self.shared.block(async move {
            let place = log.display(state.seq);
            let corrupt = |damage| Error::RecordCorrupt { partition: partition.clone(), place: place.clone(), damage };
            match log.read(state.seq).await? {
                Found::Nothing => Ok(None),
                Found::Damaged(damage) => Err(corrupt(damage)),
                Found::Record(record) if state.hash.is_some_and(|hash| hash != Hex32(record.hash())) => {
                    Err(corrupt(crate::record::Damage::Hash))
                }
                Found::Record(record) => record.state().map_err(corrupt),
            }
        })
    }

    /// The boundary up to which the pipeline was asked to drain, by a fresh look.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn drain_requested(&self) -> Result<Option<Micros>, Error> {
        let shared = Arc::clone(&self.shared);
        self.shared.block(async move { crate::handover::requested(&shared).await })
    }
}
