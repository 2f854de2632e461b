//! `atalaia preview`: what becomes of the first records, by the stages of the service and with nothing written.
//!
//! Records go through `stages` as they come and show at once; models are read meanwhile (`models`). What is open when the preview
//! ends is judged as if it closed then. How it is said is the business of `text`, why something is refused that of `remedy`.

mod left_out;
mod models;
mod reading;
mod record;
mod remedy;
mod stages;
mod summary;
mod text;
mod unread;
mod view;
mod window;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use config::Config;
use ingest::{Bound, Polled, SourceKind};

use self::models::{Finder, Models};
use self::reading::Reading;
use self::stages::Stages;
use self::unread::Unread;
use self::view::View;
use super::output::Output;
use super::{ConfigArgs, Format, input};
use crate::paint::Paint;
use crate::runtime::Runtime;

/// Shows what becomes of the first records: readings, windows, models and scores, or why they are refused
///
/// Reads, aggregates and scores with the service's own stages; writes nothing and commits nothing. Every partition begins without open
/// windows, and windows that are still open at the end are judged as if they closed then. A topic is read under a group of its own,
/// so that a running service is not disturbed; an event hub over AMQP in the consumer group that is configured, which has to be
/// one that nobody reads in: `--set ingest.event_hubs.consumer_group=NAME`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia preview -c pipeline.toml
  atalaia preview -c pipeline.toml --format json | jq 'select(.reject)'
  atalaia preview -c pipeline.toml --format json | jq 'select(.window.is_anomaly)'
  zcat sample.jsonl.gz | atalaia preview -c pipeline.toml --set ingest.source=files \\
    --set ingest.files.path=-

With --format json, a line is one of:
  a record   {\"partition\", \"position\", \"file\", \"line\", \"events\": [{\"device\", \"sensor\",
             \"time_us\", \"value\", \"window_start_us\", \"refused\": {\"reason\", \"detail\"}}],
             \"reject\": {\"reason\", \"detail\"}}; `refused` and `reject` where it is so,
             `file` and `line` of files
  a window   {\"window\": {\"device\", \"sensor\", \"start_us\", \"end_us\", \"so_far\", \"count\", \"mean\", …,
             \"status\", \"decision\", \"severity\", \"is_anomaly\",
             \"model\": {\"key\", \"kernel\", \"version\", …}}}, as windows close; in place of a model that
             is missing `looked_for` and `nearest`, in place of one sensor those of a whole
             device in `sensors`
  the last   {\"summary\": {\"records\", \"readings\", \"windows\", \"statuses\",
             \"refused\": {REASON: {\"count\", \"example\", \"remedy\"}}, \"left_out\", …}}")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,

    /// Stop after this many records [default: 20 as text, all as JSON]
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,

    /// `json` prints one object a record, a window, and the summary
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Windows that may wait for the models; from then on the records wait too.
const WAITING_MAX: usize = 10_000;

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let loaded = args.config.load_quietly()?;
    super::warn(&loaded);
    let mut config = loaded.config;
    input::apart(&mut config, "preview");
    let runtime = Runtime::new()?;
    let limit = args.limit.unwrap_or(if args.format == Format::Json { u64::MAX } else { 20 });
    let paint = if args.format == Format::Text { Paint::of_output() } else { Paint::PLAIN };
    let shown = Shows { format: args.format, limit, paint };
    look(&config, &runtime, &shown, Output::new())?;
    Ok(ExitCode::SUCCESS)
}

/// How it is shown.
struct Shows {
    format: Format,
    limit: u64,
    paint: Paint,
}

fn look<W: Write>(config: &Config, runtime: &Runtime, shows: &Shows, out: Output<W>) -> anyhow::Result<()> {
    let mut models = Models::begin(config, runtime.handle())?;
    let sources = input::sources(config, Bound::PresentEnd, runtime.handle())?;
    let mut source = sources.sources.into_iter().next().context("the source has no partitions")?;
    let mut stages = Stages::new(config)?;
    let mut finder = Finder::default();
    let mut view = View::new(config, shows, out, &stages);
    let mut unread = Unread::default();

    let is_files = config.ingest.source == SourceKind::Files;
    let mut reading = Reading::of(sources.partitions, (!is_files).then_some(reading::SILENCE_MAX));
    while view.left > 0 && reading.goes_on() {
        match source.poll(Duration::from_millis(100)).context("read from the source")? {
            // Of a topic, partitions come back; what an event hub's other reader has does not.
            Polled::Lost(lost) if input::is_by_amqp(&config.ingest) => {
                return Err(input::taken(&config.ingest, &lost));
            }
            Polled::Idle | Polled::CaughtUp { .. } | Polled::Lost(_) => continue,
            Polled::Gained(partitions) => {
                reading.gained(&partitions);
                for partition in partitions {
                    let position = source.resolve(&partition, config.ingest.start)?;
                    source.start(&partition, position)?;
                }
            }
            Polled::Ended { partition, .. } => reading.ended(partition),
            Polled::Records(records) => {
                stages.begin(&records);
                let partition = records.partition().index;
                for (number, raw) in records.iter().enumerate() {
                    if view.left == 0 {
                        break;
                    }
                    let shown = stages.record(partition, raw, records.given(number), records.line(number));
                    unread.note(&shown, raw, records.given(number));
                    view.left_out(&shown, raw.payload, records.columns().map(|columns| &**columns));
                    view.record(shown);
                }
                view.flush();
                if !models.are_loading() || stages.closed() > WAITING_MAX {
                    view.windows(stages.judge(&models.set(), &mut finder));
                }
            }
        }
        reading.last = Instant::now();
    }
    source.leave();
    let is_enough = view.left == 0;
    if view.is_read {
        let set = models.set();
        view.windows(stages.judge(&set, &mut finder));
        view.windows(stages.judge_rest(&set, &mut finder, is_files && reading.unread() == 0));
    }
    view.close(&models, stages.series(), unread.suggestion(config))?;
    if is_enough { Ok(()) } else { reading.conclude() }
}

#[cfg(test)]
mod tests;
