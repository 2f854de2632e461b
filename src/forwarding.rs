//! Telling receivers of anomalies: a thread of its own beside the pipeline, which follows the log of commits behind the workers.
//!
//! Nobody waits for it while a service runs. A job gives it time at its end; what it did not manage is sent by the next run, since cursors say
//! how far it came. What follows and in which order is in the crate `forward`; here are the log it reads and the partitions it looks at.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use config::{Config, forwarding};
use forward::kafka::Kafka;
use forward::webhook::Webhook;
use forward::{Commit, Cursors, File, Follower, Guards, Heads, Log, Receiver, Settings, StoredCursors, Unlogged};
use sink::Sinks;
use sink::admin::Bytes;
use sink::record::Header;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use types::{Micros, PartitionId};

use crate::pipeline::{Keeper, Progress};
use crate::wall;

/// How often it is looked whether there is a new commit: at the board, not in the store.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Between two turns while there is work.
const BREATH: Duration = Duration::from_millis(20);
/// Until the store is asked again, at the end of a job.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How the following ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// At once: the next start goes on.
    Stop,
    /// When everything is sent, or this is over.
    Finish { within: Duration },
}

/// Does the work of a pipeline, and tells receivers of the anomalies beside it. `is_done`: whether a job has come to its end by itself, and
/// so forwards to the end as well.
///
/// # Errors
/// Those of the work; and if a job's anomalies could not all be forwarded in time.
pub(crate) fn beside(
    (config, sinks, runtime): (&Config, &Sinks, &Handle),
    progress: &Progress,
    work: impl FnOnce(&dyn Keeper) -> anyhow::Result<()>,
    is_done: impl FnOnce() -> bool,
) -> anyhow::Result<()> {
    if !config.forward.is_on() {
        return work(sinks);
    }
    let (kafka, webhook) = (kafka(config)?, webhook(config)?);
    let seen = Seen::default();
    let noting = Noting { sinks, seen: &seen };
    let (end, ended) = oneshot::channel();
    let unsent = thread::scope(|scope| {
        let following = Following { config, sinks, progress, seen: &seen };
        let thread = thread::Builder::new()
            .name("forward".into())
            .spawn_scoped(scope, move || runtime.block_on(following.run(kafka, webhook, ended)))
            .context("start the thread that forwards anomalies")?;
        let done = work(&noting);
        let finish = End::Finish { within: config.forward.finish_within.duration() };
        let how = if done.is_ok() && is_done() { finish } else { End::Stop };
        // One that is gone has panicked, which `join` tells.
        let _ = end.send(how);
        let unsent = thread.join().map_err(|_| anyhow!("the thread that forwards anomalies panicked: this is a bug"));
        done?;
        unsent
    })?;
    if unsent.is_empty() {
        return Ok(());
    }
    Err(Unsent(format!(
        "not all anomalies were forwarded to {} within {}\n\
         the rows are durable, and nothing is lost: run it again when the receiver answers, and the rest is sent; `forward.finish_within` is \
         how long it is tried",
        unsent.join(" and "),
        config.forward.finish_within
    ))
    .into())
}

/// All the work is done and durable, and receivers are still to hear of it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unsent(String);

impl Unsent {
    /// Told apart from other failures: what was done is told before what is still to be sent.
    pub(crate) fn apart(done: anyhow::Result<()>) -> anyhow::Result<Option<anyhow::Error>> {
        match done {
            Err(error) if error.is::<Unsent>() => Ok(Some(error)),
            done => done.map(|()| None),
        }
    }
}

/// The topic; none if nothing goes to Kafka.
pub(crate) fn kafka(config: &Config) -> anyhow::Result<Option<Kafka>> {
    let settings = &config.forward.kafka;
    let opened = settings.topic.as_ref().map(|_| Kafka::new(settings, forwarding::brokers_are_local(settings)));
    opened.transpose().context("prepare forwarding to Kafka")
}

/// The URL; none if nothing is posted.
pub(crate) fn webhook(config: &Config) -> anyhow::Result<Option<Webhook>> {
    let settings = &config.forward.webhook;
    let is_local = forwarding::webhook_is_local(settings);
    let opened = settings.url.as_ref().map(|_| Webhook::new(settings, is_local, wall::now));
    opened.transpose().context("prepare forwarding to the webhook")
}

struct Following<'a> {
    config: &'a Config,
    sinks: &'a Sinks,
    progress: &'a Progress,
    seen: &'a Seen,
}

