//! The durable end of one partition.

use std::time::Duration;

use types::{LateReadings, Ledger, Micros, Position, Quarantine, Scores, SeriesNames, WindowRows};

use crate::record::{Header, Packed, Record, RecordKind, Resume, RunFacts};
use crate::{Error, RunRow, RunRows};

/// Takes commits of one partition, one at a time. Synchronous: I/O goes on elsewhere and is asked for by `poll`, so
/// that folding continues while a commit is under way.
pub trait Sink: Send {
    /// Begins to take the partition over, fencing whoever owned it; `poll` tells what was found. Once, before anything
    /// else, and again after `Fenced`.
    fn claim(&mut self, claim: Claim);

    /// Builds everything the commit will write. Pure but for the record's random number: no I/O, no clock.
    ///
    /// # Errors
    /// If the rows cannot be encoded or are too large for one commit, or the partition is not ours (yet).
    fn encode(&mut self, commit: &Commit<'_>) -> Result<Frozen, Error>;

    /// Starts to make the frozen bytes durable. They do not change until the outcome is known; one at a time.
    fn begin(&mut self, frozen: Frozen);

    /// How what was begun is doing; never blocks. Retries of what may heal happen inside, without end.
    fn poll(&mut self) -> Outcome;

    /// Like `poll`, but waits up to this long for an outcome.
    fn wait(&mut self, at_most: Duration) -> Outcome;
}

/// What is known when a partition is taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Claim {
    /// The position after the last record that the broker holds, if known.
    pub high: Option<Position>,
    /// How many partitions the topic has, if known.
    pub partitions: Option<u32>,
    /// An owner before that lived for less than this had no chance to get on.
    pub commit_interval: Duration,
    /// Wall time.
    pub now: Micros,
}

/// What becomes durable together, or not at all.
pub struct Commit<'a> {
    pub kind: RecordKind,
    /// Where reading goes on after it.
    pub resume: Resume,
    /// Everything that decides, as the pipeline froze it at `resume.next`; opaque here. The rows below are no longer in
    /// it. None if nothing changed since the commit before.
    pub state: Option<&'a Packed>,
    pub ledger: Ledger,
    pub run: RunFacts,
    pub rows: &'a WindowRows,
    pub scores: &'a Scores,
    pub names: &'a dyn SeriesNames,
    pub late: &'a LateReadings,
    pub quarantine: &'a Quarantine,
    pub runs: &'a RunRows,
    /// Wall time of the commit: for the names of folders where nothing else has a time.
    pub now: Micros,
}

/// What a claim found.
#[derive(Debug, Clone, PartialEq)]
pub enum Claimed {
    /// No log: the first commit, a genesis, begins one.
    Vacant {
        /// The topic has grown by this partition since the pipeline began: it is read from its very beginning.
        is_new_partition: bool,
    },
    /// The partition is ours, from here on.
    Resumed(Box<Resumed>),
}

/// Where the owner before left off.
#[derive(Debug, Clone, PartialEq)]
pub struct Resumed {
    /// Of the claim that was just made.
    pub header: Header,
    /// The record that was taken over and, before it, those back to the one that holds the state; in order, never empty.
    pub before: Vec<Header>,
    pub state: Vec<u8>,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and it is taken apart at once")]
pub enum Outcome {
    /// Nothing was begun.
    Idle,
    Pending,
    Claimed(Claimed),
    Done(Committed),
    /// A newer owner has taken the partition: drop its state, write nothing more.
    Fenced,
    /// Cannot heal, and was given up: what is stored cannot be trusted, or a mistake in this program. What waits for
    /// somebody to act (a right, a container) stays `Pending` and shows in the sinks' health.
    Failed(Error),
}

/// What a finished commit wrote.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Committed {
    pub seq: u64,
    pub next: Position,
    /// Of results: what tells how the work went is not counted.
    pub files: u32,
    /// Of the whole record: files, state and header.
    pub bytes: u64,
    /// Rows of predictions.
    pub rows: u64,
    /// From its beginning until the record was durable and its files visible.
    pub took: Duration,
    /// What there is to say of it in `runs`, but for the timings of those who made it.
    pub run: RunRow,
}

/// One commit's bytes, final. Opaque to the pipeline but for its size.
#[derive(Debug)]
pub struct Frozen {
    pub bytes: u64,
    pub(crate) record: Record,
}
