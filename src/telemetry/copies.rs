//! Copies of log lines for the collector and for the files in the store: the same lines as on standard error, with their fields.

use std::cell::Cell;

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use tracing::field::Field;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::fields::Fields;
use super::otlp::{attribute, nanos};
use super::{Exports, exports, spans};
use crate::wall;

thread_local! {
    static IS_EXPORTING: Cell<bool> = const { Cell::new(false) };
}

/// What this thread logs is not copied: it is about sending copies, and each would make the next.
pub(super) fn never_of_this_thread() {
    IS_EXPORTING.set(true);
}

pub(super) struct Copies;

impl<S: Subscriber> Layer<S> for Copies {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(exports) = exports().filter(|exports| exports.takes_lines() && !IS_EXPORTING.get()) else { return };
        let metadata = event.metadata();
        let mut line = Line::new(*metadata.level(), metadata.target());
        event.record(&mut Fields(|field: &Field, value| line.take(field, value)));
        line.hand_to(exports);
    }
}

/// One line.
pub(super) struct Line {
    level: Level,
    target: String,
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Line {
    fn new(level: Level, target: &str) -> Self {
        Line { level, target: target.to_owned(), message: String::new(), fields: Vec::new() }
    }

    /// One that standard error shows in another way.
    pub(super) fn error(message: String, fields: Vec<(&'static str, Value)>) -> Self {
        Line { message, fields, ..Line::new(Level::ERROR, "atalaia") }
    }

    pub(super) fn hand_to(self, exports: &Exports) {
        if let Some(archive) = &exports.archive {
            archive.push(self.json());
        }
        if let Some(logs) = &exports.logs {
            logs.push(self.record());
        }
    }

    /// As `log_format = "json"` has it.
    fn json(&self) -> String {
        let mut object = serde_json::Map::new();
        object.insert("timestamp".into(), wall::text(wall::now()).into());
        object.insert("level".into(), self.level.as_str().into());
        object.insert("message".into(), self.message.as_str().into());
        for (name, value) in &self.fields {
            object.insert((*name).to_owned(), plain(value));
        }
        object.insert("target".into(), self.target.as_str().into());
        if let Some((trace, _)) = spans::current() {
            object.insert("trace_id".into(), format!("{:032x}", u128::from_be_bytes(trace)).into());
        }
        serde_json::Value::Object(object).to_string()
    }

    fn record(self) -> LogRecord {
        let now = nanos();
        let severity = match self.level {
            Level::ERROR => SeverityNumber::Error,
            Level::WARN => SeverityNumber::Warn,
            Level::INFO => SeverityNumber::Info,
            Level::DEBUG => SeverityNumber::Debug,
            Level::TRACE => SeverityNumber::Trace,
        };
        let mut attributes: Vec<_> = self.fields.into_iter().map(|(name, value)| attribute(name, value)).collect();
        attributes.push(attribute("code.namespace", Value::StringValue(self.target)));
        let (trace_id, span_id) =
            spans::current().map(|(trace, span)| (trace.to_vec(), span.to_vec())).unwrap_or_default();
        LogRecord {
            time_unix_nano: now,
            observed_time_unix_nano: now,
            severity_number: severity.into(),
            severity_text: self.level.as_str().to_owned(),
            body: Some(AnyValue { value: Some(Value::StringValue(self.message)) }),
            attributes,
            flags: u32::from(!trace_id.is_empty()),
            trace_id,
            span_id,
            ..LogRecord::default()
        }
    }

    fn take(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::StringValue(text)) => self.message = text,
            // Of lines that come by the crate `log`.
            ("log.target", Value::StringValue(target)) => self.target = target,
            (name, _) if name.starts_with("log.") => {}
            (name, value) => self.fields.push((name, value)),
        }
    }
}

fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::StringValue(text) => text.as_str().into(),
        Value::BoolValue(flag) => (*flag).into(),
        Value::IntValue(number) => (*number).into(),
        Value::DoubleValue(number) => (*number).into(),
        other => format!("{other:?}").into(),
    }
}
