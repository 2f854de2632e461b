//! What each worker and each partition is doing now, for probes, metrics and people.
//!
//! Workers write a few times a second, for all their partitions under one lock that is held for a moment; anybody reads a
//! copy. No record or reading ever waits for it. What should be done about it is for others to say.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ingest::Trouble;
use serde::{Serialize, Serializer};
use types::{Micros, PartitionId};

use super::Clock;

/// How often a worker writes.
pub(super) const POST_EVERY: Duration = Duration::from_millis(200);

/// The board at one moment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Board {
    pub workers: Vec<WorkerStatus>,
    /// Partitions that are this process' own, by their names.
    #[serde(serialize_with = "by_name")]
    pub partitions: BTreeMap<PartitionId, PartitionStatus>,
}

/// A worker thread.
#[derive(Debug, Clone, Serialize)]
pub struct WorkerStatus {
    pub number: usize,
    /// When it last got round to its partitions, by the wall clock.
    pub last_turn_at: Micros,
    /// Why its source cannot be read at present, if it is so.
    pub trouble: Option<String>,
    /// By the clock for spans: walls may jump.
    #[serde(skip)]
    turned: Instant,
    #[serde(skip)]
    cut_off: Option<Instant>,
}

/// A partition of ours.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PartitionStatus {
    /// The number of the worker whose it is.
    pub worker: usize,
    pub phase: Phase,
    /// Why it is in this phase, where that needs a word.
    pub why: Option<String>,
    /// The number of the record by which it was claimed; 0 where its log was still to begin.
    pub claim: Option<u64>,
    /// The number of the last record that this process made durable.
    pub commit: Option<u64>,
    /// The next record to be read.
    pub position: Option<i64>,
    /// Records not handed over yet, as the source knew lately.
    pub lag_records: Option<u64>,
    /// How old the last record handed over is, when there may be more; 0 when it is proven that there are none.
    pub lag_seconds: Option<f64>,
    /// The newest event time taken into windows.
    pub clock: Option<Micros>,
    pub open_windows: usize,
    /// Rows that wait to be written.
    pub closed_rows: usize,
    pub series: usize,
    pub devices: usize,
    pub last_commit_at: Option<Micros>,
    /// Since when the oldest thing waits that was taken in and is not durable.
    pub uncommitted_since: Option<Micros>,
    /// Of the last record made here, and of the packed state in it.
    pub record_bytes: u64,
    pub state_bytes: u64,
}

/// Where a partition is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its log is being taken over.
    #[default]
    Claiming,
    /// Something has to be durable before its records may come.
    Recovering,
    Reading,
    /// More waits to be written than may: its records wait.
    Paused,
    /// Its owners died again and again: every few records are committed.
    Suspected,
    /// It hands over to a successor.
    Draining,
    /// It cannot go on until somebody acts.
    Halted,
}

/// A worker that does not get round any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    pub worker: usize,
    pub since: Duration,
}

/// A source that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutOff {
    pub since: Duration,
    pub reason: String,
}

/// The board as it is kept.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    board: Board,
    /// Partitions that cannot go on until somebody acts.
    halted: BTreeMap<PartitionId, Halt>,
}

#[derive(Debug)]
struct Halt {
    /// Who said so: a partition may be another worker's before its former one has heard of it.
    worker: usize,
    why: String,
}

impl Board {
    /// The worker that has not got round for longest, if that is longer than `after`.
    #[must_use]
    pub(crate) fn stuck(&self, now: Instant, after: Duration) -> Option<Stuck> {
        let oldest = self.workers.iter().min_by_key(|worker| worker.turned)?;
        let since = now.saturating_duration_since(oldest.turned);
        (since > after).then_some(Stuck { worker: oldest.number, since })
    }

    /// The source that could not be read for longest, if that is longer than `after`.
    #[must_use]
    pub(crate) fn cut_off(&self, now: Instant, after: Duration) -> Option<CutOff> {
        let longest =
            self.workers.iter().filter_map(|worker| Some((worker.cut_off?, worker))).min_by_key(|(at, _)| *at);
        let (at, worker) = longest?;
        let since = now.saturating_duration_since(at);
        let reason = worker.trouble.clone().unwrap_or_default();
        (since > after).then_some(CutOff { since, reason })
    }

    /// How many partitions are in a phase.
    #[must_use]
    pub(crate) fn count(&self, phase: Phase) -> usize {
        self.partitions.values().filter(|partition| partition.phase == phase).count()
    }
}

