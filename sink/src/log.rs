//! One partition's log in the store: names, listings, records.

use bytes::Bytes;
use types::{Micros, PartitionId};

use crate::machine::Seen;
use crate::names;
use crate::place::{Creation, Place};
use crate::record::{self, Damage, Header, RECORD_BYTES_MAX, Record};

/// Records younger than this are kept, by the store's clock.
const YOUNG: Micros = 15 * 60 * 1_000_000;

/// The objects `<folder>/log/<seq>`.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    place: Place,
    /// `<pipeline>/<topic>/<partition>`
    folder: String,
}

/// What a name of the log holds.
pub(crate) enum Found {
    Nothing,
    Record(Record),
    Damaged(Damage),
}

impl Log {
    pub(crate) fn new(place: Place, pipeline: &str, partition: &PartitionId) -> Self {
        Log { place, folder: names::partition(pipeline, partition) }
    }

    pub(crate) fn name(&self, seq: u64) -> String {
        names::record(&self.folder, seq)
    }

    /// Where the record is, as people write it.
    pub(crate) fn display(&self, seq: u64) -> String {
        self.place.location.display_of(&self.name(seq))
    }

    /// The largest seq; of those from `from` on only, if given.
    pub(crate) async fn newest(&self, from: Option<u64>) -> Result<Option<u64>, store::Error> {
        // A listing with an offset begins after it.
        let after = from.and_then(|from| from.checked_sub(1)).map(|before| self.name(before));
        let listed = self.place.list(&names::log(&self.folder), after.as_deref()).await?;
        Ok(listed.iter().filter_map(|meta| names::seq_of(&meta.location)).max())
    }

    pub(crate) async fn seen(&self) -> Result<Vec<Seen>, store::Error> {
        let listed = self.place.list(&names::log(&self.folder), None).await?;
        let records: Vec<(u64, i64)> = listed
            .iter()
            .filter_map(|meta| Some((names::seq_of(&meta.location)?, meta.last_modified.timestamp_micros())))
            .collect();
        let newest = records.iter().map(|(_, written)| *written).max().unwrap_or_default();
        Ok(records.into_iter().map(|(seq, written)| Seen { seq, is_young: newest - written < YOUNG }).collect())
    }

    pub(crate) async fn create(&self, seq: u64, bytes: &Bytes) -> Result<Creation, store::Error> {
        self.place.create(&self.name(seq), bytes).await
    }

    pub(crate) async fn read(&self, seq: u64) -> Result<Found, store::Error> {
        let Some(bytes) = self.place.read(&self.name(seq), RECORD_BYTES_MAX).await? else { return Ok(Found::Nothing) };
        // What is published on the strength of this record must not outlive it.
        self.place.location.make_durable(&names::log(&self.folder)).await?;
        let opened = off_thread(bytes.len(), move || Record::open(bytes)).await;
        Ok(match opened {
            Ok(record) => Found::Record(record),
            Err(damage) => Found::Damaged(damage),
        })
    }

    /// The header alone; for large headers the whole record is read.
    pub(crate) async fn header(&self, seq: u64) -> Result<Option<Result<Header, Damage>>, store::Error> {
        let name = self.name(seq);
        let Some(beginning) = self.place.read_beginning(&name).await? else { return Ok(None) };
        match record::peek(&beginning) {
            Err(Damage::Short) => {
                let whole = self.place.read(&name, RECORD_BYTES_MAX).await?;
                Ok(whole.map(|whole| record::peek(&whole)))
            }
            peeked => Ok(Some(peeked)),
        }
    }

    pub(crate) async fn delete(&self, seq: u64) -> Result<(), store::Error> {
        self.place.delete(&self.name(seq)).await
    }
}

/// Computes on the spot what is little, and elsewhere what would keep an I/O thread for long.
pub(crate) async fn off_thread<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    const LITTLE: usize = 1 << 20;
    if bytes <= LITTLE {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
