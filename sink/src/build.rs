//! A commit and its files -> the record that holds them.

use bytes::Bytes;
use tracing::warn;
use types::PartitionId;

use crate::encode::DataFile;
use crate::names::{self, Genesis};
use crate::record::{FileEntry, Header, Hex32, Nonce, RECORD_BYTES_MAX, Record, RecordKind, StateRef};
use crate::sinks::Shared;
use crate::{Commit, Error, metrics};

/// What the next record follows.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) genesis: Genesis,
    partitions: Option<u32>,
    /// None before the first record.
    record: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    seq: u64,
    hash: Hex32,
    /// With the hash of the record that holds it, also if that is the last one.
    state: StateRef,
}

impl Head {
    pub(crate) fn vacant(genesis: Genesis, partitions: Option<u32>) -> Self {
        Head { genesis, partitions, record: None }
    }

    pub(crate) fn of(record: &Record) -> Self {
        let header = record.header();
        let hash = Hex32(record.hash());
        let StateRef { seq, hash: of_state, bytes } = header.state;
        let state = StateRef { seq, hash: of_state.or(Some(hash)), bytes };
        let record = Some(Last { seq: header.seq, hash, state });
        Head { genesis: header.genesis, partitions: header.partitions, record }
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.record.map_or(0, |last| last.seq + 1)
    }

    /// The state that a record without one of its own goes on from.
    pub(crate) fn state_ref(&self) -> Option<StateRef> {
        self.record.map(|last| last.state)
    }

    fn hash(&self) -> Option<Hex32> {
        self.record.map(|last| last.hash)
    }
}

/// # Errors
/// If the record would be too large, if its accounts do not add up, or if it refers to a state that there is not.
pub(crate) fn build(
    shared: &Shared,
    partition: &PartitionId,
    head: &Head,
    commit: &Commit<'_>,
    files: Vec<DataFile>,
    nonce: Nonce,
) -> Result<Record, Error> {
    commit.ledger.check().map_err(|law| Error::Unbalanced { partition: partition.clone(), law })?;
    let seq = head.next_seq();
    let packed = commit.state;
    let state = match packed {
        Some(state) => StateRef { seq, hash: None, bytes: state.length },
        None => head.state_ref().ok_or(Error::OutOfTurn)?,
    };
    let mut entries: Vec<FileEntry> = files.iter().map(entry_of).collect();
    let mut bytes: Vec<Bytes> = files.into_iter().map(|file| file.bytes).collect();
    if commit.kind == RecordKind::Genesis {
        let marker = marker(partition, head.genesis, head.partitions);
        entries.push(entry_of(&marker));
        bytes.push(marker.bytes);
    }
    let has_rows = !commit.scores.is_empty();
    let header = Header {
        seq,
        genesis: head.genesis,
        previous: head.hash(),
        nonce,
        kind: commit.kind,
        written_at: commit.now,
        resume: commit.resume.clone(),
        ledger: commit.ledger,
        run: commit.run,
        model_set: has_rows.then(|| commit.scores.model_set.to_string()).filter(|set| !set.is_empty()),
        state,
        files: entries,
        ..shared.header(partition, head.partitions)
    };
    let record = Record::seal(header, packed.map(|state| &*state.bytes), &bytes);
    let size = record.bytes().len() as u64;
    metrics::built(partition, size, packed.map_or(0, |state| state.bytes.len() as u64));
    if size > RECORD_BYTES_MAX / 5 * 4 {
        warn!(%partition, bytes = size, max = RECORD_BYTES_MAX, "commit records come near the size that is refused: add partitions");
    }
    if size > RECORD_BYTES_MAX {
        return Err(Error::TooLarge { bytes: size, max: RECORD_BYTES_MAX });
    }
    Ok(record)
}

pub(crate) fn entry_of(file: &DataFile) -> FileEntry {
    let crc = crc32c::crc32c(&file.bytes);
    FileEntry {
        dataset: file.dataset.to_owned(),
        name: file.name.clone(),
        length: file.bytes.len() as u64,
        crc,
        rows: file.rows,
        from: file.from,
        to: file.to,
    }
}

/// How many partitions the topic had when this one's log began: those beyond came later.
pub(crate) fn marker(partition: &PartitionId, genesis: Genesis, partitions: Option<u32>) -> DataFile {
    let text = serde_json::json!({ "genesis": genesis, "partitions": partitions }).to_string();
    DataFile {
        dataset: names::MARKERS,
        name: names::marker(partition),
        bytes: text.into(),
        rows: 0,
        from: None,
        to: None,
    }
}
