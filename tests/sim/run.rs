//! One seed: processes are stepped in turn by one thread, time is pushed on, faults strike, readers look; then everything
//! heals, one process reads to the end, and what is in the store is judged.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aggregate::Close;
use atalaia::pipeline::{Ending, Worker, anchor_of};
use rand::RngExt;
use rand::seq::SliceRandom;
use sink::Places;
use sink::record::{Header, RecordKind};

use crate::datasets::Run;
use crate::faults::{Kind, Step, Table};
use crate::fleet::{self, SECOND};
use crate::oracle::{self, Log};
use crate::process::Host;
use crate::scenario::{Mutant, Scenario};
use crate::scoring;
use crate::timespec;
use crate::world::{Mode, Order, Shared, World, lock};

/// What became of a seed.
pub(crate) struct Outcome {
    pub(crate) hash: u64,
    pub(crate) table: Table,
    pub(crate) rows: u64,
    pub(crate) commits: u64,
    /// Of the commits: claims, and those of partitions that are suspected to kill.
    pub(crate) claims: u64,
    pub(crate) careful: u64,
    pub(crate) innocent: u64,
    pub(crate) stale: u64,
    pub(crate) strays: u64,
    pub(crate) repeats: u64,
    pub(crate) restored: u64,
    pub(crate) looks: u64,
    pub(crate) failure: Option<String>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    pub(crate) mutant: Option<Mutant>,
    /// Prints the trace.
    pub(crate) verbose: bool,
    /// Also asks the executable specification.
    pub(crate) timespec: bool,
}

/// More turns than any seed needs.
const TURNS_MAX: u32 = 60_000;

pub(crate) fn run(seed: u64, options: Options) -> Outcome {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let world = runtime.block_on(async {
        let scenario = Scenario::of(seed, options.mutant);
        Arc::new(Mutex::new(World::new(seed, scenario, options.verbose)))
    });
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async {
            live(&world).await;
            if lock(&world).failure.is_none() {
                judge(&world, seed, options);
            }
        });
    }));
    if caught.is_err() {
        lock(&world).fail("it panicked".to_owned());
    }
    drop(runtime);
    outcome(&mut lock(&world))
}

fn outcome(world: &mut World) -> Outcome {
    let chains = || world.objects.chains.values();
    let headers = || chains().flat_map(|chain| &chain.headers);
    Outcome {
        hash: world.trace.hash,
        rows: world.objects.datasets.rows.values().map(|rows| rows.len() as u64).sum(),
        commits: headers().count() as u64,
        claims: headers().filter(|header| header.kind == RecordKind::Claim).count() as u64,
        careful: headers().filter(|header| header.resume.careful.is_some()).count() as u64,
        stale: chains().map(|chain| u64::from(chain.stale)).sum(),
        innocent: world.innocent,
        strays: world.broker.strays_sent,
        repeats: world.broker.repeats_sent,
        restored: world.broker.partitions.iter().map(|partition| u64::from(partition.restored)).sum(),
        looks: world.objects.datasets.looks,
        table: std::mem::take(&mut world.table),
        failure: world.failure.take(),
    }
}

/// A process as the scheduler sees it.
struct Slot<'a> {
    host: &'a Host,
    worker: Option<Worker<'a>>,
    /// Dead or paused until then.
    until: i64,
    /// It leaves in good order.
    stopping: bool,
    killers_folded: u64,
}

async fn live(world: &Shared) {
    let places = places();
    let (workers, partitions) = {
        let world = lock(world);
        (world.scenario.workers, world.scenario.partitions as usize)
    };
    let mut hosts: Vec<Host> = (0..workers).map(|number| Host::new(world, number, Ending::Never)).collect();
    hosts.push(Host::new(world, workers, Ending::WhenRead { close: Close::All, partitions }));
    let mut slots: Vec<Slot<'_>> =
        hosts.iter().map(|host| Slot { host, worker: None, until: 0, stopping: false, killers_folded: 0 }).collect();
    let mut last = slots.pop().expect("the last one");

    let mut turns = 0;
    while !is_over(world, &mut turns) && !lock(world).broker.is_fed() {
        background(world);
        events(world, &mut slots);
        step_all(world, &places, &mut slots);
        pass_time(world).await;
    }
    heal(world, &mut slots);
    // All together for a while, so that zombies meet their successors.
    for _ in 0..30 {
        if is_over(world, &mut turns) {
            return;
        }
        background(world);
        step_all(world, &places, &mut slots);
        pass_time(world).await;
    }
    for slot in &mut slots {
        slot.die(world, i64::MAX);
    }
    while !is_over(world, &mut turns) {
        background(world);
        if last.finish(world, &places) {
            return;
        }
        pass_time(world).await;
    }
}

