//! What lies in the place of the state, as it is: nothing is taken over, published or repaired.

use std::collections::BTreeMap;
use std::sync::Arc;

use types::PartitionId;

use crate::log::Found;
use crate::record::{Damage, Header, Record};
use crate::{Error, Sinks, claim, names};

/// A partition that left traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    pub partition: PartitionId,
    /// Says that there was a log once.
    pub has_marker: bool,
    /// The records there are, in order.
    pub kept: Vec<Kept>,
}

/// A record as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub seq: u64,
    pub bytes: u64,
}

/// The newest record of a log.
#[derive(Debug, Clone)]
pub enum Head {
    Absent,
    Whole(Record),
    /// Its header may be readable all the same.
    Damaged {
        seq: u64,
        place: String,
        damage: Damage,
        header: Option<Box<Header>>,
    },
}

/// Logs that move on while they are looked at are looked at again this often.
const TRIES: usize = 5;

impl Sinks {
    /// All partitions of this pipeline that left traces in the place of the state, in order.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn survey(&self) -> Result<Vec<Trace>, Error> {
        let shared = Arc::clone(&self.shared);
        self.shared.block(async move {
            let pipeline = &shared.identity.pipeline;
            let mut traces: BTreeMap<PartitionId, Trace> = BTreeMap::new();
            let listed = shared.state.list(pipeline, None).await?;
            for meta in &listed {
                let Some(name) = shared.state.name_of(&meta.location) else { continue };
                let Some(below) = name.strip_prefix(pipeline.as_str()) else { continue };
                let parts: Vec<&str> = below.trim_start_matches('/').split('/').collect();
                let found = match *parts {
                    [names::MARKERS, marker] => {
                        names::partition_of_marker(marker).map(|(topic, index)| (topic, index, None))
                    }
                    [topic, index, "log", _] => names::seq_of(&meta.location)
                        .and_then(|seq| Some((topic, index.parse().ok()?, Some(Kept { seq, bytes: meta.size })))),
                    _ => None,
                };
                let Some((topic, index, kept)) = found else { continue };
                let partition = PartitionId { topic: topic.into(), index };
                let trace = traces.entry(partition.clone()).or_insert_with(|| Trace {
                    partition,
                    has_marker: false,
                    kept: Vec::new(),
                });
                trace.has_marker |= kept.is_none();
                trace.kept.extend(kept);
            }
            let mut traces: Vec<Trace> = traces.into_values().collect();
            traces.iter_mut().for_each(|trace| trace.kept.sort_by_key(|kept| kept.seq));
            Ok(traces)
        })
    }

    /// The newest record, with every byte of it verified. That it is this pipeline's is for [`Sinks::check_header`].
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn head(&self, partition: &PartitionId) -> Result<Head, Error> {
        let log = self.log(partition);
        self.shared.block(async move {
            for _ in 0..TRIES {
                let Some(seq) = log.newest(None).await? else { return Ok(Head::Absent) };
                match log.read(seq).await? {
                    // Collected meanwhile: there is a newer one.
                    Found::Nothing => continue,
                    Found::Record(record) => return Ok(Head::Whole(record)),
                    Found::Damaged(damage) => {
                        let header = log.header(seq).await?.and_then(Result::ok).map(Box::new);
                        return Ok(Head::Damaged { seq, place: log.display(seq), damage, header });
                    }
                }
            }
            Err(Error::Stopped)
        })
    }

    /// A file of a later commit than this head, if there is one and the log still ends there: the log was put back.
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn file_ahead(&self, partition: &PartitionId, head: &Header) -> Result<Option<String>, Error> {
        let (shared, log) = (Arc::clone(&self.shared), self.log(partition));
        let (partition, head) = (partition.clone(), head.clone());
        self.shared.block(async move {
            let file = claim::file_ahead(&shared, &partition, &head).await?;
            let is_head = file.is_none() || log.newest(Some(head.seq)).await? <= Some(head.seq);
            Ok(file.filter(|_| is_head))
        })
    }

    /// One record; none if there is none (any more).
    ///
    /// # Errors
    /// If the store does not answer.
    pub fn record(&self, partition: &PartitionId, seq: u64) -> Result<Option<Result<Record, Damage>>, Error> {
        let log = self.log(partition);
        self.shared.block(async move {
            Ok(match log.read(seq).await? {
                Found::Nothing => None,
                Found::Record(record) => Some(Ok(record)),
                Found::Damaged(damage) => Some(Err(damage)),
            })
        })
    }
}

impl Head {
    /// What the newest record says of itself, if that can be read.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        match self {
            Head::Absent => None,
            Head::Whole(record) => Some(record.header()),
            Head::Damaged { header, .. } => header.as_deref(),
        }
    }

    /// Why it cannot be read, if it cannot.
    #[must_use]
    pub fn problem(&self, partition: &PartitionId) -> Option<Error> {
        match self {
            Head::Absent | Head::Whole(_) => None,
            Head::Damaged { place, damage, .. } => {
                Some(Error::of_damage(partition.clone(), place.clone(), damage.clone()))
            }
        }
    }
}
