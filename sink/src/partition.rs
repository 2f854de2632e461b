//! One partition's sink: takes a commit at a time, and has a task make it durable while the partition's thread goes on.
//!
//! At least once: the files of a commit come first and the state last, so a kill in between repeats the files' rows
//! under another seq and never loses any. Taking a partition over uses up a seq, so that no owner ever creates a file
//! under a name that an owner before it may have used; two owners at once meet at a name, and the second is fenced.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::AbortHandle;
use types::{PartitionId, Position};

use crate::encode::{self, DataFile, Origin};
use crate::names::{self, Genesis};
use crate::place::Scratch;
use crate::sinks::Shared;
use crate::state::{self, Header, Owner, State};
use crate::writer::{Writer, Written};
use crate::{Commit, Committed, Dataset, Error, Frozen, Outcome, Recovered, Sink, metrics};

/// The largest commit that is taken, files and state together.
const COMMIT_BYTES_MAX: u64 = 1 << 30;

pub struct PartitionSink {
    shared: Arc<Shared>,
    partition: PartitionId,
    scratch: Scratch,
    head: Option<Head>,
    task: Task,
}

/// The last commit that is known to be durable.
#[derive(Debug, Clone, Copy)]
struct Head {
    genesis: Genesis,
    seq: u64,
}

enum Task {
    Idle,
    Running(Running),
    /// Told at the next poll.
    Refused(Error),
}

struct Running {
    answer: Receiver<Written>,
    abort: AbortHandle,
    committed: Committed,
    began: Instant,
}

/// What a commit writes, final.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents {
    files: Vec<DataFile>,
    state: Bytes,
    genesis: Genesis,
    seq: u64,
    next: Position,
}

impl PartitionSink {
    pub(crate) fn new(shared: Arc<Shared>, partition: PartitionId, mark: u64) -> Self {
        let scratch = Scratch { folder: names::scratch(&shared.identity.pipeline, &partition), mark };
        PartitionSink { shared, partition, scratch, head: None, task: Task::Idle }
    }

    fn finish(&mut self, written: Written) -> Outcome {
        let Task::Running(running) = std::mem::replace(&mut self.task, Task::Idle) else { return Outcome::Idle };
        match written {
            Written::Done => {
                if let Some(head) = &mut self.head {
                    head.seq = running.committed.seq;
                }
                metrics::committed(&running.committed, running.began.elapsed());
                Outcome::Done(running.committed)
            }
            Written::Fenced => {
                self.head = None;
                Outcome::Fenced
            }
        }
    }

    fn ended(&mut self) -> Outcome {
        self.task = Task::Idle;
        self.head = None;
        Outcome::Failed(Error::Stopped)
    }
}

impl Sink for PartitionSink {
    fn recover(&mut self) -> Result<Option<Recovered>, Error> {
        names::check_topic(&self.partition.topic)?;
        let (shared, partition, scratch) = (Arc::clone(&self.shared), self.partition.clone(), self.scratch.clone());
        let found = self.shared.block(async move { take_over(&shared, &partition, &scratch).await })?;
        match found {
            Some(State { genesis, seq, next, payload }) => {
                self.head = Some(Head { genesis, seq });
                Ok(Some(Recovered { next, state: payload, seq }))
            }
            None => {
                self.head = Some(Head { genesis: Genesis(rand::random()), seq: 0 });
                Ok(None)
            }
        }
    }

    fn encode(&self, commit: &Commit<'_>) -> Result<Frozen, Error> {
        let head = self.head.ok_or(Error::NotRecovered)?;
        let Shared { identity, .. } = &*self.shared;
        let (genesis, seq, next) = (head.genesis, head.seq + 1, commit.next);
        let origin = Origin { pipeline: &identity.pipeline, partition: &self.partition, genesis, seq, next };
        let files = encode::encode(commit, origin)?;
        let owner = Owner { identity, partition: &self.partition, place: "" };
        let state = state::write(&Header { genesis, seq, next }, owner, commit.state);
        let bytes = files.iter().map(|file| file.bytes.len() as u64).sum::<u64>() + state.len() as u64;
        if bytes > COMMIT_BYTES_MAX {
            return Err(Error::TooLarge { bytes, max: COMMIT_BYTES_MAX });
        }
        Ok(Frozen { bytes, contents: Contents { files, state, genesis, seq, next } })
    }

    fn begin(&mut self, frozen: Frozen) {
        let Frozen { bytes, contents: Contents { files, state, genesis, seq, next } } = frozen;
        let in_turn = self.head.is_some_and(|head| head.genesis == genesis && head.seq + 1 == seq);
        if !in_turn || !matches!(self.task, Task::Idle) {
            self.task = Task::Refused(Error::OutOfTurn);
            return;
        }
        let rows = files.iter().filter(|file| file.dataset == Dataset::Predictions).map(|file| file.rows).sum();
        let committed = Committed { seq, next, files: u32::try_from(files.len()).unwrap_or(u32::MAX), bytes, rows };
        let writer = Writer {
            shared: Arc::clone(&self.shared),
            partition: self.partition.clone(),
            scratch: self.scratch.clone(),
        };
        let name = names::state(&self.shared.identity.pipeline, &self.partition);
        let (end, answer) = sync_channel(1);
        let task = self.shared.runtime.spawn(async move {
            let written = writer.commit(files, &name, &state).await;
            let _ = end.send(written);
        });
        self.task = Task::Running(Running { answer, abort: task.abort_handle(), committed, began: Instant::now() });
    }

    fn poll(&mut self) -> Outcome {
        self.wait(Duration::ZERO)
    }

    fn wait(&mut self, at_most: Duration) -> Outcome {
        let answer = match &self.task {
            Task::Running(running) if at_most.is_zero() => match running.answer.try_recv() {
                Err(TryRecvError::Empty) => return Outcome::Pending,
                answer => answer.ok(),
            },
            Task::Running(running) => match running.answer.recv_timeout(at_most) {
                Err(RecvTimeoutError::Timeout) => return Outcome::Pending,
                answer => answer.ok(),
            },
            Task::Idle => return Outcome::Idle,
            Task::Refused(_) => {
                let Task::Refused(error) = std::mem::replace(&mut self.task, Task::Idle) else { return Outcome::Idle };
                return Outcome::Failed(error);
            }
        };
        match answer {
            Some(written) => self.finish(written),
            None => self.ended(),
        }
    }
}

/// Ends what is under way: whoever drops the sink has lost the partition or is leaving.
impl Drop for PartitionSink {
    fn drop(&mut self) {
        if let Task::Running(running) = &self.task {
            running.abort.abort();
        }
        self.shared.ward.clear(&self.partition);
    }
}

/// Reads the state, makes it this owner's by using up a seq, and sweeps what the owner before left unfinished.
async fn take_over(shared: &Shared, partition: &PartitionId, scratch: &Scratch) -> Result<Option<State>, Error> {
    for place in shared.places() {
        place.sweep(scratch).await?;
    }
    let name = names::state(&shared.identity.pipeline, partition);
    let Some(bytes) = shared.state.read(&name).await? else { return Ok(None) };
    let place = shared.state.location.display_of(&name);
    let owner = Owner { identity: &shared.identity, partition, place: &place };
    let mut state = state::read(&bytes, owner)?;
    state.seq += 1;
    let header = Header { genesis: state.genesis, seq: state.seq, next: state.next };
    let claimed = state::write(&header, owner, &state.payload);
    shared.state.replace(&name, &claimed, scratch).await?;
    Ok(Some(state))
}
