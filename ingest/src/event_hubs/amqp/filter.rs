//! From where a receiver reads: the selector that the service understands.

use fe2o3_amqp_types::messaging::FilterSet;
use serde_amqp::Value;
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use serde_amqp::primitives::Symbol;

const SELECTOR: &str = "apache.org:selector-filter:string";

/// The first event that a receiver gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// The first one held.
    Earliest,
    /// The one after the event of this offset.
    AfterOffset(String),
    /// The first one after this sequence number. It need not be held any more, but must have been there.
    AfterSequenceNumber(i64),
    /// The first one that came to the service after this time, in milliseconds.
    AfterMillis(i64),
}

impl From {
    fn selector(&self) -> String {
        match self {
            From::Earliest => "amqp.annotation.x-opt-offset > '-1'".into(),
            // Offsets are opaque, but come into a quoted text.
            From::AfterOffset(offset) => format!("amqp.annotation.x-opt-offset > '{}'", offset.replace('\'', "")),
            From::AfterSequenceNumber(number) => format!("amqp.annotation.x-opt-sequence-number > '{number}'"),
            From::AfterMillis(millis) => format!("amqp.annotation.x-opt-enqueued-time > '{millis}'"),
        }
    }

    pub(super) fn filter(&self) -> FilterSet {
        let described =
            Described { descriptor: Descriptor::Name(Symbol::from(SELECTOR)), value: Value::String(self.selector()) };
        let mut filter = FilterSet::new();
        filter.insert(Symbol::from(SELECTOR), Value::Described(Box::new(described)));
        filter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_those_of_the_service() {
        for (from, expected) in [
            (From::Earliest, "amqp.annotation.x-opt-offset > '-1'"),
            (From::AfterOffset("8589934592".into()), "amqp.annotation.x-opt-offset > '8589934592'"),
            (From::AfterOffset("1' or '1".into()), "amqp.annotation.x-opt-offset > '1 or 1'"),
            (From::AfterSequenceNumber(41), "amqp.annotation.x-opt-sequence-number > '41'"),
            (From::AfterMillis(17), "amqp.annotation.x-opt-enqueued-time > '17'"),
        ] {
            assert_eq!(from.selector(), expected);
        }
    }
}
