//! Small logs as text (`testdata/*.txt`), each entry followed by what came of it. `BLESS=1` rewrites what came.
//!
//! ```text
//! case NAME
//! with SETTING=SECONDS …            (window 60, out_of_orderness 10, close_after 20, max_future_skew 30 unless said)
//! BROKER[ wWALL]: DEVICE[.SENSOR]@TIME[=VALUE] …     a record; `-` no broker time, `!` undecodable, `~` tombstone
//! tick SECONDS | end due | end all | restore | complete_to | counts | not_before SECONDS | drain SECONDS | floor SECONDS
//!   row DEVICE.SENSOR START n=COUNT by CAUSE …       and what else came of the entry above
//! ```

use std::fmt::Write;
use std::path::Path;

use aggregate::{Arrival, Clock, Close, Error, Refusal, Refused, Settings, Windows};
use types::{Micros, Reading};

use crate::support;

#[test]
fn small_logs_come_out_as_written_beside_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).expect("testdata") {
        let path = entry.expect("entry").path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            check(&path);
            checked += 1;
        }
    }
    assert!(checked >= 3, "only {checked} files of cases");
}

fn check(path: &Path) {
    let text = std::fs::read_to_string(path).expect("a file of cases");
    let played = play(&text);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &played).expect("write");
    }
    assert!(
        played == text || std::env::var_os("BLESS").is_some(),
        "{}:\n{}",
        path.display(),
        first_difference(&text, &played)
    );
}

fn first_difference(want: &str, got: &str) -> String {
    let different = want.lines().zip(got.lines()).enumerate().find(|(_, (want, got))| want != got);
    match different {
        Some((number, (want, got))) => format!("line {}\n  want {want}\n  got  {got}", number + 1),
        None => format!("{} lines wanted, {} got", want.lines().count(), got.lines().count()),
    }
}

/// The text with the outcomes as they are now.
fn play(text: &str) -> String {
    let mut out = String::new();
    let mut settings = usual();
    let mut windows = Windows::new(settings);
    let mut position = 0;
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        out.push_str(line);
        out.push('\n');
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "" | "#" => continue,
            "case" => (settings, position) = (usual(), 0),
            "with" => rest.split_whitespace().for_each(|pair| set(&mut settings, pair)),
            "tick" => windows.tick(seconds(rest)),
            "end" => windows.end(if rest == "all" { Close::All } else { Close::Due }),
            "restore" => windows = support::restored(settings, &windows),
            "complete_to" => {
                let facts = windows.snapshot(&mut Vec::new());
                writeln!(out, "  {:?}", facts.complete_to.map(shown)).expect("text");
            }
            "not_before" => said(windows.set_not_before(seconds(rest)), &mut out),
            "drain" => said(windows.drain_until(seconds(rest)), &mut out),
            "floor" => windows = Windows::with_floor(settings, seconds(rest)),
            "counts" => {
                let (devices, series, open) = (windows.devices(), windows.series(), windows.open_windows());
                writeln!(out, "  devices {devices}, series {series}, open windows {open}").expect("text");
                let (tally, drained) = (windows.tally(), windows.is_drained());
                let (left, records) = (tally.left, tally.left_records);
                if windows.boundaries() != Default::default() {
                    writeln!(out, "  left {left}, left records {records}, drained {drained}").expect("text");
                }
            }
            _ => {
                position += 10;
                record(&mut windows, line, position, &mut out);
            }
        }
        if word == "case" || word == "with" {
            windows = Windows::new(settings);
        }
        rows(&mut windows, &mut out);
        assert!(windows.tally().is_conserved(), "{line}");
    }
    out
}

fn usual() -> Settings {
    Settings {
        window: seconds("60"),
        offset: 0,
        clock: Clock::Device,
        out_of_orderness: seconds("10"),
        close_after: seconds("20"),
        max_future_skew: seconds("30"),
        max_past: None,
        device_ttl: None,
        series_max: 1000,
        files: false,
        assume_sorted: false,
    }
}

