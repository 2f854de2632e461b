//! The configuration, checked and compiled: paths as lists of keys, sensors by name, limits.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use types::Micros;

use super::outside::Named;
use super::setting::SettingError;
use super::time::{self, Fault};
use super::time_format::TimeFormat;
use super::{Config, Format, Path, Shape, TimeUnit};

/// The parts of a reading, in the order in which they are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Device,
    Sensor,
    Time,
    Value,
}

impl Role {
    pub(super) const ALL: [Role; 4] = [Role::Device, Role::Sensor, Role::Time, Role::Value];

    /// The setting that names its path.
    fn key(self) -> &'static str {
        match self {
            Role::Device => "device",
            Role::Sensor => "sensor",
            Role::Time => "time",
            Role::Value => "value",
        }
    }
}

/// A byte order mark, which some writers put before a text.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// What [`Config`] says, ready for use.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) format: Format,
    pub(super) shape: Shape,
    /// For `csv` the single key is the column's name.
    paths: [Vec<String>; 4],
    pub(super) outside: Named,
    pub(super) unit: TimeUnit,
    time_format: Option<TimeFormat>,
    pub(super) sensors: Vec<String>,
    slots: HashMap<String, u32, foldhash::fast::FixedState>,
    ignore: Vec<String>,
    ignored: HashSet<String, foldhash::fast::FixedState>,
    pub(super) delimiter: u8,
    /// What stands before the fraction of a number that is text.
    pub(super) decimal: u8,
    pub(super) record_bytes_max: usize,
    pub(super) depth_max: usize,
    pub(super) id_bytes_max: usize,
    pub(super) fields_max: usize,
}

