//! Stretches of time that are not trained on: known faults, labels, quarantined intervals.
//!
//! A CSV file with a header (`device,from,to`; without `device` they hold for all; `start` and `end` are as good), or a JSON array of objects with these fields
//! or of pairs `[from, to]`. A window counts only if it does not touch any of them.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use types::Micros;

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Excluded {
    of_all: Vec<(Micros, Micros)>,
    of_device: HashMap<String, Vec<(Micros, Micros)>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Interval {
    Pair([String; 2]),
    Named {
        #[serde(default)]
        device: Option<String>,
        #[serde(alias = "start")]
        from: String,
        #[serde(alias = "end")]
        to: String,
    },
}

impl Excluded {
    pub(crate) fn read(file: &Path) -> anyhow::Result<Excluded> {
        let shown = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("read the intervals in `{shown}`"))?;
        let is_json = text.trim_start_matches('\u{feff}').trim_start().starts_with('[');
        let intervals = if is_json { of_json(&text) } else { of_csv(&text) };
        intervals.and_then(Excluded::of).with_context(|| format!("read the intervals in `{shown}`"))
    }

    fn of(intervals: Vec<Interval>) -> anyhow::Result<Excluded> {
        let mut excluded = Excluded::default();
        for interval in intervals {
            let (device, from, to) = match interval {
                Interval::Pair([from, to]) => (None, from, to),
                Interval::Named { device, from, to } => (device.filter(|device| !device.is_empty()), from, to),
            };
            let (start, end) = (time(&from)?, time(&to)?);
            if end < start {
                bail!("an interval ends before it begins: from `{from}` to `{to}`");
            }
            match device {
                Some(device) => excluded.of_device.entry(device).or_default().push((start, end)),
                None => excluded.of_all.push((start, end)),
            }
        }
        Ok(excluded)
    }

    /// Whether the window from `start` up to `end` touches an interval of the device.
    pub(crate) fn touches(&self, device: &str, start: Micros, end: Micros) -> bool {
        let of_device = self.of_device.get(device).into_iter().flatten();
        of_device.chain(&self.of_all).any(|&(from, to)| from < end && start <= to)
    }
}

fn of_json(text: &str) -> anyhow::Result<Vec<Interval>> {
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .context("as JSON: an array of objects with `from`, `to` and perhaps `device`, or of pairs")
}

fn of_csv(text: &str) -> anyhow::Result<Vec<Interval>> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
    let header = lines.next().context("the file is empty")?;
    let delimiter = if header.contains(';') { ';' } else { ',' };
    let cells = |line: &str| -> Vec<String> {
        line.split(delimiter).map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
    };
    let names = cells(header);
    let column = |name: &str| names.iter().position(|column| column == name);
    let (Some(from), Some(to)) = (column("from").or(column("start")), column("to").or(column("end"))) else {
        bail!(
            "its first line is `{header}`: it must name the columns `from` and `to` (or `start` and `end`), and perhaps `device`"
        );
    };
    let device = column("device");
    let interval = |line: &str| {
        let cells = cells(line);
        let cell = |at: usize| cells.get(at).cloned().with_context(|| format!("the line `{line}` is too short"));
        Ok(Interval::Named { device: device.map(&cell).transpose()?, from: cell(from)?, to: cell(to)? })
    };
    lines.map(interval).collect()
}

/// RFC 3339, or without zone: UTC then.
pub(super) fn time(text: &str) -> anyhow::Result<Micros> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_microsecond());
    }
    let civil: DateTime = text.parse().with_context(|| format!("`{text}` is not a time like 2026-01-31T06:00:00Z"))?;
    Ok(TimeZone::UTC.to_timestamp(civil)?.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Micros = 3_600_000_000;

    #[test]
    fn both_formats_say_the_same() {
        let csv = "device,from,to\n\"pump\",1970-01-01T01:00:00Z,1970-01-01T02:00:00Z\n,1970-01-01 05:00:00.000000,1970-01-01 06:00:00\n";
        let json = r#"[{"device":"pump","from":"1970-01-01T01:00:00Z","to":"1970-01-01T02:00:00Z"},["1970-01-01T05:00:00Z","1970-01-01T06:00:00Z"]]"#;
        let excluded = of_csv(csv).and_then(Excluded::of).expect("intervals");
        assert_eq!(excluded, of_json(json).and_then(Excluded::of).expect("intervals"));
        // As `atalaia simulate --truth` and labels have them.
        let other_names = csv.replace("from,to", "start,end");
        assert_eq!(excluded, of_csv(&other_names).and_then(Excluded::of).expect("intervals"));
        let other_names = json.replace("\"from\"", "\"start\"").replace("\"to\"", "\"end\"");
        assert_eq!(excluded, of_json(&other_names).and_then(Excluded::of).expect("intervals"));
        for (device, start, end, touches) in [
            ("pump", 0, HOUR, false),
            ("pump", 0, HOUR + 1, true),
            ("pump", 2 * HOUR, 3 * HOUR, true),
            ("pump", 2 * HOUR + 1, 3 * HOUR, false),
            ("fan", HOUR, 2 * HOUR, false),
            ("fan", 5 * HOUR, 6 * HOUR, true),
        ] {
            assert_eq!(excluded.touches(device, start, end), touches, "{device} {start}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (csv, expected) in [
            ("", "the file is empty"),
            ("begin,to\n", "its first line is `begin,to`"),
            ("from,to\n1970-01-01T01:00:00Z\n", "is too short"),
            ("from,to\nyesterday,today\n", "`yesterday` is not a time"),
            ("from,to\n1970-01-02T00:00:00Z,1970-01-01T00:00:00Z\n", "ends before it begins"),
        ] {
            let error = of_csv(csv).and_then(Excluded::of).expect_err(expected);
            assert!(format!("{error:#}").contains(expected), "{error:#}");
        }
    }
}
