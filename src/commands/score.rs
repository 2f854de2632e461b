//! `atalaia score`: a bounded job over files or a topic up to its present end.

use std::process::ExitCode;
use std::time::Instant;

use ingest::{Bound, SourceKind};

use super::output::{Output, grouped};
use super::{CloseArg, ConfigArgs, Format, assemble, progress};
use crate::pipeline::{Counts, Ending, Progress};
use crate::shutdown::Shutdown;

/// Scores files, or a topic up to its present end, then ends: the batch job
///
/// Run again, it goes on where it ended: an hourly job over a growing topic gives the same rows as one continuous run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia score -c config/reference.toml --set ingest.files.path=readings.csv --set score.models=models/ --set sink.url=scored/
  atalaia score -c pipeline.toml --close due      the hourly job over a topic: open windows wait for the next run")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,

    /// What happens to windows that are still open at the end [default: all for files, due for topics]
    #[arg(long, value_enum)]
    close: Option<CloseArg>,

    /// How the summary is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    let runtime = assemble::runtime()?;
    let shutdown = Shutdown::on_signals(runtime.handle());
    let close =
        args.close.unwrap_or(if config.ingest.source == SourceKind::Files { CloseArg::All } else { CloseArg::Due });

    let sources = assemble::sources(&config, Bound::PresentEnd)?;
    let assembly = assemble::Assembly::new(config, runtime)?;
    let job = assembly
        .job(Ending::WhenRead { close: close.into(), partitions: sources.partitions }, sources.sources.len())?;
    let totals = Progress::default();
    let begun = Instant::now();
    let share = sources.share();
    progress::watch("scoring", &totals, share, || assembly.run(&job, sources, &totals, &shutdown))?;

    let counts = totals.counts();
    let paths = assemble::paths(&assembly.sinks);
    match args.format {
        Format::Text => summary(&counts, begun.elapsed().as_secs_f64(), assembly.models.len(), &paths),
        Format::Json => {
            let paths: serde_json::Map<_, _> =
                paths.iter().map(|(name, path)| ((*name).to_owned(), path.as_str().into())).collect();
            Output::new().line(
                serde_json::json!({ "counts": counts, "seconds": begun.elapsed().as_secs_f64(), "paths": paths }),
            );
        }
    }
    Ok(if shutdown.requested() { ExitCode::from(130) } else { ExitCode::SUCCESS })
}

fn summary(counts: &Counts, seconds: f64, models: usize, paths: &[(&'static str, String)]) {
    let mut out = Output::new();
    let mut rows = vec![
        (
            "records",
            format!(
                "{} in {seconds:.1} s, {}/s",
                grouped(counts.records),
                grouped((counts.records as f64 / seconds) as u64)
            ),
        ),
        ("readings", grouped(counts.readings)),
        ("late", grouped(counts.late)),
        ("quarantined", grouped(counts.quarantined)),
        ("windows", grouped(counts.rows)),
        ("anomalies", grouped(counts.anomalies)),
        ("without a score", format!("{} ({} models loaded)", grouped(counts.unscored), grouped(models as u64))),
        ("files", format!("{}, {} bytes", grouped(counts.files), grouped(counts.file_bytes))),
    ];
    rows.extend(paths.iter().map(|(name, path)| (*name, path.clone())));
    out.table(&rows);
}
