//! Logs and metrics of the process: set up once, before anything else happens.

use std::io::IsTerminal;

use anyhow::Context;
use config::telemetry::{Config, LogFormat};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Upper bounds of histogram buckets in seconds: from a local commit to a store that struggles. From a minute on they are the
/// bounds of the objective, by `sink.max_delay`: the recording rules know them.
const SECONDS: [f64; 19] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0,
    3600.0,
];

/// Logs go to standard error, so that standard output stays data.
///
/// # Errors
/// If the filter in `telemetry.log` cannot be read.
pub(crate) fn logs(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log)
        .with_context(|| format!("read the filter `telemetry.log = \"{}\"`", config.log))?;
    // Its complaint that a consumer was closed before it was dropped, as ours are on purpose.
    let filter = filter.add_directive("rdkafka::consumer::base_consumer=off".parse().context("read a filter")?);
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let installed = match config.log_format {
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
        LogFormat::Text => {
            registry.with(lines.with_target(false).with_ansi(std::io::stderr().is_terminal())).try_init()
        }
    };
    installed.context("set up logs")
}

/// Installs the recorder that all stages write to.
///
/// # Errors
/// If another recorder is installed already.
pub(crate) fn metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .context("set the histogram buckets")?
        .install_recorder()
        .context("install the metrics recorder")?;
    metrics::describe_gauge!("atalaia_build_info", "Version of the running program, as a label; always 1");
    metrics::gauge!("atalaia_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    crate::pipeline::describe_metrics();
    crate::memory::describe_metrics();
    crate::scrape::describe_metrics();
    Ok(handle)
}
