//! The plan of a fleet: which device has which habit, which has faults, which belongs to which partition; and the truth.

use std::io::Write;
use std::sync::Arc;

use types::Micros;

use crate::Error;

use super::config::Config;
use super::device::{Clock, whole_millis_down};
use super::random::{Domain, Random};
use super::schedule::{Blocks, Episode, FaultKind, Habit};
use super::sensors::Profile;
use super::stream::{Events, PartitionEvents};

/// The load of a device forgets its past over about this long.
const LOAD_MEMORY: Micros = 15 * 60_000_000;
/// How much of an endless run's truth [`Fleet::truth`] tells.
const TRUTH_OF_ENDLESS: Micros = 30 * 86_400_000_000;

/// A simulated fleet. Cheap to clone; says everything about the fleet without generating a reading.
#[derive(Clone)]
pub struct Fleet(pub(super) Arc<Plan>);

pub(super) struct Plan {
    pub(super) config: Config,
    pub(super) end: Micros,
    pub(super) profiles: Vec<Profile>,
    pub(super) traits: Vec<Traits>,
    /// The devices of each partition.
    pub(super) members: Vec<Vec<u32>>,
    pub(super) faults: Blocks,
    pub(super) outages: Blocks,
    /// A device's load is so much of the last one and so much of something new.
    pub(super) load_keep: f64,
    pub(super) load_push: f64,
    name_width: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    pub(super) habit: Habit,
    pub(super) faulty: bool,
}

impl Fleet {
    /// # Errors
    /// If a setting makes no fleet.
    pub fn new(config: &Config) -> Result<Self, Error> {
        config.validate()?;
        let end = config.end();
        let blocks = |begin: Micros, every: Micros, typical: Micros| Blocks { begin, every, typical, end };
        let lead = config.start.0.saturating_add(config.clean_lead.micros());
        let load_keep = (1.0 - config.interval.micros() as f64 / LOAD_MEMORY as f64).max(0.0);
        let mut plan = Plan {
            end,
            profiles: config.sensors.iter().map(|sensor| Profile::of(sensor)).collect(),
            traits: traits(config),
            members: vec![Vec::new(); config.partitions as usize],
            faults: blocks(lead, config.fault_every.micros(), config.fault_duration.micros()),
            outages: blocks(config.start.0, config.outage_every.micros(), config.outage_duration.micros()),
            load_keep,
            load_push: (1.0 - load_keep * load_keep).sqrt(),
            name_width: (config.devices - 1).to_string().len().max(4),
            config: config.clone(),
        };
        for device in 0..config.devices {
            let partition = partition_of(plan.device_name(device).as_bytes(), config.partitions);
            plan.members[partition as usize].push(device);
        }
        Ok(Fleet(Arc::new(plan)))
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// All records in order of arrival; what arrives at one moment is in the order of partitions.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self)
    }

    /// The records of one partition in order of arrival; none if there is no such partition.
    #[must_use]
    pub fn partition(&self, partition: u32) -> PartitionEvents {
        PartitionEvents::new(Arc::clone(&self.0), partition)
    }

    /// Every sensor fault of the run, by its beginning; of an endless run those of the first 30 days.
    #[must_use]
    pub fn truth(&self) -> Vec<Episode> {
        if self.config().endless() {
            return self.truth_until(self.config().start.0.saturating_add(TRUTH_OF_ENDLESS));
        }
        self.truth_until(self.0.end)
    }

    /// Every sensor fault that begins before this (true) time, by its beginning.
    fn truth_until(&self, time: Micros) -> Vec<Episode> {
        let plan = &self.0;
        let mut episodes = Vec::new();
        for device in (0..plan.config.devices).filter(|device| plan.traits[*device as usize].faulty) {
            let clock = Clock::new(plan, device);
            for block in 0..plan.faults.before(time.min(plan.end)) {
                let fault = plan.faults.fault(plan.config.seed, device, block, plan.profiles.len());
                if let Some(fault) = fault.filter(|fault| fault.stretch.from < time) {
                    // Told by the device's own clock, as its readings are.
                    let own = |moment: Micros| whole_millis_down(clock.read(moment, None));
                    episodes.push(Episode {
                        device: plan.device_name(device),
                        sensor: Some(plan.config.sensors[fault.sensor].clone()),
                        kind: fault.kind,
                        from: own(fault.stretch.from),
                        to: own(fault.stretch.to - 1) + 1000,
                    });
                }
            }
        }
        episodes.sort_by(|a, b| (a.from, &a.device).cmp(&(b.from, &b.device)));
        episodes
    }

