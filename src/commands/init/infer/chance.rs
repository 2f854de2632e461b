//! Samples made by chance: whatever names, shapes and noise a fleet has, what is inferred reads exactly the readings that it sent. And
//! bytes that mean nothing are told as such, and never more.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ingest::decode::{Decoded, Decoder};
use ingest::{Given, Records};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use types::PartitionId;

use super::*;

const DEVICES: &[&str] =
    &["device", "deviceId", "device_id", "asset", "Machine", "machineName", "equipment-id", "deviceid", "turbine"];
const SENSORS: &[&str] =
    &["sensor", "sensorId", "tag", "Tag Name", "metric", "signal", "channel", "measurement", "parameter"];
const TIMES: &[&str] = &["ts", "time", "timestamp", "eventTime", "measured_at", "DateTime", "source.timestamp", "t"];
const VALUES: &[&str] = &["value", "val", "Value", "v", "reading"];
const QUANTITIES: &[&str] =
    &["temperature", "pressure", "flow rate", "x", "Größe", "a.b", "rpm", "co2", "quote\"d", "tab\there"];
const WORDS: &[&str] =
    &["site", "comment", "unit", "status", "operator", "fw.version", "naïve", "\u{1b}[31mred", "back\\slash", "#hash"];
const START: i64 = 1_767_571_200;

type Sent = BTreeSet<(String, String, i64, u64)>;

struct Fleet {
    chance: ChaCha8Rng,
}

/// What a fleet sent, and how.
struct Log {
    lines: Vec<String>,
    sent: Sent,
}

#[derive(Clone)]
struct Names {
    device: String,
    sensor: String,
    time: String,
    value: String,
}

impl Fleet {
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.chance.random_range(0..of.len())]
    }

    fn coin(&mut self) -> bool {
        self.chance.random_range(0..2) == 0
    }

    fn some(&mut self, of: &[&str], count: usize) -> Vec<String> {
        let mut left: Vec<&str> = of.to_vec();
        (0..count).map(|_| left.swap_remove(self.chance.random_range(0..left.len())).to_owned()).collect()
    }

    fn names(&mut self) -> Names {
        Names {
            device: self.pick(DEVICES).into(),
            sensor: self.pick(SENSORS).into(),
            time: self.pick(TIMES).into(),
            value: self.pick(VALUES).into(),
        }
    }

    /// A time as some producer writes it.
    fn time(form: usize, seconds: i64) -> Value {
        match form {
            0 => json!(seconds),
            1 => json!(seconds * 1000),
            2 => json!(seconds * 1_000_000),
            3 => json!(jiff::Timestamp::from_second(seconds).expect("a time").to_string()),
            _ => json!(seconds.to_string()),
        }
    }

    /// Fields that are none of a reading's parts, with values that change or do not.
    fn noise(&mut self) -> Vec<(String, bool)> {
        let count = self.chance.random_range(0..4);
        self.some(WORDS, count).into_iter().map(|name| (name, self.coin())).collect()
    }

    fn log(&mut self) -> Log {
        let (names, wide, csv) = (self.names(), self.coin(), self.coin());
        let form = self.chance.random_range(0..if csv { 4 } else { 5 });
        let (devices, steps) = (self.chance.random_range(1..5), self.chance.random_range(5..20));
        let count = self.chance.random_range(if wide { 1..5 } else { 2..5 });
        let sensors = self.some(QUANTITIES, count);
        let noise = self.noise();
        let (arrives, as_text) = (self.coin(), self.coin() && !wide);
        let mut log = Log { lines: Vec::new(), sent: Sent::new() };
        let mut rows: Vec<Vec<(String, Value)>> = Vec::new();
        for step in 0..steps {
            for device in 0..devices {
                let id = format!("pump-{device}");
                let seconds = START + step * 10 + device;
                let time = Fleet::time(form, seconds);
                let mut values: Vec<f64> = Vec::new();
                for sensor in &sensors {
                    let value = self.chance.random_range(-10_000..10_000) as f64 / 8.0 + 0.015_625;
                    values.push(value);
                    log.sent.insert((id.clone(), sensor.clone(), seconds * 1_000_000, value.to_bits()));
                }
                let mut around = vec![(names.device.clone(), json!(id)), (names.time.clone(), time)];
                if arrives {
                    around.push(("enqueuedTimeUtc".into(), Fleet::time(3, seconds + 7)));
                }
                let changes = self.chance.random_range(0..1_000_000);
                around.extend(noise.iter().map(|(name, varies)| {
                    (name.clone(), if *varies { json!(format!("n{changes}")) } else { json!("same") })
                }));
                if wide {
                    around.extend(sensors.iter().cloned().zip(values.into_iter().map(|value| json!(value))));
                    rows.push(around);
                } else {
                    for (sensor, value) in sensors.iter().zip(values) {
                        let mut row = around.clone();
                        row.insert(1, (names.sensor.clone(), json!(sensor)));
                        row.push((names.value.clone(), if as_text { json!(value.to_string()) } else { json!(value) }));
                        rows.push(row);
                    }
                }
            }
        }
        if csv {
            self.csv(&mut log, &rows);
        } else {
            self.json(&mut log, rows);
        }
        log
    }

    fn json(&mut self, log: &mut Log, rows: Vec<Vec<(String, Value)>>) {
        let objects: Vec<Value> =
            rows.into_iter().map(|row| Value::Object(row.into_iter().collect::<Map<_, _>>())).collect();
        let batch = if self.coin() { 1 } else { self.chance.random_range(2..6) };
        for objects in objects.chunks(batch) {
            log.lines.push(if batch == 1 { objects[0].to_string() } else { json!(objects).to_string() });
            if self.chance.random_range(0..12) == 0 {
                log.lines.push("{\"device\": \"pump-0\", ".into());
            }
        }
    }

    fn csv(&mut self, log: &mut Log, rows: &[Vec<(String, Value)>]) {
        let delimiter = [',', ';', '\t', '|'][self.chance.random_range(0..4)];
        let cell = |text: &str| {
            let plain = !text.contains([',', ';', '\t', '|', '"', '\n']);
            if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
        };
        let row = |cells: Vec<String>| cells.join(&delimiter.to_string());
        log.lines.push(row(rows[0].iter().map(|(name, _)| cell(name)).collect()));
        for cells in rows {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            log.lines.push(row(cells.iter().map(|(_, value)| cell(&text(value))).collect()));
        }
    }
}

