//! Records as JSON and CSV, and the truth beside them.

use std::io::{self, Write};

use types::Micros;

use super::fleet::Fleet;
use super::schedule::Episode;
use super::stream::{Content, Damage, Event};

const DAY: Micros = 86_400_000_000;

/// Writes records as bytes: `{"device":"device-0007","sensor":"flow","ts":"2026-01-05T00:00:12.000Z","value":118.25}`.
pub struct Encoder {
    fleet: Fleet,
    /// The last day written, as text: most records are of the same one.
    day: Option<(i64, String)>,
}

impl Encoder {
    #[must_use]
    pub fn new(fleet: &Fleet) -> Self {
        Encoder { fleet: fleet.clone(), day: None }
    }

    /// The line that a CSV file begins with.
    pub const CSV_HEADER: &'static str = "device,sensor,ts,value";

    /// Appends the device's id: the record's key.
    pub fn key(&self, event: &Event, out: &mut Vec<u8>) {
        self.fleet.0.write_device_name(event.device, out);
    }

    /// Appends the record as a JSON object, without an end of line.
    pub fn json(&mut self, event: &Event, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(b"{\"device\":\"");
        self.key(event, out);
        out.extend_from_slice(b"\",\"sensor\":\"");
        // Names hold no character that JSON would escape: the configuration sees to it.
        out.extend_from_slice(self.fleet.sensor_name(event.sensor).as_bytes());
        out.extend_from_slice(b"\",\"ts\":\"");
        self.time(event, out);
        out.push(b'"');
        match event.content {
            Content::Malformed(Damage::MissingValue) => {}
            Content::Malformed(Damage::TextValue) => out.extend_from_slice(b",\"value\":\"n/a\""),
            _ => {
                out.extend_from_slice(b",\"value\":");
                decimal(event.shown, event.decimals, out);
            }
        }
        out.push(b'}');
        if event.content == Content::Malformed(Damage::Cut) {
            out.truncate(start + (out.len() - start) / 2);
        }
    }

    /// Appends the record as a line of CSV, without its end.
    pub fn csv(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.key(event, out);
        out.push(b',');
        out.extend_from_slice(self.fleet.sensor_name(event.sensor).as_bytes());
        if event.content == Content::Malformed(Damage::Cut) {
            return;
        }
        out.push(b',');
        self.time(event, out);
        out.push(b',');
        match event.content {
            Content::Malformed(Damage::MissingValue) => {}
            Content::Malformed(Damage::TextValue) => out.extend_from_slice(b"n/a"),
            _ => decimal(event.shown, event.decimals, out),
        }
    }

    fn time(&mut self, event: &Event, out: &mut Vec<u8>) {
        if event.content == Content::Malformed(Damage::BadTime) {
            out.extend_from_slice(b"yesterday");
            return;
        }
        let day = event.time.div_euclid(DAY);
        if self.day.as_ref().is_none_or(|(known, _)| *known != day) {
            self.day = Some((day, date(day)));
        }
        if let Some((_, text)) = &self.day {
            out.extend_from_slice(text.as_bytes());
        }
        clock_time(event.time, out);
    }
}

/// Writes the truth as `device,sensor,kind,start,end` with RFC 3339 times; `end` does not belong to the episode. Without a
/// sensor it is about all of the device's.
///
/// # Errors
/// If the output takes no more.
pub fn write_truth_csv(episodes: &[Episode], mut out: impl Write) -> io::Result<()> {
    writeln!(out, "device,sensor,kind,start,end")?;
    for Episode { device, sensor, kind, from, to } in episodes {
        let sensor = sensor.as_deref().unwrap_or_default();
        writeln!(out, "{device},{sensor},{},{},{}", kind.as_str(), rfc3339(*from), rfc3339(*to))?;
    }
    out.flush()
}

/// Writes the truth as JSON lines with the same names.
///
/// # Errors
/// If the output takes no more.
pub fn write_truth_jsonl(episodes: &[Episode], mut out: impl Write) -> io::Result<()> {
    for Episode { device, sensor, kind, from, to } in episodes {
        let (kind, start, end) = (kind.as_str(), rfc3339(*from), rfc3339(*to));
        let line = serde_json::json!({
            "device": device, "sensor": sensor, "kind": kind, "start": start, "end": end,
        });
        writeln!(out, "{line}")?;
    }
    out.flush()
}

fn rfc3339(time: Micros) -> String {
    let mut text = date(time.div_euclid(DAY)).into_bytes();
    clock_time(time, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// `2026-01-05T`.
fn date(day: i64) -> String {
    let midnight = jiff::Timestamp::from_second(day.saturating_mul(86_400)).unwrap_or_default();
    let date = jiff::tz::Offset::UTC.to_datetime(midnight).date();
    format!("{date}T")
}

/// `06:30:00.125Z`.
fn clock_time(time: Micros, out: &mut Vec<u8>) {
    let millis = time.rem_euclid(DAY) / 1000;
    let mut digits = |mut number: i64, width: usize, after: u8| {
        let start = out.len();
        out.resize(start + width, b'0');
        for slot in out[start..].iter_mut().rev() {
            *slot = b'0' + (number % 10) as u8;
            number /= 10;
        }
        out.push(after);
    };
    digits(millis / 3_600_000, 2, b':');
    digits(millis / 60_000 % 60, 2, b':');
    digits(millis / 1000 % 60, 2, b'.');
    digits(millis % 1000, 3, b'Z');
}

/// A whole number of the last digit as a decimal number: 2150 with 2 digits is `21.50`.
fn decimal(shown: i64, decimals: u8, out: &mut Vec<u8>) {
    let steps = 10_u64.pow(u32::from(decimals));
    let magnitude = shown.unsigned_abs();
    let sign = if shown < 0 { "-" } else { "" };
    let width = usize::from(decimals);
    let (whole, part) = (magnitude / steps, magnitude % steps);
    // Writing to memory does not fail.
    let _ = write!(out, "{sign}{whole}.{part:0width$}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_jiff_reads_them() {
        for time in [0, 1_767_571_200_000_000, 1_767_571_261_125_000, 253_402_127_999_000_000, 951_782_400_999_000] {
            let text = rfc3339(time);
            assert_eq!(text.len(), 24, "{text}");
            assert_eq!(text.parse::<jiff::Timestamp>().expect(&text).as_microsecond(), time);
        }
    }

    #[test]
    fn decimals_read_as_the_value() {
        for (shown, decimals, text) in [(2150, 2, "21.50"), (-5, 3, "-0.005"), (0, 1, "0.0"), (14_803, 1, "1480.3")] {
            let mut out = Vec::new();
            decimal(shown, decimals, &mut out);
            assert_eq!(out, text.as_bytes());
            let value: f64 = text.parse().expect(text);
            assert_eq!(value.to_bits(), (shown as f64 / 10_f64.powi(i32::from(decimals))).to_bits(), "{text}");
        }
    }
}
