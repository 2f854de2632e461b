//! The thread that sends copies of what the process tells, and how everybody finds the queues to it.
//!
//! A thread with a runtime of its own: a collector or store that hangs holds up neither workers nor their storage requests. At the end it
//! is given a moment to send the rest; what it has not sent by then is lost, as telemetry may be.

use std::pin::Pin;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use config::Config;
use ingest::SourceKind;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::archive::{Archive, Lines};
use super::copies::{self, Line};
use super::otlp::{self, Exporter};
use super::pump::{self, Queue};
use super::wire::{Signal, Wire};
use crate::failure;

/// So long at most the end of the process waits for the rest to be sent.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// The queues to the thread; none for what is not sent.
pub(super) struct Exports {
    pub(super) spans: Option<Queue<Span>>,
    pub(super) logs: Option<Queue<LogRecord>>,
    pub(super) archive: Option<Arc<Lines>>,
    pub(super) sampling_ratio: f64,
    messaging_system: &'static str,
    stop: watch::Sender<bool>,
    ended: Mutex<Option<Receiver<()>>>,
    flush: Duration,
}

static EXPORTS: OnceLock<Exports> = OnceLock::new();

pub(super) fn exports() -> Option<&'static Exports> {
    EXPORTS.get()
}

impl Exports {
    pub(super) fn takes_lines(&self) -> bool {
        self.archive.is_some() || self.logs.is_some()
    }
}

/// What records come from, as OpenTelemetry calls it.
pub(crate) fn messaging_system() -> &'static str {
    exports().map_or("", |exports| exports.messaging_system)
}

/// How much of the time for an orderly end is needed to send the rest.
pub(crate) fn flush_within(grace: Duration) -> Duration {
    if exports().is_some() { share_of(grace) } else { Duration::ZERO }
}

fn share_of(grace: Duration) -> Duration {
    FLUSH_MAX.min(grace / 5)
}

/// What `/metrics` shows.
pub(crate) type Shown = Box<dyn Fn() -> String + Send>;

/// Begins to send what is configured to be sent; nothing is asked of collector and store yet. `metrics`: if there are any.
///
/// # Errors
/// If the configuration names something that cannot be read.
pub(crate) fn begin(config: &Config, metrics: Option<Shown>) -> anyhow::Result<()> {
    let telemetry = &config.telemetry;
    let collector = telemetry.otlp.endpoint.as_deref();
    if collector.is_none() && telemetry.logs.is_none() || EXPORTS.get().is_some() {
        return Ok(());
    }
    let (stop, stopping) = watch::channel(false);
    let mut tasks: Vec<Task> = Vec::new();
    let (mut spans, mut logs) = (None, None);
    if let Some(endpoint) = collector {
        let otlp = &telemetry.otlp;
        let wire = Wire::new(otlp, endpoint)?;
        let resource = Arc::new(otlp::resource(&config.pipeline, &otlp.attributes));
        let exporter = |signal| Exporter::new(wire.clone(), signal, Arc::clone(&resource), stopping.clone());
        if otlp.traces() {
            let (queue, receiver) = pump::queue(otlp::dropped(Signal::Traces));
            let (mut exporter, stopping) = (exporter(Signal::Traces), stopping.clone());
            spans = Some(queue);
            tasks.push(task(move || async move {
                pump::pump(receiver, stopping, async |batch| exporter.spans(batch).await).await;
            }));
        }
        if otlp.logs {
            let (queue, receiver) = pump::queue(otlp::dropped(Signal::Logs));
            let (mut exporter, stopping) = (exporter(Signal::Logs), stopping.clone());
            logs = Some(queue);
            tasks.push(task(move || async move {
                pump::pump(receiver, stopping, async |batch| exporter.logs(batch).await).await;
            }));
        }
        if let Some(metrics) = metrics.filter(|_| otlp.metrics) {
            let interval = otlp.metrics_interval.duration();
            let exporter = exporter(Signal::Metrics);
            tasks.push(task(move || exporter.metrics(interval, metrics)));
        }
    }
    let archive = telemetry.logs.as_deref().map(|place| -> anyhow::Result<_> {
        let location =
            store::open(place, &config.storage).context("open the place of the log files, `telemetry.logs`")?;
        let lines = Lines::new();
        let interval = telemetry.logs_interval.duration();
        let archive = Archive::new(Arc::clone(&lines), location, interval, &sink::instance());
        tasks.push(task(move || archive.run(stopping)));
        Ok(lines)
    });
    let archive = archive.transpose()?;
    let ended = Mutex::new(Some(start(tasks)?));
    let messaging_system = match config.ingest.source {
        SourceKind::Kafka => "kafka",
        SourceKind::EventHubs => "eventhubs",
        SourceKind::Files => "files",
        SourceKind::Simulated => "simulated",
    };
    let sampling_ratio = telemetry.otlp.sampling_ratio;
    let flush = share_of(config.run.shutdown_grace.duration());
    let exports = Exports { spans, logs, archive, sampling_ratio, messaging_system, stop, ended, flush };
    if EXPORTS.set(exports).is_ok() {
        // Spans have somewhere to go from now on.
        tracing::callsite::rebuild_interest_cache();
        note_panics();
    }
    Ok(())
}

/// Made here, and at home on the thread.
type Task = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

fn task<F: Future<Output = ()> + 'static>(begin: impl FnOnce() -> F + Send + 'static) -> Task {
    Box::new(move || Box::pin(begin()))
}

/// Says when all tasks are over.
fn start(tasks: Vec<Task>) -> anyhow::Result<Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("start the runtime of telemetry")?;
    let (over, ended) = sync_channel(1);
    let thread = thread::Builder::new().name("telemetry".into()).spawn(move || {
        copies::never_of_this_thread();
        let all = LocalSet::new();
        for task in tasks {
            all.spawn_local(task());
        }
        runtime.block_on(all);
        let _ = over.send(());
        // Whoever resolves a name or writes a file for it may hang.
        runtime.shutdown_background();
    });
    thread.context("start the thread of telemetry")?;
    Ok(ended)
}

/// A panic is told by its own hook on standard error, and here in the copies.
fn note_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        note(panic.to_string(), Vec::new());
        before(panic);
    }));
}

fn note(message: String, fields: Vec<(&'static str, Value)>) {
    if let Some(exports) = exports() {
        Line::error(message, fields).hand_to(exports);
    }
}

/// The error that ends the process: on standard error `report` shows it.
pub(crate) fn failed(error: &anyhow::Error) {
    let hints = failure::hints(error).join("; ");
    let fields = if hints.is_empty() { Vec::new() } else { vec![("hint", Value::StringValue(hints))] };
    note(failure::chain(error), fields);
}

/// Sends the rest, within a bound; from then on nothing is sent any more.
pub(crate) fn finish() {
    super::tell_of_lines_left_out();
    let Some(exports) = exports() else { return };
    let ended = exports.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(ended) = ended {
        exports.stop.send_replace(true);
        // What is late is given up.
        let _ = ended.recv_timeout(exports.flush);
    }
}

/// Sends the rest when it is dropped: also when the program panics.
pub(crate) struct Finish;

impl Drop for Finish {
    fn drop(&mut self) {
        finish();
    }
}
