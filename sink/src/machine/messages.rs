//! What the machine and its driver say to one another: inputs, actions, and what the owner hears in the end.

use super::Seen;

/// What the protocol needs to know of a record. Its bytes never change once it was proposed.
pub trait Entry: Clone {
    fn mark(&self) -> Mark;
    /// Drawn anew for every record ever built: tells ours from another's of the same seq.
    fn nonce(&self) -> u128;
    fn files(&self) -> usize;
}

/// What is kept of a record that is durable and published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    pub seq: u64,
    /// Of the whole record; the next one names it.
    pub hash: [u8; 32],
    /// The record that holds its state: itself, or an earlier one.
    pub state_seq: u64,
}

#[derive(Debug, Clone)]
pub enum Input<E> {
    /// Take the partition over.
    Claim,
    /// Make this record durable; it follows the head.
    Propose(E),
    /// Remove records that nobody needs any more.
    Sweep,
    /// Answer to `List`: the largest seq there is.
    Newest(Option<u64>),
    /// Answer to `Load`: the record, or none if it is gone.
    Loaded(Option<E>),
    /// Answer to `Create`.
    Put(Put),
    /// Answer to `ReadBack`: the nonce found, or none if there is no such record.
    FoundNonce(Option<u128>),
    /// Answer to `PutFile`.
    FilePut { file: usize, put: Put },
    /// Answer to `MeasureFile`: whether it is as long as ours; none if there is no such file.
    FileMeasured { file: usize, same: Option<bool> },
    /// Answer to `ListAll`.
    Seen(Vec<Seen>),
    /// Answer to `StateOf`: none if the record is gone.
    StateSeq(Option<u64>),
    /// Answer to `Delete`.
    Deleted,
}

/// How a create-if-absent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Put {
    Created,
    /// Something is there: ours of an earlier try, or another's.
    Exists,
    /// It may have landed, or may still.
    Unknown,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Action<E> {
    List,
    /// Read the record and verify it.
    Load {
        seq: u64,
    },
    /// Create the record under its seq, if absent. Asked for again after `Unknown`, with the same bytes.
    Create(E),
    ReadBack {
        seq: u64,
    },
    /// Create the record's file, if absent.
    PutFile {
        record: E,
        file: usize,
    },
    MeasureFile {
        record: E,
        file: usize,
    },
    ListAll,
    StateOf {
        seq: u64,
    },
    Delete {
        seq: u64,
    },
    Tell(Told<E>),
}

/// What the owner of the machine hears in the end, once for each claim, proposal and sweep.
#[derive(Debug, Clone, PartialEq)]
pub enum Told<E> {
    /// A claim found no log: its first record may be proposed.
    Vacant,
    /// A claim found this head and published it; the record that takes it over may be proposed.
    Head(E),
    /// Durable and published.
    Committed(E),
    /// Somebody else goes on with the partition.
    Fenced,
    Swept,
    /// A file of the record is there with other contents: nothing that this protocol does.
    FileDiffers {
        file: usize,
    },
    /// Asked for out of turn.
    Misused,
}
