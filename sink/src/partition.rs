//! One partition's sink: takes a commit at a time, and has a task drive it to its end while the partition's thread goes on.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tracing::Instrument;
use types::PartitionId;

use crate::build::{self, Head};
use crate::claim::{self, Taken};
use crate::driver::Driver;
use crate::encode::{self, Origin};
use crate::follow_up;
use crate::machine::{Entry, Input, Told};
use crate::names::{self, Genesis};
use crate::record::{Nonce, Record};
use crate::retries::Retries;
use crate::sinks::Shared;
use crate::{Claim, Claimed, Commit, Committed, Error, Frozen, Outcome, RunRow, Sink, metrics};

pub struct PartitionSink {
    shared: Arc<Shared>,
    partition: PartitionId,
    driver: Arc<Mutex<Driver>>,
    retries: Retries,
    head: Option<Head>,
    task: Task,
    rng: ChaCha8Rng,
}

enum Task {
    Idle,
    Running(Running),
    /// Told at the next poll.
    Refused(Error),
}

struct Running {
    answer: Receiver<Result<Ended, Error>>,
    abort: AbortHandle,
}

/// How a task ended.
enum Ended {
    Vacant { is_new_partition: bool, partitions: Option<u32> },
    Taken(Box<Taken>),
    Committed(Record, Duration),
    Fenced,
}

impl PartitionSink {
    /// `seed` decides everything random: other owners must have other seeds.
    pub(crate) fn new(shared: Arc<Shared>, partition: PartitionId, seed: u64) -> Self {
        let driver = Driver::new(Arc::clone(&shared), partition.clone(), seed);
        let rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5eed);
        let retries = driver.retries.clone();
        let driver = Arc::new(Mutex::new(driver));
        PartitionSink { shared, partition, driver, retries, head: None, task: Task::Idle, rng }
    }

    fn nonce(&mut self) -> Nonce {
        Nonce(self.rng.random())
    }

    /// Runs it on the runtime; `poll` finds its end.
    fn spawn<F>(&mut self, work: impl FnOnce(Arc<Mutex<Driver>>, Answer) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (answer, answered) = sync_channel(1);
        let work = work(Arc::clone(&self.driver), Answer(answer)).in_current_span();
        let task = self.shared.runtime.spawn(work);
        self.task = Task::Running(Running { answer: answered, abort: task.abort_handle() });
    }

    fn finish(&mut self, ended: Result<Ended, Error>) -> Outcome {
        self.task = Task::Idle;
        match ended {
            Ok(Ended::Vacant { is_new_partition, partitions }) => {
                self.head = Some(Head::vacant(Genesis(self.rng.random()), partitions));
                Outcome::Claimed(Claimed::Vacant { is_new_partition })
            }
            Ok(Ended::Taken(taken)) => {
                let Taken { record, resumed } = *taken;
                self.head = Some(Head::of(&record));
                Outcome::Claimed(Claimed::Resumed(Box::new(resumed)))
            }
            Ok(Ended::Committed(record, took)) => {
                self.head = Some(Head::of(&record));
                let committed = committed(&record, took);
                metrics::committed(&committed, &record.header().files);
                Outcome::Done(committed)
            }
            Ok(Ended::Fenced) => {
                metrics::fenced();
                self.head = None;
                Outcome::Fenced
            }
            Err(error) => {
                self.head = None;
                Outcome::Failed(error)
            }
        }
    }
}

/// Where a task says how it ended. Nobody may be listening any more.
struct Answer(SyncSender<Result<Ended, Error>>);

impl Answer {
    fn give(self, ended: Result<Ended, Error>) {
        let _ = self.0.send(ended);
    }
}

fn committed(record: &Record, took: Duration) -> Committed {
    let header = record.header();
    let others = [names::MARKERS, crate::Dataset::Runs.as_str()];
    let of_results = |file: &&crate::record::FileEntry| !others.contains(&file.dataset.as_str());
    let of_predictions = |file: &&crate::record::FileEntry| file.dataset == crate::Dataset::Predictions.as_str();
    Committed {
        seq: header.seq,
        next: header.resume.next,
        files: u32::try_from(header.files.iter().filter(of_results).count()).unwrap_or(u32::MAX),
        bytes: record.bytes().len() as u64,
        rows: header.files.iter().filter(of_predictions).map(|file| file.rows).sum(),
        took,
        run: RunRow { commit_seconds: Some(took.as_secs_f64()), ..RunRow::of(header, record.bytes().len() as u64) },
    }
}

