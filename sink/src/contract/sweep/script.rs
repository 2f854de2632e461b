//! The scripted run: two partitions, their logs begun, commits of all kinds, another owner that takes over in the middle,
//! a release, a restart. Whatever a process meets, the run goes on to its end: a killed one is replaced, one that stopped
//! is replaced and comes back as a zombie.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;
use types::Micros;

use super::fault::Fault;
use super::model::{Due, Model, run_row};
use super::store::{Door, Fate, Vault};
use crate::contract::batch::NOW;
use crate::contract::fixture::{IMPATIENT, identity, partition};
use crate::machine::Guards;
use crate::record::RecordKind;
use crate::{Claim, Claimed, Clock, Outcome, PartitionSink, Places, RunRows, Sink, Sinks, Workings};

const PARTITIONS: usize = 2;
const RECORDS: i64 = 7;
/// Between two rounds: so much that old records are removed all the time.
const ROUND: Duration = Duration::from_secs(300);
/// Commits that are told of together.
const RUNS: usize = 3;
/// Rows that wait for the next commit.
const WAITING: usize = 2;
/// More claims in a row than any honest run needs.
const CLAIMS_MAX: usize = 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Data,
    /// Nothing has changed; the record refers to a state before it.
    Quiet,
    /// A position is skipped.
    Gap,
    Release,
    /// A second owner claims both partitions while the first lives.
    TakeOver,
    /// The owner ends, as a crash, and another begins.
    Restart,
    /// Everything that waits is written.
    Last,
}

const ROUNDS: [Round; 23] = [
    Round::Data,
    Round::Data,
    Round::Data,
    Round::Data,
    Round::Data,
    Round::TakeOver,
    Round::Data,
    Round::Data,
    Round::Quiet,
    Round::Quiet,
    Round::Quiet,
    Round::Quiet,
    Round::Quiet,
    Round::Quiet,
    Round::Restart,
    Round::Data,
    Round::Release,
    Round::Restart,
    Round::Gap,
    Round::Data,
    Round::Data,
    Round::Data,
    Round::Last,
];

pub(super) struct Script {
    pub(super) vault: Arc<Vault>,
    places: Places,
    guards: Guards,
    fault: Option<Fault>,
    seeds: u64,
    current: Process,
    zombies: Vec<(Process, usize)>,
    /// What was lost at the broker, of each partition.
    pub(super) gaps: Vec<i64>,
    pub(super) reached: i64,
}

struct Process {
    fate: Arc<Fate>,
    owned: Vec<Owned>,
}

struct Owned {
    sink: PartitionSink,
    /// None if the partition is not ours.
    model: Option<Model>,
    /// What a commit under way leaves behind.
    attempt: Option<Model>,
    runs: RunRows,
}

/// Why a process did not get through.
enum Lost {
    Killed,
    Stopped,
    /// What the run must not do.
    Wrong(String),
}

impl Script {
    pub(super) fn new(vault: Arc<Vault>, places: Places, guards: Guards, fault: Option<Fault>) -> Self {
        let mut seeds = 1;
        let current = Process::begin(&vault, &places, guards, &mut seeds);
        let (zombies, gaps) = (Vec::new(), Vec::new());
        Script { vault, places, guards, fault, seeds, current, zombies, gaps, reached: 0 }
    }

    /// # Errors
    /// What went wrong at once; the rest is for the judges.
    pub(super) async fn run(&mut self) -> Result<(), String> {
        for (place, round) in ROUNDS.into_iter().enumerate() {
            match round {
                Round::TakeOver => self.take_over().await?,
                Round::Restart => self.replace(),
                _ => {
                    self.reached += match round {
                        Round::Data => RECORDS,
                        Round::Gap => {
                            self.gaps.push(self.reached);
                            1
                        }
                        _ => 0,
                    };
                    for index in 0..PARTITIONS {
                        // The second partition is quieter, and catches up with the last round.
                        if index == 0 || place % 2 == 0 || round != Round::Quiet {
                            self.insist(index, round).await?;
                        }
                    }
                }
            }
            tokio::time::sleep(ROUND).await;
            self.wake(1).await?;
        }
        self.wake(usize::MAX).await?;
        self.vault.land_all().await;
        Ok(())
    }

    /// One partition's part of a round, by however many processes it takes.
    async fn insist(&mut self, index: usize, round: Round) -> Result<(), String> {
        loop {
            match self.current.round(index, round, self.reached).await {
                Ok(()) => return Ok(()),
                Err(lost) => self.lost(lost).await?,
            }
        }
    }

