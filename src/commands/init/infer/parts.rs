//! For each part of a reading, the fields that it could be: points by what they hold and how they are called.

use ingest::decode::Config;

use super::Sample;
use super::fields::{DISTINCT_MAX, Field, Fields, Form, share};
use super::names::{self, Part};

/// Fields looked at for each part.
const EACH_MAX: usize = 4;

/// Where a part stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    Field(&'a Field),
    /// A property of the record.
    Property(&'a str),
    /// Nowhere: one device for all.
    Nowhere,
}

pub(super) type Scored<'a> = (i32, Place<'a>);

pub(super) fn times<'a>(fields: &'a Fields, samples: &[Sample], base: &'a Config) -> Vec<Scored<'a>> {
    let mut found: Vec<Scored<'_>> = Vec::new();
    for field in fields.all.iter().filter(|field| !names::is_private(&field.path)) {
        let named = names::points(Part::Time, &field.path);
        let share = field.time_share(fields.rows);
        let content = match field.form() {
            Some((Form::Calendar, _)) if share >= 0.3 => 24,
            Some((Form::Epoch(_) | Form::Pattern(_), _)) if share >= 0.3 => 20,
            // Small numbers under the name of a time: since a start that nobody knows.
            _ if named >= 30 && field.is_number() && share_of(field, fields) >= 0.5 => -30,
            _ => continue,
        };
        let varied = if field.distinct.len() > 1 { 4 } else { 0 };
        let points = named + content + varied + (share * 10.0) as i32 - depth(field);
        if points > 0 {
            found.push((points, Place::Field(field)));
        }
    }
    if let Some(name) = base.time_property.as_deref().filter(|_| has_most(samples, |sample| sample.time.is_some())) {
        found.push((24, Place::Property(name)));
    }
    best(found)
}

pub(super) fn devices<'a>(
    fields: &'a Fields,
    samples: &[Sample],
    base: &'a Config,
    times: &[Scored<'a>],
) -> Vec<Scored<'a>> {
    if base.device_name.is_some() {
        return vec![(0, Place::Nowhere)];
    }
    let mut found: Vec<Scored<'_>> = Vec::new();
    for field in texts(fields, times) {
        let named = names::points(Part::Device, &field.path);
        let whole = field.is_number() && field.integers == field.numbers;
        if field.is_number() && !(whole && (named > 0 || few(field))) {
            continue;
        }
        // Always the same text under a name that says nothing: as likely a unit.
        if named <= 0 && field.distinct.len() == 1 {
            continue;
        }
        let everywhere = if share_of(field, fields) >= 0.8 { 6 } else { -10 };
        // An id that never comes twice is one of messages, unless its name speaks for a device.
        let single = field.present >= 12 && field.distinct.len() * 10 >= field.present.min(DISTINCT_MAX) * 9;
        let content = if single { -25 } else { 0 } + if field.length_mean() > 64 { -15 } else { 0 };
        let like_an_id =
            field.distinct.iter().take(20).filter(|text| text.ends_with(|c: char| c.is_ascii_digit())).count();
        let like_an_id = if field.is_text() && like_an_id * 2 > field.distinct.len().min(20) { 4 } else { 0 };
        let points = named + everywhere + content + like_an_id + order(field, fields) - depth(field);
        if points > 0 {
            found.push((points, Place::Field(field)));
        }
    }
    if let Some(name) = base.device_property.as_deref().filter(|_| has_most(samples, |sample| sample.device.is_some()))
    {
        found.push((38, Place::Property(name)));
    }
    let mut found = best(found);
    found.push((-4, Place::Nowhere));
    found
}

pub(super) fn sensors<'a>(fields: &'a Fields, times: &[Scored<'a>]) -> Vec<(i32, &'a Field)> {
    let mut found = Vec::new();
    for field in texts(fields, times) {
        let named = names::points(Part::Sensor, &field.path);
        let whole = field.is_number() && field.integers == field.numbers;
        if field.is_number() && !(whole && (named > 0 || few(field))) || share_of(field, fields) < 0.5 {
            continue;
        }
        let quantities = field.distinct.iter().take(20).filter(|text| is_quantity(text)).count();
        let content = if quantities > 0 { 15 } else { 0 } + if field.distinct.len() == 1 { -6 } else { 0 };
        let single = field.present >= 12 && field.distinct.len() * 2 > field.present.min(DISTINCT_MAX);
        let points = named + content - if single { 30 } else { 0 } - order(field, fields) - depth(field);
        if points > -10 {
            found.push((points, field));
        }
    }
    found.sort_by_key(|(points, _)| -points);
    found.truncate(EACH_MAX);
    found
}

