//! `[ingest.simulated]`: how large the fleet is, what it measures, how it misbehaves, and how fast it is played.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use types::{Micros, Span};

use crate::Error;

/// A simulated fleet of devices, for trying things out: the same settings give the same records, byte for byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The same seed gives the same fleet, byte for byte; another seed gives another fleet of the same kind.
    pub seed: u64,
    /// Number of devices: `device-0000`, `device-0001`, …
    pub devices: u32,
    /// The sensors of every device. `temperature`, `pressure`, `vibration`, `current`, `flow`, `humidity`, `voltage` and
    /// `speed` have plausible means, daily cycles and noise, also with an ending (`temperature_2`); any other name is a
    /// value around 100.
    pub sensors: Vec<String>,
    /// Number of partitions. A device stays in one: the one that Kafka's own murmur2 partitioner gives its id.
    pub partitions: u32,
    /// Every device reads all its sensors once per interval, at a moment of its own within it. At least `1ms`.
    pub interval: Span,
    /// Event time at which the run begins (RFC 3339). Fixed by default, so that runs can be repeated.
    pub start: Moment,
    /// How long the run is in event time. `0` never ends.
    pub duration: Span,
    /// Records per second of wall time over all partitions; `0` is as fast as possible.
    pub rate: f64,
    /// Event time against wall time: `1` plays live, `60` a minute per second, `0` as fast as possible. Not together
    /// with `rate`.
    pub speed: f64,
    /// Readings are delayed by a random time up to this, each for itself, so that a device's readings arrive out of
    /// order. `0`: a device sends in order.
    pub disorder: Span,
    /// No faults in this time from the start: history that models can be trained on.
    pub clean_lead: Span,
    /// Share of devices whose sensors have faults (0 to 1).
    pub faulty: f64,
    /// A faulty device has one fault in every such span of time; which sensor and which kind is drawn anew each time.
    pub fault_every: Span,
    /// Faults last about this long: from half of it to one and a half. At most half of `fault_every`.
    pub fault_duration: Span,
    /// Shares of devices with odd habits of sending.
    pub habits: Habits,
    /// A device that goes offline, or whose clock freezes, does so once in every such span of time.
    pub outage_every: Span,
    /// Such outages last about this long: from half of it to one and a half. At most half of `outage_every`. Readings
    /// of an outage are held in memory until they are sent.
    pub outage_duration: Span,
    /// Devices that send in bursts do so this often.
    pub burst_every: Span,
    /// Share of readings that arrive late, by `late_by` (0 to 1).
    pub late: f64,
    /// By how much late readings are late.
    pub late_by: Span,
    /// Where the recording begins: records of earlier event time, by the device's own clock, are as if they had never been
    /// sent. For programs that read one fleet in two parts.
    #[serde(skip)]
    pub recorded_from: Option<Moment>,
    /// Records that are no readings, per reading (0 to 1): cut short, without a field, with text for a value, empty.
    /// They come besides the readings, which stay the same.
    pub malformed: f64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 1,
            devices: 20,
            sensors: ["temperature", "pressure", "vibration", "current", "flow"].map(String::from).to_vec(),
            partitions: 4,
            interval: Span::from_secs(30),
            start: Moment(1_767_571_200_000_000),
            duration: Span::from_secs(2 * 86_400),
            rate: 0.0,
            speed: 0.0,
            disorder: Span::default(),
            clean_lead: Span::from_secs(86_400),
            faulty: 0.5,
            fault_every: Span::from_secs(6 * 3600),
            fault_duration: Span::from_secs(30 * 60),
            habits: Habits::default(),
            outage_every: Span::from_secs(6 * 3600),
            outage_duration: Span::from_secs(30 * 60),
            burst_every: Span::from_secs(5 * 60),
            late: 0.0,
            late_by: Span::from_secs(3600),
            recorded_from: None,
            malformed: 0.0,
        }
    }
}

/// Shares of devices with each habit (0 to 1, together at most 1); the rest send steadily. A share above 0 means one
/// device at least.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Habits {
    /// Goes offline, and uploads what it held in order of time afterwards.
    pub offline: f64,
    /// Goes offline, and uploads what it held newest first.
    pub newest_first: f64,
    /// Sends in bursts, one every `burst_every`.
    pub bursts: f64,
    /// Its clock loses up to 2 %, until it is 30 minutes behind.
    pub slow_clock: f64,
    /// Its clock gains up to 2 %, until it is 4 minutes ahead.
    pub fast_clock: f64,
    /// Its clock stands still for a while: readings of that time carry one and the same time.
    pub frozen_clock: f64,
}

impl Default for Habits {
    fn default() -> Self {
        Habits { offline: 0.1, newest_first: 0.0, bursts: 0.05, slow_clock: 0.05, fast_clock: 0.05, frozen_clock: 0.0 }
    }
}

impl Habits {
    /// Every device sends steadily.
    #[must_use]
    pub fn none() -> Self {
        Habits { offline: 0.0, newest_first: 0.0, bursts: 0.0, slow_clock: 0.0, fast_clock: 0.0, frozen_clock: 0.0 }
    }

