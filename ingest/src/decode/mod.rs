//! One record -> readings or a reject (skeleton).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From the bytes of a record to readings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `json` or `csv`.
    pub format: Format,
    /// `long`: one reading a record, or an array of such. `wide`: one field a sensor, or an array of such.
    pub shape: Shape,
    /// Where the device id is: a key, a path of keys joined by dots (`body.dev.id`), or a list of keys if a key holds a dot.
    pub device: Path,
    /// Where the sensor's name is (`long`).
    pub sensor: Path,
    /// Where the event time is: RFC 3339 text with any offset, with a space for the `T`, without zone (taken as UTC), or an epoch number.
    pub time: Path,
    /// Where the value is (`long`): a finite number, or such a number as text.
    pub value: Path,
    /// Unit of epoch numbers: `s`, `ms`, `us`, `ns`, or `auto` (by magnitude).
    pub time_unit: TimeUnit,
    /// `wide`: the fields that are sensors. Empty: every field that holds a number, besides device and time.
    pub sensors: Vec<String>,
    /// `csv` without a header line: the columns' names in order. Empty: the first line of each file is the header.
    pub columns: Vec<String>,
    /// `csv`: the character between fields.
    pub delimiter: char,
    /// Largest record in bytes; larger ones go to quarantine as `too_large`.
    pub record_bytes_max: usize,
    /// Deepest nesting of JSON.
    pub depth_max: usize,
    /// Longest device id and sensor name, in bytes.
    pub id_bytes_max: usize,
    /// Most fields of a record, nested ones included.
    pub fields_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            format: Format::Json,
            shape: Shape::Long,
            device: Path::from("device"),
            sensor: Path::from("sensor"),
            time: Path::from("ts"),
            value: Path::from("value"),
            time_unit: TimeUnit::Auto,
            sensors: Vec::new(),
            columns: Vec::new(),
            delimiter: ',',
            record_bytes_max: 1 << 20,
            depth_max: 32,
            id_bytes_max: 1024,
            fields_max: 256,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    #[default]
    Json,
    Csv,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    #[default]
    Long,
    Wide,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    #[default]
    Auto,
    S,
    Ms,
    Us,
    Ns,
}

/// A key, a dotted path of keys, or a list of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Path {
    Dotted(String),
    Keys(Vec<String>),
}

impl From<&str> for Path {
    fn from(text: &str) -> Self {
        Path::Dotted(text.to_owned())
    }
}
