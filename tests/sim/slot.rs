//! A process as the scheduler sees it: started, stepped, struck by faults, killed, and started again.

use std::time::Duration;

use atalaia::pipeline::Worker;
use rand::RngExt;
use sink::Places;

use crate::faults::{Kind, Step};
use crate::fleet::{self, SECOND};
use crate::process::Host;
use crate::world::{Mode, Order, Shared, World, lock};

pub(crate) struct Slot<'a> {
    pub(crate) host: &'a Host,
    worker: Option<Worker<'a>>,
    /// Dead or paused until then.
    pub(crate) until: i64,
    /// It leaves in good order.
    stopping: bool,
    killers_folded: u64,
}

impl<'a> Slot<'a> {
    pub(crate) fn new(host: &'a Host) -> Self {
        Slot { host, worker: None, until: 0, stopping: false, killers_folded: 0 }
    }

    fn mode(&self, world: &Shared) -> Mode {
        lock(world).processes[self.host.number].mode
    }

    pub(crate) fn step(&mut self, world: &Shared, places: &Places) {
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

    pub(crate) fn die(&mut self, world: &Shared, until: i64) {
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

    pub(crate) fn obey(&mut self, world: &Shared, order: Order) {
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
    pub(crate) fn finish(&mut self, world: &Shared, places: &Places) -> bool {
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