    fn shares(&self) -> [(&'static str, f64); 6] {
        [
            ("habits.offline", self.offline),
            ("habits.newest_first", self.newest_first),
            ("habits.bursts", self.bursts),
            ("habits.slow_clock", self.slow_clock),
            ("habits.fast_clock", self.fast_clock),
            ("habits.frozen_clock", self.frozen_clock),
        ]
    }
}

impl Config {
    /// Where even an endless run ends, at 9999-12-30: RFC 3339 has four digits for the year.
    pub(super) const END_OF_TIME: Micros = 253_402_128_000_000_000;
    const DEVICES_MAX: u32 = 10_000_000;
    const SENSORS_MAX: usize = 1000;
    const PARTITIONS_MAX: u32 = 10_000;

    /// Whether the run never ends.
    #[must_use]
    pub fn endless(&self) -> bool {
        self.duration.micros() == 0
    }

    /// Event time at which the run ends (exclusive).
    #[must_use]
    pub(crate) fn end(&self) -> Micros {
        if self.endless() {
            return Self::END_OF_TIME;
        }
        self.start.0.saturating_add(self.duration.micros()).min(Self::END_OF_TIME)
    }

    /// # Errors
    /// Names the setting that makes no fleet.
    pub fn validate(&self) -> Result<(), Error> {
        let refuse = |setting: &'static str, problem: String| Err(refusal(setting, problem));
        if self.devices == 0 || self.devices > Self::DEVICES_MAX {
            return refuse("devices", format!("must lie between 1 and {}", Self::DEVICES_MAX));
        }
        if self.partitions == 0 || self.partitions > Self::PARTITIONS_MAX {
            return refuse("partitions", format!("must lie between 1 and {}", Self::PARTITIONS_MAX));
        }
        if self.sensors.is_empty() || self.sensors.len() > Self::SENSORS_MAX {
            return refuse("sensors", format!("must name between 1 and {} sensors", Self::SENSORS_MAX));
        }
        for (place, sensor) in self.sensors.iter().enumerate() {
            if sensor.is_empty() || !sensor.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c)) {
                return refuse(
                    "sensors",
                    format!("holds `{sensor}`: a name is letters, digits, `_`, `-`, `.` and `/`"),
                );
            }
            if self.sensors[..place].contains(sensor) {
                return refuse("sensors", format!("names `{sensor}` twice"));
            }
        }
        if self.interval.micros() < 1000 {
            return refuse("interval", format!("is `{}`: at least `1ms` is needed", self.interval));
        }
        if self.start.0 < 0 || self.start.0 >= Self::END_OF_TIME {
            return refuse("start", "must lie between the years 1970 and 9999".into());
        }
        for (setting, value) in [("rate", self.rate), ("speed", self.speed)] {
            if !value.is_finite() || value < 0.0 {
                return refuse(setting, format!("is {value}: 0 or a positive number is needed"));
            }
        }
        if self.rate > 0.0 && self.speed > 0.0 {
            return refuse("speed", "and `ingest.simulated.rate` are both set: choose one".into());
        }
        self.validate_shares()?;
        let spans = [
            ("outage_duration", self.outage_duration, "outage_every", self.outage_every),
            ("fault_duration", self.fault_duration, "fault_every", self.fault_every),
        ];
        for (setting, duration, every_name, every) in spans {
            if duration.micros() == 0 || duration.micros() > every.micros() / 2 {
                return refuse(
                    setting,
                    format!(
                        "is `{duration}`: it must be more than 0 and at most half of `{every_name}`, which is `{every}`"
                    ),
                );
            }
        }
        if self.fault_duration.micros() < 2 * self.interval.micros() {
            let problem = format!(
                "is `{}`: a fault needs two readings, and `interval` is `{}`",
                self.fault_duration, self.interval
            );
            return refuse("fault_duration", problem);
        }
        if self.burst_every.micros() < 1000 {
            return refuse("burst_every", format!("is `{}`: at least `1ms` is needed", self.burst_every));
        }
        Ok(())
    }

    fn validate_shares(&self) -> Result<(), Error> {
        let others = [("faulty", self.faulty), ("late", self.late), ("malformed", self.malformed)];
        for (setting, share) in others.into_iter().chain(self.habits.shares()) {
            if !(0.0..=1.0).contains(&share) {
                let problem = format!("is {share}: a share lies between 0 and 1");
                return Err(refusal(setting, problem));
            }
        }
        let sum: f64 = self.habits.shares().iter().map(|(_, share)| share).sum();
        if sum > 1.0 + 1e-9 {
            let problem = format!("add up to {sum}: all shares together are at most 1");
            return Err(refusal("habits", problem));
        }
        Ok(())
    }
}

fn refusal(setting: &str, reason: String) -> Error {
    Error::Setting { setting: format!("ingest.simulated.{setting}"), reason }
}

/// An instant in microseconds since 1970, written as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Micros);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<Timestamp>()
            .map(|time| Moment(time.as_microsecond()))
            .map_err(|_| format!("`{text}` is not a time: write one like `2026-01-31T06:00:00Z`"))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_microsecond(self.0) {
            Ok(time) => time.fmt(f),
            Err(_) => self.0.fmt(f),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "examples": ["2026-01-31T06:00:00Z"] })
    }
}
