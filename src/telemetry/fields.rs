//! Fields of `tracing` -> values as OTLP has them, the same for spans and for log lines.

use std::fmt;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tracing::field::{Field, Visit};

/// Takes one field after the other.
pub(super) struct Fields<F>(pub(super) F);

impl<F: FnMut(&Field, Value)> Visit for Fields<F> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0(field, Value::IntValue(value));
    }

    /// OTLP has signed numbers only: what is larger is told as text.
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0(field, i64::try_from(value).map_or_else(|_| Value::StringValue(value.to_string()), Value::IntValue));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0(field, Value::DoubleValue(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0(field, Value::BoolValue(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0(field, Value::StringValue(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0(field, Value::StringValue(format!("{value:?}")));
    }
}