/// Numbers that could be values.
pub(super) fn numbers<'a>(fields: &'a Fields, times: &[Scored<'a>]) -> Vec<(i32, &'a Field)> {
    let mut found = Vec::new();
    for field in fields.all.iter().filter(|field| field.is_number() && !is_time(field, times)) {
        let named = names::points(Part::Value, &field.path);
        let fractions = if field.integers < field.numbers { 6 } else { 0 };
        let varied = if field.distinct.len() > 1 { 4 } else { 0 };
        let counter = if field.is_counter() { -30 } else { 0 };
        let points = named + fractions + varied + counter - depth(field);
        if !names::is_private(&field.path) {
            found.push((points, field));
        }
    }
    found.sort_by_key(|(points, _)| -points);
    found.truncate(EACH_MAX);
    found
}

// === what fields have in common ===

/// Fields that could be names: texts, and numbers written whole.
fn texts<'a>(fields: &'a Fields, times: &[Scored<'a>]) -> impl Iterator<Item = &'a Field> {
    let times: Vec<&Field> = times
        .iter()
        .filter_map(|(_, place)| match place {
            Place::Field(field) => Some(*field),
            _ => None,
        })
        .collect();
    fields.all.iter().filter(move |field| {
        let is_time = times.iter().any(|time| time.path == field.path) || field.time_share(field.present) > 0.8;
        (field.is_text() || field.is_number()) && !is_time && !names::is_private(&field.path)
    })
}

/// Small numbers that come again and again, as ids do: at least twice each.
fn few(field: &Field) -> bool {
    field.distinct.len() * 3 <= field.present && field.distinct.len() <= 100
}

pub(super) fn is_time(field: &Field, times: &[Scored<'_>]) -> bool {
    let named = |floor: i32| names::points(Part::Time, &field.path) >= floor;
    let chosen = times.iter().any(|(_, place)| matches!(place, Place::Field(time) if time.path == field.path));
    chosen && (named(1) || field.time_share(field.present) > 0.8) || field.time_share(field.present) > 0.8 && named(1)
}

fn is_quantity(text: &str) -> bool {
    const QUANTITIES: &[&str] = &[
        "temp", "press", "vibr", "humid", "volt", "current", "power", "flow", "speed", "rpm", "torque", "level",
        "freq", "co2",
    ];
    let text = text.to_ascii_lowercase();
    QUANTITIES.iter().any(|quantity| text.contains(quantity))
}

pub(super) fn share_of(field: &Field, fields: &Fields) -> f64 {
    share(field.present, fields.rows)
}

fn depth(field: &Field) -> i32 {
    2 * i32::try_from(field.path.len().saturating_sub(1)).unwrap_or(0)
}

/// Devices mostly stand before their sensors.
fn order(field: &Field, fields: &Fields) -> i32 {
    let at = fields.all.iter().position(|other| other.path == field.path).unwrap_or(0);
    3 - i32::try_from(at.min(6)).unwrap_or(6)
}

fn has_most(samples: &[Sample], has: impl Fn(&Sample) -> bool) -> bool {
    samples.iter().filter(|sample| has(sample)).count() * 2 > samples.len()
}

fn best(mut found: Vec<Scored<'_>>) -> Vec<Scored<'_>> {
    found.sort_by_key(|(points, _)| -points);
    found.truncate(EACH_MAX);
    found
}

/// Whether they are one field, or one lies inside the other.
pub(super) fn overlap(one: Place<'_>, other: Place<'_>) -> bool {
    let (Place::Field(one), Place::Field(other)) = (one, other) else { return false };
    let shared = one.path.len().min(other.path.len());
    one.path[..shared] == other.path[..shared]
}
