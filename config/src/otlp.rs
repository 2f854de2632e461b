//! `[telemetry.otlp]`: what is sent to an OpenTelemetry collector, and how.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::{Secret, Span};

/// Traces, logs and metrics by OTLP, to an OpenTelemetry collector or a service that speaks it. Off until `endpoint` is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the collector is: `http://localhost:4317` by gRPC, `http://localhost:4318` by HTTP (`/v1/traces` and so on are appended). Left out: nothing is sent.
    pub endpoint: Option<String>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// A span for each commit, linked to the traces of the records in it.
    pub traces: bool,
    /// The log lines that `log` lets through.
    pub logs: bool,
    /// What `/metrics` shows, every `metrics_interval`.
    pub metrics: bool,
    /// Sent with each request; the values are secrets: `{ authorization = "env:OTLP_AUTHORIZATION" }`. Files are read anew for each request.
    pub headers: BTreeMap<String, Secret>,
    /// How long one request may take. It is tried three times; then what it carried is dropped, and counted.
    pub timeout: Span,
    /// Certificates (PEM) of authorities to trust besides the system's.
    pub ca_file: Option<String>,
    /// Plain http is refused for other machines unless this is set.
    pub allow_plaintext: bool,
    /// Share of commits whose spans are sent, from 0 to 1. Requests to stores go with their commit.
    pub sampling_ratio: f64,
    /// How often metrics are sent.
    pub metrics_interval: Span,
    /// More about this process, besides `service.name`, `service.version`, `service.instance.id` and `atalaia.pipeline`: `{ "deployment.environment.name" = "production" }`.
    pub attributes: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Port 4317 by custom.
    #[default]
    Grpc,
    /// Protobuf over HTTP, port 4318 by custom.
    Http,
}

impl Config {
    /// Whether commits become spans: then records' trace contexts are looked at.
    #[must_use]
    pub fn traces(&self) -> bool {
        self.endpoint.is_some() && self.traces && self.sampling_ratio > 0.0
    }

    /// Whether the collector is on this machine, as its address is written.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.endpoint.as_deref().and_then(authority).is_some_and(ingest::is_loopback)
    }
}

/// Host and port; none where readers of URLs may find different ones, as before an `@` or behind a `\`, or where a path is no
/// longer the end.
pub(crate) fn authority(endpoint: &str) -> Option<&str> {
    let (_, rest) = endpoint.split_once("://")?;
    let is_odd = |c: char| "@\\?#".contains(c) || c.is_whitespace() || c.is_control();
    let authority = rest.split('/').next().unwrap_or_default();
    (!authority.is_empty() && !authority.starts_with(':') && !rest.contains(is_odd)).then_some(authority)
}

impl Default for Config {
    fn default() -> Self {
        Config {
            endpoint: None,
            protocol: Protocol::Grpc,
            traces: true,
            logs: true,
            metrics: true,
            headers: BTreeMap::new(),
            timeout: Span::from_secs(10),
            ca_file: None,
            allow_plaintext: false,
            sampling_ratio: 1.0,
            metrics_interval: Span::from_secs(30),
            attributes: BTreeMap::new(),
        }
    }
}