fn set(settings: &mut Settings, pair: &str) {
    let (name, value) = pair.split_once('=').expect("SETTING=VALUE");
    match name {
        "window" => settings.window = seconds(value),
        "offset" => settings.offset = seconds(value),
        "out_of_orderness" => settings.out_of_orderness = seconds(value),
        "close_after" => settings.close_after = seconds(value),
        "max_future_skew" => settings.max_future_skew = seconds(value),
        "max_past" => settings.max_past = Some(seconds(value)),
        "device_ttl" => settings.device_ttl = Some(seconds(value)),
        "series_max" => settings.series_max = value.parse().expect("a count"),
        "clock" => settings.clock = if value == "partition" { Clock::Partition } else { Clock::Device },
        "files" => settings.files = value == "true",
        "assume_sorted" => settings.assume_sorted = value == "true",
        _ => panic!("unknown setting {name}"),
    }
}

fn record(windows: &mut Windows, line: &str, position: i64, out: &mut String) {
    let (head, body) = line.split_once(':').expect("BROKER: READINGS");
    let mut arrival = Arrival { position, ..Arrival::default() };
    for part in head.split_whitespace() {
        match part.strip_prefix('w') {
            Some(wall) => arrival.wall = Some(seconds(wall)),
            None if part != "-" => arrival.broker_time = Some(seconds(part)),
            None => {}
        }
    }
    match body.trim() {
        "!" if windows.boundaries().until.is_some() => windows.leave(arrival),
        "!" => windows.undecodable(arrival),
        "~" => windows.tombstone(arrival),
        body => observe(windows, arrival, body, out),
    }
}

fn observe(windows: &mut Windows, arrival: Arrival, body: &str, out: &mut String) {
    let readings: Vec<Reading<'_>> = body.split_whitespace().map(reading).collect();
    let mut refused = Vec::new();
    windows.observe(arrival, readings.iter().copied(), &mut refused);
    for Refused { index, what } in refused {
        let Reading { device, sensor, time, .. } = readings[index as usize];
        write!(out, "  {device}.{sensor}@{} ", shown(time)).expect("text");
        match what {
            Refusal::Rejected(reason) => writeln!(out, "rejected {}", reason.as_str()),
            Refusal::Late { window_start, closed_to, closed_by } => {
                let [start, to] = [window_start, closed_to].map(shown);
                writeln!(out, "late for {start}, closed to {to} by {}", closed_by.as_str())
            }
        }
        .expect("text");
    }
}

fn reading(text: &str) -> Reading<'_> {
    let (name, rest) = text.split_once('@').expect("NAME@TIME");
    let (device, sensor) = name.split_once('.').unwrap_or((name, "s"));
    let (time, value) = rest.split_once('=').unwrap_or((rest, "1"));
    let time = match time {
        "min" => Micros::MIN,
        "max" => Micros::MAX,
        time => seconds(time),
    };
    Reading { device, sensor, time, value: value.parse().expect("a value") }
}

fn rows(windows: &mut Windows, out: &mut String) {
    let mut rows = Vec::new();
    support::drain(windows, &mut rows);
    rows.sort_by(|a, b| (&a.device, &a.sensor, a.start).cmp(&(&b.device, &b.sensor, b.start)));
    for row in rows {
        let (name, start) = (format!("{}.{}", row.device, row.sensor), shown(row.start));
        let delta = row.delta.map_or("none".into(), |delta| delta.to_string());
        let support::Row { count, mean, closed_by, .. } = row;
        writeln!(out, "  row {name} {start} n={count} by {} mean={mean} delta={delta}", closed_by.as_str())
            .expect("text");
    }
}

fn said(outcome: Result<(), Error>, out: &mut String) {
    if let Err(error) = outcome {
        writeln!(out, "  {error}; {}", error.hint().expect("a remedy")).expect("text");
    }
}

fn seconds(text: &str) -> Micros {
    (text.parse::<f64>().expect("seconds") * 1e6).round() as Micros
}

fn shown(time: Micros) -> String {
    match time {
        Micros::MIN => "min".into(),
        Micros::MAX => "max".into(),
        time => (time as f64 / 1e6).to_string(),
    }
}
