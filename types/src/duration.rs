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
        humantime::format_duration(self.0).fmt(f)
    }
}

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
        for text in ["5", "", "1 fortnight", "-1s", "200000d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
