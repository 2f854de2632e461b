//! The executable specification as a second judge, on a sample of seeds: it is given the log and the journaled wall time.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::fleet::{CLOSE_AFTER, Content, MAX_FUTURE_SKEW, OUT_OF_ORDERNESS, WINDOW};
use crate::oracle::{Expected, Log};

/// The interpreter, if there is one.
pub(crate) fn python() -> Option<&'static str> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let named = std::env::var("ATALAIA_TEST_PYTHON").ok();
        let candidates = named.into_iter().chain(["python3".to_owned()]);
        candidates.into_iter().find(|python| {
            let version = Command::new(python).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        })
    });
    found.as_deref()
}

pub(crate) fn compare(log: &Log<'_>, expected: &Expected, seed: u64) -> Result<(), String> {
    let Some(python) = python() else { return Ok(()) };
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/timespec/timespec.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let text = lines(log).join("\n");
    let mut input = child.stdin.take().ok_or("no input")?;
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    writer.join().map_err(|_| "the writer panicked")?.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("timespec.py ended with {}", output.status));
    }
    let outcome: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).map_err(|error| error.to_string()))
        .collect::<Result<_, _>>()?;
    same(&outcome, expected)
        .map_err(|why| format!("seed {seed}: timespec.py and the simulation's own rules differ: {why}"))
}

fn lines(log: &Log<'_>) -> Vec<String> {
    let config = json!({ "config": {
        "window": WINDOW, "out_of_orderness": OUT_OF_ORDERNESS, "close_after": CLOSE_AFTER,
        "max_future_skew": MAX_FUTURE_SKEW,
    } });
    let mut lines = vec![config.to_string()];
    let mut steps = log.steps.iter().peekable();
    for (position, record) in (0..).zip(log.records) {
        while let Some((_, to)) = steps.next_if(|(at, _)| *at <= position) {
            lines.push(json!({ "tick": to }).to_string());
        }
        let mut line = json!({ "position": position, "broker_time": record.broker_time });
        match &record.content {
            _ if log.set_aside.contains(&position) => line["undecodable"] = "crash_suspect".into(),
            Content::Killer => line["undecodable"] = "too_deep".into(),
            Content::Undecodable(reason) => line["undecodable"] = (*reason).into(),
            Content::Tombstone => line["tombstone"] = true.into(),
            Content::Readings(readings, _) => {
                let readings = readings.iter().map(|r| json!([*r.device, r.sensor, r.time, r.value])).collect();
                line["readings"] = Value::Array(readings);
            }
        }
        lines.push(line.to_string());
    }
    lines.extend(steps.map(|(_, to)| json!({ "tick": to }).to_string()));
    lines.push(json!({ "end": "all" }).to_string());
    lines
}

fn same(outcome: &[Value], expected: &Expected) -> Result<(), String> {
    let of = |kind: &str| outcome.iter().filter(|line| line["kind"] == kind).cloned().collect::<Vec<_>>();
    let key = |device: &str, sensor: &str, start: i64| format!("{device} {sensor} {start}");
    let near = |a: f64, b: &Value| b.as_f64().is_some_and(|b| (a - b).abs() <= 1e-9 * (1.0 + a.abs()));
    let mut rows: Vec<_> = expected.rows.iter().collect();
    rows.sort_by_key(|row| key(&row.device, &row.sensor, row.start));
    let mut theirs = of("row");
    theirs.sort_by_key(|row| {
        key(
            row["device"].as_str().unwrap_or_default(),
            row["sensor"].as_str().unwrap_or_default(),
            row["start"].as_i64().unwrap_or_default(),
        )
    });
    if rows.len() != theirs.len() {
        return Err(format!("{} rows against {}", theirs.len(), rows.len()));
    }
    for (ours, theirs) in rows.iter().zip(&theirs) {
        let fits = theirs["device"] == *ours.device
            && theirs["sensor"] == *ours.sensor
            && theirs["start"] == ours.start
            && theirs["count"] == ours.count
            && theirs["closed_by"] == *ours.closed_by
            && near(ours.sum, &theirs["sum"])
            && near(ours.mean, &theirs["mean"])
            && ours.std.map_or(theirs["std"].is_null(), |std| near(std, &theirs["std"]))
            && ours.delta.map_or(theirs["delta"].is_null(), |delta| near(delta, &theirs["delta"]));
        if !fits {
            return Err(format!("{theirs} against {ours:?}"));
        }
    }
    let mut late: Vec<_> = expected
        .late
        .iter()
        .map(|late| (late.position, i64::from(late.index), late.time + late.late_by, late.closed_by.clone()))
        .collect();
    late.sort();
    let their_late: Vec<_> = of("late")
        .iter()
        .map(|late| {
            let number = |name: &str| late[name].as_i64().unwrap_or_default();
            (
                number("position"),
                number("index"),
                number("closed_to"),
                late["closed_by"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    if late != their_late {
        return Err(format!("late {their_late:?} against {late:?}"));
    }
    let rejected = of("rejected").len();
    let ours = expected.refused.iter().filter(|(reason, _)| *reason == "future").count();
    if rejected == ours { Ok(()) } else { Err(format!("{rejected} rejected against {ours}")) }
}
