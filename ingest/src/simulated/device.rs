//! One device: at each of its moments it reads all its sensors and sends the readings, in the way of its habit.
//!
//! Each reading draws the same number of random bits whatever becomes of it, so that a fault, a late reading or a
//! malformed record leaves all other values as they were.

use types::Micros;

use super::fleet::Plan;
use super::random::{Domain, Random, bell, scale, unit};
use super::schedule::{Blocks, Fault, FaultKind, Habit, Stretch};
use super::sensors::day;
use super::stream::{Content, Damage};

/// Time on the way from a device to the broker: at least this, and up to [`DELAY_SPREAD`] more.
const DELAY: Micros = 20_000;
const DELAY_SPREAD: Micros = 200_000;
/// A backlog sent newest first goes out at this pace, one moment's readings at a time.
const BACKLOG_STEP: Micros = 1000;
/// Where clocks that run fast or slow stop going astray.
const AHEAD_MAX: Micros = 4 * 60_000_000;
const BEHIND_MAX: Micros = 30 * 60_000_000;

/// One record on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) arrival: Micros,
    pub(super) sensor: u32,
    pub(super) time: Micros,
    pub(super) shown: i64,
    pub(super) content: Content,
}

pub(super) struct Device {
    pub(super) index: u32,
    /// Its moments lie this far into each interval.
    pub(super) phase: Micros,
    clock: Clock,
    faulty: bool,
    means: Vec<f64>,
    load: f64,
    random: Random,
    fault: Now<Fault>,
    /// The fault has hit a reading; a stuck sensor's value.
    fault_begun: bool,
    stuck: Option<i64>,
    outage: Now<Stretch>,
    /// What a device sends in order arrives in order.
    last_arrival: Micros,
}

impl Device {
    pub(super) fn new(plan: &Plan, index: u32) -> Self {
        let traits = plan.traits[index as usize];
        let mut random = Random::new(plan.config.seed, Domain::Device, index, 0);
        let whole_millis = plan.config.interval.micros() / 1000;
        Device {
            index,
            phase: random.between(0, whole_millis - 1) * 1000,
            clock: Clock::new(plan, index),
            faulty: traits.faulty,
            means: plan.profiles.iter().map(|profile| profile.device_mean(&mut random)).collect(),
            load: random.bell(),
            random: Random::new(plan.config.seed, Domain::Readings, index, 0),
            fault: Now::default(),
            fault_begun: false,
            stuck: None,
            outage: Now::default(),
            last_arrival: Micros::MIN,
        }
    }

    /// Reads all sensors at this (true) moment. Moments only grow.
    pub(super) fn tick(&mut self, plan: &Plan, moment: Micros, mut send: impl FnMut(Sent)) {
        let (a, b) = (self.random.bits(), self.random.bits());
        self.load = plan.load_keep * self.load + plan.load_push * bell(a, b);
        let day = day(moment);
        self.meet_troubles(plan, moment);
        let fault = self.fault.item.filter(|fault| fault.stretch.holds(moment));
        let time = whole_millis_down(self.clock.read(moment, self.outage.item));
        for (sensor, profile) in plan.profiles.iter().enumerate() {
            let (a, b, delivery, trouble) =
                (self.random.bits(), self.random.bits(), self.random.bits(), self.random.bits());
            let value = profile.healthy(self.means[sensor], day, self.load, bell(a, b));
            let shown = match fault {
                Some(fault) if fault.sensor == sensor => {
                    let spoilt = value + profile.noise * self.displacement(&fault, moment, trouble);
                    self.suffer(&fault, profile.shown(spoilt), trouble)
                }
                _ => Some(profile.shown(value)),
            };
            let Some(shown) = shown else { continue };
            let mut arrival = self.arrival(plan, moment, delivery);
            if chance(delivery >> 16, plan.config.late) {
                arrival += plan.config.late_by.micros();
            }
            let sensor = u32::try_from(sensor).unwrap_or(u32::MAX);
            send(Sent { arrival, sensor, time, shown, content: Content::Reading });
            if chance(delivery >> 40, plan.config.malformed) {
                let damage = Damage::ALL[scale(trouble, Damage::ALL.len() as u64) as usize];
                send(Sent { arrival, sensor, time, shown, content: Content::Malformed(damage) });
            }
        }
        if fault.is_some() {
            self.fault_begun = true;
        }
    }

    fn meet_troubles(&mut self, plan: &Plan, moment: Micros) {
        let (seed, index, sensors) = (plan.config.seed, self.index, plan.profiles.len());
        if self.faulty
            && self.fault.moved(&plan.faults, moment, |blocks, block| blocks.fault(seed, index, block, sensors))
        {
            self.fault_begun = false;
            self.stuck = None;
        }
        if self.clock.habit.has_outages() {
            self.outage.moved(&plan.outages, moment, |blocks, block| blocks.outage(seed, index, block));
        }
    }