    async fn lost(&mut self, lost: Lost) -> Result<(), String> {
        match lost {
            Lost::Wrong(what) => return Err(what),
            Lost::Killed => self.replace(),
            Lost::Stopped => {
                let next = self.next_process();
                let rounds = self.fault.map_or(0, Fault::rounds_away);
                self.zombies.push((std::mem::replace(&mut self.current, next), rounds));
                for index in 0..PARTITIONS {
                    self.current.own(index).await.or_else(never_mind)?;
                }
                self.wake(0).await?;
            }
        }
        Ok(())
    }

    fn next_process(&mut self) -> Process {
        Process::begin(&self.vault, &self.places, self.guards, &mut self.seeds)
    }

    fn replace(&mut self) {
        self.current = self.next_process();
    }

    async fn take_over(&mut self) -> Result<(), String> {
        let next = self.next_process();
        let mut old = std::mem::replace(&mut self.current, next);
        for index in 0..PARTITIONS {
            // One that was killed or stopped meanwhile is replaced as anywhere; it has fenced the old one or it has not.
            while let Err(lost) = self.current.own(index).await {
                self.lost(lost).await?;
            }
        }
        for index in 0..PARTITIONS {
            old.must_be_fenced(index, self.reached).await.or_else(never_mind)?;
        }
        if old.fate.is_stopped() {
            self.zombies.push((old, self.fault.map_or(0, Fault::rounds_away)));
        }
        Ok(())
    }

    /// Zombies whose time has come go on with what they were at, and must find that they are fenced.
    async fn wake(&mut self, rounds: usize) -> Result<(), String> {
        let mut asleep = Vec::new();
        for (mut zombie, left) in std::mem::take(&mut self.zombies) {
            let left = left.saturating_sub(rounds);
            if left > 0 {
                asleep.push((zombie, left));
                continue;
            }
            zombie.fate.go_on();
            for index in 0..PARTITIONS {
                zombie.must_be_fenced(index, self.reached).await.or_else(never_mind)?;
            }
        }
        self.zombies = asleep;
        Ok(())
    }
}

/// That a process was killed while it was to be fenced is as good.
fn never_mind(lost: Lost) -> Result<(), String> {
    match lost {
        Lost::Wrong(what) => Err(what),
        Lost::Killed | Lost::Stopped => Ok(()),
    }
}

impl Process {
    fn begin(vault: &Arc<Vault>, places: &Places, guards: Guards, seeds: &mut u64) -> Self {
        let fate = Arc::new(Fate::default());
        let door = Arc::new(Door { vault: Arc::clone(vault), fate: Arc::clone(&fate) });
        let mut places = places.clone();
        let Places { predictions, late, quarantine, runs, state } = &mut places;
        for location in [predictions, late, quarantine, runs, state] {
            location.store = door.clone();
        }
        let workings = Workings { patience: IMPATIENT, clock: Clock::Runtime, guards };
        let sinks = Sinks::unchecked(places, identity(), Handle::current(), workings).expect("apart");
        let own = |index: usize| {
            *seeds += 1;
            let sink = sinks.partition_seeded(&partition(index as u32), *seeds);
            Owned { sink, model: None, attempt: None, runs: RunRows::default() }
        };
        Process { owned: (0..PARTITIONS).map(own).collect(), fate }
    }

    fn alive(&self) -> Result<(), Lost> {
        match (self.fate.is_dead(), self.fate.is_stopped()) {
            (true, _) => Err(Lost::Killed),
            (_, true) => Err(Lost::Stopped),
            _ => Ok(()),
        }
    }

    async fn outcome(&mut self, index: usize) -> Result<Outcome, Lost> {
        let mut nap = Duration::from_millis(1);
        let began = Instant::now();
        loop {
            let outcome = self.owned[index].sink.poll();
            self.alive()?;
            if !matches!(outcome, Outcome::Pending) {
                return Ok(outcome);
            }
            if began.elapsed() > Duration::from_secs(7200) {
                return Err(Lost::Wrong("it never comes to an end".to_owned()));
            }
            tokio::time::sleep(nap).await;
            nap = (nap * 2).min(Duration::from_secs(5));
        }
    }

    /// Claims the partition and recovers what is there, beginning its log if there is none.
    async fn own(&mut self, index: usize) -> Result<(), Lost> {
        for _ in 0..CLAIMS_MAX {
            if self.owned[index].model.is_some() {
                return Ok(());
            }
            self.alive()?;
            let commit_interval = Duration::from_secs(60);
            let claim = Claim { high: None, partitions: Some(PARTITIONS as u32), commit_interval, now: now() };
            self.owned[index].sink.claim(claim);
            match self.outcome(index).await? {
                Outcome::Claimed(Claimed::Vacant { .. }) => {
                    self.commit(index, RecordKind::Genesis, &Model::default(), 0).await?;
                }
                Outcome::Claimed(Claimed::Resumed(resumed)) => {
                    let model = Model::thawed(&resumed.state).map_err(Lost::Wrong)?;
                    if (resumed.header.resume.next.0, resumed.header.ledger) != (model.next, model.ledger) {
                        return Err(Lost::Wrong(format!("I2: {model:?} came with {:?}", resumed.header)));
                    }
                    self.owned[index].model = Some(model);
                }
                Outcome::Fenced => tokio::time::sleep(Duration::from_secs(1)).await,
                other => return Err(Lost::Wrong(format!("a claim ended as {other:?}"))),
            }
        }
        Err(Lost::Wrong("it is fenced again and again".to_owned()))
    }

