//! What a field's name says about its part in a reading: points for each part, by the words that the name is made of.
//!
//! Names are hints. What a field holds counts too, and whether the decoder can read it counts most; that is the caller's to add up.

/// The parts of a reading that a field may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Device,
    Sensor,
    Time,
    Value,
}

/// Words by the points that they give, for a part of a reading.
type Words = &'static [(i32, &'static [&'static str])];

const DEVICE: Words = &[
    (40, &["device"]),
    (36, &["asset", "machine", "dev"]),
    (34, &["equipment", "vehicle", "turbine", "vin"]),
    (30, &["thing", "meter", "robot", "imei", "truck", "pump", "engine", "inverter"]),
    (26, &["station", "serial", "motor", "plc", "mac", "node", "bn"]),
    (20, &["host", "hostname", "entity", "object"]),
    (16, &["gateway", "source", "id", "client", "publisher", "application"]),
    (8, &["name", "site", "plant", "line", "room", "building", "location", "unit", "cell", "uri"]),
    (4, &["key", "area", "tag", "sensor", "topic", "subject"]),
    (-30, &["type", "status", "state", "quality", "version", "firmware", "level", "severity", "event", "model", "uom"]),
    (-45, &["message", "trace", "correlation", "session", "comment", "sequence", "seq", "value"]),
];

const SENSOR: Words = &[
    (40, &["sensor"]),
    (38, &["tag", "metric", "signal"]),
    (34, &["measurement", "channel", "parameter", "param", "variable", "quantity"]),
    (30, &["point", "datapoint", "probe", "measure", "register", "attribute", "observation"]),
    (22, &["n", "field", "series", "property", "display"]),
    (14, &["name", "item", "node", "key", "topic", "type", "kind", "subject"]),
    (-15, &["device", "machine", "asset", "user", "operator", "batch", "product", "model", "id"]),
    (-25, &["site", "location", "plant", "country", "level", "severity", "building", "room", "line", "area", "source"]),
    (
        -35,
        &["unit", "units", "uom", "status", "state", "quality", "version", "firmware", "message", "comment", "value"],
    ),
];

const TIME: Words = &[
    (40, &["timestamp", "ts", "datetime"]),
    (38, &["time"]),
    (34, &["epoch", "t", "when"]),
    (30, &["at"]),
    (24, &["date", "bt"]),
    (14, &["clock", "utc"]),
    (6, &["event", "measured", "observed", "sample", "source", "device", "sensor", "reading"]),
    (-8, &["created", "updated", "server", "start", "end", "last", "first", "publish", "published", "boot"]),
    (-20, &["enqueued", "received", "ingest", "ingested", "processed", "arrival", "stored", "inserted", "gateway"]),
    (-60, &["uptime", "interval", "duration", "delay", "offset", "zone", "expiry", "expires", "period", "value"]),
];

const VALUE: Words = &[
    (40, &["value"]),
    (36, &["val", "v", "reading"]),
    (30, &["measurement", "measured", "measure"]),
    (22, &["result", "data", "amount", "y"]),
    (8, &["raw", "number", "numeric", "level"]),
    (-10, &["min", "max", "limit", "threshold", "setpoint", "battery", "rssi", "lat", "lon", "latitude", "longitude"]),
    (-40, &["quality", "status", "state", "code", "index", "version", "time", "timestamp", "ts", "id", "offset"]),
    (-45, &["seq", "sequence", "counter", "message", "partition", "precision"]),
];

/// Numbers under these names are no measurements.
const NO_SENSOR: &[&str] = &[
    "id",
    "seq",
    "sequence",
    "counter",
    "index",
    "idx",
    "offset",
    "partition",
    "version",
    "status",
    "code",
    "quality",
    "timestamp",
    "ts",
    "epoch",
    "time",
    "date",
    "latitude",
    "longitude",
    "lat",
    "lon",
    "lng",
    "zip",
    "port",
    "row",
];

/// Fields that people do not want to see quoted.
const PRIVATE: &[&str] =
    &["password", "passwd", "pwd", "secret", "token", "apikey", "credential", "credentials", "signature", "auth"];

/// What ends in one of these says something of the word before it: `deviceid`, `tagname`.
const ENDINGS: &[&str] = &["id", "name", "no", "number", "code", "key", "value", "time", "timestamp", "date", "ts"];

/// Points of a path for a part: what its last key says, or where that is a general one (`id`, `name`), the key above too.
pub(super) fn points(part: Part, path: &[String]) -> i32 {
    let Some((last, above)) = path.split_last() else { return 0 };
    let own = points_of_key(part, last);
    let general =
        words(last).iter().all(|word| matches!(word.as_str(), "id" | "name" | "value" | "key" | "time" | "at"));
    match above.last() {
        Some(above) if general => own + points_of_key(part, above).max(0) / 2,
        _ => own,
    }
}

pub(super) fn is_no_sensor(name: &str) -> bool {
    words(name).iter().any(|word| NO_SENSOR.contains(&word.as_str()))
}

pub(super) fn is_private(path: &[String]) -> bool {
    let key_of_access =
        |words: &[String]| words.iter().any(|w| w == "key") && words.iter().any(|w| w == "access" || w == "api");
    path.iter().any(|key| {
        let words = words(key);
        words.iter().any(|word| PRIVATE.contains(&word.as_str())) || key_of_access(&words)
    })
}

/// The best word counts, and all that speak against.
fn points_of_key(part: Part, key: &str) -> i32 {
    let table = match part {
        Part::Device => DEVICE,
        Part::Sensor => SENSOR,
        Part::Time => TIME,
        Part::Value => VALUE,
    };
    let points = |word: &String| table.iter().find(|(_, words)| words.contains(&word.as_str())).map_or(0, |(p, _)| *p);
    let all: Vec<i32> = words(key).iter().map(points).collect();
    let best = all.iter().copied().max().unwrap_or(0).max(0);
    // `measured_at` and `sourceTime` are times twice over, `source` alone is none.
    let against: i32 = all.iter().filter(|points| **points < 0).sum();
    let seconded = i32::from(all.iter().filter(|points| **points > 0).count() > 1) * 2;
    best + against + seconded
}

/// `SourceTimestamp`, `source_timestamp` and `source-timestamp` are the same two words; `deviceid` is two as well.
pub(super) fn words(key: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before: Option<char> = None;
    let characters: Vec<char> = key.chars().collect();
    for (at, &character) in characters.iter().enumerate() {
        let next_is_lower = characters.get(at + 1).is_some_and(|next| next.is_lowercase());
        let begins = character.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase() || before.is_numeric() || before.is_uppercase() && next_is_lower
            });
        if (begins || !character.is_alphabetic()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if character.is_alphabetic() {
            word.extend(character.to_lowercase());
        }
        before = Some(character);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words.into_iter().flat_map(parts).collect()
}

fn parts(word: String) -> Vec<String> {
    if is_known(&word) {
        return vec![word];
    }
    for ending in ENDINGS {
        if let Some(rest) = word.strip_suffix(ending)
            && is_known(rest)
        {
            return vec![rest.to_owned(), (*ending).to_owned()];
        }
    }
    vec![word]
}

fn is_known(word: &str) -> bool {
    [DEVICE, SENSOR, TIME, VALUE].iter().any(|table| table.iter().any(|(_, words)| words.contains(&word)))
        || PRIVATE.contains(&word)
        || NO_SENSOR.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_into_words() {
        for (name, expected) in [
            ("deviceId", &["device", "id"][..]),
            ("DEVICE_ID", &["device", "id"]),
            ("deviceid", &["device", "id"]),
            ("SourceTimestamp", &["source", "timestamp"]),
            ("iothub-connection-device-id", &["iothub", "connection", "device", "id"]),
            ("HTTPServer2time", &["http", "server", "time"]),
            ("tagname", &["tag", "name"]),
            ("ts", &["ts"]),
            ("Größe in °C", &["größe", "in", "c"]),
            ("", &[]),
            ("\u{0}\u{1b}[2J", &["j"]),
        ] {
            assert_eq!(words(name), expected, "{name:?}");
        }
    }

    #[test]
    fn the_right_part_gets_most_points() {
        use Part::{Device, Sensor, Time, Value};
        for (part, right, wrong) in [
            (Device, "deviceId", "messageId"),
            (Device, "asset", "site"),
            (Device, "machine", "status"),
            (Sensor, "tag", "unit"),
            (Sensor, "metric_name", "device_name"),
            (Sensor, "type", "location"),
            (Time, "SourceTimestamp", "ServerTimestamp"),
            (Time, "ts", "enqueuedTime"),
            (Time, "measured_at", "created_at"),
            (Value, "val", "seq"),
            (Value, "value", "quality"),
        ] {
            let of = |name: &str| points(part, &[name.to_owned()]);
            assert!(of(right) > of(wrong), "{part:?}: {right} {} {wrong} {}", of(right), of(wrong));
        }
        let nested = |keys: &[&str]| points(Device, &keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert!(nested(&["body", "dev", "id"]) > nested(&["body", "msg", "id"]));
        assert!(
            is_private(&["auth".into(), "x".into()])
                && is_private(&["accessKey".into()])
                && !is_private(&["key".into()])
        );
    }
}
