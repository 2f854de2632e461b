//! How many events a second one core decodes: `cargo run --release -p atalaia-ingest --no-default-features --example decode_speed`.
//!
//! Each line is the median over short slices of a million records that differ as real ones do, so that other programs
//! on the machine, which take whole slices away, do not count.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::hint::black_box;
use std::time::Instant;

use ingest::decode::{Config, Decoded, Decoder, Format, Shape};

const RECORDS: usize = 1_000_000;
const SLICE: usize = 500;

fn main() -> Result<(), ingest::Error> {
    let json = Config::default();
    let csv = Config {
        format: Format::Csv,
        columns: ["ts", "device", "sensor", "value"].map(str::to_owned).to_vec(),
        ..Config::default()
    };
    let sensors: Vec<String> = (0..10).map(|n| format!("s{n}")).collect();
    let free = Config { shape: Shape::Wide, ..Config::default() };
    let listed = Config { sensors: sensors.clone(), ..free.clone() };

    let plain =
        |n: usize| format!(r#"{{"device":"{}","sensor":"temp","ts":"{}","value":{}}}"#, device(n), time(n), value(n));
    let spaced = |n: usize| {
        format!(
            r#"{{"device": "{}", "sensor": "temp", "ts": {}, "value": {}, "unit": "C"}}"#,
            device(n),
            1_704_067_200_000 + n,
            value(n)
        )
    };
    let any_order = |n: usize| {
        let mut fields = [
            format!(r#""device":"{}""#, device(n)),
            r#""sensor":"temp""#.into(),
            format!(r#""ts":"{}""#, time(n)),
            format!(r#""value":{}"#, value(n)),
        ];
        fields.rotate_left(n % 4);
        fields.swap(0, n / 4 % 4);
        format!("{{{}}}", fields.join(","))
    };
    let array = |n: usize| format!("[{}]", (n..n + 10).map(plain).collect::<Vec<_>>().join(","));
    let row = |n: usize| {
        let fields: String = sensors.iter().zip(n..).map(|(name, n)| format!(r#","{name}":{}"#, value(n))).collect();
        format!(r#"{{"device":"{}","ts":"{}"{fields}}}"#, device(n), time(n))
    };
    let cells = |n: usize| format!("{},{},temp,{}", time(n), device(n), value(n));

    measure("json, one reading", &json, &records(RECORDS, plain))?;
    measure("json, blanks, epoch, a further field", &json, &records(RECORDS, spaced))?;
    measure("json, sixteen orders of fields", &json, &records(RECORDS, any_order))?;
    measure("json, array of ten", &json, &records(RECORDS / 10, array))?;
    measure("json, wide row of ten, listed", &listed, &records(RECORDS / 10, row))?;
    measure("json, wide row of ten, not listed", &free, &records(RECORDS / 10, row))?;
    measure("csv, one reading", &csv, &records(RECORDS, cells))
}

fn device(n: usize) -> String {
    format!("dev-{:04}", n * 7919 % 1000)
}

fn time(n: usize) -> String {
    format!("2024-01-01T{:02}:{:02}:{:02}.{:03}Z", n / 3_600_000 % 24, n / 60_000 % 60, n / 1000 % 60, n % 1000)
}

fn value(n: usize) -> f64 {
    (n * 7919 % 100_000) as f64 / 1000.0
}

fn records(count: usize, record: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(record).collect()
}

fn measure(name: &str, config: &Config, records: &[String]) -> Result<(), ingest::Error> {
    let mut decoder = Decoder::new(config)?;
    let mut seconds = Vec::new();
    let mut events = 0;
    for slice in records.chunks(SLICE) {
        let start = Instant::now();
        for record in slice {
            events += match decoder.decode(black_box(record.as_bytes())) {
                Decoded::One(reading) => {
                    black_box(reading);
                    1
                }
                Decoded::Many(many) => many.iter().map(black_box).count(),
                Decoded::Reject(_) => 0,
            };
        }
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let all = seconds[seconds.len() / 2] * seconds.len() as f64;
    let bytes: usize = records.iter().map(String::len).sum();
    println!(
        "{name:<38} {:>6.2} M events/s {:>6.0} MB/s {:>6} bytes a record",
        events as f64 / all / 1e6,
        bytes as f64 / all / 1e6,
        bytes / records.len()
    );
    Ok(())
}