    /// Brings one partition to where the round is to bring it.
    async fn round(&mut self, index: usize, round: Round, target: i64) -> Result<(), Lost> {
        let mut done = false;
        while !done {
            self.own(index).await?;
            let Some(model) = self.owned[index].model.clone() else { continue };
            let behind = model.next < target;
            done = match round {
                Round::Data if behind => self.commit(index, RecordKind::Data, &folded(model, target), WAITING).await?,
                Round::Gap if model.next == target - 1 => {
                    self.commit(index, RecordKind::Gap, &model.skipped(target), WAITING).await?
                }
                // What a zombie took over and left behind is read again first.
                _ if behind => {
                    let before = if round == Round::Gap { target - 1 } else { target };
                    self.commit(index, RecordKind::Data, &folded(model, before), WAITING).await? && round != Round::Gap
                }
                Round::Quiet => self.quiet(index, &model).await?,
                Round::Release => self.commit(index, RecordKind::Release, &model, WAITING).await?,
                Round::Last => self.commit(index, RecordKind::Release, &model, 0).await?,
                _ => true,
            };
        }
        Ok(())
    }

    async fn quiet(&mut self, index: usize, model: &Model) -> Result<bool, Lost> {
        let taken = model.clone().take(usize::MAX);
        let kind = RecordKind::Data;
        let due = Due { kind, model, state: None, taken: &taken, runs: &RunRows::default(), now: now() };
        self.finish(index, &due, model.clone()).await
    }

    async fn commit(&mut self, index: usize, kind: RecordKind, model: &Model, waiting: usize) -> Result<bool, Lost> {
        let mut model = model.clone();
        let taken = model.take(waiting);
        // Told in company: a file of one row is as dear as one of many.
        let told = &self.owned[index].runs;
        let runs = if told.rows.len() < RUNS { RunRows::default() } else { told.clone() };
        let state = model.frozen();
        let due = Due { kind, model: &model, state: Some(&state), taken: &taken, runs: &runs, now: now() };
        let done = self.finish(index, &due, model.clone()).await?;
        if done {
            self.owned[index].runs.rows.drain(..runs.rows.len());
        }
        Ok(done)
    }

    /// Whether it was done; if not, the partition is somebody else's.
    async fn finish(&mut self, index: usize, due: &Due<'_>, after: Model) -> Result<bool, Lost> {
        self.alive()?;
        let owned = &mut self.owned[index];
        let frozen = owned.sink.encode(&due.commit()).map_err(|e| Lost::Wrong(format!("cannot encode: {e}")))?;
        owned.sink.begin(frozen);
        owned.model = None;
        owned.attempt = Some(after);
        match self.outcome(index).await? {
            Outcome::Done(committed) => {
                let owned = &mut self.owned[index];
                owned.model = owned.attempt.take();
                owned.runs.rows.push(run_row(committed.seq, now()));
                Ok(true)
            }
            Outcome::Fenced => {
                self.owned[index].attempt = None;
                Ok(false)
            }
            other => Err(Lost::Wrong(format!("a commit ended as {other:?}"))),
        }
    }

    /// Lets an owner that was replaced go on: what it was at may end in any way, and then it must be fenced.
    async fn must_be_fenced(&mut self, index: usize, target: i64) -> Result<(), Lost> {
        let owned = &mut self.owned[index];
        let model = owned.attempt.take().or_else(|| owned.model.clone());
        match self.outcome(index).await? {
            // A stopped claim goes on as a new one: a take-over like any other.
            Outcome::Claimed(_) | Outcome::Fenced => return Ok(()),
            Outcome::Failed(error) => return Err(Lost::Wrong(format!("a zombie ended as {error:?}"))),
            Outcome::Done(_) | Outcome::Idle | Outcome::Pending => {}
        }
        let Some(model) = model.map(|model| folded(model, target + 1)) else { return Ok(()) };
        match self.commit(index, RecordKind::Data, &model, 0).await? {
            false => Ok(()),
            true => Err(Lost::Wrong(format!("partition {index} was taken over, and its owner before committed"))),
        }
    }
}

fn folded(mut model: Model, to: i64) -> Model {
    model.fold(to);
    model
}

/// Wall time of the run.
fn now() -> Micros {
    let since = Clock::Runtime.now();
    NOW + Micros::try_from(since.as_micros()).unwrap_or_default()
}
