//! What to do about a record that is refused: said of the record at hand where it shows what is the matter, else as
//! [`Reason::remedy`] says it of all.

use ingest::decode::{Config, Path, Shape, TimeUnit};
use serde_json::{Map, Value};
use strsim::damerau_levenshtein;
use types::{Micros, Reason};

use super::record::{LATE, reason};
use crate::commands::output::escaped;

/// What is known of one thing refused.
pub(super) struct Case<'a> {
    pub(super) reason: &'a str,
    pub(super) detail: &'a str,
    pub(super) payload: &'a [u8],
    /// Of a reading, its time and when it arrived, if the rules of time refused it.
    pub(super) ahead: Option<Micros>,
}

pub(super) fn remedy(case: &Case<'_>, decode: &Config) -> String {
    if case.reason == LATE {
        return "if devices may be so late, raise `aggregate.out_of_orderness`; late readings are kept, in the dataset `late`"
            .into();
    }
    let Some(reason) = reason(case.reason) else { return String::new() };
    let special = match reason {
        Reason::InvalidJson => not_json(case.payload),
        Reason::InvalidCsv => not_csv(case.payload, decode),
        Reason::BadTime => bad_time(case, decode),
        Reason::MissingField => missing_field(case, decode),
        Reason::Future => local_time(case),
        Reason::BadValue | Reason::WrongType => no_sensor(case, decode),
        _ => None,
    };
    special.unwrap_or_else(|| reason.remedy().to_owned())
}

fn not_json(payload: &[u8]) -> Option<String> {
    Some(match payload {
        [b'O', b'b', b'j', 1, ..] => {
            "this is an Avro file: give it to `ingest.files.path` as a file of its own, not as a record".into()
        }
        [0x1f, 0x8b, ..] => "this is compressed with gzip: records are read as they are".into(),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "this is compressed with zstd: records are read as they are".into(),
        [0, _, _, _, _, ..] => {
            "this looks like Avro or Protobuf behind a schema registry's mark, which is not read: let the producer send \
             JSON or CSV"
                .into()
        }
        [b'{' | b'[', ..] | [] => return None,
        _ if delimiter(payload).is_some() => "this looks like CSV: set `ingest.decode.format = \"csv\"`".into(),
        _ => return None,
    })
}

fn not_csv(payload: &[u8], decode: &Config) -> Option<String> {
    if matches!(payload, [b'{' | b'[', ..]) {
        return Some("this is JSON: set `ingest.decode.format = \"json\"`".into());
    }
    let delimiter = delimiter(payload).filter(|delimiter| *delimiter != decode.delimiter)?;
    let has_ours = payload.contains(&u8::try_from(decode.delimiter).ok()?);
    (!has_ours)
        .then(|| format!("fields seem to be divided by {delimiter:?}: set `ingest.decode.delimiter = {delimiter:?}`"))
}

/// What divides the fields of a line, by its looks.
fn delimiter(payload: &[u8]) -> Option<char> {
    let line = payload.split(|byte| *byte == b'\n').next()?;
    let count = |mark: char| line.iter().filter(|byte| char::from(**byte) == mark).count();
    let most = [',', ';', '\t', '|'].into_iter().max_by_key(|mark| count(*mark))?;
    (count(most) > 0).then_some(most)
}

fn bad_time(case: &Case<'_>, decode: &Config) -> Option<String> {
    let mut quoted = case.detail.split('`');
    let field = quoted.nth(1)?.to_owned();
    let text = quoted.nth(1)?;
    let number: f64 = match text.trim().parse() {
        Ok(number) => number,
        Err(_) => {
            let property = decode.time_property.is_some();
            return Some(format!(
                "write times as `2026-01-31T06:00:00Z` or as an epoch number, {}or name the field that holds such a time in `{}`",
                if property { "" } else { "say how they are written in `ingest.decode.time_format`, " },
                if property { "ingest.decode.time_property" } else { "ingest.decode.time" }
            ));
        }
    };
    let unit = unit_of(number)?;
    (unit != decode.time_unit)
        .then(|| format!("`{field}` holds {}? set `ingest.decode.time_unit = \"{}\"`", words(unit), short(unit)))
}

/// The unit in which an epoch number is a time of our days.
fn unit_of(number: f64) -> Option<TimeUnit> {
    Some(match number.abs() {
        n if n < 1e8 => return None,
        n if n < 1e11 => TimeUnit::S,
        n if n < 1e14 => TimeUnit::Ms,
        n if n < 1e17 => TimeUnit::Us,
        _ => TimeUnit::Ns,
    })
}

fn words(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Auto => "numbers of any unit",
        TimeUnit::S => "seconds",
        TimeUnit::Ms => "milliseconds",
        TimeUnit::Us => "microseconds",
        TimeUnit::Ns => "nanoseconds",
    }
}

fn short(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Auto => "auto",
        TimeUnit::S => "s",
        TimeUnit::Ms => "ms",
        TimeUnit::Us => "us",
        TimeUnit::Ns => "ns",
    }
}

