//! A log, a dataset, cursors and a receiver in memory, with faults from a seed; and the judge, who knows what was committed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;
use types::PartitionId;

use super::super::Heads;
use crate::testing::{Prediction, parquet};
use crate::{
    Begin, Commit, Cursor, Cursors, Error, Event, Failure, File, Log, Moved, Receiver, Refusal, Rows, Stored, Unlogged,
};

const PARTITIONS: u32 = 2;
const KEPT: usize = 4;
/// Of requests, while faults are on.
const FAILING: f64 = 0.15;
/// A device whose events no receiver takes.
const REFUSED: &str = "huge";

#[derive(Clone)]
pub(super) struct World {
    state: Rc<RefCell<State>>,
    crashed: Rc<Notify>,
}

/// What a process has of the world.
#[derive(Clone)]
pub(super) struct Handle {
    world: World,
    process: u64,
}

struct State {
    rng: ChaCha8Rng,
    failing: bool,
    crash_in: Option<u32>,
    processes: u64,
    logs: BTreeMap<PartitionId, Vec<(Commit, u64)>>,
    /// By partition and name.
    dataset: BTreeMap<(PartitionId, String), (Unlogged, Bytes)>,
    cursors: BTreeMap<PartitionId, (Cursor, u64)>,
    /// The first cursor that was ever stored.
    begins: BTreeMap<PartitionId, u64>,
    versions: u64,
    /// What the receiver has, by id; with all bodies that it was given.
    taken: BTreeMap<String, BTreeSet<Bytes>>,
    /// What it told that it has.
    acknowledged: BTreeSet<String>,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let state = State {
            rng: ChaCha8Rng::seed_from_u64(seed),
            failing: true,
            crash_in: None,
            processes: 0,
            logs: BTreeMap::new(),
            dataset: BTreeMap::new(),
            cursors: BTreeMap::new(),
            begins: BTreeMap::new(),
            versions: 0,
            taken: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
        };
        World { state: Rc::new(RefCell::new(state)), crashed: Rc::default() }
    }

    pub(super) fn process(&self) -> Handle {
        let mut state = self.state.borrow_mut();
        state.processes += 1;
        Handle { world: self.clone(), process: state.processes }
    }

    pub(super) fn rng<T>(&self, draw: impl FnOnce(&mut ChaCha8Rng) -> T) -> T {
        draw(&mut self.state.borrow_mut().rng)
    }

    pub(super) fn heads(&self) -> Heads {
        let state = self.state.borrow();
        let heads = state.logs.iter().filter_map(|(id, log)| Some((id.clone(), log.last()?.0.seq)));
        heads.collect()
    }

    /// A commit to each partition, of some process.
    pub(super) fn commit(&self, by: Option<&Handle>) {
        for index in 0..PARTITIONS {
            let mut state = self.state.borrow_mut();
            let partition = PartitionId { topic: "t".into(), index };
            let before = state.logs.get(&partition).and_then(|log| log.last()).map(|(commit, _)| commit.clone());
            let seq = before.as_ref().map_or(0, |commit| commit.seq + 1);
            let (mut files, mut anomalies) = (Vec::new(), 0);
            for file in 0..state.rng.random_range(0..3) {
                let count = state.rng.random_range(1..6);
                let rows: Vec<Prediction> =
                    (0..count).map(|row| state.prediction(index, seq, file * 10 + row)).collect();
                anomalies += rows.iter().filter(|row| row.is_anomaly).count() as u64;
                let (name, bytes) = (format!("date={file}/{seq:010}"), parquet(&rows));
                files.push(File { name: name.clone(), rows: rows.len() as u64, check: None });
                let unlogged = Unlogged { seq, genesis: "g".into(), name: name.clone() };
                state.dataset.insert((partition.clone(), name), (unlogged, bytes));
            }
            let rows = files.iter().map(|file| file.rows).sum::<u64>();
            let rows_total = before.map_or(0, |commit| commit.rows_total) + rows;
            let commit =
                Commit { seq, genesis: "g".into(), is_ours: false, written_at: 0, anomalies, rows_total, files };
            let process = by.map_or(0, |handle| handle.process);
            state.logs.entry(partition).or_default().push((commit, process));
        }
    }

    pub(super) fn sweep(&self) {
        for log in self.state.borrow_mut().logs.values_mut() {
            let old = log.len().saturating_sub(KEPT);
            log.drain(..old);
        }
    }

    pub(super) fn crash_soon(&self) {
        let mut state = self.state.borrow_mut();
        state.crash_in = Some(state.rng.random_range(0..12));
    }

    pub(super) fn crash_never(&self) {
        self.state.borrow_mut().crash_in = None;
    }

    pub(super) async fn crash(&self) {
        self.crashed.notified().await;
    }

    pub(super) fn heal(&self) {
        let mut state = self.state.borrow_mut();
        (state.failing, state.crash_in) = (false, None);
    }

    /// Holds what was sent against what was committed.
    pub(super) fn judge(&self, from: Begin) -> Result<(), String> {
        let state = self.state.borrow();
        let mut known = BTreeSet::new();
        for ((partition, name), (unlogged, bytes)) in &state.dataset {
            let begin = if from == Begin::Earliest { 0 } else { *state.begins.get(partition).ok_or("no begin")? };
            for event in Rows::open("p", bytes.clone())?.flat_map(Result::unwrap) {
                let is_due = unlogged.seq >= begin;
                if is_due && event.device != REFUSED && !state.acknowledged.contains(&event.id) {
                    return Err(format!("an anomaly of {partition} {name} was never acknowledged"));
                }
                if let Some(bodies) = state.taken.get(&event.id)
                    && (!is_due || bodies.len() != 1 || !bodies.contains(&event.body))
                {
                    return Err(format!("an event of {partition} {name} is another one, or before the begin"));
                }
                known.insert(event.id);
            }
        }
        match state.taken.keys().find(|id| !known.contains(*id)) {
            Some(id) => Err(format!("`{id}` is of no anomaly")),
            None => Ok(()),
        }
    }

    /// The process does something: it may die of that.
    async fn step(&self) {
        let dies = {
            let mut state = self.state.borrow_mut();
            state.crash_in = state.crash_in.map(|left| left.wrapping_sub(1));
            state.crash_in == Some(u32::MAX)
        };
        if dies {
            self.crashed.notify_one();
            std::future::pending::<()>().await;
        }
        // Others may have their turn.
        tokio::task::yield_now().await;
    }

    fn fails(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let share = if state.failing { FAILING } else { 0.0 };
        state.rng.random_bool(share)
    }

    async fn ask(&self) -> Result<(), Error> {
        self.step().await;
        match self.fails() {
            true => Err(Error::Log { reason: "the store does not answer".into(), hint: None }),
            false => Ok(()),
        }
    }
}

