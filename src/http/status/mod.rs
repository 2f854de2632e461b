//! The status page and the read-only API behind it: what a running service does, for people.
//!
//! Off by default. Whoever reaches it sees names of devices and the configuration, secrets excepted; nothing can be changed by
//! it. The page is static and makes everything from the API; docs/api.md says what that answers.

mod api;
mod effective;
mod page;
mod partitions;
#[cfg(test)]
mod tests;
mod throughput;
mod time;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use config::Config;
use ingest::{host_of, is_loopback};
use serde_json::Value;
use tokio::runtime::Handle;
use types::Micros;

use super::{Probes, listener};
use crate::pipeline::Progress;
use crate::wall;
use throughput::Throughput;

/// So many of the newest anomalies are kept.
const ANOMALIES_MAX: usize = 200;

/// What the page and the API tell of.
pub(crate) struct Status {
    pipeline: String,
    instance: String,
    started_at: Micros,
    config: Value,
    progress: Arc<Progress>,
    probes: Probes,
    /// None: they are being loaded for the first time.
    models: OnceLock<Arc<score::Models>>,
    throughput: Throughput,
}

impl Status {
    pub(crate) fn new(config: &Config, progress: Arc<Progress>, probes: Probes) -> Arc<Status> {
        let started_at = wall::now();
        Arc::new(Status {
            pipeline: config.pipeline.clone(),
            instance: sink::instance(),
            started_at,
            config: effective::without_secrets(config),
            progress,
            probes,
            models: OnceLock::new(),
            throughput: Throughput::new(),
        })
    }

    /// From now on rows are judged by these.
    pub(crate) fn serving(&self, models: Arc<score::Models>) {
        // Set once, by the only caller.
        let _ = self.models.set(models);
    }
}

/// Serves in the background until the runtime ends; `off` serves nothing. Returns the address that was bound.
///
/// # Errors
/// If the address cannot be bound.
pub(crate) fn serve(address: &str, status: Arc<Status>, runtime: &Handle) -> anyhow::Result<Option<SocketAddr>> {
    let routes = routes(Arc::clone(&status), is_loopback(address));
    let bound = listener::serve(address, "telemetry.status", routes, runtime)?;
    if bound.is_some() {
        status.progress.recent().keep(ANOMALIES_MAX);
        runtime.spawn(async move { status.throughput.follow(&status.progress).await });
    }
    Ok(bound)
}

fn routes(status: Arc<Status>, only_local_names: bool) -> Router {
    let page = page::FILES.iter().fold(Router::new(), |routes, file| {
        routes.route(file.path, get(move |headers: HeaderMap| std::future::ready(file.answer(&headers))))
    });
    let routes = page.route("/api/v1/{what}", get(answer)).with_state(status);
    let routes = match only_local_names {
        true => routes.layer(middleware::from_fn(check_host)),
        false => routes,
    };
    routes.layer(middleware::map_response(harden))
}

async fn answer(State(status): State<Arc<Status>>, Path(what): Path<String>) -> Response {
    match api::document(&status, &what, wall::now()) {
        Some(document) => ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], document)
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What browsers are told to refuse, with every answer: anything that is not from here, or that looks like something else.
async fn harden(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 6] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page elsewhere may have a name that leads to this machine, and then reads what is here as its own. Where only this
/// machine is served, no name but its own is needed.
async fn check_host(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match host.is_none_or(|host| is_local_name(host_of(host))) {
        true => next.run(request).await,
        false => (StatusCode::MISDIRECTED_REQUEST, "only by the names of this machine\n").into_response(),
    }
}

fn is_local_name(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || host.parse::<IpAddr>().is_ok()
}
