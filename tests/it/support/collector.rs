//! A collector in the test itself: takes OTLP by HTTP or by gRPC, and keeps what it was given. It reads with the official message types,
//! and its gRPC is another library's.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes as Body;
use axum::http::{HeaderMap, StatusCode, Uri};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// What came, in its order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    pub(crate) spans: Vec<Span>,
    pub(crate) logs: Vec<LogRecord>,
    /// The metrics of each request.
    pub(crate) metrics: Vec<Vec<Metric>>,
    pub(crate) resources: Vec<Resource>,
    /// The value of the header `authorization`, of each request.
    pub(crate) authorizations: Vec<String>,
}

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Received>>,
    _runtime: Runtime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Grpc,
    Http,
}

impl Collector {
    /// Refuses so many requests at first, as one that is starting.
    pub(crate) fn start(by: By, refusals: usize) -> Collector {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_addr().expect("bound");
        let received = Arc::<Mutex<Received>>::default();
        let taking = Taking { received: Arc::clone(&received), refusals: Arc::new(AtomicUsize::new(refusals)) };
        match by {
            By::Http => {
                let take = move |uri: Uri, headers: HeaderMap, body: Body| async move {
                    if taking.refuses() {
                        StatusCode::SERVICE_UNAVAILABLE
                    } else {
                        taking.take(uri.path(), &headers, &body)
                    }
                };
                runtime.spawn(async move { axum::serve(listener, axum::Router::new().fallback(take)).await });
            }
            By::Grpc => {
                runtime.spawn(async move {
                    while let Ok((socket, _)) = listener.accept().await {
                        tokio::spawn(calls(socket, taking.clone()));
                    }
                });
            }
        }
        Collector { address, received, _runtime: runtime }
    }

    pub(crate) fn received(&self) -> Received {
        self.received.lock().expect("no test has panicked with it").clone()
    }
}

#[derive(Clone)]
struct Taking {
    received: Arc<Mutex<Received>>,
    refusals: Arc<AtomicUsize>,
}

impl Taking {
    fn refuses(&self) -> bool {
        self.refusals.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    fn take(&self, path: &str, headers: &HeaderMap, message: &[u8]) -> StatusCode {
        let mut received = self.received.lock().expect("no test has panicked with it");
        let said = headers.get("authorization").map(|value| value.to_str().expect("text").to_owned());
        received.authorizations.extend(said);
        let read = match path {
            "/v1/traces" | "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => {
                ExportTraceServiceRequest::decode(message).map(|request| {
                    for part in request.resource_spans {
                        received.resources.extend(part.resource);
                        received.spans.extend(part.scope_spans.into_iter().flat_map(|scope| scope.spans));
                    }
                })
            }
            "/v1/logs" | "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => {
                ExportLogsServiceRequest::decode(message).map(|request| {
                    for part in request.resource_logs {
                        received.resources.extend(part.resource);
                        received.logs.extend(part.scope_logs.into_iter().flat_map(|scope| scope.log_records));
                    }
                })
            }
            "/v1/metrics" | "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => {
                ExportMetricsServiceRequest::decode(message).map(|request| {
                    for part in request.resource_metrics {
                        received.resources.extend(part.resource);
                        received.metrics.push(part.scope_metrics.into_iter().flat_map(|scope| scope.metrics).collect());
                    }
                })
            }
            _ => return StatusCode::NOT_FOUND,
        };
        if read.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST }
    }
}

/// gRPC calls that are answered once, on one connection.
async fn calls(socket: tokio::net::TcpStream, taking: Taking) {
    let Ok(mut connection) = h2::server::handshake(socket).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let taking = taking.clone();
        tokio::spawn(async move {
            let (head, mut body) = request.into_parts();
            let mut message = Vec::new();
            while let Some(Ok(data)) = body.data().await {
                message.extend_from_slice(&data);
                let _ = body.flow_control().release_capacity(data.len());
            }
            let is_grpc = head.headers.get("content-type").is_some_and(|kind| kind == "application/grpc");
            let length = message.get(1..5).map(|length| u32::from_be_bytes(length.try_into().expect("four bytes")));
            let is_framed =
                message.first() == Some(&0) && length.is_some_and(|length| length as usize == message.len() - 5);
            let status = match () {
                () if !is_grpc || !is_framed => 13,
                () if taking.refuses() => 14,
                () if taking.take(head.uri.path(), &head.headers, &message[5..]) == StatusCode::OK => 0,
                () => 3,
            };
            let answer =
                http::Response::builder().header("content-type", "application/grpc").body(()).expect("an answer");
            let mut stream = respond.send_response(answer, false).expect("the client listens");
            if status == 0 {
                stream.send_data(Bytes::from_static(&[0; 5]), false).expect("the client listens");
            }
            let trailers = [("grpc-status", status.to_string()), ("grpc-message", "as the test wants".to_owned())];
            let trailers =
                trailers.map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
            stream.send_trailers(HeaderMap::from_iter(trailers)).expect("the client listens");
        });
    }
}

/// An attribute's value, as text.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    text(found.value.as_ref())
}

pub(crate) fn text(value: Option<&AnyValue>) -> Option<String> {
    Some(match value?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::BoolValue(flag) => flag.to_string(),
        other => format!("{other:?}"),
    })
}