impl Plan {
    pub(crate) fn new(config: &Config) -> Result<Plan, SettingError> {
        check_limits(config)?;
        if config.shape == Shape::Long && !config.sensors.is_empty() {
            return Err(SettingError::NoUse { key: "sensors", setting: "ingest.decode.shape", value: "long" });
        }
        if config.shape == Shape::Long && !config.ignore.is_empty() {
            return Err(SettingError::NoUse { key: "ignore", setting: "ingest.decode.shape", value: "long" });
        }
        let outside = Named::of(config)?;
        if !config.sensors.is_empty() && !config.ignore.is_empty() {
            return Err(SettingError::Both { first: "sensors", second: "ignore" });
        }
        if config.time_property.is_some() && config.time_format.is_some() {
            return Err(SettingError::Both { first: "time_property", second: "time_format" });
        }
        let time_format = config.time_format.as_deref().map(TimeFormat::new).transpose();
        let time_format = time_format.map_err(|problem| SettingError::TimeFormat { problem })?;
        let paths = [&config.device, &config.sensor, &config.time, &config.value];
        let mut plan = Plan {
            format: config.format,
            shape: config.shape,
            paths: paths.map(|path| keys(path, config.format)),
            outside,
            unit: config.time_unit,
            time_format,
            sensors: config.sensors.clone(),
            slots: config.sensors.iter().zip(0..).map(|(name, slot)| (name.clone(), slot)).collect(),
            ignore: config.ignore.clone(),
            ignored: config.ignore.iter().cloned().collect(),
            delimiter: b',',
            decimal: mark(config)?,
            record_bytes_max: config.record_bytes_max,
            depth_max: config.depth_max,
            id_bytes_max: config.id_bytes_max,
            fields_max: config.fields_max,
        };
        // A payload may still have the fields that something else stands for: they are no sensors.
        let outside = [(Role::Device, plan.outside.has_device()), (Role::Time, plan.outside.has_time())];
        for (role, _) in outside.into_iter().filter(|(_, is_outside)| *is_outside) {
            plan.ignored.extend(plan.paths[role as usize].first().cloned());
        }
        plan.delimiter = u8::try_from(config.delimiter)
            .ok()
            .filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0))
            .ok_or(SettingError::Delimiter { delimiter: config.delimiter })?;
        plan.check_paths()?;
        plan.check_columns(&config.columns)?;
        Ok(plan)
    }

    #[inline]
    pub(super) fn path(&self, role: Role) -> &[String] {
        &self.paths[role as usize]
    }

    /// For messages: the path as one would write it.
    pub(super) fn name(&self, role: Role) -> String {
        self.path(role).join(".")
    }

    /// The parts that have a field of their own in the payload.
    pub(super) fn roles(&self) -> impl Iterator<Item = Role> {
        let wide = self.shape == Shape::Wide;
        let (has_device, has_time) = (self.outside.has_device(), self.outside.has_time());
        let has_field = move |role: &Role| match role {
            Role::Device => !has_device,
            Role::Time => !has_time,
            Role::Sensor | Role::Value => !wide,
        };
        Role::ALL.into_iter().filter(has_field)
    }

    /// The place of a sensor's name in `sensors`.
    pub(super) fn slot(&self, name: &str) -> Option<usize> {
        self.slots.get(name).map(|slot| *slot as usize)
    }

    /// Whether the field is neither a part of a reading nor a sensor, by configuration.
    #[inline]
    pub(super) fn ignores(&self, name: &str) -> bool {
        !self.ignored.is_empty() && self.ignored.contains(name)
    }

    /// Whether every field is a sensor that is nothing else.
    pub(super) fn takes_all(&self) -> bool {
        self.shape == Shape::Wide && self.sensors.is_empty()
    }

    /// A time as text.
    #[inline]
    pub(super) fn time_of_text(&self, text: &str) -> Result<Micros, Fault> {
        match &self.time_format {
            None => time::of_text(text, self.unit),
            Some(format) => format.read(text),
        }
    }

    /// A time as a JSON number.
    #[inline]
    pub(super) fn time_of_number(&self, text: &str) -> Result<Micros, Fault> {
        time::of_number(text, self.unit)
    }

    /// How a record that begins like this is to be read: `auto` is decided here.
    pub(crate) fn format_of(&self, start: &[u8]) -> Format {
        let start = start.strip_prefix(BOM).unwrap_or(start).trim_ascii_start();
        match self.format {
            Format::Auto if matches!(start.first(), Some(b'{' | b'[')) => Format::Json,
            Format::Auto => Format::Csv,
            format => format,
        }
    }

    /// Whether all these names, and no others, stand in the row.
    pub(crate) fn is_header(&self, row: &[String], columns: &[String]) -> bool {
        row.len() == columns.len() && columns.iter().all(|name| row.contains(name))
    }

    pub(crate) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    pub(crate) fn record_bytes_max(&self) -> usize {
        self.record_bytes_max
    }

    /// A column that no row can do without and that these are not: the setting that names it, and its name. Of the
    /// listed sensors one is enough.
    pub(crate) fn lacks(&self, columns: &[String]) -> Option<(&'static str, &str)> {
        let role = self.roles().map(|role| (role.key(), self.path(role)[0].as_str()));
        let sensor = self.sensors.first().filter(|_| !self.sensors.iter().any(|sensor| columns.contains(sensor)));
        role.chain(sensor.map(|name| ("sensors", name.as_str()))).find(|(_, name)| !columns.iter().any(|c| c == name))
    }

    /// Columns that settings name, that these are not, and that a row can do without.
    pub(crate) fn missing<'a>(&'a self, columns: &'a [String]) -> impl Iterator<Item = (&'static str, &'a str)> {
        let sensors = self.sensors.iter().map(|name| ("sensors", name.as_str()));
        let ignored = self.ignore.iter().map(|name| ("ignore", name.as_str()));
        sensors.chain(ignored).filter(|(_, name)| !columns.iter().any(|column| column == name))
    }

    /// A wanted column whose name stands twice.
    pub(crate) fn ambiguous(&self, columns: &[String]) -> Option<String> {
        let is_sensor = |name: &String| match self.takes_all() {
            true => !name.is_empty() && !self.ignores(name),
            false => self.sensors.contains(name),
        };
        let wanted = |name: &&String| is_sensor(name) || self.roles().any(|role| self.path(role)[0] == **name);
        let wanted: Vec<String> = columns.iter().filter(wanted).cloned().collect();
        twice(&wanted)
    }

    /// For telling names apart quickly.
    pub(super) fn hash(&self, name: &str) -> u64 {
        self.slots.hasher().hash_one(name)
    }

    fn check_paths(&self) -> Result<(), SettingError> {
        for role in self.roles() {
            let (key, path) = (role.key(), self.path(role));
            if path.is_empty() || path.iter().any(String::is_empty) {
                return Err(SettingError::EmptyPath { key });
            }
            if self.format != Format::Json && path.len() > 1 {
                return Err(SettingError::NestedColumn { key, keys: path.len() });
            }
            for other in self.roles().take_while(|other| *other != role) {
                let shared = path.len().min(self.path(other).len());
                if path[..shared] == self.path(other)[..shared] {
                    return Err(SettingError::Overlap { first: other.key(), second: key });
                }
            }
            if path.len() == 1 && self.sensors.contains(&path[0]) {
                return Err(SettingError::Overlap { first: key, second: "sensors" });
            }
            if self.ignores(&path[0]) {
                return Err(SettingError::Overlap { first: key, second: "ignore" });
            }
        }
        for (key, names) in [("sensors", &self.sensors), ("ignore", &self.ignore)] {
            if let Some(name) = twice(names) {
                return Err(SettingError::Twice { key, name });
            }
        }
        Ok(())
    }

    fn check_columns(&self, columns: &[String]) -> Result<(), SettingError> {
        if columns.is_empty() || self.format == Format::Json {
            return Ok(());
        }
        if let Some(name) = twice(columns) {
            return Err(SettingError::Twice { key: "columns", name });
        }
        let paths = self.roles().map(|role| (role.key(), &self.path(role)[0]));
        let sensors = self.sensors.iter().map(|sensor| ("sensors", sensor));
        let ignored = self.ignore.iter().map(|name| ("ignore", name));
        match paths.chain(sensors).chain(ignored).find(|(_, name)| !columns.contains(name)) {
            Some((key, name)) => Err(SettingError::NoColumn { key, name: name.clone() }),
            None => Ok(()),
        }
    }
}

