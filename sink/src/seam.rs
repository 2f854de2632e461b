//! The durable end of one partition.

use types::{LateReadings, Position, Quarantine, Scores, SeriesNames, WindowRows};

use crate::Error;
use crate::partition::Contents;

/// Takes commits of one partition, one at a time. Synchronous: I/O goes on elsewhere and is asked for by `poll`, so
/// that folding continues while a commit is under way.
pub trait Sink: Send {
    /// Takes the partition over: what was last made durable, or none if it never existed. Blocks.
    /// Called once, before anything else. It uses up a seq of an existing partition, so seqs grow but are not dense.
    ///
    /// # Errors
    /// If the store does not answer, or what it holds cannot be trusted (never a silent fresh start).
    fn recover(&mut self) -> Result<Option<Recovered>, Error>;

    /// Builds everything the commit will write. Pure: no I/O, no clock; the same commit gives the same bytes.
    ///
    /// # Errors
    /// If the rows cannot be encoded or are too large for one commit.
    fn encode(&self, commit: &Commit<'_>) -> Result<Frozen, Error>;

    /// Starts to make the frozen bytes durable. They do not change until the outcome is known; one at a time.
    fn begin(&mut self, frozen: Frozen);

    /// How the commit that was begun is doing; never blocks. Retries of what may heal happen inside, without end.
    fn poll(&mut self) -> Outcome;

    /// Like `poll`, but waits up to this long for an outcome.
    fn wait(&mut self, at_most: std::time::Duration) -> Outcome;
}

/// What becomes durable together, or not at all.
pub struct Commit<'a> {
    /// The position after the last record folded into `state`.
    pub next: Position,
    /// Everything that decides, as the pipeline froze it at `next`; opaque here. The rows below are no longer in it.
    pub state: &'a [u8],
    pub rows: &'a WindowRows,
    pub scores: &'a Scores,
    pub names: &'a dyn SeriesNames,
    pub late: &'a LateReadings,
    pub quarantine: &'a Quarantine,
    /// Wall time of the commit, for the names of quarantine folders where a record had no broker time.
    pub now: types::Micros,
}

/// What `recover` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    pub next: Position,
    pub state: Vec<u8>,
    /// Number of the last commit, taking the partition over included.
    pub seq: u64,
}

#[derive(Debug)]
pub enum Outcome {
    /// Nothing was begun.
    Idle,
    Pending,
    Done(Committed),
    /// A newer owner has taken the partition: drop its state, write nothing more.
    Fenced,
    /// Cannot heal, and was given up: a mistake in this program, or its end. What waits for somebody to act (a right, a
    /// container) stays `Pending` and shows in the sinks' health.
    Failed(Error),
}

/// What a finished commit wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    pub seq: u64,
    pub next: Position,
    pub files: u32,
    /// Of the files and the state together.
    pub bytes: u64,
    /// Rows of predictions.
    pub rows: u64,
}

/// One commit's bytes, final. Opaque to the pipeline but for its size.
#[derive(Debug)]
pub struct Frozen {
    pub bytes: u64,
    pub(crate) contents: Contents,
}