impl Following<'_> {
    /// Gives the receivers that were not sent everything by the end of a job.
    async fn run(
        self,
        kafka: Option<Kafka>,
        webhook: Option<Webhook>,
        mut ended: oneshot::Receiver<End>,
    ) -> Vec<&'static str> {
        let mut kafka = kafka.map(|kafka| self.follower(kafka, "kafka"));
        let mut webhook = webhook.map(|webhook| self.follower(webhook, "webhook"));
        let end = {
            let all = async { tokio::join!(self.go_on(kafka.as_mut()), self.go_on(webhook.as_mut())) };
            tokio::select! {
                // The work panicked if nobody says how.
                end = &mut ended => end.unwrap_or(End::Stop),
                _ = all => End::Stop,
            }
        };
        let End::Finish { within } = end else { return Vec::new() };
        let (kafka, webhook) = tokio::join!(self.finish(kafka.as_mut(), within), self.finish(webhook.as_mut(), within));
        kafka.into_iter().chain(webhook).collect()
    }

    fn follower<R: Receiver>(
        &self,
        receiver: R,
        name: &'static str,
    ) -> Follower<OfSinks<'_>, impl Cursors + use<R>, R> {
        let settings = Settings {
            pipeline: self.config.pipeline.clone(),
            from: self.config.forward.from,
            now: wall::now,
            seed: wall::now().cast_unsigned(),
            guards: Guards::default(),
        };
        let cursors = StoredCursors::new(self.sinks.state_place().clone(), self.sinks.cursor_name(name));
        Follower::new(OfSinks(self.sinks), cursors, receiver, settings)
    }

    async fn go_on<L: Log, C: Cursors, R: Receiver>(&self, follower: Option<&mut Follower<L, C, R>>) {
        let Some(follower) = follower else { return std::future::pending().await };
        loop {
            let turn = follower.turn(&self.heads()).await;
            let until_next = if turn.commits > 0 { turn.wait.unwrap_or(BREATH) } else { LOOK_EVERY };
            sleep(until_next.min(LOOK_EVERY)).await;
        }
    }

    /// What workers have committed, by the board: an idle pipeline costs no request.
    fn heads(&self) -> Heads {
        let board = self.progress.board();
        let head = |(partition, status): (&PartitionId, &crate::pipeline::PartitionStatus)| {
            // A claim numbered 0 is of a log that is still to begin.
            let newest = status.commit.max(status.claim.filter(|claim| *claim > 0))?;
            Some((partition.clone(), newest))
        };
        board.partitions.iter().filter_map(head).collect()
    }

    /// Sends what this process' partitions hold; gives the receiver's name if that took too long.
    async fn finish<L: Log, C: Cursors, R: Receiver>(
        &self,
        follower: Option<&mut Follower<L, C, R>>,
        within: Duration,
    ) -> Option<&'static str> {
        let follower = follower?;
        let name = follower.receiver().name();
        let all = async {
            let heads = loop {
                match self.present_heads().await {
                    Ok(heads) => break heads,
                    Err(error) => tracing::warn!(%error, "the logs cannot be listed: they are listed again"),
                }
                sleep(ASK_AGAIN).await;
            };
            loop {
                let turn = follower.turn(&heads).await;
                if turn == forward::Turn::default() {
                    break;
                }
                sleep(turn.wait.unwrap_or(BREATH)).await;
            }
            if let Err(error) = follower.save().await {
                tracing::warn!(%error, "how far anomalies were forwarded could not be written: the next run looks again");
            }
        };
        timeout(within, all).await.is_err().then_some(name)
    }

    async fn present_heads(&self) -> Result<Heads, sink::Error> {
        let mut heads = Heads::new();
        for partition in self.seen.all() {
            if let Some(newest) = self.sinks.kept_from(&partition, 0).await?.pop() {
                heads.insert(partition, newest);
            }
        }
        Ok(heads)
    }
}

// === The partitions ===

/// All that this process ever began to take over.
#[derive(Default)]
struct Seen(Mutex<BTreeSet<PartitionId>>);

impl Seen {
    fn all(&self) -> BTreeSet<PartitionId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The sinks, with a note of each partition that is asked for.
struct Noting<'a> {
    sinks: &'a Sinks,
    seen: &'a Seen,
}

impl Keeper for Noting<'_> {
    fn sink(&self, partition: &PartitionId) -> Box<dyn sink::Sink> {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner).insert(partition.clone());
        Keeper::sink(self.sinks, partition)
    }

    fn drain(&self) -> Option<Micros> {
        Keeper::drain(self.sinks)
    }

    fn attention(&self) -> u64 {
        Keeper::attention(self.sinks)
    }

    fn handed_over(
        &self,
        pipeline: &str,
        partition: &PartitionId,
    ) -> Result<Option<sink::record::DrainFrom>, sink::Error> {
        Keeper::handed_over(self.sinks, pipeline, partition)
    }
}

// === The log ===

struct OfSinks<'a>(&'a Sinks);

impl Log for OfSinks<'_> {
    async fn kept(&self, partition: &PartitionId, from: u64) -> Result<Vec<u64>, forward::Error> {
        self.0.kept_from(partition, from).await.map_err(|error| told(&error))
    }

    async fn commit(&self, partition: &PartitionId, seq: u64) -> Result<Option<Commit>, forward::Error> {
        let header = self.0.header(partition, seq).await.map_err(|error| told(&error))?;
        Ok(header.map(|header| self.commit_of(&header)))
    }

    async fn file(&self, partition: &PartitionId, seq: u64, file: &File) -> Result<Option<Bytes>, forward::Error> {
        self.0.committed_file(partition, seq, &file.name, file.check).await.map_err(|error| told(&error))
    }

    async fn files_of(&self, partition: &PartitionId, seqs: Range<u64>) -> Result<Vec<Unlogged>, forward::Error> {
        let found = self.0.published(partition, seqs).await.map_err(|error| told(&error))?;
        let unlogged = |(data, name): (sink::admin::DataName, String)| Unlogged {
            seq: data.seq,
            genesis: data.genesis.to_string(),
            name,
        };
        Ok(found.into_iter().map(unlogged).collect())
    }
}

impl OfSinks<'_> {
    fn commit_of(&self, header: &Header) -> Commit {
        let of_predictions = header.files.iter().filter(|file| file.dataset == sink::Dataset::Predictions.as_str());
        let mut files: Vec<File> = of_predictions
            .map(|file| File { name: file.name.clone(), rows: file.rows, check: Some((file.length, file.crc)) })
            .collect();
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Commit {
            seq: header.seq,
            genesis: header.genesis.to_string(),
            is_ours: self.0.is_own(header),
            written_at: header.written_at,
            anomalies: header.run.anomalies,
            rows_total: header.ledger.rows_in_files,
            files,
        }
    }
}

fn told(error: &sink::Error) -> forward::Error {
    forward::Error::Log { reason: error.to_string(), hint: error.hint() }
}
