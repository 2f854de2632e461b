//! One seed: processes are stepped in turn by one thread, time is pushed on, faults strike, readers look; then everything
//! heals, one process reads to the end, and what is in the store is judged (`judging`).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aggregate::Close;
use atalaia::pipeline::{Ending, anchor_of};
use rand::RngExt;
use rand::seq::SliceRandom;
use sink::Places;
use sink::record::RecordKind;

use crate::faults::{Kind, Step, Table};
use crate::fleet::SECOND;
use crate::judging;
use crate::process::Host;
use crate::scenario::{Mutant, Scenario};
use crate::slot::Slot;
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
                judging::judge(&world, seed, options);
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

async fn live(world: &Shared) {
    let places = places();
    let (workers, partitions) = {
        let world = lock(world);
        (world.scenario.workers, world.scenario.partitions as usize)
    };
    let mut hosts: Vec<Host> = (0..workers).map(|number| Host::new(world, number, Ending::Never)).collect();
    hosts.push(Host::new(world, workers, Ending::WhenRead { close: Close::All, partitions }));
    let mut slots: Vec<Slot<'_>> = hosts.iter().map(Slot::new).collect();
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
