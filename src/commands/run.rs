//! `atalaia run`: the service.

use std::process::ExitCode;
use std::sync::Arc;

use ingest::Bound;
use tracing::{info, warn};

use super::assemble::{self, Assembly};
use super::progress::watch;
use super::{CloseArg, ConfigArgs, input, score};
use crate::forwarding::Unsent;
use crate::pipeline::{Ending, Progress};
use crate::probes::Probes;
use crate::runtime::Runtime;
use crate::scrape::Scrape;
use crate::shutdown::{STOPPED, Shutdown};
use crate::{http, memory, settings, telemetry};

/// Runs the service: reads for ever, scores every window that closes, writes predictions
///
/// It can be stopped and killed at any time: the next start goes on where the last commit ended. SIGTERM commits what
/// is due and leaves within `run.shutdown_grace`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia run -c pipeline.toml
  atalaia run -c pipeline.toml --set ingest.start=latest --set sink.max_delay=0
  atalaia run -c pipeline.toml --until-idle --close all    # read what there is, close all, end

Exit status:
  0    stopped by SIGTERM or SIGINT; with --until-idle: everything was read and is durable
  1    it failed, or its configuration cannot be run: the message says what, where and what to do;
       with --until-idle also: all that was read was refused, and is in quarantine
  2    a mistake on the command line
  130  stopped by a signal before it had begun, by a second signal, or, with --until-idle,
       before everything was read

docs/running.md tells its life: start, probes, stop.")]
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
    let runtime = Runtime::new()?;
    let shutdown = Shutdown::on_signals(runtime.handle());
    shutdown.only_starting();
    let look_for_models = Arc::default();
    settings::watch(args.config.clone(), config.clone(), Arc::clone(&look_for_models), runtime.handle())?;
    let progress = Arc::new(Progress::default());

    let address = config.telemetry.metrics.clone();
    let probes = Probes::new(progress.clone(), config.telemetry.stuck_after.duration());
    let asked = probes.clone();
    let metrics = Scrape::new(metrics, progress.clone(), move || asked.ready().is_ok());
    let shown = metrics.clone();
    telemetry::export(&config, Some(Box::new(move || shown.render())))?;
    let bound = http::serve(&address, metrics, probes.for_http(), runtime.handle())?;
    if let Some(bound) = bound {
        info!("metrics and probes at http://{bound}/metrics, /livez, /readyz");
    }
    let status = http::Status::new(&config, progress.clone(), probes.for_http());
    if let Some(bound) = http::serve_status(&config.telemetry.status, status.clone(), runtime.handle())? {
        info!("status page at http://{bound}/");
    }

    memory::watch(config.run.memory_bytes_max, progress.clone(), runtime.handle());
    let assembly = Assembly::service(config, runtime, look_for_models)?;
    for (dataset, path) in assemble::paths(&assembly.sinks) {
        info!("{dataset}: {path}");
    }
    let ending = match args.until_idle {
        true => Ending::WhenRead { close: args.close.into(), partitions: input::partitions(&assembly.config)? },
        false => Ending::Never,
    };
    let sources = input::sources(&assembly.config, Bound::Unbounded, assembly.runtime())?;
    let job = assembly.job(ending, &sources)?;
    info!(
        pipeline = assembly.config.pipeline,
        workers = sources.sources.len(),
        models = assembly.models.current().len(),
        "running"
    );
    probes.serving(assembly.sinks.clone());
    status.serving(assembly.models.clone());

    let share = sources.share();
    let work = || assembly.run(&job, sources, &progress, &shutdown);
    let unsent = Unsent::apart(match args.until_idle {
        true => watch("reading", &progress, share, work),
        false => work(),
    })?;
    let (counts, account) = (progress.counts(), progress.account());
    info!(
        records = counts.records,
        readings = counts.readings,
        in_windows = account.in_windows,
        open_windows = account.open_windows,
        in_open_windows = account.open,
        rows = counts.durable_rows,
        anomalies = counts.anomalies,
        late = counts.late,
        quarantined = counts.quarantined,
        files = counts.files,
        "stopped"
    );
    let refused = progress.refused();
    if let Some(hint) = score::hint(&counts, &refused).filter(|_| args.until_idle) {
        warn!("{hint}");
    }
    if let Some(unsent) = unsent {
        return Err(unsent);
    }
    // A service that is stopped has done what it was asked for, and a job that was to read everything has not.
    Ok(match args.until_idle {
        true if shutdown.requested() => ExitCode::from(STOPPED),
        true if score::nothing_usable(&counts, &refused).is_some() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}