impl State {
    fn prediction(&mut self, partition: u32, seq: u64, row: i64) -> Prediction {
        let is_anomaly = self.rng.random_bool(0.4);
        let device = match self.rng.random_bool(0.05) {
            true => REFUSED.to_owned(),
            false => format!("d{partition}"),
        };
        Prediction::new(&device, seq as i64 * 100 + row, is_anomaly)
    }
}

impl Log for Handle {
    async fn kept(&self, partition: &PartitionId, from: u64) -> Result<Vec<u64>, Error> {
        self.world.ask().await?;
        let state = self.world.state.borrow();
        let log = state.logs.get(partition).into_iter().flatten();
        Ok(log.map(|(commit, _)| commit.seq).filter(|seq| *seq >= from).collect())
    }

    async fn commit(&self, partition: &PartitionId, seq: u64) -> Result<Option<Commit>, Error> {
        self.world.ask().await?;
        let state = self.world.state.borrow();
        let found = state.logs.get(partition).into_iter().flatten().find(|(commit, _)| commit.seq == seq);
        Ok(found.map(|(commit, process)| Commit { is_ours: *process == self.process, ..commit.clone() }))
    }

    async fn file(&self, partition: &PartitionId, _: u64, file: &File) -> Result<Option<Bytes>, Error> {
        self.world.ask().await?;
        let state = self.world.state.borrow();
        Ok(state.dataset.get(&(partition.clone(), file.name.clone())).map(|(_, bytes)| bytes.clone()))
    }

    async fn files_of(&self, partition: &PartitionId, seqs: Range<u64>) -> Result<Vec<Unlogged>, Error> {
        self.world.ask().await?;
        let state = self.world.state.borrow();
        let of_partition = state.dataset.iter().filter(|((of, _), _)| of == partition);
        let mut found: Vec<Unlogged> = of_partition.map(|(_, (unlogged, _))| unlogged.clone()).collect();
        found.retain(|unlogged| seqs.contains(&unlogged.seq));
        found.sort_by(|a, b| (a.seq, &a.name).cmp(&(b.seq, &b.name)));
        Ok(found)
    }
}

impl Cursors for Handle {
    async fn load(&self, partition: &PartitionId) -> Result<Option<Stored>, Error> {
        self.world.ask().await?;
        let state = self.world.state.borrow();
        let stored = state.cursors.get(partition);
        Ok(stored.map(|(cursor, version)| Stored { cursor: cursor.clone(), version: version.to_string() }))
    }

    async fn store(&self, partition: &PartitionId, cursor: &Cursor, seen: Option<&str>) -> Result<Moved, Error> {
        self.world.ask().await?;
        let version = {
            let mut state = self.world.state.borrow_mut();
            let found = state.cursors.get(partition).map(|(_, version)| version.to_string());
            if found.as_deref() != seen {
                return Ok(Moved::Elsewhere);
            }
            state.versions += 1;
            let version = state.versions;
            state.cursors.insert(partition.clone(), (cursor.clone(), version));
            state.begins.entry(partition.clone()).or_insert(cursor.next);
            version
        };
        // It is there, and the answer may be lost, or nobody lives to hear it.
        self.world.ask().await?;
        Ok(Moved::Done(version.to_string()))
    }
}

impl Receiver for Handle {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn batch(&self) -> usize {
        2
    }

    async fn send(&mut self, events: &[Event]) -> Result<Vec<Refusal>, Failure> {
        self.world.step().await;
        let is_lost = self.world.fails();
        let failure = || Failure::passing("no answer");
        // Some of them may be there all the same.
        let arrived = if is_lost { self.world.rng(|rng| rng.random_range(0..=events.len())) } else { events.len() };
        let mut refusals = Vec::new();
        for (index, event) in events[..arrived].iter().enumerate() {
            if event.device == REFUSED {
                refusals.push(Refusal { index, reason: "too large".into() });
                continue;
            }
            let mut state = self.world.state.borrow_mut();
            state.taken.entry(event.id.clone()).or_default().insert(event.body.clone());
        }
        self.world.step().await;
        if is_lost {
            return Err(failure());
        }
        let mut state = self.world.state.borrow_mut();
        let taken = events.iter().filter(|event| event.device != REFUSED).map(|event| event.id.clone());
        state.acknowledged.extend(taken);
        Ok(refusals)
    }
}