impl Kept {
    /// A copy, with the reason for each partition that is halted.
    pub(super) fn read(&self) -> Board {
        let state = self.lock();
        let mut board = state.board.clone();
        for (partition, Halt { worker, why }) in &state.halted {
            let unsaid = || PartitionStatus { worker: *worker, ..PartitionStatus::default() };
            let status = board.partitions.entry(partition.clone()).or_insert_with(unsaid);
            (status.phase, status.why) = (Phase::Halted, Some(why.clone()));
        }
        board
    }

    /// As [`Board::stuck`], without a copy.
    pub(super) fn stuck(&self, now: Instant, after: Duration) -> Option<Stuck> {
        self.lock().board.stuck(now, after)
    }

    /// As [`Board::cut_off`], without a copy.
    pub(super) fn cut_off(&self, now: Instant, after: Duration) -> Option<CutOff> {
        self.lock().board.cut_off(now, after)
    }

    // === What workers say ===

    /// The worker got round.
    pub(super) fn turned(&self, number: usize, clock: &dyn Clock) {
        turned(&mut self.lock().board, number, clock);
    }

    /// The worker got round, and this is how its source and its partitions are.
    pub(super) fn post(
        &self,
        number: usize,
        clock: &dyn Clock,
        trouble: Option<Trouble>,
        partitions: Vec<(PartitionId, PartitionStatus)>,
    ) {
        let mut state = self.lock();
        let worker = turned(&mut state.board, number, clock);
        (worker.cut_off, worker.trouble) = trouble.map(|trouble| (trouble.since, trouble.reason)).unzip();
        state.board.partitions.extend(partitions);
    }

    /// The worker has nothing more to do, but to leave.
    pub(super) fn left(&self, number: usize) {
        let mut state = self.lock();
        state.board.workers.retain(|worker| worker.number != number);
        state.board.partitions.retain(|_, status| status.worker != number);
        state.halted.retain(|_, halt| halt.worker != number);
    }

    /// A partition of the worker's is on its way to having a task.
    pub(super) fn claiming(&self, worker: usize, partition: &PartitionId, why: Option<String>) {
        let status = PartitionStatus { worker, why, ..PartitionStatus::default() };
        self.lock().board.partitions.insert(partition.clone(), status);
    }

    /// Whether the partition was the worker's: another one may have it by now.
    pub(super) fn given_up(&self, worker: usize, partition: &PartitionId) -> bool {
        let mut state = self.lock();
        let is_its = state.board.partitions.get(partition).is_some_and(|status| status.worker == worker);
        if is_its {
            state.board.partitions.remove(partition);
        }
        is_its
    }

    // === Who cannot go on ===

    pub(super) fn halted(&self, worker: usize, partition: &PartitionId, why: &str) {
        self.lock().halted.insert(partition.clone(), Halt { worker, why: why.to_owned() });
    }

    /// The worker takes back what it said.
    pub(super) fn healed(&self, worker: usize, partition: &PartitionId) {
        let mut state = self.lock();
        if state.halted.get(partition).is_some_and(|halt| halt.worker == worker) {
            state.halted.remove(partition);
        }
    }