fn keys(path: &Path, format: Format) -> Vec<String> {
    match (path, format) {
        (Path::Dotted(text), Format::Json) => text.split('.').map(str::to_owned).collect(),
        (Path::Dotted(text), Format::Csv | Format::Auto) => vec![text.clone()],
        (Path::Keys(keys), _) => keys.clone(),
    }
}

fn twice(names: &[String]) -> Option<String> {
    names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| name.clone())
}

/// The decimal mark, which must not stand between fields too.
fn mark(config: &Config) -> Result<u8, SettingError> {
    let mark = match config.decimal {
        '.' => b'.',
        ',' => b',',
        decimal => return Err(SettingError::Decimal { decimal }),
    };
    if config.format != Format::Json && config.decimal == config.delimiter {
        return Err(SettingError::DecimalDelimits { mark: config.decimal });
    }
    Ok(mark)
}

fn check_limits(config: &Config) -> Result<(), SettingError> {
    let limits = [
        ("record_bytes_max", config.record_bytes_max, 1, 1 << 30),
        // The scanner recurses, so that its depth has to have a bound that any stack holds.
        ("depth_max", config.depth_max, 1, 128),
        ("id_bytes_max", config.id_bytes_max, 1, 1 << 16),
        ("fields_max", config.fields_max, 1, 1 << 20),
    ];
    for (key, value, min, max) in limits {
        if value < min || value > max {
            return Err(SettingError::Range { key, value, min, max });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_named() {
        let wide = |sensors: &[&str]| Config {
            shape: Shape::Wide,
            sensors: sensors.iter().map(ToString::to_string).collect(),
            ..Config::default()
        };
        let csv = Config { format: Format::Csv, ..Config::default() };
        let columns = vec!["ts".to_owned(), "device".to_owned(), "sensor".to_owned()];
        for (config, message) in [
            (Config { device: "".into(), ..Config::default() }, "`ingest.decode.device` is empty"),
            (Config { device: "a..b".into(), ..Config::default() }, "`ingest.decode.device` is empty"),
            (
                Config { value: "ts.v".into(), ..Config::default() },
                "`ingest.decode.time` and `ingest.decode.value` name",
            ),
            (Config { value: "ts".into(), ..Config::default() }, "`ingest.decode.time` and `ingest.decode.value` name"),
            (Config { sensors: vec!["a".into()], ..Config::default() }, "`ingest.decode.sensors` has no use where"),
            (
                Config { device_name: Some("a".into()), device_property: Some("b".into()), ..Config::default() },
                "`ingest.decode.device_name` and `ingest.decode.device_property` are both set",
            ),
            (
                Config { time_property: Some(String::new()), ..Config::default() },
                "`ingest.decode.time_property` is empty",
            ),
            (wide(&["a", "a"]), "`a` stands twice"),
            (wide(&["ts"]), "`ingest.decode.time` and `ingest.decode.sensors` name"),
            (
                Config { columns, ..csv.clone() },
                "`ingest.decode.columns` has no `value`, which `ingest.decode.value` names",
            ),
            (Config { delimiter: '"', ..csv.clone() }, "`ingest.decode.delimiter` is '\"'"),
            (Config { delimiter: 'é', ..csv.clone() }, "`ingest.decode.delimiter` is 'é'"),
            (
                Config { device: Path::Keys(vec!["a".into(), "b".into()]), ..csv.clone() },
                "`ingest.decode.device` is a path of 2",
            ),
            (Config { decimal: '\'', ..csv.clone() }, "`ingest.decode.decimal` is '\\''"),
            (
                Config { decimal: ',', ..csv.clone() },
                "`ingest.decode.decimal` and `ingest.decode.delimiter` are both ','",
            ),
            (
                Config { format: Format::Auto, decimal: ',', ..csv.clone() },
                "`ingest.decode.decimal` and `ingest.decode.delimiter` are both ','",
            ),
            (
                Config { time_format: Some("%d.%m".into()), ..csv.clone() },
                "`ingest.decode.time_format` is no pattern of a time: it has to name year",
            ),
            (
                Config { time_format: Some("%Y%m%d".into()), time_property: Some("t".into()), ..Config::default() },
                "`ingest.decode.time_property` and `ingest.decode.time_format` are both set",
            ),
            (Config { ignore: vec!["a".into()], ..Config::default() }, "`ingest.decode.ignore` has no use where"),
            (
                Config { ignore: vec!["b".into()], ..wide(&["a"]) },
                "`ingest.decode.sensors` and `ingest.decode.ignore` are both set",
            ),
            (Config { ignore: vec!["ts".into()], ..wide(&[]) }, "`ingest.decode.time` and `ingest.decode.ignore` name"),
            (
                Config { ignore: vec!["a".into(), "a".into()], ..wide(&[]) },
                "`a` stands twice in `ingest.decode.ignore`",
            ),
            (
                Config { depth_max: 1000, ..Config::default() },
                "`ingest.decode.depth_max` is 1000: it must be from 1 to 128",
            ),
        ] {
            let error = Plan::new(&config).expect_err(message);
            assert!(error.to_string().starts_with(message), "{error}");
            assert!(!error.hint().is_empty());
        }
        assert!(Plan::new(&csv).is_ok());
        assert!(Plan::new(&Config { decimal: ',', delimiter: ';', ..csv }).is_ok());
        assert!(Plan::new(&Config { decimal: ',', ..Config::default() }).is_ok(), "JSON has no delimiter");
        assert!(Plan::new(&wide(&["a", "b"])).is_ok());
    }
}