/// Of times that were taken, and lie where no device of today was: the unit that would bring them into our days.
pub(super) fn wrong_unit(time: Micros, decode: &Config) -> Option<String> {
    const YEAR: Micros = 365 * 86_400 * 1_000_000;
    let is_of_our_days = |time: Micros| (30 * YEAR..80 * YEAR).contains(&time);
    let coarser = [TimeUnit::Ns, TimeUnit::Us, TimeUnit::Ms, TimeUnit::S];
    let place = coarser.iter().position(|unit| *unit == decode.time_unit)?;
    let mut scaled = time;
    for unit in &coarser[place + 1..] {
        scaled = scaled.saturating_mul(1000);
        if !is_of_our_days(time) && is_of_our_days(scaled) {
            return Some(format!(
                "times lie near 1970: do they hold {}? set `ingest.decode.time_unit = \"{}\"`",
                words(*unit),
                short(*unit)
            ));
        }
    }
    None
}

/// A clock that is wrong by whole quarters of an hour is a clock of another zone.
fn local_time(case: &Case<'_>) -> Option<String> {
    const QUARTER: Micros = 15 * 60 * 1_000_000;
    const SLACK: Micros = 60 * 1_000_000;
    let ahead = case.ahead.filter(|ahead| (2 * QUARTER..=14 * 4 * QUARTER).contains(ahead))?;
    // How far from a whole number of quarters.
    let off = (ahead + QUARTER / 2).rem_euclid(QUARTER) - QUARTER / 2;
    (off.abs() < SLACK).then(|| {
        "is it local time without its offset? it is taken as UTC: let the producer write the offset, as in \
         `2026-01-31T06:00:00+01:00`"
            .into()
    })
}

/// A field of a wide record that is taken for a sensor because nobody said which ones are, or a number with another decimal mark.
fn no_sensor(case: &Case<'_>, decode: &Config) -> Option<String> {
    if case.detail.contains("a decimal comma?") {
        return Some("set `ingest.decode.decimal = \",\"`".into());
    }
    if decode.shape == Shape::Long || !decode.sensors.is_empty() {
        return (case.reason == Reason::BadValue.as_str()).then(|| "only finite numbers are values".into());
    }
    let field = case.detail.split('`').nth(1)?;
    Some(format!(
        "if `{field}` is no sensor, add it to `ingest.decode.ignore`, or list those that are in `ingest.decode.sensors`"
    ))
}

fn missing_field(case: &Case<'_>, decode: &Config) -> Option<String> {
    let name = case.detail.split('`').nth(1)?;
    let dotted = |path: &Path| match path {
        Path::Dotted(text) => text.clone(),
        Path::Keys(keys) => keys.join("."),
    };
    let roles = [
        ("device", dotted(&decode.device), &["id", "machine", "asset", "unit"][..]),
        ("sensor", dotted(&decode.sensor), &["tag", "name", "metric", "signal", "channel", "measurement"]),
        ("time", dotted(&decode.time), &["time", "timestamp", "datetime", "date", "at"]),
        ("value", dotted(&decode.value), &["val", "reading", "measurement", "v"]),
    ];
    let (role, _, synonyms) = roles.iter().find(|(_, path, _)| path == name)?;
    let fields = fields(case.payload)?;
    // `lib.device_id` is compared by its last part.
    let plain = |text: &str| text.rsplit('.').next().unwrap_or(text).to_lowercase().replace(['_', '-'], "");
    let wanted = plain(name);
    let distance = |field: &String| {
        let field = plain(field);
        let known = synonyms.contains(&field.as_str()) || field.starts_with(role) || field == *role;
        let letters = damerau_levenshtein(&field, &wanted);
        let near = letters <= (wanted.chars().count() / 3).min(2);
        match (near, known) {
            (true, _) => Some(letters),
            (false, true) => Some(10),
            (false, false) => None,
        }
    };
    let near = fields.keys().filter_map(|field| Some((distance(field)?, field))).min();
    let has = |role: &str| roles.iter().any(|(own, path, _)| *own == role && fields.contains_key(path));
    let is_number = |(name, value): &(&String, &Value)| value.is_number() && **name != roles[2].1;
    let numbers = fields.iter().filter(is_number).count();
    let is_wide = matches!(*role, "sensor" | "value") && !has("sensor") && !has("value") && numbers > 1;
    Some(match near {
        None if is_wide && decode.shape == Shape::Long => {
            "one field for each sensor? set `ingest.decode.shape = \"wide\"`".into()
        }
        Some((_, field)) => {
            format!("the record has `{}`: set `ingest.decode.{role} = \"{}\"`", escaped(field), escaped(field))
        }
        None => {
            let names: Vec<String> = fields.keys().take(8).map(|field| format!("`{}`", escaped(field))).collect();
            let more = if fields.len() > names.len() { ", …" } else { "" };
            format!("the record has {}{more}: name the one that it is in `ingest.decode.{role}`", names.join(", "))
        }
    })
}

/// Fields of a JSON record (of an array, its first element), those of objects inside by dotted paths; none if it is no such record.
pub(super) fn fields(payload: &[u8]) -> Option<Map<String, Value>> {
    let record = match serde_json::from_slice(payload).ok()? {
        Value::Object(record) => record,
        Value::Array(mut elements) if !elements.is_empty() => match elements.swap_remove(0) {
            Value::Object(record) => record,
            _ => return None,
        },
        _ => return None,
    };
    let mut fields = Map::new();
    for (key, value) in record {
        match value {
            Value::Object(inner) => {
                fields.extend(inner.into_iter().map(|(below, value)| (format!("{key}.{below}"), value)));
            }
            value => _ = fields.insert(key, value),
        }
    }
    (!fields.is_empty()).then_some(fields)
}

#[cfg(test)]
mod tests;