impl Sink for PartitionSink {
    fn claim(&mut self, claim: Claim) {
        if !matches!(self.task, Task::Idle) {
            self.task = Task::Refused(Error::OutOfTurn);
            return;
        }
        if let Err(error) = names::check_topic(&self.partition.topic) {
            self.task = Task::Refused(error);
            return;
        }
        let nonce = self.nonce();
        self.spawn(move |driver, answer| async move {
            let mut driver = driver.lock_owned().await;
            let ended = claim::claim(&mut driver, &claim, nonce).await;
            answer.give(ended.map(|taken| match taken {
                claim::Ended::Vacant { is_new_partition } => {
                    Ended::Vacant { is_new_partition, partitions: claim.partitions }
                }
                claim::Ended::Taken(taken) => Ended::Taken(taken),
                claim::Ended::Fenced => Ended::Fenced,
            }));
        });
    }

    fn encode(&mut self, commit: &Commit<'_>) -> Result<Frozen, Error> {
        let nonce = self.nonce();
        let head = self.head.as_ref().ok_or(Error::NotClaimed)?;
        let pipeline = &self.shared.identity.pipeline;
        let next = commit.resume.next;
        let origin = Origin { pipeline, partition: &self.partition, genesis: head.genesis, seq: head.next_seq(), next };
        let files = encode::encode(commit, origin)?;
        let record = build::build(&self.shared, &self.partition, head, commit, files, nonce)?;
        Ok(Frozen { bytes: record.bytes().len() as u64, record })
    }

    fn begin(&mut self, frozen: Frozen) {
        let record = frozen.record;
        let in_turn = self.head.as_ref().is_some_and(|head| head.next_seq() == record.mark().seq);
        if !in_turn || !matches!(self.task, Task::Idle) {
            self.task = Task::Refused(Error::OutOfTurn);
            return;
        }
        self.spawn(move |driver, answer| async move {
            let mut driver = driver.lock_owned().await;
            let began = driver.shared.clock.now();
            let told = driver.run(Input::Propose(record)).await;
            let took = driver.shared.clock.now().saturating_sub(began);
            let committed = match told {
                Ok(Told::Committed(record)) => record,
                Ok(Told::Fenced) => return answer.give(Ok(Ended::Fenced)),
                Ok(Told::FileDiffers { file }) => return answer.give(Err(Error::FileDiffers { file })),
                Ok(_) => return answer.give(Err(Error::OutOfTurn)),
                Err(error) => return answer.give(Err(error)),
            };
            answer.give(Ok(Ended::Committed(committed.clone(), took)));
            follow_up::after(&mut driver, &committed).await;
        });
    }

    fn poll(&mut self) -> Outcome {
        self.wait(Duration::ZERO)
    }

    fn wait(&mut self, at_most: Duration) -> Outcome {
        let answer = match &self.task {
            Task::Idle => return Outcome::Idle,
            Task::Running(running) if at_most.is_zero() => match running.answer.try_recv() {
                Err(TryRecvError::Empty) => return Outcome::Pending,
                answer => answer.ok(),
            },
            Task::Running(running) => match running.answer.recv_timeout(at_most) {
                Err(RecvTimeoutError::Timeout) => return Outcome::Pending,
                answer => answer.ok(),
            },
            Task::Refused(_) => {
                let Task::Refused(error) = std::mem::replace(&mut self.task, Task::Idle) else { return Outcome::Idle };
                return Outcome::Failed(error);
            }
        };
        self.finish(answer.unwrap_or(Err(Error::Stopped)))
    }
}

/// Ends what is under way: whoever drops the sink has lost the partition or is leaving.
impl Drop for PartitionSink {
    fn drop(&mut self) {
        if let Task::Running(running) = &self.task {
            running.abort.abort();
        }
        self.retries.end();
        metrics::forget(&self.partition);
    }
}
