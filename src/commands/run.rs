//! `atalaia run`: the service.

use std::process::ExitCode;
use std::sync::Arc;

use ingest::Bound;
use tracing::info;

use super::assemble::{self, Assembly};
use super::{CloseArg, ConfigArgs, input};
use crate::pipeline::{Ending, Progress};
use crate::scrape::Scrape;
use crate::shutdown::Shutdown;
use crate::{http, memory, telemetry};

/// Runs the service: reads for ever, scores every window that closes, writes predictions
///
/// It can be stopped and killed at any time: the next start goes on where the last commit ended. SIGTERM commits what
/// is due and leaves within `run.shutdown_grace`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia run -c pipeline.toml
  atalaia run -c pipeline.toml --set ingest.start=latest --set sink.max_delay=0
  atalaia run -c pipeline.toml --until-idle --close all     read what there is, close everything, end")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,

    /// End when every partition is proven caught up
    #[arg(long)]
    until_idle: bool,

    /// With --until-idle: what happens to windows that are still open then
    #[arg(long, value_enum, default_value = "due", requires = "until_idle")]
    close: CloseArg,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    let metrics = telemetry::metrics()?;
    let runtime = assemble::runtime()?;
    let shutdown = Shutdown::on_signals(runtime.handle());
    shutdown.only_starting();
    let progress = Arc::new(Progress::default());

    let address = config.telemetry.metrics.clone();
    let readiness = Arc::new(Readiness::default());
    let ready = readiness.clone();
    let is_ready = readiness.clone();
    let metrics = Scrape::new(metrics, progress.clone(), move || is_ready.check().is_ok());
    let check: http::Readiness = Arc::new(move || ready.check());
    let bound = http::serve(&address, metrics, check.clone(), runtime.handle())?;
    if let Some(bound) = bound {
        info!("metrics and probes at http://{bound}/metrics, /livez, /readyz");
    }
    let status = http::Status::new(&config, progress.clone(), check, Arc::new(|| Ok(())));
    if let Some(bound) = http::serve_status(&config.telemetry.status, status.clone(), runtime.handle())? {
        info!("status page at http://{bound}/");
    }

    memory::watch(config.run.memory_bytes_max, progress.clone(), runtime.handle());
    let assembly = Assembly::service(config, runtime)?;
    for (dataset, path) in assemble::paths(&assembly.sinks) {
        info!("{dataset}: {path}");
    }
    let ending = match args.until_idle {
        true => Ending::WhenRead { close: args.close.into(), partitions: input::partitions(&assembly.config)? },
        false => Ending::Never,
    };
    let sources = input::sources(&assembly.config, Bound::Unbounded, assembly.runtime())?;
    let job = assembly.job(ending, sources.sources.len())?;
    info!(
        pipeline = assembly.config.pipeline,
        workers = sources.sources.len(),
        models = assembly.models.current().len(),
        "running"
    );
    readiness.serving(progress.clone(), assembly.sinks.clone());
    status.serving(assembly.models.clone());

    assembly.run(&job, sources, &progress, &shutdown)?;
    let counts = progress.counts();
    info!(
        records = counts.records,
        readings = counts.readings,
        rows = counts.durable_rows,
        anomalies = counts.anomalies,
        late = counts.late,
        quarantined = counts.quarantined,
        files = counts.files,
        "stopped"
    );
    Ok(ExitCode::SUCCESS)
}

/// Ready: models loaded, sinks open, all partitions that are ours taken over, on a store that answers. An instance that
/// the group gave nothing is a stand-by, and ready.
#[derive(Default)]
struct Readiness {
    parts: std::sync::OnceLock<(Arc<Progress>, sink::Sinks)>,
}

impl Readiness {
    fn serving(&self, progress: Arc<Progress>, sinks: sink::Sinks) {
        // Set once, by the only caller.
        let _ = self.parts.set((progress, sinks));
    }

    fn check(&self) -> Result<(), String> {
        let (progress, sinks) = self.parts.get().ok_or("starting: models are being loaded and stores checked")?;
        let health = sinks.health();
        if let Some(trouble) = health.troubles.first().filter(|_| !health.is_ready()) {
            return Err(format!("partition `{}` cannot commit: {}", trouble.partition, trouble.error));
        }
        if let Some((partition, why)) = progress.first_halted() {
            return Err(format!("partition `{partition}` is halted: {why}"));
        }
        let counts = progress.counts();
        let (owned, taken_over) = (counts.gained - counts.lost, counts.started - counts.stopped);
        match () {
            () if counts.joined == 0 => Err("the group has not answered yet".into()),
            () if taken_over < owned => Err(format!("{taken_over} of {owned} partitions are taken over")),
            () => Ok(()),
        }
    }
}