    /// How far a fault moves the value, in standard deviations of the noise.
    fn displacement(&self, fault: &Fault, moment: Micros, trouble: u64) -> f64 {
        match fault.kind {
            FaultKind::Spikes if self.hits(fault, trouble) => {
                if trouble & 1 == 0 {
                    fault.size
                } else {
                    -fault.size
                }
            }
            FaultKind::Drift => {
                let Stretch { from, to } = fault.stretch;
                fault.size * ((moment - from) as f64 / (to - from) as f64)
            }
            FaultKind::Spikes | FaultKind::Stuck | FaultKind::Dropout | FaultKind::Outage => 0.0,
        }
    }

    /// What is sent of the value shown, if anything.
    fn suffer(&mut self, fault: &Fault, shown: i64, trouble: u64) -> Option<i64> {
        match fault.kind {
            FaultKind::Spikes | FaultKind::Drift | FaultKind::Outage => Some(shown),
            FaultKind::Stuck => Some(*self.stuck.get_or_insert(shown)),
            FaultKind::Dropout => (!self.hits(fault, trouble)).then_some(shown),
        }
    }

    /// The first reading is always hit, so that no episode is empty.
    fn hits(&self, fault: &Fault, trouble: u64) -> bool {
        !self.fault_begun || unit(trouble) < fault.share
    }

    fn arrival(&mut self, plan: &Plan, moment: Micros, delivery: u64) -> Micros {
        let disorder = plan.config.disorder.micros();
        let outage = self.outage.item.filter(|outage| outage.holds(moment));
        let ready = match (self.clock.habit, outage) {
            (Habit::Offline, Some(outage)) => outage.to,
            (Habit::NewestFirst, Some(outage)) => {
                let newer = (outage.to - 1 - moment) / plan.config.interval.micros();
                return whole_millis_up(outage.to + DELAY + newer * BACKLOG_STEP);
            }
            (Habit::Bursts, _) => {
                // Each device has bursts of its own time.
                let every = plan.config.burst_every.micros();
                let into = (moment + i64::from(self.index) * 7_919_000).rem_euclid(every);
                moment - into + every
            }
            _ => moment,
        };
        let spread = if disorder > 0 { disorder } else { DELAY_SPREAD };
        let delay = DELAY + scale((delivery & 0xffff) << 48, spread.unsigned_abs()).cast_signed();
        let arrival = whole_millis_up(ready + delay);
        if disorder > 0 {
            return arrival;
        }
        self.last_arrival = arrival.max(self.last_arrival);
        self.last_arrival
    }
}

/// The thing of the block that the device is in.
struct Now<T> {
    block: Option<i64>,
    item: Option<T>,
}

impl<T> Default for Now<T> {
    fn default() -> Self {
        Now { block: None, item: None }
    }
}

impl<T> Now<T> {
    /// Whether a new block has begun; then `find` looks up what it holds.
    fn moved(&mut self, blocks: &Blocks, moment: Micros, find: impl FnOnce(&Blocks, i64) -> Option<T>) -> bool {
        let block = blocks.at(moment);
        if block == self.block {
            return false;
        }
        self.block = block;
        self.item = block.and_then(|block| find(blocks, block));
        true
    }
}

/// From true time to the device's own. Never goes back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) habit: Habit,
    start: Micros,
    /// Gain or loss in millionths.
    ppm: i64,
}

impl Clock {
    pub(super) fn new(plan: &Plan, index: u32) -> Self {
        // From another block than the device's means, so that a sensor more leaves the clock alone.
        let ppm = Random::new(plan.config.seed, Domain::Device, index, 1).between(2000, 20_000);
        Clock { habit: plan.traits[index as usize].habit, start: plan.config.start.0, ppm }
    }

    pub(super) fn read(&self, moment: Micros, outage: Option<Stretch>) -> Micros {
        let astray = || {
            let micros = i128::from(moment - self.start) * i128::from(self.ppm) / 1_000_000;
            i64::try_from(micros).unwrap_or(i64::MAX)
        };
        match (self.habit, outage) {
            (Habit::SlowClock, _) => moment - astray().min(BEHIND_MAX),
            (Habit::FastClock, _) => moment + astray().min(AHEAD_MAX),
            (Habit::FrozenClock, Some(outage)) if outage.holds(moment) => outage.from,
            _ => moment,
        }
    }
}

impl Habit {
    pub(super) fn has_outages(self) -> bool {
        matches!(self, Habit::Offline | Habit::NewestFirst | Habit::FrozenClock)
    }
}

/// 24 of the bits against a share.
#[inline]
fn chance(bits: u64, share: f64) -> bool {
    ((bits & 0xff_ffff) as f64) < share * f64::from(1 << 24)
}

/// Records carry milliseconds.
pub(super) fn whole_millis_down(time: Micros) -> Micros {
    time - time.rem_euclid(1000)
}

/// Nothing arrives before it happened.
fn whole_millis_up(time: Micros) -> Micros {
    whole_millis_down(time + 999)
}