    /// Every outage of a device that begins in `[since, until)`, by its beginning. They are habits and no faults of sensors:
    /// the readings are right. But the window in which one begins may close before the rest of it has come.
    #[must_use]
    pub fn outages(&self, since: Micros, until: Micros) -> Vec<Episode> {
        let plan = &self.0;
        let mut episodes = Vec::new();
        for device in 0..plan.config.devices {
            let clock = Clock::new(plan, device);
            let blocks = if clock.habit.has_outages() { plan.outages.before(until.min(plan.end)) } else { 0 };
            let outages = (0..blocks).filter_map(|block| plan.outages.outage(plan.config.seed, device, block));
            episodes.extend(outages.filter(|outage| (since..until).contains(&outage.from)).map(|outage| Episode {
                device: plan.device_name(device),
                sensor: None,
                kind: FaultKind::Outage,
                from: outage.from,
                to: outage.to,
            }));
        }
        episodes.sort_by(|a, b| (a.from, &a.device).cmp(&(b.from, &b.device)));
        episodes
    }

    #[cfg(test)]
    pub(crate) fn habit(&self, device: u32) -> Option<Habit> {
        self.0.traits.get(device as usize).map(|traits| traits.habit)
    }

    #[must_use]
    pub fn device_name(&self, device: u32) -> String {
        self.0.device_name(device)
    }

    #[must_use]
    pub fn sensor_name(&self, sensor: u32) -> &str {
        self.0.config.sensors.get(sensor as usize).map_or("", String::as_str)
    }

    /// How many readings the run has before dropouts; none if it never ends. For progress bars.
    #[must_use]
    pub fn readings_planned(&self) -> Option<u64> {
        let config = self.config();
        let moments = u64::try_from((self.0.end - config.start.0) / config.interval.micros()).unwrap_or(0);
        let each = u64::from(config.devices) * config.sensors.len() as u64;
        (!config.endless()).then(|| moments.saturating_mul(each))
    }
}

impl Plan {
    pub(super) fn device_name(&self, device: u32) -> String {
        let mut name = Vec::new();
        self.write_device_name(device, &mut name);
        String::from_utf8(name).unwrap_or_default()
    }

    pub(super) fn write_device_name(&self, device: u32, out: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = write!(out, "device-{device:0width$}", width = self.name_width);
    }
}

/// Deals habits and faults out: each share is met as exactly as whole devices allow.
fn traits(config: &Config) -> Vec<Traits> {
    let habits = [
        (Habit::Offline, config.habits.offline),
        (Habit::NewestFirst, config.habits.newest_first),
        (Habit::Bursts, config.habits.bursts),
        (Habit::SlowClock, config.habits.slow_clock),
        (Habit::FastClock, config.habits.fast_clock),
        (Habit::FrozenClock, config.habits.frozen_clock),
    ];
    let mut traits = vec![Traits { habit: Habit::Steady, faulty: false }; config.devices as usize];
    let mut left = shuffled(config, Domain::Habits).into_iter();
    for (habit, share) in habits {
        for device in left.by_ref().take(count(config.devices, share)) {
            traits[device as usize].habit = habit;
        }
    }
    // Readings of a frozen clock carry one time: a fault among them would have no length.
    let able = |device: &u32| traits[*device as usize].habit != Habit::FrozenClock;
    let faulty: Vec<u32> = shuffled(config, Domain::Faulty).into_iter().filter(able).collect();
    for device in faulty.into_iter().take(count(config.devices, config.faulty)) {
        traits[device as usize].faulty = true;
    }
    traits
}

/// A share of the devices as a number of them; any share above 0 is one device at least.
fn count(devices: u32, share: f64) -> usize {
    let count = (f64::from(devices) * share).round() as usize;
    if share > 0.0 { count.max(1) } else { 0 }
}

fn shuffled(config: &Config, domain: Domain) -> Vec<u32> {
    let mut random = Random::new(config.seed, domain, 0, 0);
    let mut devices: Vec<u32> = (0..config.devices).collect();
    for last in (1..devices.len()).rev() {
        let other = usize::try_from(random.below(last as u64 + 1)).unwrap_or(0);
        devices.swap(last, other);
    }
    devices
}

/// The partition that Kafka's own partitioner (murmur2 of the key) gives a device.
#[must_use]
pub(crate) fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// MurmurHash2, 32 bits, with the seed that Kafka's clients use.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ (key.len() as u32);
    let mut words = key.chunks_exact(4);
    for word in words.by_ref() {
        let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ (word ^ (word >> 24)).wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that Kafka's own clients are tested with.
    #[test]
    fn the_hash_is_that_of_kafka() {
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn shares_become_whole_devices() {
        for (devices, share, expected) in [(20, 0.0, 0), (20, 0.05, 1), (20, 0.01, 1), (20, 0.5, 10), (3, 1.0, 3)] {
            assert_eq!(count(devices, share), expected, "{share} of {devices}");
        }
    }
}