fn samples(lines: &[String]) -> Vec<Sample> {
    lines.iter().map(|line| Sample { payload: line.clone().into_bytes(), ..Sample::default() }).collect()
}

/// All readings of the lines, under these settings.
fn decoded(config: &Config, lines: &[String]) -> Sent {
    let mut decoder = Decoder::new(config).expect("the settings agree");
    let is_csv = config.format == Format::Csv;
    // Names and delimiters stand in quotes where they have to: what the columns are called, the guess has to know.
    let header =
        is_csv.then(|| csv::read(&lines.iter().map(String::as_str).collect::<Vec<_>>(), true).expect("rows").columns);
    decoder.begin(&Records::new(PartitionId { topic: "t".into(), index: 0 }).with_columns(header.map(Into::into)));
    let mut found = Sent::new();
    for line in lines.iter().skip(usize::from(is_csv)) {
        let mut add = |reading: types::Reading<'_>| {
            found.insert((reading.device.into(), reading.sensor.into(), reading.time, reading.value.to_bits()));
        };
        match decoder.decode_given(line.as_bytes(), Given::default()) {
            Decoded::One(reading) => add(reading),
            Decoded::Many(many) => many.iter().for_each(|(_, reading)| add(reading)),
            Decoded::Reject(_) => {}
        }
    }
    found
}

fn context(config: &Config) -> Context<'_> {
    Context { lines: true, decode: config, name: "fleet" }
}