    pub(super) fn first_halted(&self) -> Option<(PartitionId, String)> {
        self.lock().halted.first_key_value().map(|(partition, halt)| (partition.clone(), halt.why.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn turned<'b>(board: &'b mut Board, number: usize, clock: &dyn Clock) -> &'b mut WorkerStatus {
    let (last_turn_at, turned) = (clock.wall(), clock.now());
    let place = match board.workers.binary_search_by_key(&number, |worker| worker.number) {
        Ok(place) => place,
        Err(place) => {
            let worker = WorkerStatus { number, last_turn_at, trouble: None, turned, cut_off: None };
            board.workers.insert(place, worker);
            place
        }
    };
    let worker = &mut board.workers[place];
    (worker.last_turn_at, worker.turned) = (last_turn_at, turned);
    worker
}

fn by_name<S: Serializer>(
    partitions: &BTreeMap<PartitionId, PartitionStatus>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(partitions.iter().map(|(partition, status)| (partition.to_string(), status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At(Instant, Micros);

    impl Clock for At {
        fn now(&self) -> Instant {
            self.0
        }

        fn wall(&self) -> Micros {
            self.1
        }
    }

    fn partition(index: u32) -> PartitionId {
        PartitionId { topic: "t".into(), index }
    }

    #[test]
    fn the_worker_that_stands_still_longest_is_told_and_one_that_left_is_not() {
        let begin = Instant::now();
        let at = |seconds| At(begin + Duration::from_secs(seconds), 0);
        let (kept, minute) = (Kept::default(), Duration::from_secs(60));
        assert_eq!(kept.stuck(begin + 10 * minute, minute), None, "nobody has begun");
        kept.turned(1, &at(0));
        kept.turned(0, &at(3));
        assert_eq!(kept.stuck(begin + minute, minute), None);
        let stuck = |worker, seconds| Some(Stuck { worker, since: Duration::from_secs(seconds) });
        assert_eq!(kept.stuck(begin + Duration::from_secs(64), minute), stuck(1, 64));
        kept.post(1, &at(64), None, Vec::new());
        assert_eq!(kept.stuck(begin + Duration::from_secs(64), minute), stuck(0, 61));
        kept.left(0);
        assert_eq!(kept.stuck(begin + Duration::from_secs(64), minute), None);
    }

    #[test]
    fn the_source_that_is_cut_off_longest_is_told_until_it_is_not() {
        let begin = Instant::now();
        let at = |seconds| At(begin + Duration::from_secs(seconds), 0);
        let (kept, patience) = (Kept::default(), Duration::from_secs(15));
        let trouble = |seconds, reason: &str| {
            Some(Trouble { since: begin + Duration::from_secs(seconds), reason: reason.to_owned() })
        };
        let told = |seconds| kept.cut_off(begin + Duration::from_secs(seconds), patience);
        kept.post(0, &at(1), None, Vec::new());
        assert_eq!(told(100), None);
        kept.post(0, &at(9), trouble(9, "refused"), Vec::new());
        kept.post(1, &at(9), trouble(5, "reset"), Vec::new());
        // That a worker gets round says nothing of its source.
        kept.turned(1, &at(20));
        assert_eq!(told(20), None);
        assert_eq!(told(21), Some(CutOff { since: Duration::from_secs(16), reason: "reset".into() }));
        kept.post(1, &at(22), None, Vec::new());
        assert_eq!(told(24), None);
        assert_eq!(told(25).map(|cut_off| cut_off.reason).as_deref(), Some("refused"));
    }

    #[test]
    fn a_partition_is_given_up_by_the_worker_that_has_it_only() {
        let kept = Kept::default();
        kept.claiming(0, &partition(3), None);
        kept.claiming(1, &partition(3), None);
        assert!(!kept.given_up(0, &partition(3)), "it has moved on");
        assert_eq!(kept.read().partitions[&partition(3)].worker, 1);
        assert!(kept.given_up(1, &partition(3)));
        assert!(kept.read().partitions.is_empty());
    }

    #[test]
    fn halted_is_what_is_said_of_a_partition_whatever_its_worker_posts() {
        let (kept, clock) = (Kept::default(), At(Instant::now(), 5));
        let reading = PartitionStatus { phase: Phase::Reading, ..PartitionStatus::default() };
        kept.post(0, &clock, None, vec![(partition(0), reading.clone()), (partition(1), reading)]);
        kept.halted(0, &partition(1), "the clock is wrong");
        let board = kept.read();
        assert_eq!((board.count(Phase::Reading), board.count(Phase::Halted)), (1, 1));
        assert_eq!(board.partitions[&partition(1)].why.as_deref(), Some("the clock is wrong"));
        kept.healed(0, &partition(1));
        assert_eq!(kept.read().count(Phase::Reading), 2);
    }

    #[test]
    fn who_had_a_partition_before_takes_back_nothing_that_its_owner_says() {
        let kept = Kept::default();
        kept.claiming(0, &partition(3), None);
        kept.claiming(1, &partition(3), None);
        kept.halted(1, &partition(3), "its log is gone");
        // The former owner writes once more, and only then hears that it lost the partition.
        kept.post(0, &At(Instant::now(), 0), None, vec![(partition(3), PartitionStatus::default())]);
        kept.healed(0, &partition(3));
        kept.given_up(0, &partition(3));
        assert_eq!(kept.first_halted(), Some((partition(3), "its log is gone".to_owned())));
        let board = kept.read();
        assert_eq!((board.count(Phase::Halted), board.partitions[&partition(3)].worker), (1, 1));
        kept.healed(1, &partition(3));
        assert_eq!(kept.first_halted(), None);
    }

    #[test]
    fn as_a_document_it_names_partitions_and_says_nothing_of_the_clock_for_spans() {
        let kept = Kept::default();
        kept.turned(0, &At(Instant::now(), 7));
        kept.claiming(0, &partition(2), Some("the store does not answer".into()));
        let document = serde_json::to_value(kept.read()).unwrap();
        assert_eq!(document["workers"], serde_json::json!([{ "number": 0, "last_turn_at": 7, "trouble": null }]));
        let status = &document["partitions"]["t-2"];
        assert_eq!((&status["phase"], &status["worker"]), (&"claiming".into(), &0.into()));
        assert_eq!(status["why"], "the store does not answer");
    }
}
