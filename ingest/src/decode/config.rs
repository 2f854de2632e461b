//! `[ingest.decode]`: how the bytes of a record become readings. The rules that users rely on stand here, because these
//! comments are the reference documentation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From the bytes of a record to readings.
///
/// JSON must be valid to the last byte of the record. If an object names a field twice, the last one counts. Fields that
/// are not named here are ignored, whatever they hold. A byte order mark before the record is skipped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `json`, `csv`, or `auto`: a record (of files: a file) that begins with `{` or `[` is JSON, any other is CSV. With `auto`, paths are plain
    /// names, dots and all, because they stand for columns too. Avro files are known by their content: their values are JSON here, which
    /// `csv` contradicts; for Event Hubs Capture files this is the format of the bodies.
    pub format: Format,
    /// `long`: one reading a record. `wide`: one field a sensor. In JSON both also take an array of such objects; a bad
    /// element is refused by itself and the others count.
    pub shape: Shape,
    /// Where the device id is: a key, a path of keys joined by dots (`body.dev.id`), or a list of keys if a key holds a dot.
    /// For `csv` the name of a column, dots and all. Ids are taken byte for byte; a number is taken as it is written
    /// (`7` and `7.0` are two devices); an empty text or null is a missing field.
    pub device: Path,
    /// The device of all records, for inputs of a single device that do not name it. `device` is not read then.
    pub device_name: Option<String>,
    /// The device id is not in the payload but in the record's property of this name; `device` is not read then. Event Hubs and IoT Hub:
    /// a message annotation (`iothub-connection-device-id`, `x-opt-partition-key`), or an application property. Kafka: the first
    /// header of this name, UTF-8 text; where its bytes are no such text but exactly one AMQP string, symbol, long, uuid or timestamp,
    /// as the Kafka endpoint of Event Hubs may hand properties over, what they hold. Event Hubs Capture: an entry of `SystemProperties`, or of `Properties`.
    /// Other files have no properties. Without the property, or with an empty one, all the record holds is refused as `missing_field`.
    pub device_property: Option<String>,
    /// Where the sensor's name is (`long`). The same rules as for `device`.
    pub sensor: Path,
    /// Where the event time is: RFC 3339 text with any offset (`Z`, `+02:00`, `+0200`, `+02`), with a space for the `T`, or without
    /// zone (taken as UTC); or an epoch number, also as text, also with fraction or exponent. What is finer than a
    /// microsecond is cut off. A leap second counts as the second after it. Years 1 to 9999.
    pub time: Path,
    /// How a time that is text is written, where it is neither of these, like `%d.%m.%Y %H:%M:%S`: `%Y` `%m` `%d` `%H` `%M` `%S` (with a
    /// fraction, if there is one, after `.` or `,`), `%y` (2000 to 2099), `%b` (`Jan` to `Dec`), `%I` and `%p` (12 hours, AM or PM), `%z` (`Z`,
    /// `+02:00`, `+0200`, `+02`), `%%`; all else stands for itself. What a format does not name is 0; without `%z` it is UTC. Texts written
    /// otherwise are refused as `bad_time`; numbers of JSON are epochs all the same.
    pub time_format: Option<String>,
    /// The event time is not in the payload but in the record's property of this name (`iothub-enqueuedtime`, `x-opt-enqueued-time`, or
    /// one that the sender sets), found as for `device_property` and written as for `time`; `time` is not read then.
    pub time_property: Option<String>,
    /// Where the value is (`long`): a finite number, or such a number as text.
    pub value: Path,
    /// Unit of epoch numbers: `s`, `ms`, `us`, `ns`, or `auto`: by magnitude, below 1e11 seconds, below 1e14 milliseconds, below
    /// 1e17 microseconds, else nanoseconds (so each unit covers 1973 to 5138). With `auto`, a number as text needs at least nine digits
    /// before the point, so that `2018` or `20180828` is not taken for an epoch. Set the unit if times may lie near 1970.
    pub time_unit: TimeUnit,
    /// `wide`: the top-level fields (columns) that are sensors; others are left alone. Empty: every top-level field besides device, time
    /// and those in `ignore`. A sensor's field that is absent, null, or an empty text or cell gives no reading; one that holds neither a
    /// number nor a number as text is refused by itself; a row without any sensor's field is refused. Cells that give no reading and are
    /// not refused are counted by why in `atalaia_ingest_ignored_cells_total`.
    pub sensors: Vec<String>,
    /// `wide` without `sensors`: the top-level fields (columns) that are no sensors either, such as a status in words.
    pub ignore: Vec<String>,
    /// What stands before the fraction of a number that is text: `.`, or `,` as in `12,5`; the other one is no part of a number then, nor are
    /// marks between thousands. Cells of CSV are text, and so are JSON's strings; JSON's own numbers have a point whatever is set here.
    pub decimal: char,
    /// `csv` without a header line: the columns' names in order. The first line of a file that holds these names, in whatever order, is
    /// its header all the same. Empty: the first line of each file is the header. JSON has no use for it.
    pub columns: Vec<String>,
    /// `csv`: the character between fields. Fields may be quoted with `"`. A row that is longer than its header is refused
    /// (unless the surplus is empty), because a stray delimiter would shift values into wrong columns.
    pub delimiter: char,
    /// Largest record in bytes; larger ones go to quarantine as `too_large`. For `wide` and arrays, of the whole record.
    pub record_bytes_max: usize,
    /// Deepest nesting of JSON, up to 128; the outermost object or array counts as one.
    pub depth_max: usize,
    /// Longest device id and sensor name, in bytes.
    pub id_bytes_max: usize,
    /// Most fields of one object of readings (each element of an array counts for itself), nested fields included.
    pub fields_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            format: Format::Json,
            shape: Shape::Long,
            device: Path::from("device"),
            device_name: None,
            device_property: None,
            sensor: Path::from("sensor"),
            time: Path::from("ts"),
            time_format: None,
            time_property: None,
            value: Path::from("value"),
            time_unit: TimeUnit::Auto,
            sensors: Vec::new(),
            ignore: Vec::new(),
            decimal: '.',
            columns: Vec::new(),
            delimiter: ',',
            record_bytes_max: 1 << 20,
            depth_max: 32,
            id_bytes_max: 1024,
            fields_max: 1024,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    #[default]
    Json,
    Csv,
    Auto,
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
