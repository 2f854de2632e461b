//! OTLP's requests: protobuf in a POST, or in a gRPC call that answers once. Both by the one HTTP client that the program has.
//!
//! Such a call is a POST over HTTP/2 whose body has five bytes in front and whose outcome stands in the trailers; that is all there is
//! of gRPC here (docs/decisions/0024).

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use config::otlp::{Config, Protocol};
use http_body_util::{BodyExt, Limited};
use prost::Message;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, StatusCode, redirect};
use types::Secret;

/// An answer says a few words; more is not read.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Of what a collector says about a failure.
const REASON_BYTES_MAX: usize = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Logs,
    Metrics,
}

impl Signal {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
        }
    }

    fn service(self) -> &'static str {
        match self {
            Signal::Traces => "opentelemetry.proto.collector.trace.v1.TraceService",
            Signal::Logs => "opentelemetry.proto.collector.logs.v1.LogsService",
            Signal::Metrics => "opentelemetry.proto.collector.metrics.v1.MetricsService",
        }
    }
}

/// Why nothing was taken.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Failure {
    reason: String,
    /// The same request may work later.
    pub(super) may_pass: bool,
}

impl Failure {
    fn new(reason: impl Into<String>, may_pass: bool) -> Self {
        let mut reason: String = reason.into();
        let end = reason.char_indices().map(|(at, _)| at).find(|at| *at >= REASON_BYTES_MAX);
        reason.truncate(end.unwrap_or(reason.len()));
        Failure { reason, may_pass }
    }
}

/// The way to a collector.
#[derive(Clone)]
pub(super) struct Wire {
    client: Client,
    endpoint: String,
    protocol: Protocol,
    headers: BTreeMap<String, Secret>,
}

impl Wire {
    /// # Errors
    /// If the certificates cannot be read.
    pub(super) fn new(config: &Config, endpoint: &str) -> anyhow::Result<Wire> {
        let mut builder = Client::builder()
            .timeout(config.timeout.duration())
            .connect_timeout(config.timeout.duration().min(Duration::from_secs(5)))
            .user_agent(concat!("atalaia/", env!("CARGO_PKG_VERSION")))
            // Where the headers may go was configured.
            .redirect(redirect::Policy::none());
        if config.protocol == Protocol::Grpc {
            builder = builder.http2_prior_knowledge();
        }
        if let Some(file) = &config.ca_file {
            let pem = std::fs::read(file).with_context(|| format!("read `telemetry.otlp.ca_file = \"{file}\"`"))?;
            let authorities = Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("read `telemetry.otlp.ca_file = \"{file}\"` as PEM"))?;
            builder = builder.tls_certs_merge(authorities);
        }
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if config.is_local() {
            builder = builder.no_proxy();
        }
        let client = builder.build().context("make the client for OTLP")?;
        Ok(Wire { client, endpoint, protocol: config.protocol, headers: config.headers.clone() })
    }

    /// The bytes of the answer's message.
    pub(super) async fn send(&self, signal: Signal, message: &impl Message) -> Result<Vec<u8>, Failure> {
        match self.protocol {
            Protocol::Http => self.post(signal, message).await,
            Protocol::Grpc => self.call(signal, message).await,
        }
    }

    async fn post(&self, signal: Signal, message: &impl Message) -> Result<Vec<u8>, Failure> {
        let url = format!("{}/v1/{}", self.endpoint, signal.as_str());
        let request = self.client.post(url).headers(self.headers()?);
        let request = request.header("content-type", "application/x-protobuf").body(message.encode_to_vec());
        let (status, body, _) = answer(request).await?;
        if status.is_success() {
            return Ok(body);
        }
        let may_pass = matches!(status.as_u16(), 429 | 502..=504);
        Err(Failure::new(format!("the collector answers {status}: {}", printable(&body)), may_pass))
    }

    async fn call(&self, signal: Signal, message: &impl Message) -> Result<Vec<u8>, Failure> {
        let url = format!("{}/{}/Export", self.endpoint, signal.service());
        let length = message.encoded_len();
        // Not compressed; then the length.
        let mut body = Vec::with_capacity(length + 5);
        body.push(0);
        let stated = u32::try_from(length).map_err(|_| Failure::new("the message is too large", false))?;
        body.extend_from_slice(&stated.to_be_bytes());
        message.encode(&mut body).map_err(|error| Failure::new(error.to_string(), false))?;
        let request = self.client.post(url).headers(self.headers()?);
        let request = request.header("content-type", "application/grpc").header("te", "trailers").body(body);
        let (status, body, trailers) = answer(request).await?;
        if status != StatusCode::OK {
            let may_pass = matches!(status.as_u16(), 429 | 502..=504);
            return Err(Failure::new(format!("the collector answers {status} instead of a gRPC status"), may_pass));
        }
        let said = |name: &str| trailers.get(name).and_then(|value| value.to_str().ok());
        match said("grpc-status").and_then(|status| status.parse::<u32>().ok()) {
            Some(0) => Ok(body.get(5..).unwrap_or_default().to_vec()),
            None => Err(Failure::new("the collector's answer has no gRPC status: is its port for gRPC?", false)),
            Some(code) => {
                // As OTLP says: cancelled, deadline exceeded, resource exhausted, aborted, out of range, unavailable, data loss.
                let may_pass = matches!(code, 1 | 4 | 8 | 10 | 11 | 14 | 15);
                let why = printable(said("grpc-message").unwrap_or_default().as_bytes());
                Err(Failure::new(format!("the collector answers with the gRPC status {code}: {why}"), may_pass))
            }
        }
    }

    /// Read anew, so that a rotated one is seen.
    fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        for (name, secret) in &self.headers {
            let refused =
                |why: &str| Failure::new(format!("header `{name}` of `telemetry.otlp.headers`: {why}"), false);
            let value = secret.reveal().map_err(|why| refused(&why))?;
            let mut value = HeaderValue::from_str(&value).map_err(|_| refused("no header can have such a value"))?;
            value.set_sensitive(true);
            let name = HeaderName::try_from(name.as_str()).map_err(|_| refused("no header can have such a name"))?;
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

/// Status, body, and trailers; the headers stand for these where there is nothing but an outcome.
async fn answer(request: reqwest::RequestBuilder) -> Result<(StatusCode, Vec<u8>, HeaderMap), Failure> {
    let unanswered = |error: reqwest::Error| Failure::new(chain(&error.without_url()), true);
    let response = request.send().await.map_err(unanswered)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = http::Response::<reqwest::Body>::from(response).into_body();
    let collected = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let collected = collected.map_err(|error| Failure::new(format!("the answer breaks off: {error}"), true))?;
    let trailers = collected.trailers().cloned().unwrap_or(headers);
    Ok((status, collected.to_bytes().to_vec(), trailers))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What somebody else says, on one line.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(REASON_BYTES_MAX)]);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}
