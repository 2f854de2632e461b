//! Everything that outlives processes: the store, the broker, what is to happen, and the one source of chance.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::broker::Broker;
use crate::faults::{Kind, Step, Table};
use crate::fleet::{BASE, SECOND};
use crate::objects::Objects;
use crate::scenario::Scenario;

pub(crate) type Shared = Arc<Mutex<World>>;

pub(crate) struct World {
    pub(crate) rng: ChaCha8Rng,
    pub(crate) scenario: Scenario,
    pub(crate) trace: Trace,
    pub(crate) table: Table,
    pub(crate) objects: Objects,
    pub(crate) broker: Broker,
    pub(crate) processes: Vec<Process>,
    /// What requests have brought about, for the scheduler to do.
    pub(crate) orders: Vec<Order>,
    /// Faults still to come.
    pub(crate) faults_left: u32,
    /// Faults that strike as soon as their step is seen.
    pub(crate) armed: Vec<(Step, Kind)>,
    /// Requests that land later than their answer.
    pub(crate) late: u32,
    pub(crate) healed: bool,
    /// Records that were set aside unread although they kill nobody.
    pub(crate) innocent: u64,
    pub(crate) failure: Option<String>,
    start: Instant,
}

/// A process as the store sees it.
pub(crate) struct Process {
    pub(crate) life: u32,
    pub(crate) mode: Mode,
    pub(crate) woken: Arc<Notify>,
    /// The store does not answer it before this.
    pub(crate) cut_until: i64,
    /// The broker does not.
    pub(crate) broker_cut_until: i64,
    /// Just woken: it hears of the group so many polls later.
    pub(crate) drowsy: u32,
    /// Added to its wall clock.
    pub(crate) skew: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Runs,
    /// Stopped; goes on as if nothing had been.
    Paused,
    Dead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) kind: Kind,
    pub(crate) step: Step,
    pub(crate) process: usize,
}

impl World {
    pub(crate) fn new(seed: u64, scenario: Scenario, verbose: bool) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let broker = Broker::new(&mut rng, &scenario);
        let processes = (0..=scenario.workers).map(|_| Process::default()).collect();
        let faults_left = rng.random_range(20..=60);
        let armed = scenario.arm(&mut rng);
        World {
            scenario,
            trace: Trace { hash: FNV, told: verbose.then_some(0) },
            table: Table::default(),
            objects: Objects::default(),
            broker,
            processes,
            orders: Vec::new(),
            faults_left,
            armed,
            late: 0,
            healed: false,
            innocent: 0,
            failure: None,
            start: Instant::now(),
            rng,
        }
    }

    /// Since the beginning.
    pub(crate) fn now(&self) -> i64 {
        self.start.elapsed().as_micros() as i64
    }

    pub(crate) fn wall(&self, process: usize) -> i64 {
        BASE + self.now() + self.processes[process].skew
    }

    pub(crate) fn note(&mut self, what: std::fmt::Arguments<'_>) {
        let now = self.now();
        self.trace.note(now, what);
    }

    pub(crate) fn fail(&mut self, why: String) {
        self.note(format_args!("FAILED {why}"));
        self.failure.get_or_insert(why);
    }

    /// Of seeds with long pauses: a create that comes when its name was taken, and collected, long ago.
    pub(crate) fn arm(&mut self) {
        let now = self.now();
        let due = self.scenario.long_pauses_at.iter().filter(|at| **at <= now).count();
        self.scenario.long_pauses_at.retain(|at| *at > now);
        self.armed.extend((0..due).map(|_| (Step::CommitCreate, Kind::Pause)));
    }

    /// Whether a fault strikes at this step, and which.
    pub(crate) fn fault(&mut self, step: Step) -> Option<Kind> {
        if self.healed {
            return None;
        }
        if let Some(place) = self.armed.iter().position(|(at, _)| *at == step) {
            return Some(self.armed.swap_remove(place).1);
        }
        let chance = match step {
            Step::Fold => self.scenario.fault_rate / 8.0,
            step if step.is_rare() => 0.4,
            _ => self.scenario.fault_rate,
        };
        if self.faults_left == 0 || !self.rng.random_bool(chance) {
            return None;
        }
        let kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(|kind| self.scenario.is_free(*kind, step)).collect();
        Some(kinds[self.rng.random_range(0..kinds.len())])
    }

    pub(crate) fn count(&mut self, step: Step, kind: Kind, process: usize) {
        self.faults_left = self.faults_left.saturating_sub(1);
        self.table.count(step, kind);
        self.note(format_args!("fault: {} at {} of process {process}", kind.as_str(), step.as_str()));
    }

    /// What a fault does at once; the scheduler does the rest.
    pub(crate) fn begin(&mut self, kind: Kind, process: usize) {
        let now = self.now();
        let long = self.seconds(5, 120);
        let day = 24 * 3600 * SECOND;
        let jump = if self.rng.random_bool(0.5) { day } else { -day };
        let process = &mut self.processes[process];
        match kind {
            Kind::Kill => process.mode = Mode::Dead,
            Kind::Pause => process.mode = Mode::Paused,
            Kind::CutOff => process.cut_until = now + long,
            Kind::BrokerCutOff => process.broker_cut_until = now + long,
            // There and back again.
            Kind::ClockJump => process.skew = if process.skew == 0 { jump } else { 0 },
            _ => {}
        }
    }

    pub(crate) fn is_cut_off(&self, process: usize) -> bool {
        self.now() < self.processes[process].cut_until
    }

    pub(crate) fn latency(&mut self) -> Duration {
        Duration::from_millis(self.rng.random_range(2..40))
    }

    pub(crate) fn seconds(&mut self, from: i64, to: i64) -> i64 {
        self.rng.random_range(from * SECOND..to * SECOND)
    }
}

impl Default for Process {
    fn default() -> Self {
        Process {
            life: 0,
            mode: Mode::Dead,
            woken: Arc::new(Notify::new()),
            cut_until: 0,
            broker_cut_until: 0,
            drowsy: 0,
            skew: 0,
        }
    }
}

pub(crate) fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;

/// All that happened, in order; its hash tells two runs apart.
pub(crate) struct Trace {
    pub(crate) hash: u64,
    /// Lines printed, if they are.
    pub(crate) told: Option<u64>,
}

impl Trace {
    fn note(&mut self, now: i64, what: std::fmt::Arguments<'_>) {
        struct Fnv(u64);
        impl std::fmt::Write for Fnv {
            fn write_str(&mut self, text: &str) -> std::fmt::Result {
                for byte in text.bytes() {
                    self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
                }
                Ok(())
            }
        }
        let mut hash = Fnv(self.hash ^ now as u64);
        let _ = std::fmt::write(&mut hash, what);
        self.hash = hash.0;
        if let Some(told) = &mut self.told {
            *told += 1;
            println!("{:>10.3} {what}", now as f64 / 1e6);
        }
    }
}
