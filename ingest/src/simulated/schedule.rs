//! When things go wrong: one stretch of trouble in each block of time, found from the seed without what came before.

use serde::Serialize;
use types::Micros;

use super::random::{Domain, Random};

/// One fault, in the device's own event time; `from` belongs to it, `to` does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    pub device: String,
    /// None: all of the device's.
    pub sensor: Option<String>,
    pub kind: FaultKind,
    pub from: Micros,
    pub to: Micros,
}

/// What a sensor can suffer from, or its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Single readings jump by 6 to 15 standard deviations of the noise.
    Spikes,
    /// The value of the first moment is shown all the time.
    Stuck,
    /// The value leaves its place slowly, by 8 to 20 standard deviations of the noise in the end.
    Drift,
    /// Half to all of the readings are missing.
    Dropout,
    /// The device falls silent and sends later what it read meanwhile, or its clock stands still.
    Outage,
}

impl FaultKind {
    /// What sensors suffer from.
    pub const OF_SENSORS: [FaultKind; 4] = [FaultKind::Spikes, FaultKind::Stuck, FaultKind::Drift, FaultKind::Dropout];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FaultKind::Spikes => "spikes",
            FaultKind::Stuck => "stuck",
            FaultKind::Drift => "drift",
            FaultKind::Dropout => "dropout",
            FaultKind::Outage => "outage",
        }
    }
}

/// How a device sends, for all its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Habit {
    Steady,
    Offline,
    NewestFirst,
    Bursts,
    SlowClock,
    FastClock,
    FrozenClock,
}

/// A span of true time; `from` belongs to it, `to` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: Micros,
    pub(super) to: Micros,
}

impl Stretch {
    #[inline]
    pub(super) fn holds(&self, time: Micros) -> bool {
        self.from <= time && time < self.to
    }
}

/// Rounded up: records carry milliseconds, and a stretch should begin and end between two of them.
fn whole_millis(time: Micros) -> Micros {
    time + (1000 - time.rem_euclid(1000)) % 1000
}

/// A fault of one of the device's sensors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fault {
    pub(super) stretch: Stretch,
    pub(super) sensor: usize,
    pub(super) kind: FaultKind,
    /// Spikes and drift: in standard deviations of the noise, with its sign.
    pub(super) size: f64,
    /// Spikes and dropout: the share of readings it hits.
    pub(super) share: f64,
}

/// Blocks of equal length from a beginning on; each holds one stretch and none crosses into the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    pub(super) begin: Micros,
    /// At least twice `typical`.
    pub(super) every: Micros,
    pub(super) typical: Micros,
    /// A stretch that would end after this does not take place.
    pub(super) end: Micros,
}

impl Blocks {
    /// The block of a time; none before the beginning.
    #[inline]
    pub(super) fn at(&self, time: Micros) -> Option<i64> {
        (time >= self.begin).then(|| (time - self.begin) / self.every)
    }

    /// How many blocks begin before this time.
    pub(super) fn before(&self, time: Micros) -> i64 {
        self.at(time.saturating_sub(1)).map_or(0, |block| block + 1)
    }

    fn stretch(&self, random: &mut Random, block: i64) -> Option<Stretch> {
        let start = block.checked_mul(self.every)?.checked_add(self.begin)?;
        let length = whole_millis(random.between(self.typical / 2, self.typical + self.typical / 2));
        let from = whole_millis(start.checked_add(random.between(0, self.every - self.typical - self.typical / 2))?);
        let to = from.checked_add(length)?;
        (to <= self.end).then_some(Stretch { from, to })
    }

    /// The outage of a device in this block.
    pub(super) fn outage(&self, seed: u64, device: u32, block: i64) -> Option<Stretch> {
        self.stretch(&mut Random::new(seed, Domain::Outage, device, block), block)
    }

    /// The fault of a device in this block.
    pub(super) fn fault(&self, seed: u64, device: u32, block: i64, sensors: usize) -> Option<Fault> {
        let mut random = Random::new(seed, Domain::Fault, device, block);
        let stretch = self.stretch(&mut random, block)?;
        let sensor = usize::try_from(random.below(sensors as u64)).unwrap_or(0);
        let kind = FaultKind::OF_SENSORS[usize::try_from(random.below(4)).unwrap_or(0)];
        let sign = if random.below(2) == 0 { -1.0 } else { 1.0 };
        let share = random.unit();
        let (size, share) = match kind {
            FaultKind::Spikes => (6.0 + 9.0 * random.unit(), 0.1 + 0.2 * share),
            FaultKind::Drift => (8.0 + 12.0 * random.unit(), 1.0),
            FaultKind::Stuck | FaultKind::Outage => (0.0, 1.0),
            // Half of these are complete: the sensor is gone.
            FaultKind::Dropout => (0.0, (0.5 + share).min(1.0)),
        };
        Some(Fault { stretch, sensor, kind, size: sign * size, share })
    }
}
