//! A fleet whose every reading follows from a few figures: input for tests whose judges recompute what must come out.

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use types::Micros;

use super::{Atalaia, Judge, Message, Running};

pub(crate) const SECOND: Micros = 1_000_000;
pub(crate) const MINUTE: Micros = 60 * SECOND;
pub(crate) const HOUR: Micros = 60 * MINUTE;

/// Midnight three days ago: nothing of it is ahead of a clock, and no broker deletes it for its age meanwhile.
pub(crate) fn start() -> Micros {
    static START: LazyLock<Micros> = LazyLock::new(|| (now().div_euclid(24 * HOUR) - 3) * 24 * HOUR);
    *START
}

#[allow(clippy::disallowed_methods, reason = "tests choose the times of their input")]
pub(crate) fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Micros::try_from(since.as_micros()).expect("before the year 292277")
}

/// Devices `d0`, `d1`, … that read sensors `s0`, `s1`, … in a fixed rhythm and send at once, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fleet {
    pub(crate) devices: usize,
    pub(crate) sensors: usize,
    pub(crate) every: Micros,
}

impl Fleet {
    /// The records of all readings from `from` to before `to`, each with its own time as the broker's.
    pub(crate) fn records(self, from: Micros, to: Micros) -> impl Iterator<Item = Message> {
        let steps = from.div_euclid(self.every)..to.div_euclid(self.every);
        steps.flat_map(move |step| (0..self.devices).flat_map(move |device| self.of_device(device, step * self.every)))
    }

    /// What one device reads at that time: a record for each sensor.
    pub(crate) fn of_device(self, device: usize, time: Micros) -> impl Iterator<Item = Message> {
        (0..self.sensors).map(move |sensor| record(&format!("d{device}"), &format!("s{sensor}"), time).at(time))
    }

    pub(crate) fn count(self, from: Micros, to: Micros) -> u64 {
        let steps = to.div_euclid(self.every) - from.div_euclid(self.every);
        u64::try_from(steps).expect("forwards") * (self.devices * self.sensors) as u64
    }
}

/// One reading, its value a fixed function of its key and time: three decimals between 0 and 100.
pub(crate) fn record(device: &str, sensor: &str, time: Micros) -> Message {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in device.bytes().chain(sensor.bytes()).chain(time.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let value = ((hash >> 20) % 100_000) as f64 / 1000.0;
    let json = format!(r#"{{"device":"{device}","sensor":"{sensor}","ts":{},"value":{value}}}"#, time / 1000);
    Message::keyed(device, json)
}

/// A folder of small models for two of three devices, up to `d39` and `s1`; made by scikit-learn, once in a run of the tests.
pub(crate) fn models(judge: &Judge) -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fleet-models");
        judge.run("judges/models.py", [&folder.display().to_string(), "40", "2"]);
        folder
    };
    MADE.get_or_init(make).clone()
}

/// The figures that a run prints last, by name.
pub(crate) fn figure(log: &str, name: &str) -> u64 {
    let last = log.lines().rfind(|line| line.contains(" stopped "));
    let value = last.and_then(|line| line.split_once(&format!(" {name}=")));
    let digits: String =
        value.map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect()).unwrap_or_default();
    digits.parse().unwrap_or_else(|_| panic!("no `{name}` in the last line of:\n{log}"))
}

/// Where a service that has started listens: `127.0.0.1:PORT`.
pub(crate) fn listener(service: &mut Running) -> String {
    service.wait_until("the listener's address", std::time::Duration::from_secs(30), |service| {
        let log = service.stderr();
        let (_, rest) = log.split_once("http://")?;
        rest.split_once("/metrics").map(|(address, _)| address.to_owned())
    })
}

/// `atalaia run` or `score` with short windows of a fleet, and commits whenever there is something to commit.
pub(crate) fn eager(subcommand: &str) -> Atalaia {
    Atalaia::new(subcommand).config(EAGER)
}

/// `atalaia state ACTION` on the pipeline that `eager` runs.
pub(crate) fn state(action: &str) -> Atalaia {
    Atalaia::new("state").arg(action).config(EAGER)
}

const EAGER: &str = r#"
        pipeline = "fleet"
        [ingest.decode]
        time_unit = "ms"
        [aggregate]
        window = "10s"
        out_of_orderness = "0s"
        close_after = "15m"
        [sink]
        commit_interval = "200ms"
        min_rows = 1
        max_delay = "0s"
        "#;
