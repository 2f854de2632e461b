//! Two judges of the same records: the fast path against the full parser, and the decoder against serde_json.
//!
//! An input is a few records with a byte between them that no JSON text holds. One decoder sees them all and learns its
//! templates; each must come out as from a decoder that has learned nothing. Plain records, of four scalar
//! fields at the top, must be accepted or refused as serde_json and the rules of the manual say.

#![no_main]

use std::fmt;
use std::sync::LazyLock;

use ingest::decode::{Config, Decoded, Decoder};
use laws::decoding;
use libfuzzer_sys::fuzz_target;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use types::{Reading, Reason};

const BETWEEN: u8 = 0xff;
const RECORDS_MAX: usize = 12;

static CONFIG: LazyLock<Config> = LazyLock::new(|| Config { fields_max: 1 << 20, depth_max: 128, ..Config::default() });

fuzz_target!(|bytes: &[u8]| {
    let mut experienced = Decoder::new(&CONFIG).expect("the defaults");
    for payload in bytes.split(|byte| *byte == BETWEEN).take(RECORDS_MAX) {
        let mut fresh = Decoder::new(&CONFIG).expect("the defaults");
        let fresh = fresh.decode(payload);
        let shown = String::from_utf8_lossy(payload);
        assert_eq!(decoding::written(&experienced.decode(payload)), decoding::written(&fresh), "the record is {shown}");
        compare(payload, &fresh);
    }
});

/// The fields of an object in the order in which they stand.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Collect).map(Fields)
    }
}

/// What serde_json says of the record; nothing where the two may differ by their rules.
fn compare(payload: &[u8], decoded: &Decoded<'_>) {
    let Ok(record) = std::str::from_utf8(payload) else { return };
    let record = record.strip_prefix('\u{feff}').unwrap_or(record);
    let is_json = serde_json::from_str::<IgnoredAny>(record).is_ok();
    match decoded {
        Decoded::Reject(reject) if matches!(reject.reason, Reason::InvalidJson) => {
            // Half a surrogate pair is found only where the text is wanted.
            assert!(!is_json || reject.detail.contains("surrogate"), "{reject:?} of {record}");
        }
        Decoded::Reject(reject) if matches!(reject.reason, Reason::Empty | Reason::TooDeep | Reason::TooManyFields) => {
        }
        _ => assert!(is_json, "{decoded:?} of {record}"),
    }
    // A name that is no text is no name that is looked for.
    let Ok(Fields(fields)) = serde_json::from_str::<Fields>(record) else { return };
    let last = |name: &str| fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.get());
    let [device, sensor, time, value] = ["device", "sensor", "ts", "value"].map(last);
    let (device, sensor, value) = (device.and_then(id), sensor.and_then(id), value.and_then(number));
    if let Decoded::One(reading) = decoded {
        let Reading { device: got_device, sensor: got_sensor, value: got_value, .. } = *reading;
        assert_eq!((Some(got_device), Some(got_sensor)), (device.as_deref(), sensor.as_deref()), "{record}");
        if let Some(value) = value {
            assert_eq!(got_value.to_bits(), value.to_bits(), "the value of {record}");
        }
    }
    let (Some(device), Some(sensor), Some(time), Some(value)) = (device, sensor, time.and_then(millis), value) else {
        return;
    };
    if matches!(decoded, Decoded::Reject(reject) if matches!(reject.reason, Reason::TooDeep | Reason::TooManyFields)) {
        return;
    }
    let Decoded::One(reading) = decoded else { panic!("{decoded:?}, but {record} is a good record") };
    let right = Reading { device: &device, sensor: &sensor, time: time * 1000, value };
    assert_eq!(*reading, right, "{record}");
}

/// A text, or a number as it is written.
fn id(raw: &str) -> Option<String> {
    let text = match raw.as_bytes()[0] {
        b'"' => serde_json::from_str(raw).ok()?,
        b'-' | b'0'..=b'9' => raw.to_owned(),
        _ => return None,
    };
    (1..=CONFIG.id_bytes_max).contains(&text.len()).then_some(text)
}

/// A finite JSON number; numbers as text have a grammar of their own.
fn number(raw: &str) -> Option<f64> {
    if raw.starts_with('"') {
        return None;
    }
    serde_json::from_str(raw).ok()
}

/// A whole number that is milliseconds by its magnitude.
fn millis(raw: &str) -> Option<i64> {
    let number: i64 = serde_json::from_str(raw).ok()?;
    (100_000_000_000..100_000_000_000_000).contains(&number).then_some(number)
}
