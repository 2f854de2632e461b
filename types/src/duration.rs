//! Spans of time in the configuration: `30s`, `1h 30m`, `7d`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Micros;

/// A span of time written with its unit, in whole microseconds: `500ms`, `30s`, `5m`, `1h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(Duration);

impl Span {
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Span(Duration::from_secs(seconds))
    }

    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Span(Duration::from_millis(millis))
    }

    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Spelled as the first version did (`1day` for `1d`): states name their rules so, and are to be found again.
    #[must_use]
    pub fn as_in_states(self) -> String {
        humantime::format_duration(self.0).to_string()
    }

    #[must_use]
    pub fn micros(self) -> Micros {
        Micros::try_from(self.0.as_micros()).unwrap_or(Micros::MAX)
    }
}

/// Reads `30s`, `1h 30m`, `7d`; a bare `0` is allowed, any other number needs a unit.
///
/// # Errors
/// Names the text and the form expected.
pub fn parse_span(text: &str) -> Result<Span, String> {
    if text.trim() == "0" {
        return Ok(Span::default());
    }
    let duration = humantime::parse_duration(text.trim()).map_err(|_| {
        format!("`{text}` is not a span of time: write it with a unit, like `500ms`, `30s`, `5m`, `1h` or `7d`")
    })?;
    // A century: far beyond any use, far below overflow in sums of several spans.
    if duration > Duration::from_secs(100 * 366 * 86_400) {
        return Err(format!("`{text}` is longer than a century"));
    }
    Ok(Span(duration))
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_span(text)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_nanos();
        if left == 0 {
            return f.write_str("0s");
        }
        let mut is_first = true;
        for (unit, nanos) in UNITS {
            let count = left / nanos;
            left %= nanos;
            if count > 0 {
                let gap = if is_first { "" } else { " " };
                write!(f, "{gap}{count}{unit}")?;
                is_first = false;
            }
        }
        Ok(())
    }
}

/// Days are the largest: months and years have no one length.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        parse_span(&text).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "span", "examples": ["500ms", "30s", "5m", "1h", "7d"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print_alike() {
        for (text, micros) in
            [("0", 0), ("0s", 0), ("500ms", 500_000), ("1h 30m", 5_400_000_000), ("7d", 604_800_000_000)]
        {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.micros(), micros, "{text}");
            assert_eq!(span.to_string().parse::<Span>().expect("printed span"), span);
        }
        for text in ["0s", "500ms", "1h 30m", "7d", "400d 1s", "1d 2h 3m 4s 5ms 6us 7ns"] {
            assert_eq!(text.parse::<Span>().expect(text).to_string(), text);
        }
        assert_eq!(Span::from_secs(86_400 * 7).as_in_states(), "7days");
        for text in ["5", "", "1 fortnight", "-1s", "200000d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
