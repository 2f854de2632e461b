//! What goes to a collector: batches of spans and log lines, and the metrics every so often.
//!
//! A batch is tried a few times while the queue behind it fills; then it is given up and counted. Nothing here is ever waited for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::time::{Instant, sleep, sleep_until};

use super::exposition::{self, Times};
use super::failures::Failures;
use super::pump::{Stop, stopped};
use super::wire::{Signal, Wire};
use crate::wall;

/// Waits between the tries of one batch.
const TRY_AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

const FAILURES: &str = "atalaia_process_otlp_failures_total";
const DROPPED: &str = "atalaia_process_otlp_dropped_total";

pub(super) fn describe_metrics() {
    use metrics::{Unit, describe_counter};
    describe_counter!(FAILURES, Unit::Count, "Requests to the collector that were given up");
    describe_counter!(DROPPED, Unit::Count, "Spans and log lines that were dropped on their way to the collector");
}

pub(super) fn dropped(signal: Signal) -> metrics::Counter {
    metrics::counter!(DROPPED, "signal" => signal.as_str())
}

/// Now, as OTLP has times.
pub(super) fn nanos() -> u64 {
    u64::try_from(wall::now()).unwrap_or_default().saturating_mul(1000)
}

pub(super) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Who speaks. What is configured goes before what we say of ourselves.
pub(super) fn resource(pipeline: &str, more: &BTreeMap<String, String>) -> Resource {
    let mut all: BTreeMap<&str, String> = BTreeMap::from([
        ("service.name", "atalaia".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", sink::instance()),
        ("atalaia.pipeline", pipeline.to_owned()),
    ]);
    all.extend(more.iter().map(|(key, value)| (key.as_str(), value.clone())));
    let attributes = all.into_iter().map(|(key, value)| attribute(key, Value::StringValue(value))).collect();
    Resource { attributes, ..Resource::default() }
}

/// One signal on its way to the collector.
pub(super) struct Exporter {
    wire: Wire,
    signal: Signal,
    resource: Arc<Resource>,
    stop: Stop,
    failures: Failures,
    dropped: metrics::Counter,
}

impl Exporter {
    pub(super) fn new(wire: Wire, signal: Signal, resource: Arc<Resource>, stop: Stop) -> Self {
        let failures = Failures::of(match signal {
            Signal::Traces => "spans cannot be sent to the collector",
            Signal::Logs => "log lines cannot be sent to the collector",
            Signal::Metrics => "metrics cannot be sent to the collector",
        });
        // Shows from the beginning.
        metrics::counter!(FAILURES, "signal" => signal.as_str()).increment(0);
        Exporter { wire, signal, resource, stop, failures, dropped: dropped(signal) }
    }

    pub(super) async fn spans(&mut self, spans: Vec<Span>) {
        let items = spans.len() as u64;
        let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans, schema_url: String::new() }];
        let resource_spans =
            vec![ResourceSpans { resource: Some((*self.resource).clone()), scope_spans, schema_url: String::new() }];
        let rejected = |answer: ExportTraceServiceResponse| {
            answer.partial_success.map(|part| (part.rejected_spans, part.error_message))
        };
        self.send(&ExportTraceServiceRequest { resource_spans }, items, rejected).await;
    }

    pub(super) async fn logs(&mut self, log_records: Vec<LogRecord>) {
        let items = log_records.len() as u64;
        let scope_logs = vec![ScopeLogs { scope: Some(scope()), log_records, schema_url: String::new() }];
        let resource_logs =
            vec![ResourceLogs { resource: Some((*self.resource).clone()), scope_logs, schema_url: String::new() }];
        let rejected = |answer: ExportLogsServiceResponse| {
            answer.partial_success.map(|part| (part.rejected_log_records, part.error_message))
        };
        self.send(&ExportLogsServiceRequest { resource_logs }, items, rejected).await;
    }

    /// Sends what the recorder shows, every so often and once more at the end.
    pub(super) async fn metrics(mut self, interval: Duration, render: impl Fn() -> String) {
        let since_nanos = nanos();
        let mut next = Instant::now() + interval;
        let mut stop = self.stop.clone();
        loop {
            let is_over = tokio::select! {
                () = sleep_until(next) => false,
                () = stopped(&mut stop) => true,
            };
            let metrics = exposition::metrics(&render(), Times { since_nanos, now_nanos: nanos() });
            let scope_metrics = vec![ScopeMetrics { scope: Some(scope()), metrics, schema_url: String::new() }];
            let resource_metrics = vec![ResourceMetrics {
                resource: Some((*self.resource).clone()),
                scope_metrics,
                schema_url: String::new(),
            }];
            let rejected = |answer: ExportMetricsServiceResponse| {
                answer.partial_success.map(|part| (part.rejected_data_points, part.error_message))
            };
            // What is not taken now is in what is sent the next time.
            self.send(&ExportMetricsServiceRequest { resource_metrics }, 0, rejected).await;
            if is_over {
                return;
            }
            next = (next + interval).max(Instant::now());
        }
    }

    async fn send<A: Message + Default>(
        &mut self,
        message: &impl Message,
        items: u64,
        rejected: impl Fn(A) -> Option<(i64, String)>,
    ) {
        let mut tries = TRY_AGAIN.iter();
        let failure = loop {
            match self.wire.send(self.signal, message).await {
                Ok(answer) => {
                    // An answer that cannot be read is a success all the same.
                    let part = A::decode(answer.as_slice()).ok().and_then(&rejected);
                    match part.filter(|(count, _)| *count > 0) {
                        None => self.failures.worked(),
                        Some((count, why)) => {
                            self.dropped.increment(count.unsigned_abs());
                            self.failures.failed(&format!("the collector refused {count} of them: {why}"));
                        }
                    }
                    return;
                }
                Err(failure) => {
                    let Some(pause) = tries.next().filter(|_| failure.may_pass) else {
                        break failure;
                    };
                    tokio::select! {
                        () = sleep(*pause) => {}
                        () = stopped(&mut self.stop) => {}
                    }
                }
            }
        };
        metrics::counter!(FAILURES, "signal" => self.signal.as_str()).increment(1);
        self.dropped.increment(items);
        self.failures.failed(&failure.to_string());
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "atalaia".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    }
}
