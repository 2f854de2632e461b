//! Records -> readings, by each of the decoder's paths.

use std::fmt::Write as _;
use std::hint::black_box;

use ingest::decode::{Config, Decoded, Decoder, Format, Shape};
use types::{Micros, Reading};

use crate::Work;
use crate::fleet::{Round, START, json, time_text, value};

const SERIES: usize = 10_000;
const WIDE_FIELDS: usize = 100;
const WIDE_RECORDS: usize = 100;

#[derive(Clone, Copy)]
pub(crate) enum Input {
    /// Records that differ in their scalars only.
    Template,
    /// In each record another field that nobody asked for: no template fits.
    NewShapes,
    /// Every third record has such a field, which makes the decoder learn and unlearn.
    SomeNewShapes,
    Csv,
    WideListed,
    WideUnlisted,
}

pub(crate) struct Decoding {
    decoder: Decoder,
    payloads: Vec<String>,
    events: usize,
}

impl Decoding {
    pub(crate) fn new(input: Input) -> Decoding {
        let config = input.config();
        let decoder = Decoder::new(&config).expect("the settings do not contradict each other");
        let payloads = input.payloads();
        let events = match input {
            Input::WideListed | Input::WideUnlisted => WIDE_RECORDS * WIDE_FIELDS,
            Input::Template | Input::NewShapes | Input::SomeNewShapes | Input::Csv => SERIES,
        };
        Decoding { decoder, payloads, events }
    }
}

impl Work for Decoding {
    fn run(&mut self) {
        let mut events = 0;
        for payload in &self.payloads {
            events += match self.decoder.decode(black_box(payload.as_bytes())) {
                Decoded::One(reading) => {
                    black_box(reading);
                    1
                }
                Decoded::Many(many) => many.iter().map(black_box).count(),
                Decoded::Reject(_) => 0,
            };
        }
        assert_eq!(events, self.events, "all are decoded");
    }

    fn units(&self) -> usize {
        self.events
    }
}

impl Input {
    fn config(self) -> Config {
        let columns = ["ts", "device", "sensor", "value"].map(str::to_owned).to_vec();
        match self {
            Input::Template | Input::NewShapes | Input::SomeNewShapes => Config::default(),
            Input::Csv => Config { format: Format::Csv, columns, ..Config::default() },
            Input::WideListed => Config { shape: Shape::Wide, sensors: wide_sensors(), ..Config::default() },
            Input::WideUnlisted => Config { shape: Shape::Wide, ..Config::default() },
        }
    }

    fn payloads(self) -> Vec<String> {
        let round = Round::new(SERIES);
        let readings = round.readings(START);
        match self {
            Input::Template => readings.map(|reading| plain(&reading)).collect(),
            Input::NewShapes => readings.enumerate().map(|(n, reading)| other(&reading, n)).collect(),
            Input::SomeNewShapes => {
                let text = |(n, reading)| if n % 3 == 2 { other(&reading, n) } else { plain(&reading) };
                readings.enumerate().map(text).collect()
            }
            Input::Csv => readings.map(|reading| row(&reading)).collect(),
            Input::WideListed | Input::WideUnlisted => (0..WIDE_RECORDS).map(|n| wide(n, START)).collect(),
        }
    }
}

fn plain(reading: &Reading<'_>) -> String {
    let mut text = String::new();
    json(reading, &mut text);
    text
}

fn other(reading: &Reading<'_>, n: usize) -> String {
    let Reading { device, sensor, value, .. } = reading;
    let time = time_text(reading.time);
    format!(r#"{{"device":"{device}","sensor":"{sensor}","f{n}":true,"ts":"{time}","value":{value}}}"#)
}

fn row(reading: &Reading<'_>) -> String {
    let Reading { device, sensor, value, .. } = reading;
    format!("{},{device},{sensor},{value}", time_text(reading.time))
}

fn wide_sensors() -> Vec<String> {
    (0..WIDE_FIELDS).map(|n| format!("sensor-{n:02}")).collect()
}

fn wide(device: usize, time: Micros) -> String {
    let mut text = format!(r#"{{"device":"dev-{device:07}","ts":"{}""#, time_text(time));
    for (n, sensor) in (0..).zip(wide_sensors()) {
        write!(text, r#","{sensor}":{}"#, value(n, time)).expect("strings take everything");
    }
    text.push('}');
    text
}
