//! Where a consumer begins: the selector expressions that Microsoft's clients write.
//!
//! The position a selector names is turned into the first sequence number to be sent, once, when the link is attached.

use crate::codec::Value;
use crate::frames::Refusal;

const FILTER: &str = "apache.org:selector-filter:string";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    /// Only what is enqueued from now on.
    Latest,
    Offset {
        offset: String,
        inclusive: bool,
    },
    SequenceNumber {
        number: i64,
        inclusive: bool,
    },
    EnqueuedTime {
        milliseconds: i64,
        inclusive: bool,
    },
}

impl Selector {
    /// All that is held.
    pub(crate) fn earliest() -> Self {
        Self::Offset { offset: "-1".to_owned(), inclusive: false }
    }

    /// The filter of a source; without one the service begins at the first event.
    pub(crate) fn of_source(source: &Value) -> Result<Self, Refusal> {
        let Value::Described(source) = source else { return Ok(Self::earliest()) };
        match source.1.field(7).and_then(|filters| filters.get(FILTER)) {
            None => Ok(Self::earliest()),
            Some(Value::Described(filter)) => filter.1.text().map_or_else(|| Err(not_text()), Self::parse),
            Some(plain) => plain.text().map_or_else(|| Err(not_text()), Self::parse),
        }
    }

    pub(crate) fn parse(expression: &str) -> Result<Self, Refusal> {
        Self::read(expression).ok_or_else(|| {
            Refusal::new("amqp:invalid-field", format!("The selector expression `{expression}` is not understood."))
        })
    }

    fn read(expression: &str) -> Option<Self> {
        let expression = expression.trim().strip_prefix("amqp.annotation.")?;
        let (name, comparison) = expression.split_at(expression.find('>')?);
        let comparison = &comparison[1..];
        let (inclusive, value) = match comparison.strip_prefix('=') {
            Some(value) => (true, value),
            None => (false, comparison),
        };
        let value = value.trim();
        let value = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')).unwrap_or(value);
        Some(match name.trim() {
            "x-opt-offset" if value == "@latest" => Self::Latest,
            "x-opt-offset" => Self::Offset { offset: value.to_owned(), inclusive },
            "x-opt-sequence-number" => Self::SequenceNumber { number: value.parse().ok()?, inclusive },
            "x-opt-enqueued-time" => Self::EnqueuedTime { milliseconds: value.parse().ok()?, inclusive },
            _ => return None,
        })
    }
}

fn not_text() -> Refusal {
    Refusal::new("amqp:invalid-field", "The selector filter holds no text.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_are_read() {
        let offset = |offset: &str, inclusive| Selector::Offset { offset: offset.to_owned(), inclusive };
        for (text, expected) in [
            ("amqp.annotation.x-opt-offset > '-1'", offset("-1", false)),
            ("amqp.annotation.x-opt-offset > '@latest'", Selector::Latest),
            ("amqp.annotation.x-opt-offset >= '4096'", offset("4096", true)),
            ("amqp.annotation.x-opt-offset >'geo-1:4096'", offset("geo-1:4096", false)),
            (
                "amqp.annotation.x-opt-sequence-number >'123'",
                Selector::SequenceNumber { number: 123, inclusive: false },
            ),
            ("amqp.annotation.x-opt-sequence-number >= '-1'", Selector::SequenceNumber { number: -1, inclusive: true }),
            (
                "amqp.annotation.x-opt-enqueued-time > '17'",
                Selector::EnqueuedTime { milliseconds: 17, inclusive: false },
            ),
            ("amqp.annotation.x-opt-enqueued-time >= 17", Selector::EnqueuedTime { milliseconds: 17, inclusive: true }),
        ] {
            assert_eq!(Selector::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "x-opt-offset > '1'",
            "amqp.annotation.x-opt-offset < '1'",
            "amqp.annotation.x-opt-offset '1'",
            "amqp.annotation.x-opt-sequence-number > 'x'",
            "amqp.annotation.x-opt-other > '1'",
        ] {
            assert_eq!(Selector::parse(text).unwrap_err().condition, "amqp:invalid-field", "{text}");
        }
    }
}
