//! Spans of `tracing` that are for tracing -> OTLP spans in the queue, when they close.
//!
//! Whether a trace is sent is decided at its root by its id, so that every part of a trace meets the same fate.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher, RandomState};

use ingest::TraceContext;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, SpanFlags, Status};
use tracing::field::Field;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::otlp::{attribute, nanos};
use super::{exports, trace};

thread_local! {
    /// The spans that are entered here, innermost last: what a log line belongs to.
    static ENTERED: RefCell<Vec<Ids>> = const { RefCell::new(Vec::new()) };
}

/// Trace and span.
pub(super) type Ids = ([u8; 16], [u8; 8]);

/// The innermost span that is entered on this thread, if its trace is sent.
pub(super) fn current() -> Option<Ids> {
    ENTERED.with_borrow(|entered| entered.last().copied())
}

/// Lets through what is for tracing, once there is somebody to send it to.
pub(super) struct OnlyTraces;

impl OnlyTraces {
    fn passes(metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target() == trace::TARGET && is_on()
    }
}

fn is_on() -> bool {
    exports().is_some_and(|exports| exports.spans.is_some())
}

impl<S> Filter<S> for OnlyTraces {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        Self::passes(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if Self::passes(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if is_on() { LevelFilter::INFO } else { LevelFilter::OFF })
    }
}

pub(super) struct Spans;

/// A span under way; none of a trace that is not sent.
struct Open {
    span: Span,
    is_done: bool,
}

#[derive(Clone, Copy)]
struct Unsampled;

impl<S> Layer<S> for Spans
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let (Some(exports), Some(span)) = (exports(), context.span(id)) else { return };
        let parent = span.parent().map(|parent| {
            let extensions = parent.extensions();
            extensions.get::<Open>().map(|open| (open.span.trace_id.clone(), open.span.span_id.clone()))
        });
        let (trace_id, parent_span_id) = match parent {
            Some(Some(of_parent)) => of_parent,
            Some(None) => return span.extensions_mut().insert(Unsampled),
            // What a commit consists of has none to be a part of while a partition is taken over, or when nobody is to know.
            None if attributes.metadata().name() != trace::COMMIT => return span.extensions_mut().insert(Unsampled),
            None => {
                let trace_id: [u8; 16] = random_id();
                if !is_sampled(trace_id, exports.sampling_ratio) {
                    return span.extensions_mut().insert(Unsampled);
                }
                (trace_id.to_vec(), Vec::new())
            }
        };
        let started = nanos();
        let span_id: [u8; 8] = random_id();
        let mut open = Open {
            span: Span {
                trace_id,
                span_id: span_id.to_vec(),
                parent_span_id,
                // Random, as the second level of the specification calls it.
                flags: 1 | SpanFlags::ContextHasIsRemoteMask as u32,
                name: attributes.metadata().name().to_owned(),
                kind: SpanKind::Internal.into(),
                start_time_unix_nano: started,
                ..Span::default()
            },
            is_done: false,
        };
        attributes.record(&mut Fields(|field: &Field, value| open.take(field, value)));
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            values.record(&mut Fields(|field: &Field, value| open.take(field, value)));
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(ids) = ids(id, &context) {
            ENTERED.with_borrow_mut(|entered| entered.push(ids));
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if let Some(ids) = ids(id, &context) {
            ENTERED.with_borrow_mut(|entered| {
                if let Some(at) = entered.iter().rposition(|found| *found == ids) {
                    entered.remove(at);
                }
            });
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(queue) = exports().and_then(|exports| exports.spans.as_ref()) else { return };
        let Some(Open { mut span, is_done }) = context.span(&id).and_then(|span| span.extensions_mut().remove()) else {
            return;
        };
        if span.end_time_unix_nano == 0 {
            span.end_time_unix_nano = nanos();
        }
        let (code, message) = match is_done {
            true => (StatusCode::Unset, String::new()),
            false => (StatusCode::Error, "not brought to an end".to_owned()),
        };
        span.status = Some(Status { code: code.into(), message });
        queue.push(span);
    }
}

fn ids<S>(id: &Id, context: &Context<'_, S>) -> Option<Ids>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let span = context.span(id)?;
    let extensions = span.extensions();
    let open = &extensions.get::<Open>()?.span;
    Some((open.trace_id.as_slice().try_into().ok()?, open.span_id.as_slice().try_into().ok()?))
}

/// The same for every part of a trace, and for every process that judges by the same share.
fn is_sampled(trace_id: [u8; 16], ratio: f64) -> bool {
    let low = u128::from_be_bytes(trace_id) as u64 >> 1;
    ratio >= 1.0 || (low as f64) < ratio * (1_u64 << 63) as f64
}

/// Not zero, and not to be met again.
fn random_id<const N: usize>() -> [u8; N] {
    let mut id = [0; N];
    while id == [0; N] {
        for part in id.chunks_mut(8) {
            // Each is keyed anew, from what the system gave the process at random.
            let random = RandomState::new().build_hasher().finish().to_be_bytes();
            part.copy_from_slice(&random[..part.len()]);
        }
    }
    id
}

// === impl Open ===

impl Open {
    fn take(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("otel.name", Value::StringValue(name)) => self.span.name = name,
            ("otel.kind", Value::StringValue(kind)) => {
                self.span.kind = match kind.as_str() {
                    "consumer" => SpanKind::Consumer,
                    "client" => SpanKind::Client,
                    _ => SpanKind::Internal,
                }
                .into();
            }
            ("otel.links", Value::StringValue(links)) => self.span.links = links.lines().filter_map(link).collect(),
            ("otel.done", _) => {
                self.is_done = true;
                // What a commit leaves to be done behind it is not part of it.
                self.span.end_time_unix_nano =
                    if self.span.kind == i32::from(SpanKind::Consumer) { nanos() } else { 0 };
            }
            (name, value) => self.span.attributes.push(attribute(name, value)),
        }
    }
}

/// `traceparent`, a blank, `tracestate`.
fn link(line: &str) -> Option<Link> {
    let (parent, state) = line.split_once(' ').unwrap_or((line, ""));
    let context = TraceContext::parse(parent, state)?;
    Some(Link {
        trace_id: context.trace_id.to_vec(),
        span_id: context.span_id.to_vec(),
        trace_state: state.to_owned(),
        attributes: Vec::<KeyValue>::new(),
        dropped_attributes_count: 0,
        flags: 1 | SpanFlags::ContextHasIsRemoteMask as u32 | SpanFlags::ContextIsRemoteMask as u32,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_traces_is_sent() {
        let ids: Vec<[u8; 16]> = (0..20_000).map(|_| random_id()).collect();
        for ratio in [0.0, 0.1, 0.5, 1.0] {
            let share = ids.iter().filter(|id| is_sampled(**id, ratio)).count() as f64 / ids.len() as f64;
            // Six standard deviations of a fair draw.
            assert!((share - ratio).abs() < 0.022, "{ratio}: {share}");
        }
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn a_line_is_a_link() {
        let link = link("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 a=1,b=2").unwrap();
        assert_eq!(
            (link.trace_id[..2].to_vec(), link.trace_state.as_str(), link.flags),
            (vec![0x0a, 0xf7], "a=1,b=2", 0x301)
        );
    }
}
