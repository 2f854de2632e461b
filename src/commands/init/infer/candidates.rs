//! What a sample might mean: configurations made of the fields that each part of a reading could be, the most plausible first. Whether
//! one of them is right, the decoder tells.

use ingest::decode::{Config, Format, Path, Shape, TimeUnit};

use super::fields::{Field, Fields, Form};
use super::names::{self, Part};
use super::parts::{self, Place, Scored, is_time, overlap, share_of};
use super::{Context, Sample, times};

/// A way to read the sample.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) config: Config,
    pub(super) points: i32,
    /// Wide: fields at the top that were left out, and why.
    pub(super) left_out: Vec<(String, &'static str)>,
}

/// Candidates, best first.
pub(super) fn candidates(fields: &Fields, samples: &[Sample], base: &Config, context: &Context<'_>) -> Vec<Candidate> {
    let times = parts::times(fields, samples, base);
    let devices = parts::devices(fields, samples, base, &times);
    let numbers = parts::numbers(fields, &times);
    let sensors = parts::sensors(fields, &times);
    let mut all = Vec::new();
    for (of_time, time) in &times {
        for (of_device, device) in &devices {
            if overlap(*time, *device) {
                continue;
            }
            let mut settings = base.clone();
            set_time(&mut settings, *time);
            set_device(&mut settings, *device, context.name);
            let points = of_time + of_device;
            all.extend(wide(&settings, fields, (*device, *time), &times).map(|wide| wide.plus(points)));
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
                        ..settings.clone()
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
    left_out.extend(others(fields, used));
    let config = Config {
        shape: Shape::Wide,
        // All of them by their names: a field that comes up later, or words in it, is not taken for one.
        sensors: sensors.iter().map(|field| field.path[0].clone()).collect(),
        ..parts.clone()
    };
    Some(Candidate { config, points, left_out })
}

/// Fields at the top of a row that hold no numbers, and are neither its device nor its time.
fn others(fields: &Fields, used: (Place<'_>, Place<'_>)) -> Vec<(String, &'static str)> {
    let is_other = |field: &&Field| {
        let taken = [used.0, used.1].iter().any(|place| overlap(*place, Place::Field(field)));
        field.is_top() && !field.is_number() && !taken && !field.path[0].is_empty() && !names::is_private(&field.path)
    };
    let why = |field: &Field| match field {
        Field { present: 0, .. } => "nothing in it",
        field if field.time_share(field.present) > 0.8 => "another time",
        field if field.texts > 0 && field.numbers > 0 => "numbers and words",
        field if field.texts > 0 => "words",
        field if field.arrays > 0 => "an array",
        _ => "true or false",
    };
    fields.all.iter().filter(is_other).map(|field| (field.path[0].clone(), why(field))).collect()
}

// === into settings ===

fn set_time(config: &mut Config, time: Place<'_>) {
    config.time_property = match time {
        Place::Property(name) => Some(name.to_owned()),
        _ => None,
    };
    config.time_format = None;
    let Place::Field(field) = time else { return };
    config.time = path(time, config);
    config.time_format = match field.form() {
        Some((Form::Pattern(index), _)) => Some(times::pattern(index)),
        _ => None,
    };
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
