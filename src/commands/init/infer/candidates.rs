//! What a sample might mean: for each part of a reading the fields that it could be, and the configurations made of them, the most
//! plausible first. Whether one of them is right, the decoder tells.

use ingest::decode::{Config, Format, Path, Shape, TimeUnit};

use super::fields::{DISTINCT_MAX, Field, Fields, Form, share};
use super::names::{self, Part};
use super::{Context, Sample};

/// Fields looked at for each part.
const EACH_MAX: usize = 4;
/// So many sensors are named one by one.
const SENSORS_LISTED_MAX: usize = 64;

/// A way to read the sample.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) config: Config,
    pub(super) points: i32,
    /// Wide: numbers that were left out, and why.
    pub(super) left_out: Vec<(String, &'static str)>,
}

/// Where a part stands.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Field(&'a Field),
    /// A property of the record.
    Property(&'a str),
    /// Nowhere: one device for all.
    Nowhere,
}

type Scored<'a> = (i32, Place<'a>);

/// Candidates, best first.
pub(super) fn candidates(fields: &Fields, samples: &[Sample], base: &Config, context: &Context<'_>) -> Vec<Candidate> {
    let times = times(fields, samples, base);
    let devices = devices(fields, samples, base, &times);
    let numbers = numbers(fields, &times);
    let sensors = sensors(fields, &times);
    let mut all = Vec::new();
    for (of_time, time) in &times {
        for (of_device, device) in &devices {
            if overlap(*time, *device) {
                continue;
            }
            let mut parts = base.clone();
            set_time(&mut parts, *time);
            set_device(&mut parts, *device, context.name);
            let points = of_time + of_device;
            all.extend(wide(&parts, fields, (*device, *time), &times).map(|wide| wide.plus(points)));
            for (of_sensor, sensor) in &sensors {
                for (of_value, value) in &numbers {
                    let (sensor, value) = (Place::Field(sensor), Place::Field(value));
                    let used = [*time, *device, sensor, value];
                    let clash = (0..4).any(|one| (0..one).any(|other| overlap(used[one], used[other])));
                    if clash {
                        continue;
                    }
                    let others = numbers
                        .iter()
                        .filter(|(p, n)| *p > 0 && used.iter().all(|u| !overlap(*u, Place::Field(n))))
                        .count();
                    let config = Config {
                        shape: Shape::Long,
                        sensor: path(sensor, base),
                        value: path(value, base),
                        ..parts.clone()
                    };
                    let points = points + of_sensor + of_value - 12 * i32::try_from(others.min(3)).unwrap_or(3);
                    all.push(Candidate { config, points, left_out: Vec::new() });
                }
            }
        }
    }
    all.sort_by_key(|candidate| -candidate.points);
    all
}

impl Candidate {
    fn plus(self, points: i32) -> Self {
        Candidate { points: self.points + points, ..self }
    }
}

// === the parts ===

fn times<'a>(fields: &'a Fields, samples: &[Sample], base: &'a Config) -> Vec<Scored<'a>> {
    let mut found: Vec<Scored<'_>> = Vec::new();
    for field in fields.all.iter().filter(|field| !names::is_private(&field.path)) {
        let named = names::points(Part::Time, &field.path);
        let share = field.time_share(fields.rows);
        let content = match field.form() {
            Some((Form::Calendar, _)) if share >= 0.3 => 24,
            Some((Form::Epoch(_), _)) if share >= 0.3 => 20,
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

fn devices<'a>(fields: &'a Fields, samples: &[Sample], base: &'a Config, times: &[Scored<'a>]) -> Vec<Scored<'a>> {
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

fn sensors<'a>(fields: &'a Fields, times: &[Scored<'a>]) -> Vec<(i32, &'a Field)> {
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
fn numbers<'a>(fields: &'a Fields, times: &[Scored<'a>]) -> Vec<(i32, &'a Field)> {
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

/// One field a sensor: all top-level numbers but those that are none.
fn wide(parts: &Config, fields: &Fields, used: (Place<'_>, Place<'_>), times: &[Scored<'_>]) -> Option<Candidate> {
    let (mut sensors, mut left_out) = (Vec::new(), Vec::new());
    let is_free = |field: &&Field| {
        let taken = [used.0, used.1].iter().any(|place| overlap(*place, Place::Field(field)));
        field.is_top() && field.is_number() && !taken && !field.path[0].is_empty() && !names::is_private(&field.path)
    };
    let free: Vec<&Field> = fields.all.iter().filter(is_free).collect();
    // A single number that counts may be a measurement all the same.
    let some_vary = free.iter().any(|field| !field.is_counter() && !names::is_no_sensor(&field.path[0]));
    for field in free {
        let why = if is_time(field, times) {
            "a time"
        } else if field.is_counter() && some_vary {
            "counts up by one"
        } else if names::is_no_sensor(&field.path[0]) {
            "no measurement, by its name"
        } else {
            sensors.push(field);
            continue;
        };
        left_out.push((field.path[0].clone(), why));
    }
    // Without a header a sensor would be called after its place.
    let nameless = fields.are_nameless;
    let base = match sensors.as_slice() {
        [] => return None,
        [_] if nameless => 12,
        [one] if names::points(Part::Value, &one.path) >= 20 => 26,
        [_] => 34,
        _ => 42,
    };
    let rare = sensors.iter().filter(|field| share_of(field, fields) < 0.1).count();
    let points = base - if rare * 2 > sensors.len() { 20 } else { 0 };
    let listed = if sensors.len() <= SENSORS_LISTED_MAX { sensors } else { Vec::new() };
    let config = Config {
        shape: Shape::Wide,
        sensors: listed.iter().map(|field| field.path[0].clone()).collect(),
        ..parts.clone()
    };
    Some(Candidate { config, points, left_out })
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

fn is_time(field: &Field, times: &[Scored<'_>]) -> bool {
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

fn share_of(field: &Field, fields: &Fields) -> f64 {
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
fn overlap(one: Place<'_>, other: Place<'_>) -> bool {
    let (Place::Field(one), Place::Field(other)) = (one, other) else { return false };
    let shared = one.path.len().min(other.path.len());
    one.path[..shared] == other.path[..shared]
}

// === into settings ===

fn set_time(config: &mut Config, time: Place<'_>) {
    config.time_property = match time {
        Place::Property(name) => Some(name.to_owned()),
        _ => None,
    };
    let Place::Field(field) = time else { return };
    config.time = path(time, config);
    config.time_unit = match field.form() {
        Some((Form::Epoch(unit), true)) => unit,
        Some(_) => TimeUnit::Auto,
        None => TimeUnit::S,
    };
}

fn set_device(config: &mut Config, device: Place<'_>, name: &str) {
    config.device_property = None;
    match device {
        Place::Field(_) => config.device = path(device, config),
        Place::Property(property) => config.device_property = Some(property.to_owned()),
        Place::Nowhere if config.device_name.is_none() => config.device_name = Some(name.to_owned()),
        Place::Nowhere => {}
    }
}

/// A path as one would write it: dots join keys, unless a key holds one.
fn path(place: Place<'_>, config: &Config) -> Path {
    let Place::Field(field) = place else { return Path::from("") };
    match config.format {
        Format::Json if field.path.iter().any(|key| key.contains('.')) => Path::Keys(field.path.clone()),
        _ => Path::Dotted(field.path.join(".")),
    }
}
