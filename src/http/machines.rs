//! The listener for machines: `/metrics`, `/livez` (or `/healthz`), `/readyz`. Read-only; the loopback address unless configured otherwise.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::runtime::Handle;

use super::listener;
use crate::scrape::Scrape;

/// Histograms are folded this often even if nobody scrapes, so that memory stays bounded.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// What a probe answers: why not, if not.
pub(crate) type Probe = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What an orchestrator asks.
#[derive(Clone)]
pub(crate) struct Probes {
    /// Whether to leave the process alone; if not, it is to be started anew.
    pub(crate) alive: Probe,
    /// Whether it does its work.
    pub(crate) ready: Probe,
}

#[derive(Clone)]
struct Machines {
    metrics: Scrape,
    probes: Probes,
}

/// Serves in the background until the runtime ends; `off` serves nothing. Returns the address that was bound.
///
/// # Errors
/// If the address cannot be bound.
pub(crate) fn serve(
    address: &str,
    metrics: Scrape,
    probes: Probes,
    runtime: &Handle,
) -> anyhow::Result<Option<std::net::SocketAddr>> {
    let upkeep = metrics.clone();
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            upkeep.run_upkeep();
        }
    });
    let routes = Router::new()
        .route("/metrics", get(show_metrics))
        .route("/livez", get(show_liveness))
        .route("/healthz", get(show_liveness))
        .route("/readyz", get(show_readiness))
        .with_state(Machines { metrics, probes });
    listener::serve(address, "telemetry.metrics", routes, runtime)
}

async fn show_metrics(State(machines): State<Machines>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], machines.metrics.render())
}

async fn show_liveness(State(machines): State<Machines>) -> impl IntoResponse {
    match (machines.probes.alive)() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("stuck: {why}\n")),
    }
}

async fn show_readiness(State(machines): State<Machines>) -> impl IntoResponse {
    match (machines.probes.ready)() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}
