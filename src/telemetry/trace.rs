//! The spans of a commit, as the pipeline makes them. They are for tracing alone: no log line shows them, and without a collector to
//! send them to they are not made.
//!
//! Names and attributes follow OpenTelemetry's conventions for messaging: a commit processes a batch of records.

use std::fmt::Write as _;

use ingest::{TRACES_MAX, TraceContext};
use tracing::{Span, field};
use types::PartitionId;

/// Of these spans, here and in the crates that do the work.
pub(crate) const TARGET: &str = "atalaia::trace";
/// The name of the one that others are parts of.
pub(crate) const COMMIT: &str = "process";

/// Contexts of records since the commit before: the first ones, each once.
#[derive(Debug, Default)]
pub(crate) struct Links(Vec<TraceContext>);

impl Links {
    pub(crate) fn add(&mut self, contexts: &[TraceContext]) {
        for context in contexts {
            if self.0.len() < TRACES_MAX && !self.0.contains(context) {
                self.0.push(context.clone());
            }
        }
    }

    /// As fields of spans can be: one `traceparent`, a blank and `tracestate` a line.
    fn text(&self) -> String {
        let mut text = String::new();
        for TraceContext { trace_id, span_id, state } in &self.0 {
            let (trace, span) = (u128::from_be_bytes(*trace_id), u64::from_be_bytes(*span_id));
            let state: String = state.chars().filter(|c| !c.is_control()).collect();
            let _ = writeln!(text, "00-{trace:032x}-{span:016x}-01 {state}");
        }
        text
    }
}

/// Begins the span of a commit; what it lacks is told at its end.
pub(crate) fn commit(partition: &PartitionId, kind: &'static str, records: u64, links: Links) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        COMMIT,
        otel.name = field::Empty,
        otel.kind = "consumer",
        otel.links = field::Empty,
        otel.done = field::Empty,
        messaging.system = field::Empty,
        messaging.operation.name = "process",
        "messaging.operation.type" = "process",
        messaging.destination.name = %partition.topic,
        // A text by the conventions, as not every system numbers them.
        messaging.destination.partition.id = %partition.index,
        messaging.batch.message_count = records,
        atalaia.commit.kind = kind,
        atalaia.commit.seq = field::Empty,
        atalaia.commit.next = field::Empty,
        atalaia.commit.rows = field::Empty,
        atalaia.commit.bytes = field::Empty,
        atalaia.commit.files = field::Empty,
        atalaia.commit.anomalies = field::Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("process {}", partition.topic));
        span.record("messaging.system", super::messaging_system());
        if !links.0.is_empty() {
            span.record("otel.links", links.text());
        }
    }
    span
}

/// A part of the commit whose span is entered.
pub(crate) fn part(name: &'static str) -> Span {
    tracing::info_span!(target: TARGET, "part", otel.name = name, otel.done = true)
}

/// It is durable.
pub(crate) fn committed(span: &Span, committed: &sink::Committed) {
    if span.is_disabled() {
        return;
    }
    span.record("atalaia.commit.seq", committed.seq);
    span.record("atalaia.commit.next", committed.next.0);
    span.record("atalaia.commit.rows", committed.rows);
    span.record("atalaia.commit.bytes", committed.bytes);
    span.record("atalaia.commit.files", committed.files);
    span.record("atalaia.commit.anomalies", committed.run.anomalies);
    span.record("otel.done", true);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use tracing::field::Field;
    use tracing::span::{Attributes, Id};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    use super::super::fields::Fields;
    use super::*;

    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<BTreeMap<&'static str, Value>>>);

    impl<S: tracing::Subscriber> Layer<S> for Seen {
        fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
            let mut seen = self.0.lock().unwrap();
            attributes.record(&mut Fields(|field: &Field, value| drop(seen.insert(field.name(), value))));
        }
    }

    /// As the conventions for messaging have them.
    #[test]
    fn attributes_of_a_commit_are_of_their_types() {
        let seen = Seen::default();
        let partition = PartitionId { topic: "readings".into(), index: 3 };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(seen.clone()), || {
            commit(&partition, "data", 17, Links::default());
        });
        let seen = seen.0.lock().unwrap();
        let text = |text: &str| Some(Value::StringValue(text.into()));
        assert_eq!(seen.get("messaging.destination.partition.id").cloned(), text("3"));
        assert_eq!(seen.get("messaging.destination.name").cloned(), text("readings"));
        assert_eq!(seen.get("messaging.batch.message_count").cloned(), Some(Value::IntValue(17)));
    }

    #[test]
    fn the_first_contexts_are_kept_each_once() {
        let context = |number: u8| TraceContext { trace_id: [number; 16], span_id: [7; 8], state: "a=b\n".into() };
        let mut links = Links::default();
        links.add(&[context(1), context(2)]);
        links.add(&[context(2), context(3)]);
        assert_eq!(links.0, [1, 2, 3].map(context));
        let line = links.text().lines().next().map(str::to_owned);
        assert_eq!(line.as_deref(), Some("00-01010101010101010101010101010101-0707070707070707-01 a=b"));
        links.add(&(0..100).map(context).collect::<Vec<_>>());
        assert_eq!(links.0.len(), TRACES_MAX);
        assert_eq!(links.text().lines().count(), TRACES_MAX);
    }
}
