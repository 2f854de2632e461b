//! Devices of five sensors each, and what they send: readings for the windows, records for the decoder.

use std::fmt::Write as _;
use std::ops::Range;

use aggregate::{Arrival, Clock, Config, Refused, Settings, Windows};
use ingest::{RawRecord, Records};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use types::{Micros, PartitionId, Reading, Span};

pub const SECOND: Micros = 1_000_000;
/// 2026-01-01T00:00:00Z: windows of any usual width begin here.
pub const START: Micros = 1_767_225_600 * SECOND;

const SENSORS: usize = 5;

/// One reading of each series, in an order that is not that of memory. The names lie as they come, as in records just read.
pub struct Round {
    text: String,
    names: Vec<Name>,
}

struct Name {
    device: Range<usize>,
    sensor: Range<usize>,
    /// What the values are made from.
    number: u64,
}

impl Round {
    #[must_use]
    pub fn new(series: usize) -> Round {
        let mut numbers: Vec<usize> = (0..series).collect();
        let mut random = ChaCha8Rng::seed_from_u64(series as u64);
        for at in (1..series).rev() {
            numbers.swap(at, random.next_u64() as usize % (at + 1));
        }
        let (mut text, mut names) = (String::new(), Vec::with_capacity(series));
        for number in numbers {
            let start = text.len();
            write!(text, "dev-{:07}", number / SENSORS).expect("strings take everything");
            let between = text.len();
            write!(text, "sensor-{}", number % SENSORS).expect("strings take everything");
            names.push(Name { device: start..between, sensor: between..text.len(), number: number as u64 });
        }
        Round { text, names }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// All at `time`; the values differ from time to time.
    pub fn readings(&self, time: Micros) -> impl ExactSizeIterator<Item = Reading<'_>> {
        self.names.iter().map(move |name| Reading {
            device: &self.text[name.device.clone()],
            sensor: &self.text[name.sensor.clone()],
            time,
            value: value(name.number, time),
        })
    }

    /// The same as JSON records that the broker took a little later.
    #[must_use]
    pub fn records(&self, time: Micros) -> Records {
        let mut records = Records::new(PartitionId { topic: "readings".into(), index: 0 });
        let mut payload = String::new();
        for (position, reading) in (0..).zip(self.readings(time)) {
            payload.clear();
            json(&reading, &mut payload);
            records.push(RawRecord {
                position,
                broker_time: Some(time + SECOND / 10),
                key: reading.device.as_bytes(),
                payload: Some(payload.as_bytes()),
            });
        }
        records
    }
}

/// Hundredths between 20 and 24, as sensors send them.
#[must_use]
pub fn value(number: u64, time: Micros) -> f64 {
    let noise = (number ^ time as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let noise = (noise ^ (noise >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
    (2000 + noise % 400) as f64 / 100.0
}

pub fn json(reading: &Reading<'_>, out: &mut String) {
    let Reading { device, sensor, value, .. } = reading;
    let time = time_text(reading.time);
    write!(out, r#"{{"device":"{device}","sensor":"{sensor}","ts":"{time}","value":{value}}}"#)
        .expect("strings take everything");
}

/// RFC 3339, for times on the first day.
#[must_use]
pub fn time_text(time: Micros) -> String {
    let millis = (time - START) / 1000;
    let (seconds, millis) = (millis / 1000, millis % 1000);
    format!("2026-01-01T{:02}:{:02}:{:02}.{millis:03}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[must_use]
pub fn settings(window: Span, clock: Clock) -> Settings {
    let config = Config { window, clock, out_of_orderness: Span::from_secs(2), ..Config::default() };
    config.settings(false, false).expect("they do not contradict each other")
}

/// One record for each reading.
pub fn observe<'a>(windows: &mut Windows, readings: impl Iterator<Item = Reading<'a>>, refused: &mut Vec<Refused>) {
    for (position, reading) in (0..).zip(readings) {
        let broker_time = reading.time + SECOND / 10;
        let arrival = Arrival { position, broker_time: Some(broker_time), wall: Some(broker_time + SECOND / 10) };
        windows.observe(arrival, std::iter::once(reading), refused);
    }
}
