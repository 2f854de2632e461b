//! The best candidate beside the others: why each part was chosen, and what reads as much of the sample with another one.

use ingest::decode::{Config, Path};

use super::fields::{DISTINCT_MAX, Field, Form, moment};
use super::guess::{Choice, Other, choice, shown};
use super::{Table, Tried, times};
use crate::commands::init::lines::{list, quoted};

/// Others that are told of, for each part.
const OTHERS_MAX: usize = 2;
/// Differences in points that mean nothing.
pub(super) const EQUAL: i32 = 3;

/// The best candidate among others.
pub(super) struct Rivals<'a> {
    pub(super) table: &'a Table,
    pub(super) tried: &'a [Tried],
}

impl Rivals<'_> {
    pub(super) fn best(&self) -> &Tried {
        &self.tried[0]
    }

    pub(super) fn device(&self) -> Choice {
        let config = self.best().config();
        let (key, value, why) = match (&config.device_name, &config.device_property) {
            (Some(name), _) => (
                "device_name",
                quoted(name),
                "the device of all records: none of their fields looks like one".to_owned(),
            ),
            (_, Some(property)) => {
                ("device_property", quoted(property), "the record's property of this name".to_owned())
            }
            _ => ("device", path_value(&config.device), self.texts(&config.device)),
        };
        let same = |other: &Config| Config {
            device: other.device.clone(),
            device_name: other.device_name.clone(),
            device_property: other.device_property.clone(),
            // The two may be the other way round.
            sensor: if other.device == config.sensor { config.device.clone() } else { config.sensor.clone() },
            ..config.clone()
        };
        let others = self.others(same, |other, is_equal| match (&other.device_name, &other.device_property) {
            (Some(_), _) => None,
            (_, Some(property)) => Some((
                format!("device_property = {}", quoted(property)),
                "the record's property of this name".to_owned(),
            )),
            _ => {
                let setting = format!("device = {}", path_value(&other.device));
                let swapped = other.sensor != config.sensor;
                if swapped && !is_equal {
                    return None;
                }
                let with =
                    if swapped { format!(", with sensor = {}", path_value(&other.sensor)) } else { String::new() };
                Some((setting, self.texts(&other.device) + &with))
            }
        });
        Choice { others, ..choice(key, value, why) }
    }

    pub(super) fn sensor(&self) -> Choice {
        let config = self.best().config();
        let same = |other: &Config| Config { sensor: other.sensor.clone(), ..config.clone() };
        let others = self.others(same, |other, _| {
            Some((format!("sensor = {}", path_value(&other.sensor)), self.texts(&other.sensor)))
        });
        Choice { others, ..choice("sensor", path_value(&config.sensor), self.texts(&config.sensor)) }
    }

    pub(super) fn time(&self) -> Choice {
        let config = self.best().config();
        let (key, value, why) = match &config.time_property {
            Some(property) => ("time_property", quoted(property), "the record's property of this name".to_owned()),
            None => ("time", path_value(&config.time), self.times(&config.time)),
        };
        let same = |other: &Config| Config {
            time: other.time.clone(),
            time_property: other.time_property.clone(),
            time_unit: other.time_unit,
            time_format: other.time_format.clone(),
            sensors: other.sensors.clone(),
            ..config.clone()
        };
        let others = self.others(same, |other, _| match &other.time_property {
            Some(property) => {
                Some((format!("time_property = {}", quoted(property)), "the record's property of this name".to_owned()))
            }
            None => Some((format!("time = {}", path_value(&other.time)), self.times(&other.time))),
        });
        Choice { others, ..choice(key, value, why) }
    }

    pub(super) fn value(&self) -> Choice {
        let config = self.best().config();
        let same = |other: &Config| Config { value: other.value.clone(), ..config.clone() };
        let numbers = |path: &Path| match self.field(path) {
            Some(field) => format!("numbers like `{}`", shown(&field.example)),
            None => String::new(),
        };
        let others = self
            .others(same, |other, _| Some((format!("value = {}", path_value(&other.value)), numbers(&other.value))));
        Choice { others, ..choice("value", path_value(&config.value), numbers(&config.value)) }
    }

    /// How times are written, where that is neither RFC 3339 nor a number.
    pub(super) fn time_format(&self) -> Option<Choice> {
        let format = self.best().config().time_format.as_deref()?;
        let field = self.field(&self.best().config().time)?;
        let (best, others) = field.fits.best()?;
        let why = times::why(best, &others, &shown(&field.example));
        let other = |index: &usize| Other {
            setting: format!("time_format = {}", quoted(&times::pattern(*index))),
            why: "every time of the sample can be read so too".into(),
            equal: true,
        };
        let others = others.iter().take(OTHERS_MAX).map(other).collect();
        Some(Choice { others, ..choice("time_format", quoted(format), why) })
    }

    /// Others that read as much and differ in one part only: `with` takes that part from them into the best.
    fn others(
        &self,
        with: impl Fn(&Config) -> Config,
        told: impl Fn(&Config, bool) -> Option<(String, String)>,
    ) -> Vec<Other> {
        let best = self.best();
        let differs = |other: &&Tried| other.config() != best.config() && with(other.config()) == *other.config();
        let reads = |other: &&Tried| other.share() + 0.05 >= best.share() && best.points - other.points <= 40;
        let rivals = self.tried[1..].iter().filter(differs).filter(reads);
        let other = |other: &Tried| {
            let equal = best.points - other.points <= EQUAL;
            told(other.config(), equal).map(|(setting, why)| Other { setting, why, equal })
        };
        rivals.filter_map(other).take(OTHERS_MAX).collect()
    }

    fn texts(&self, path: &Path) -> String {
        let Some(field) = self.field(path) else { return String::new() };
        let noun = if field.is_number() { "number" } else { "text" };
        let example = shown(&field.example);
        match field.distinct.len() {
            1 => format!("always `{example}`"),
            DISTINCT_MAX.. => format!("many {noun}s like `{example}`"),
            count => format!("{count} {noun}s like `{example}`"),
        }
    }

    fn times(&self, path: &Path) -> String {
        let Some(field) = self.field(path) else { return String::new() };
        let example = shown(&field.example);
        match field.form() {
            Some((Form::Calendar, true)) => format!("times like `{example}`"),
            Some((Form::Epoch(unit), true)) => {
                let moment = moment(&field.example, unit).map(crate::wall::text).unwrap_or_default();
                format!("numbers like `{example}`: {moment}")
            }
            Some((Form::Pattern(_), true)) => format!("times like `{example}`"),
            Some((_, false)) => format!("times of more than one form, like `{example}`"),
            None => format!(
                "numbers like `{example}`, taken as seconds since 1970: is that so, or do they count from a start?"
            ),
        }
    }

    fn field(&self, path: &Path) -> Option<&Field> {
        let is_it = |field: &&Field| match path {
            Path::Dotted(text) => field.path.join(".") == *text,
            Path::Keys(keys) => field.path == *keys,
        };
        self.table.fields.all.iter().find(is_it)
    }
}

pub(super) fn path_value(path: &Path) -> String {
    match path {
        Path::Dotted(text) => quoted(text),
        Path::Keys(keys) => list(keys),
    }
}
