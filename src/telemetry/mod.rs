//! Logs, metrics and traces of the process: set up once, before anything else happens.
//!
//! Logs go to standard error. What goes elsewhere (a collector, files in a store) is handed over without waiting, to a thread of its own:
//! the process must not notice whether anybody takes it.

mod archive;
mod copies;
mod exporting;
mod exposition;
mod failures;
mod fields;
mod limit;
mod otlp;
mod pump;
mod spans;
pub(crate) mod trace;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use config::telemetry::{Config, LogFormat};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::filter::FilterExt;
use tracing_subscriber::fmt::writer::MakeWriterExt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, reload};

use self::exporting::{Exports, exports};
pub(crate) use self::exporting::{Finish, begin as export, failed, finish, flush_within, messaging_system};
use self::limit::{Limit, Sites};
use crate::{paint, terminal};

/// Upper bounds of histogram buckets in seconds: from a local commit to a store that struggles. The last ones, from a minute on,
/// are the bounds of the objective, by `sink.max_delay`: the recording rules know them.
const SECONDS: [f64; 20] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
    1800.0, 3600.0,
];

/// What can be changed while the process runs.
struct Adjustable {
    levels: reload::Handle<EnvFilter, Registry>,
    sites: Arc<Sites>,
}

static ADJUSTABLE: OnceLock<Adjustable> = OnceLock::new();

static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on standard error hears of warnings and errors only. What goes elsewhere is as configured.
pub(crate) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

pub(crate) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Logs go to standard error, so that standard output stays data.
///
/// # Errors
/// If the filter in `telemetry.log` cannot be read.
pub(crate) fn logs(config: &Config) -> anyhow::Result<()> {
    let (levels, handle) = reload::Layer::new(levels(&config.log)?);
    let limit = Limit::default();
    limit.sites.set_max(config.log_repeats_max);
    let adjustable = Adjustable { levels: handle, sites: Arc::clone(&limit.sites) };
    let least = if is_quiet() { tracing::Level::WARN } else { tracing::Level::TRACE };
    let lines = tracing_subscriber::fmt::layer().with_writer((|| terminal::StandardError).with_max_level(least));
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match config.log_format {
        LogFormat::Json => Box::new(lines.json().flatten_event(true)),
        LogFormat::Text => Box::new(lines.with_target(false).with_ansi(paint::on_stderr())),
    };
    let lines = lines.and_then(copies::Copies).with_filter(levels.and(limit));
    let traces = spans::Spans.with_filter(spans::OnlyTraces);
    tracing_subscriber::registry().with(lines).with(traces).try_init().context("set up logs")?;
    // Set once, with the subscriber that it belongs to.
    let _ = ADJUSTABLE.set(adjustable);
    Ok(())
}

fn levels(log: &str) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::try_new(log).with_context(|| format!("read the filter `telemetry.log = \"{log}\"`"))?;
    let filter = match log.trim() {
        "off" => filter,
        // What it tells of was let through.
        _ => filter.add_directive(format!("{}=info", limit::TARGET).parse().context("read a filter")?),
    };
    // Its complaint that a consumer was closed before it was dropped, as ours are on purpose.
    Ok(filter.add_directive("rdkafka::consumer::base_consumer=off".parse().context("read a filter")?))
}

/// From now on these levels hold, and this limit for lines that repeat.
///
/// # Errors
/// If the filter cannot be read: nothing changes.
pub(crate) fn adjust(config: &Config) -> anyhow::Result<()> {
    let levels = levels(&config.log)?;
    if let Some(adjustable) = ADJUSTABLE.get() {
        adjustable.levels.reload(levels).context("change the levels of the log")?;
        adjustable.sites.set_max(config.log_repeats_max);
    }
    Ok(())
}

/// Says which lines were left out by now: there is no later.
fn tell_of_lines_left_out() {
    if let Some(adjustable) = ADJUSTABLE.get() {
        adjustable.sites.tell(None);
    }
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
    crate::settings::describe_metrics();
    otlp::describe_metrics();
    archive::describe_metrics();
    Ok(handle)
}