#[test]
fn what_is_inferred_reads_exactly_what_was_sent() {
    let mut wrong = Vec::new();
    for seed in 0..200 {
        let log = Fleet { chance: ChaCha8Rng::seed_from_u64(seed) }.log();
        let shown = || {
            log.lines.iter().take(4).fold(format!("seed {seed}\n"), |mut text, line| {
                let _ = writeln!(text, "{}", line.chars().take(400).collect::<String>());
                text
            })
        };
        match infer(&samples(&log.lines), &context(&Config::default())) {
            Err(error) => wrong.push(format!("{error}\n{}", shown())),
            Ok(guess) if decoded(&guess.decode, &log.lines) != log.sent => {
                wrong.push(format!("{}\n{}", shown(), guess.as_toml()));
            }
            Ok(guess) => {
                assert_eq!(guess.tally.readings, log.sent.len(), "{}", shown());
                assert_eq!(tests::as_written(&guess), guess.decode, "{}", shown());
            }
        }
    }
    assert!(wrong.is_empty(), "{} of 200:\n{}", wrong.len(), wrong[..wrong.len().min(6)].join("\n"));
}

#[test]
fn no_sample_makes_it_panic_and_what_it_writes_can_be_read() {
    let mut guessed = 0;
    for seed in 0..200 {
        let mut fleet = Fleet { chance: ChaCha8Rng::seed_from_u64(seed) };
        let mut lines: Vec<Vec<u8>> = fleet.log().lines.into_iter().map(String::into_bytes).collect();
        for _ in 0..fleet.chance.random_range(1..60) {
            let at = fleet.chance.random_range(0..lines.len());
            let line = &mut lines[at];
            let place = fleet.chance.random_range(0..=line.len());
            match fleet.chance.random_range(0..4) {
                0 => line.truncate(place),
                1 => line.insert(place, fleet.chance.random_range(0..=255)),
                2 => line.splice(place..place, b"{\"a\":[[[{\"\\u0000\":1e999}]]],".iter().copied()).for_each(drop),
                _ => lines.truncate(at + 1),
            }
        }
        let samples: Vec<Sample> = lines.into_iter().map(|payload| Sample { payload, ..Sample::default() }).collect();
        for lines in [true, false] {
            match infer(&samples, &Context { lines, ..context(&Config::default()) }) {
                Ok(guess) => {
                    assert_eq!(tests::as_written(&guess), guess.decode, "seed {seed}");
                    guessed += 1;
                }
                Err(error) => assert!(!error.to_string().chars().any(char::is_control), "seed {seed}: {error:?}"),
            }
        }
    }
    assert!(guessed > 50, "{guessed}");
}

#[test]
fn deep_wide_and_endless_records_are_looked_at_in_bounds() {
    let wide: Map<String, Value> = (0..5000).map(|n| (format!("f{n}"), json!(n))).collect();
    let deep = format!("{}1{}", "{\"a\":".repeat(120), "}".repeat(120));
    for line in [Value::Object(wide).to_string(), deep, "[".repeat(100_000), "a,".repeat(1 << 20), "9".repeat(1 << 20)]
    {
        let sample = samples(&[line.clone(), line]);
        assert!(infer(&sample, &context(&Config::default())).is_err());
    }
}

#[test]
fn nothing_private_is_quoted() {
    let line = |n: u32| {
        format!(
            "{{\"deviceToken\":\"hunter{n}\",\"password\":\"swordfish\",\"ts\":{},\"temp\":{n}.5}}",
            START + i64::from(n)
        )
    };
    let lines: Vec<String> = (0..20).map(line).collect();
    let guess = infer(&samples(&lines), &context(&Config::default())).expect("a guess");
    let text = guess.as_toml();
    assert!(
        !text.contains("hunter") && !text.contains("swordfish") && !text.to_lowercase().contains("token"),
        "{text}"
    );
    assert_eq!(guess.decode.device_name.as_deref(), Some("fleet"));
}

#[test]
fn two_that_are_as_likely_are_both_told() {
    let line = |n: i64| {
        format!("{{\"left\":\"a{}\",\"right\":\"b{}\",\"ts\":{},\"value\":{n}.5}}", n % 3, n / 3 % 3, START + n)
    };
    let lines: Vec<String> = (0..27).map(line).collect();
    let guess = infer(&samples(&lines), &context(&Config::default())).expect("a guess");
    let told: BTreeSet<&str> = guess.ambiguities().map(|(choice, _)| choice.key).collect();
    assert!(!told.is_empty(), "{}", guess.as_toml());
}