fn places() -> Places {
    let open = |name: &str| store::open(&format!("memory://simulation/{name}"), &store::Config::default());
    let open = |name: &str| open(name).expect("a place in memory");
    Places {
        predictions: open("predictions"),
        late: open("late"),
        quarantine: open("quarantine"),
        runs: open("runs"),
        state: open("state"),
    }
}

fn is_over(world: &Shared, turns: &mut u32) -> bool {
    *turns += 1;
    let mut world = lock(world);
    if *turns > TURNS_MAX {
        world.fail("it does not come to an end".to_owned());
    }
    world.failure.is_some()
}

async fn pass_time(world: &Shared) {
    let pause = {
        let mut world = lock(world);
        let longest = if world.scenario.span > 25 * 60 * SECOND { 2500 } else { 1500 };
        if world.rng.random_bool(0.2) { world.rng.random_range(1..60) } else { world.rng.random_range(60..longest) }
    };
    tokio::time::sleep(Duration::from_millis(pause)).await;
}

/// What happens outside of the processes.
fn events(world: &Shared, slots: &mut [Slot<'_>]) {
    let orders = {
        let mut world = lock(world);
        world.arm();
        let process = world.rng.random_range(0..slots.len());
        if let Some(kind) = world.fault(Step::Fold)
            && world.processes[process].mode == Mode::Runs
        {
            world.count(Step::Fold, kind, process);
            world.begin(kind, process);
            world.orders.push(Order { kind, step: Step::Fold, process });
        }
        std::mem::take(&mut world.orders)
    };
    for order in orders {
        if let Some(slot) = slots.get_mut(order.process) {
            slot.obey(world, order);
        }
    }
}

/// What goes on whether or not there are faults: the fleet sends, the broker counts its members, readers look, and an
/// operator looks after logs that lost what was committed.
fn background(world: &Shared) {
    {
        let mut world = lock(world);
        let now = world.now();
        let World { broker, rng, .. } = &mut *world;
        broker.produce(now);
        broker.expel(rng, now);
        if rng.random_bool(0.02)
            && let Err(why) = world.objects.look()
        {
            world.fail(why);
        }
    }
    mend(world, 200 * SECOND);
}

/// The operator looks after logs that lost what was committed.
fn mend(world: &Shared, patience: i64) {
    let mut world = lock(world);
    let now = world.now();
    let World { broker, objects, .. } = &mut *world;
    let mut mended = Vec::new();
    for (index, chain) in &objects.chains {
        let Some(head) = chain.headers.last() else { continue };
        let anchor = head.resume.anchor.map(anchor_of);
        if broker.mend(*index, anchor, head.resume.next.0, now, patience) {
            mended.push(*index);
        }
    }
    for index in mended {
        world.note(format_args!("the operator restores partition {index}"));
    }
}

fn step_all(world: &Shared, places: &Places, slots: &mut [Slot<'_>]) {
    let mut order: Vec<usize> = (0..slots.len()).collect();
    order.shuffle(&mut lock(world).rng);
    for at in order {
        let steps = lock(world).rng.random_range(1..=4);
        for _ in 0..steps {
            slots[at].step(world, places);
        }
    }
}

impl<'a> Slot<'a> {
    fn mode(&self, world: &Shared) -> Mode {
        lock(world).processes[self.host.number].mode
    }

    fn step(&mut self, world: &Shared, places: &Places) {
        let now = lock(world).now();
        match self.mode(world) {
            Mode::Runs => {}
            Mode::Paused if now >= self.until => self.wake(world),
            Mode::Dead if now >= self.until && self.worker.is_none() => {
                self.worker = Some(self.host.start(world, places));
                self.stopping = false;
            }
            Mode::Paused | Mode::Dead => return,
        }
        let Some(worker) = &mut self.worker else { return };
        if self.stopping {
            if worker.last_step().unwrap_or(true) {
                self.leave(world);
            }
            return;
        }
        if let Err(error) = worker.step(Duration::ZERO) {
            lock(world).fail(format!("process {} ended: {error:#}", self.host.number));
        }
        if let Some((partition, why)) = self.host.progress.first_halted()
            && !is_about_truncation(&why)
        {
            lock(world).fail(format!("{partition} is halted: {why}"));
        }
        self.notice_killer(world);
    }

    /// The record kills at the moment at which it is folded: nothing of what followed has happened.
    fn notice_killer(&mut self, world: &Shared) -> bool {
        let folded = self.host.killers_folded();
        if folded == std::mem::replace(&mut self.killers_folded, folded) {
            return false;
        }
        let back = {
            let mut world = lock(world);
            world.note(format_args!("process {} folds the record that kills", self.host.number));
            let interval = world.scenario.commit_interval.as_secs() as i64;
            world.now() + world.seconds(1, 2 * interval + 2)
        };
        self.die(world, back);
        true
    }

    fn die(&mut self, world: &Shared, until: i64) {
        lock(world).processes[self.host.number].mode = Mode::Dead;
        // Its tasks with the store end here too; requests on their way may still land.
        self.worker = None;
        self.until = until;
    }

    fn wake(&self, world: &Shared) {
        let mut world = lock(world);
        let drowsy = if world.rng.random_bool(0.7) { world.rng.random_range(1..15) } else { 0 };
        let process = &mut world.processes[self.host.number];
        (process.mode, process.drowsy) = (Mode::Runs, drowsy);
        process.woken.notify_waiters();
        let number = self.host.number;
        world.note(format_args!("process {number} goes on"));
    }

    /// Leaves the group in good order; its successor comes soon.
    fn leave(&mut self, world: &Shared) {
        let back = {
            let mut world = lock(world);
            let member = (self.host.number, world.processes[self.host.number].life);
            let World { broker, rng, .. } = &mut *world;
            broker.leave(rng, member);
            world.now() + world.seconds(1, 20)
        };
        self.die(world, back);
    }

    fn obey(&mut self, world: &Shared, order: Order) {
        let mut guard = lock(world);
        let now = guard.now();
        match order.kind {
            Kind::Kill => {
                let back = now + guard.seconds(1, 60);
                drop(guard);
                self.die(world, back);
            }
            Kind::Pause => {
                // Longer than a session; some longer than the memory of a log.
                let creates = matches!(order.step, Step::CommitCreate | Step::ClaimCreate);
                let is_long = guard.scenario.long_pauses && (creates || guard.rng.random_bool(0.2));
                self.until = now + if is_long { guard.seconds(1100, 1700) } else { guard.seconds(31, 200) };
            }
            Kind::Stop => {
                drop(guard);
                if let Some(worker) = self.worker.as_mut().filter(|_| !self.stopping) {
                    if let Err(error) = worker.begin_last() {
                        lock(world).fail(format!("cannot stop: {error:#}"));
                    }
                    self.stopping = true;
                }
            }
            Kind::Rebalance => {
                let World { broker, rng, .. } = &mut *guard;
                broker.rebalance(rng);
            }
            Kind::Truncation => {
                let World { broker, rng, .. } = &mut *guard;
                let index = rng.random_range(0..broker.partitions.len() as u32);
                let kept = broker.truncate(rng, index);
                guard.note(format_args!("partition {index} loses what came after {kept}"));
            }
            Kind::Poison | Kind::Killer => {
                let World { broker, rng, .. } = &mut *guard;
                let index = rng.random_range(0..broker.partitions.len() as u32);
                let record = if order.kind == Kind::Killer { fleet::killer() } else { fleet::poison(rng) };
                broker.append(index, record, now);
                let at = broker.partitions[index as usize].high() - 1;
                guard.note(format_args!("{} at {index}@{at}", order.kind.as_str()));
            }
            _ => {}
        }
    }

    /// The last process: reads everything, closes everything, leaves. True once it has.
    fn finish(&mut self, world: &Shared, places: &Places) -> bool {
        let now = lock(world).now();
        if self.worker.is_none() {
            if now < self.until {
                return false;
            }
            self.worker = Some(self.host.start(world, places));
            self.stopping = false;
        }
        for _ in 0..4 {
            let Some(worker) = &mut self.worker else { return false };
            if self.stopping {
                return match worker.last_step() {
                    Ok(is_over) => is_over,
                    Err(error) => {
                        lock(world).fail(format!("the last commits failed: {error:#}"));
                        true
                    }
                };
            }
            let stepped = worker.step(Duration::ZERO);
            if self.notice_killer(world) {
                let interval = lock(world).scenario.commit_interval.as_micros() as i64;
                self.until = now + interval + 5 * SECOND;
                return false;
            }
            if let Err(error) = stepped {
                let why = format!("{error:#}");
                if !is_about_truncation(&why) {
                    lock(world).fail(format!("the last process ended: {why}"));
                }
                self.die(world, now + 30 * SECOND);
                return false;
            }
            if self.host.decided()
                && let Some(worker) = &mut self.worker
            {
                if let Err(error) = worker.begin_last() {
                    lock(world).fail(format!("cannot close: {error:#}"));
                }
                self.stopping = true;
            }
        }
        false
    }
}

fn is_about_truncation(why: &str) -> bool {
    why.contains("another one than was read there") || why.contains("beyond the end of the source")
}

/// Faults are over; what was to land late lands now.
fn heal(world: &Shared, slots: &mut [Slot<'_>]) {
    let mut guard = lock(world);
    guard.healed = true;
    guard.note(format_args!("everything heals"));
    for process in &mut guard.processes {
        (process.cut_until, process.broker_cut_until, process.skew) = (0, 0, 0);
    }
    guard.broker.heals.notify_waiters();
    let orders = std::mem::take(&mut guard.orders);
    let now = guard.now();
    drop(guard);
    for order in orders {
        if let Some(slot) = slots.get_mut(order.process)
            && matches!(order.kind, Kind::Kill | Kind::Pause)
        {
            slot.obey(world, order);
        }
    }
    for slot in slots {
        slot.until = slot.until.min(now + 10 * SECOND);
    }
}

// === Judging ===

fn judge(world: &Shared, seed: u64, options: Options) {
    let mut world = lock(world);
    let judged = judged(&mut world, seed, options);
    if let Err(why) = judged {
        world.fail(why);
    }
}

fn judged(world: &mut World, seed: u64, options: Options) -> Result<(), String> {
    if world.late > 0 {
        return Err(format!("{} requests have not landed", world.late));
    }
    world.objects.look()?;
    world.objects.check_published()?;
    for index in 0..world.scenario.partitions {
        partition(world, index, seed, options).map_err(|why| format!("partition {index}: {why}"))?;
    }
    Ok(())
}

/// What a run of records that were set aside holds between its ends: a record that cannot be read would else have ended the
/// run, and others are told by the accounts, since each was committed alone.
fn between(run: &Run, records: &[Arc<fleet::Record>], headers: &[Header]) -> Vec<i64> {
    let unread = headers.windows(2).filter_map(|pair| {
        let (before, after) = (&pair[0], &pair[1]);
        let at = before.resume.next.0;
        let is_alone = after.resume.next.0 == at + 1;
        (is_alone && after.ledger.undecodable > before.ledger.undecodable).then_some(at)
    });
    let unreadable = (0..)
        .zip(records)
        .filter(|(_, record)| matches!(record.content, fleet::Content::Undecodable(_) | fleet::Content::Killer));
    let inside = |at: &i64| run.first < *at && *at < run.last;
    unread.chain(unreadable.map(|(at, _)| at)).filter(inside).collect()
}

fn partition(world: &mut World, index: u32, seed: u64, options: Options) -> Result<(), String> {
    let World { objects, broker, innocent, .. } = world;
    let records = broker.partitions[index as usize].log.as_slice();
    let chain = objects.chains.get(&index).ok_or("it has no log")?;
    let head = chain.headers.last().ok_or("its log is empty")?;
    let steps = chain.wall_steps.clone();
    let (kind, next, ledger) = (head.kind, head.resume.next.0, head.ledger);
    if (kind, next) != (RecordKind::Release, records.len() as i64) {
        return Err(format!("it ends with {kind:?} at {next} of {}", records.len()));
    }
    let runs = objects.datasets.runs(index);
    let mut set_aside = BTreeSet::new();
    for run in runs.iter().filter(|run| run.reason == "crash_suspect") {
        set_aside.extend([run.first, run.last]);
        set_aside.extend(between(run, records, &chain.headers));
    }
    let kills =
        |position: &i64| records.get(*position as usize).is_some_and(|record| record.content == fleet::Content::Killer);
    // A life that was paused or fenced looks like one that died, and one partition that kills takes others with it: records
    // can come under suspicion wrongly. They are told and accounted for like any other refused one.
    *innocent += set_aside.iter().filter(|position| !kills(position)).count() as u64;
    let log = Log { records, steps: &steps, set_aside: &set_aside };
    let mut expected = log.outcome();
    if expected.refused.iter().any(|(reason, _)| *reason == "too_deep") {
        return Err("a record that kills was read, and survived".to_owned());
    }
    if options.timespec {
        timespec::compare(&log, &expected, seed)?;
    }
    let late = objects.datasets.late.remove(&index).unwrap_or_default();
    let rows = objects.datasets.rows.get(&index).cloned().unwrap_or_default();
    let refused = expected.refused.len() as u64;
    let counted: u64 = rows.iter().map(|row| row.count as u64).sum();
    let figures = [
        ("records", ledger.records, records.len() as u64),
        ("decoded", ledger.decoded, expected.decoded),
        ("undecodable", ledger.undecodable, expected.undecodable),
        ("tombstones", ledger.tombstones, expected.tombstones),
        ("readings", ledger.readings, expected.readings),
        ("emitted", ledger.emitted, counted),
        ("late", ledger.late, expected.late.len() as u64),
        ("refused", ledger.undecodable + ledger.rejected, refused),
        ("open", ledger.open + ledger.pending + ledger.rows_pending, 0),
        ("pending", ledger.late_pending + ledger.quarantined_pending, 0),
        ("rows", ledger.rows_in_files, rows.len() as u64),
    ];
    expected.rows = scoring::judged(expected.rows, seed);
    oracle::compare(&mut expected, rows, late, &runs)?;
    match figures.iter().find(|(_, counted, expected)| counted != expected) {
        None => Ok(()),
        Some((what, counted, expected)) => Err(format!("I8: {what}: the log counts {counted}, expected {expected}")),
    }
}
