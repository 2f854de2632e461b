//! What a healthy sensor shows: a mean of its own, a daily cycle, the load its device shares among all sensors, noise.

use super::random::{Random, wave};

/// How a kind of sensor behaves. Cycle and load are in units of the noise's standard deviation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile {
    kind: &'static str,
    mean: f64,
    /// Standard deviation of the means between devices.
    spread: f64,
    /// Standard deviation of one reading's noise.
    pub(super) noise: f64,
    /// Half of the daily swing.
    cycle: f64,
    /// How much it follows the load of its device.
    load: f64,
    /// It never shows less than this.
    floor: f64,
    /// Digits after the point.
    pub(super) decimals: u8,
}

/// In words: °C, bar, mm/s, A, m³/h, %, V, 1/min.
const PROFILES: [Profile; 9] = [
    Profile {
        kind: "temperature",
        mean: 60.0,
        spread: 4.0,
        noise: 0.4,
        cycle: 4.0,
        load: 1.0,
        floor: -273.15,
        decimals: 3,
    },
    Profile { kind: "pressure", mean: 6.0, spread: 0.3, noise: 0.04, cycle: 1.0, load: 0.7, floor: 0.0, decimals: 4 },
    Profile { kind: "vibration", mean: 2.5, spread: 0.3, noise: 0.15, cycle: 1.0, load: 1.0, floor: 0.0, decimals: 4 },
    Profile { kind: "current", mean: 18.0, spread: 1.5, noise: 0.3, cycle: 3.0, load: 1.5, floor: 0.0, decimals: 3 },
    Profile { kind: "flow", mean: 120.0, spread: 8.0, noise: 1.5, cycle: 2.0, load: 1.2, floor: 0.0, decimals: 2 },
    Profile { kind: "humidity", mean: 45.0, spread: 4.0, noise: 0.8, cycle: -3.0, load: 0.0, floor: 0.0, decimals: 2 },
    Profile { kind: "voltage", mean: 400.0, spread: 2.0, noise: 1.0, cycle: -1.0, load: -0.8, floor: 0.0, decimals: 2 },
    Profile { kind: "speed", mean: 1480.0, spread: 5.0, noise: 2.0, cycle: -0.5, load: -1.0, floor: 0.0, decimals: 1 },
    Profile { kind: "", mean: 100.0, spread: 10.0, noise: 1.0, cycle: 2.0, load: 1.0, floor: f64::MIN, decimals: 3 },
];

impl Profile {
    /// The profile of the kind that the name is or begins with; the last one suits every name.
    pub(super) fn of(sensor: &str) -> Profile {
        let suits = |profile: &&Profile| {
            sensor
                .strip_prefix(profile.kind)
                .is_some_and(|rest| profile.kind.is_empty() || !rest.starts_with(|c: char| c.is_alphabetic()))
        };
        PROFILES.iter().find(suits).copied().unwrap_or(PROFILES[PROFILES.len() - 1])
    }

    /// The mean of this sensor on one device.
    pub(super) fn device_mean(&self, random: &mut Random) -> f64 {
        self.mean + self.spread * random.bell()
    }

    /// A healthy reading; `noise` and `load` have the standard deviation 1.
    #[inline]
    pub(super) fn healthy(&self, mean: f64, day: f64, load: f64, noise: f64) -> f64 {
        mean + self.noise * (self.cycle * day + self.load * load + noise)
    }

    /// What the sensor can show: above its floor, in its number of digits, as a whole number of its last digit.
    #[inline]
    pub(super) fn shown(&self, value: f64) -> i64 {
        // Far below 2^53: the means are at most some thousands, faults some dozens of deviations.
        (value.max(self.floor) * self.steps()).round() as i64
    }

    /// Steps of the last digit in 1: dividing a whole number by it gives the number that its decimal text reads as.
    #[inline]
    pub(super) fn steps(&self) -> f64 {
        [1.0, 10.0, 100.0, 1000.0, 10_000.0][usize::from(self.decimals)]
    }
}

/// The daily cycle at a time: from -1 to 1, highest in the afternoon.
#[inline]
pub(super) fn day(time: i64) -> f64 {
    const DAY: i64 = 86_400_000_000;
    wave(time.rem_euclid(DAY) as f64 / DAY as f64 - 0.375)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_profile() {
        for (name, kind) in [
            ("temperature", "temperature"),
            ("temperature_2", "temperature"),
            ("flow/in", "flow"),
            ("flower", ""),
            ("tag_1", ""),
        ] {
            assert_eq!(Profile::of(name).kind, kind, "{name}");
        }
    }

    #[test]
    fn the_day_is_warmest_in_the_afternoon() {
        let hour = |hour: i64| day(hour * 3_600_000_000);
        assert!((hour(15) - 1.0).abs() < 1e-5);
        assert!((hour(3) + 1.0).abs() < 1e-5);
    }
}
