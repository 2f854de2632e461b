//! One anomaly as a CloudEvent (1.0, JSON, structured mode): the same row always gives the same id and the same bytes.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use types::Micros;

/// Of one event.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";
/// Of an array of events.
pub const CONTENT_TYPE_BATCH: &str = "application/cloudevents-batch+json";

const TYPE: &str = "atalaia.anomaly";
/// 128 bits: chance gives no two rows the same.
const ID_BYTES: usize = 16;

/// An event, final. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    pub device: String,
    pub body: Bytes,
}

/// What makes a row one and no other: it does not depend on models, files or commits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) pipeline: &'a str,
    pub(crate) partition: i32,
    pub(crate) device: &'a str,
    /// None in rows of whole devices.
    pub(crate) sensor: Option<&'a str>,
    pub(crate) window_start: Micros,
    pub(crate) window_end: Micros,
}

/// As CloudEvents has it; fields in the order in which they are written.
#[derive(Serialize)]
struct Envelope<'a, D: Serialize> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    datacontenttype: &'static str,
    data: D,
}

impl Event {
    /// # Panics
    /// Never: a row has text keys and values that JSON can write.
    pub(crate) fn new(key: Key<'_>, data: impl Serialize) -> Event {
        let id = key.id();
        let envelope = Envelope {
            specversion: "1.0",
            id: &id,
            // Letters, digits, `.`, `_` and `-`: a URI reference as it is.
            source: key.pipeline,
            r#type: TYPE,
            subject: key.device,
            time: time_text(key.window_end),
            datacontenttype: "application/json",
            data,
        };
        let body = serde_json::to_vec(&envelope).expect("a row is plain data").into();
        Event { device: key.device.to_owned(), id, body }
    }
}

impl Key<'_> {
    /// Lengths stand before texts, so that no two keys give the same bytes.
    fn id(&self) -> String {
        let mut hash = Sha256::new();
        for text in [Some(self.pipeline), Some(self.device), self.sensor] {
            // No text is so long.
            hash.update(text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
            hash.update(text.unwrap_or_default());
        }
        hash.update(self.partition.to_le_bytes());
        hash.update(self.window_start.to_le_bytes());
        hash.update(self.window_end.to_le_bytes());
        hash.finalize()[..ID_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// RFC 3339 in UTC; none for times that it cannot write.
pub(crate) fn time_text(time: Micros) -> Option<String> {
    Timestamp::from_microsecond(time).ok().map(|time| time.to_string()).filter(|text| !text.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key<'static> = Key {
        pipeline: "plant-7",
        partition: 3,
        device: "pump ü",
        sensor: Some("t"),
        window_start: 1_535_414_400_000_000,
        window_end: 1_535_414_405_500_000,
    };

    #[test]
    fn an_event_is_these_bytes() {
        let event = Event::new(KEY, serde_json::json!({ "severity": 0.1 }));
        let text = format!(
            r#"{{"specversion":"1.0","id":"{}","source":"plant-7","type":"atalaia.anomaly","subject":"pump ü","time":"2018-08-28T00:00:05.5Z","datacontenttype":"application/json","data":{{"severity":0.1}}}}"#,
            event.id
        );
        assert_eq!(std::str::from_utf8(&event.body).unwrap(), text);
        assert_eq!(event, Event::new(KEY, serde_json::json!({ "severity": 0.1 })));
    }

    /// Receivers remember ids: another version must not give others.
    #[test]
    fn ids_stay_what_they_are() {
        assert_eq!(KEY.id(), "9409b103f06ebddadc1f40e3ab986625");
    }

    #[test]
    fn each_part_of_the_key_makes_another_id() {
        let keys = [
            KEY,
            Key { pipeline: "plant-8", ..KEY },
            Key { partition: 4, ..KEY },
            Key { device: "pump", sensor: Some(" üt"), ..KEY },
            Key { device: "pump ", sensor: Some("üt"), ..KEY },
            Key { sensor: Some(""), ..KEY },
            Key { sensor: None, ..KEY },
            Key { window_start: KEY.window_start - 1, ..KEY },
            Key { window_end: KEY.window_end + 1, ..KEY },
        ];
        let ids: std::collections::BTreeSet<String> = keys.iter().map(Key::id).collect();
        assert_eq!(ids.len(), keys.len());
        assert!(ids.iter().all(|id| id.len() == 2 * ID_BYTES));
    }

    #[test]
    fn times_that_no_text_has_are_left_out() {
        assert_eq!(time_text(0).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(time_text(1).as_deref(), Some("1970-01-01T00:00:00.000001Z"));
        assert_eq!(time_text(Micros::MAX), None);
        assert_eq!(time_text(-100_000_000_000_000_000), None, "before the year 0");
    }
}
