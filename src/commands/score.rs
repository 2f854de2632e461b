//! `atalaia score`: a bounded job over files or a topic up to its present end.

use std::process::ExitCode;
use std::time::Instant;

use aggregate::Clock;
use anyhow::bail;
use config::Config;
use ingest::{Bound, Shard, SourceKind};

use types::Reason;

use super::output::{Output, grouped};
use super::{CloseArg, ConfigArgs, Format, account, assemble, input, progress};
use crate::forwarding::Unsent;
use crate::pipeline::{Account, Counts, Ending, Progress};
use crate::runtime::Runtime;
use crate::shutdown::{STOPPED, Shutdown};
use crate::telemetry;

/// Scores files, or a topic up to its present end, then ends: the batch job
///
/// Run again, it goes on where it ended: an hourly job over a growing topic gives the same rows as one continuous run.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia score -c pipeline.toml --set ingest.source=files --set ingest.files.path=readings.csv
  atalaia score -c pipeline.toml --close due    # hourly over a topic: open windows wait
  atalaia score -c pipeline.toml --shard 0/4    # one of four jobs side by side: 1/4, 2/4, 3/4

Exit status:
  0    everything was read and is durable
  1    it failed: run again, it goes on where the last commit ended; or all of the input was
       refused, and is in quarantine
  130  stopped by a signal: what was read until then is durable")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,

    /// What happens to windows that are still open at the end [default: all for files, due for topics]
    #[arg(long, value_enum)]
    close: Option<CloseArg>,

    /// Do the part I of N, counted from 0: of a topic the partitions p with p mod N = I, of files the devices by a hash of their names
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,

    /// How the summary is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    check_shard(&config, args.shard)?;
    telemetry::export(&config, None)?;
    let runtime = Runtime::new()?;
    let shutdown = Shutdown::on_signals(runtime.handle());
    shutdown.only_starting();
    let close =
        args.close.unwrap_or(if config.ingest.source == SourceKind::Files { CloseArg::All } else { CloseArg::Due });

    let meter = progress::wait("asking the source");
    let sources = input::shard(&config, args.shard, Bound::PresentEnd, runtime.handle())?;
    drop(meter);
    let idle = args.shard.filter(|_| sources.sources.is_empty());
    let assembly = assemble::Assembly::new(config, runtime)?;
    let job = assembly.job(Ending::WhenRead { close: close.into(), partitions: sources.partitions }, &sources)?;
    let totals = Progress::default();
    let begun = Instant::now();
    let share = sources.share();
    let done = progress::watch("scoring", &totals, share, || assembly.run(&job, sources, &totals, &shutdown));
    let unsent = Unsent::apart(done)?;

    let (counts, account, refused) = (totals.counts(), totals.account(), totals.refused());
    let paths = assemble::paths(&assembly.sinks);
    let hint = idle
        .map(|shard| format!("nothing to do for shard {shard}: the input has fewer partitions"))
        .or_else(|| hint(&counts, &refused));
    match args.format {
        Format::Text => {
            let read = Read { counts, account, refused: &refused, seconds: begun.elapsed().as_secs_f64() };
            summary(&read, assembly.models.current().len(), &paths, hint)?;
        }
        Format::Json => {
            let paths: serde_json::Map<_, _> =
                paths.iter().map(|(name, path)| ((*name).to_owned(), path.as_str().into())).collect();
            let refused_by: serde_json::Map<_, _> =
                refused.iter().map(|(reason, count)| (reason.as_str().to_owned(), (*count).into())).collect();
            let mut shown = serde_json::json!({
                "counts": counts,
                "account": account,
                "refused": refused_by,
                "seconds": begun.elapsed().as_secs_f64(),
                "paths": paths,
            });
            if let Some(hint) = hint {
                shown["hint"] = hint.into();
            }
            let mut out = Output::new();
            out.line(shown);
            out.finish()?;
        }
    }
    if let Some(unsent) = unsent {
        return Err(unsent);
    }
    Ok(match shutdown.requested() {
        true => ExitCode::from(STOPPED),
        false if nothing_usable(&counts, &refused).is_some() => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// A clock that all devices share makes the rows of one depend on the others.
fn check_shard(config: &Config, shard: Option<Shard>) -> anyhow::Result<()> {
    let is_cut_by_device = shard.is_some() && config.ingest.source == SourceKind::Files;
    if is_cut_by_device && config.ingest.files.assume_sorted && config.aggregate.clock == Clock::Partition {
        bail!(
            "files cannot be cut by device while `aggregate.clock` is `partition`: what closes a device's windows would be in another shard\n\
             set `aggregate.clock` to `device`, or `ingest.files.assume_sorted` to `false`, or leave `--shard` out"
        );
    }
    Ok(())
}

/// What was read, and what became of it.
struct Read<'a> {
    counts: Counts,
    account: Account,
    refused: &'a [(Reason, u64)],
    seconds: f64,
}

fn summary(
    Read { counts, account, refused, seconds }: &Read<'_>,
    models: usize,
    paths: &[(&'static str, String)],
    hint: Option<String>,
) -> anyhow::Result<()> {
    let mut out = Output::new();
    let mut rows = vec![
        ("records", account::records(counts, *seconds)),
        ("readings", account::readings(counts, account)),
        ("late", grouped(counts.late)),
        ("quarantined", quarantined(counts, refused)),
        ("ignored cells", grouped(counts.ignored_cells)),
        ("windows", grouped(counts.rows)),
        ("anomalies", grouped(counts.anomalies)),
        ("without a score", format!("{} ({} models loaded)", grouped(counts.unscored), grouped(models as u64))),
        ("files", grouped(counts.files)),
        ("written", format!("{} bytes, with the log and the state", grouped(counts.file_bytes))),
    ];
    // Only wide records have any.
    rows.retain(|(name, _)| *name != "ignored cells" || counts.ignored_cells > 0);
    rows.extend(paths.iter().map(|(name, path)| (*name, path.clone())));
    out.table(&rows);
    if let Some(hint) = hint {
        out.line(hint);
    }
    out.finish()
}

fn quarantined(counts: &Counts, refused: &[(Reason, u64)]) -> String {
    let reasons: Vec<_> =
        refused.iter().map(|(reason, count)| format!("{} {}", grouped(*count), reason.as_str())).collect();
    let total = grouped(counts.quarantined);
    if reasons.is_empty() { total } else { format!("{total}: {}", reasons.join(", ")) }
}

/// What a summary that looks like success would not tell.
pub(super) fn hint(counts: &Counts, refused: &[(Reason, u64)]) -> Option<String> {
    nothing_usable(counts, refused).or_else(|| nothing_new(counts))
}

/// A run that found everything read has scored nothing, whatever models it was given.
fn nothing_new(counts: &Counts) -> Option<String> {
    let nothing_new = counts.records == 0 && counts.rows == 0 && counts.resumed > 0;
    nothing_new.then(|| {
        "nothing is new: everything was read by an earlier run, and its rows stay as they are, judged by the models in their column `model_set`; \
         to score the same input again, with other models or settings, take another place, as in `--set sink.url=out2`, or another `pipeline` name"
            .to_owned()
    })
}

/// What to say of an input that became no windows because all of it was refused.
pub(super) fn nothing_usable(counts: &Counts, refused: &[(Reason, u64)]) -> Option<String> {
    let (reason, _) = refused.first().filter(|_| counts.accepted() == 0)?;
    Some(format!(
        "nothing was usable, mostly because of `{}`: {}; `atalaia preview` shows record by record what is refused",
        reason.as_str(),
        reason.remedy()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_of_which_nothing_is_usable_is_named_as_such() {
        let refused = [(Reason::BadTime, 4000), (Reason::Empty, 2)];
        let all = Counts { records: 4002, undecodable: 4002, quarantined: 4002, ..Counts::default() };
        assert_eq!(quarantined(&all, &refused), "4,002: 4,000 bad_time, 2 empty");
        let hint = nothing_usable(&all, &refused).expect("a hint");
        assert!(hint.contains("`bad_time`") && hint.contains("`atalaia preview`"), "{hint}");
        let one_reading = Counts { records: 4003, readings: 1, ..all };
        assert_eq!(nothing_usable(&one_reading, &refused), None);
        assert_eq!(nothing_usable(&Counts::default(), &[]), None, "an empty input is not refused");
        assert_eq!(quarantined(&Counts::default(), &[]), "0");
    }

    #[test]
    fn a_run_that_found_nothing_new_says_so() {
        let again = Counts { resumed: 1, ..Counts::default() };
        assert!(hint(&again, &[]).is_some_and(|hint| hint.contains("sink.url=out2")));
        for other in [
            Counts::default(),
            Counts { records: 1, readings: 1, ..again },
            // The windows that the earlier run left open.
            Counts { rows: 1, ..again },
        ] {
            assert_eq!(hint(&other, &[]), None, "{other:?}");
        }
    }
}
