//! `atalaia simulate`: a simulated fleet, written to a topic, an event hub or files, with the truth about its faults beside it.

mod files;
mod fleet;
mod hub;
mod pace;
mod stream;
mod topic;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use ingest::simulated::{self, Content, Event, Fleet};
use types::Secret;

use self::pace::Pace;
use self::stream::Stream;
use super::output::{Output, grouped};
use super::progress::{self, Unit};
use crate::runtime::Runtime;
use crate::shutdown::{STOPPED, Shutdown};
use crate::{telemetry, terminal};

/// Writes the readings of a simulated fleet to a Kafka topic, an event hub or files
///
/// Sensors have daily cycles and noise, some devices have faults (spikes, stuck values, drift, dropouts) or odd habits
/// (offline and uploading later, bursts, clocks that run slow or fast). The same settings give the same records, byte
/// for byte, and --truth writes down which faults they hold, so that what a pipeline finds can be compared with it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia simulate --out readings               # a day of 20 devices, one file a partition
  atalaia simulate --out day.csv.gz --devices 100 --truth truth.csv
  atalaia simulate --out - --duration 10min | atalaia init --sample -
  atalaia simulate --kafka localhost:9092 --topic readings --truth truth.csv
  atalaia simulate --kafka localhost:9092 --topic readings --endless --rate 200   # a live fleet
  atalaia simulate --event-hubs env:EVENT_HUBS_CONNECTION --endless
  # a fleet that misbehaves
  atalaia simulate --out backlog --habits offline=0.5,newest_first=0.2 --late 0.01 --malformed 0.01")]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    topic: topic::Options,

    #[command(flatten)]
    hub: hub::Options,

    /// What the files of a folder, or standard output, hold: jsonl or csv, plain or with .gz or .zst
    #[arg(long, value_name = "ENDING", default_value = "jsonl", conflicts_with_all = ["kafka", "event_hubs"], help_heading = "Files")]
    format: files::Ending,

    /// Replace files that are there already
    #[arg(long, conflicts_with_all = ["kafka", "event_hubs"], help_heading = "Files")]
    force: bool,

    /// Write every fault's device, sensor, kind, start and end to this file: CSV, or JSON lines if it ends in .jsonl
    #[arg(long, value_name = "FILE", help_heading = "Fleet")]
    truth: Option<PathBuf>,

    #[command(flatten)]
    fleet: fleet::Options,
}

/// Where the records go.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// Brokers of the cluster to write to, host:port, comma-separated
    #[arg(long, value_name = "BROKERS", requires = "topic")]
    kafka: Option<String>,

    /// The place of a connection string with the right to send, env:NAME or file:PATH; the event hub must exist
    #[arg(long, value_name = "PLACE")]
    event_hubs: Option<String>,

    /// A folder, filled with one file a partition; one file, if the name ends in .jsonl or .csv (then also .gz, .zst); or
    /// `-` for standard output
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

/// The name of a file that is none.
const STANDARD_OUTPUT: &str = "-";

/// Takes the records of a fleet.
trait Destination {
    fn write(&mut self, event: &Event) -> anyhow::Result<()>;

    /// Everything written is where it should be when this returns.
    fn finish(&mut self) -> anyhow::Result<()>;

    /// Where the records are, and a command to try on them, if they stay there.
    fn whereabouts(&self) -> Whereabouts;
}

struct Whereabouts {
    place: String,
    next: Option<String>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    telemetry::logs(&config::Config::default().telemetry)?;
    let runtime = Runtime::new()?;
    let shutdown = Shutdown::on_signals(runtime.handle());
    // Brokers that are away keep the start waiting.
    shutdown.only_starting();
    let config = args.fleet.config(args.target.out.is_none())?;
    let fleet = Fleet::new(&config).context("make the fleet")?;
    if let Some(path) = &args.truth {
        write_truth(&fleet, path)?;
    }
    let mut destination: Box<dyn Destination> = match &args.target {
        Target { kafka: Some(brokers), .. } => {
            Box::new(Stream::new(topic::Topic::open(brokers, &args.topic, &fleet)?, &fleet))
        }
        Target { event_hubs: Some(place), .. } => {
            // Not by the parser of arguments: it repeats what it refuses.
            let place = Secret::parse(place).map_err(|reason| anyhow::anyhow!("`--event-hubs`: {reason}"))?;
            Box::new(Stream::new(hub::Hub::open(&place, &args.hub, &fleet)?, &fleet))
        }
        Target { out: Some(out), .. } => Box::new(files::Files::create(out, args.format, args.force, &fleet)?),
        _ => bail!("say where the records go, with --kafka, --event-hubs or --out"),
    };
    let begun = Instant::now();
    shutdown.begin_work();
    let is_piped = args.target.out.as_deref() == Some(Path::new(STANDARD_OUTPUT));
    let written = match write(&fleet, destination.as_mut(), &shutdown) {
        // Whoever reads may stop early.
        Err(error) if is_piped && error.root_cause().downcast_ref().is_some_and(is_broken_pipe) => {
            return Ok(ExitCode::SUCCESS);
        }
        written => written?,
    };
    let seconds = begun.elapsed().as_secs_f64();
    let rows = Summary { fleet: &fleet, written: &written, seconds, truth: args.truth.as_deref() }
        .rows(&destination.whereabouts());
    if is_piped {
        let mut out = Output::to(terminal::StandardError);
        out.table(&rows);
        out.finish()?;
    } else {
        let mut out = Output::new();
        out.table(&rows);
        out.finish()?;
    }
    Ok(if written.interrupted && !config.endless() { ExitCode::from(STOPPED) } else { ExitCode::SUCCESS })
}

fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

#[derive(Debug, Default)]
struct Written {
    records: u64,
    malformed: u64,
    interrupted: bool,
}

fn write(fleet: &Fleet, destination: &mut dyn Destination, shutdown: &Shutdown) -> anyhow::Result<Written> {
    /// Progress is shown, and the flag looked at, every so many records.
    const STRIDE: u64 = 1024;
    let config = fleet.config();
    let records = Unit::Of("records");
    let meter = match fleet.readings_planned() {
        Some(readings) => progress::count("simulating", records, readings),
        None => progress::endless("simulating", records),
    };
    let mut pace = Pace::new(config);
    let mut written = Written::default();
    for event in fleet.events() {
        if !pace.wait(written.records, event.arrival, shutdown)
            || (written.records.is_multiple_of(STRIDE) && shutdown.requested())
        {
            written.interrupted = true;
            break;
        }
        destination.write(&event)?;
        written.records += 1;
        written.malformed += u64::from(event.content != Content::Reading);
        if written.records.is_multiple_of(STRIDE) {
            meter.set(written.records);
        }
    }
    meter.say("waiting for the last records to arrive");
    destination.finish()?;
    Ok(written)
}

fn write_truth(fleet: &Fleet, path: &Path) -> anyhow::Result<()> {
    let truth = fleet.truth();
    let file = File::create(path).with_context(|| format!("write `{}`", path.display()))?;
    let out = BufWriter::new(file);
    let lines = path.extension().is_some_and(|ending| ending == "jsonl");
    let outcome =
        if lines { simulated::write_truth_jsonl(&truth, out) } else { simulated::write_truth_csv(&truth, out) };
    outcome.with_context(|| format!("write `{}`", path.display()))
}

struct Summary<'a> {
    fleet: &'a Fleet,
    written: &'a Written,
    seconds: f64,
    truth: Option<&'a Path>,
}

impl Summary<'_> {
    fn rows(&self, whereabouts: &Whereabouts) -> Vec<(&'static str, String)> {
        let config = self.fleet.config();
        let rate = self.written.records as f64 / self.seconds.max(1e-3);
        let stopped = if self.written.interrupted { ", stopped early" } else { "" };
        let devices = u64::from(config.devices);
        let mut rows = vec![
            (
                "records",
                format!(
                    "{} in {:.1} s ({}/s{stopped}), {} of them malformed",
                    grouped(self.written.records),
                    self.seconds,
                    grouped(rate as u64),
                    grouped(self.written.malformed),
                ),
            ),
            (
                "fleet",
                format!("{} devices, {} sensors each, seed {}", grouped(devices), config.sensors.len(), config.seed),
            ),
            ("event time", format!("from {}, every {}", config.start, config.interval)),
            ("faults", self.faults()),
            ("written to", whereabouts.place.clone()),
        ];
        if let Some(truth) = self.truth {
            rows.push(("truth", truth.display().to_string()));
        }
        rows.extend(whereabouts.next.clone().map(|next| ("next", next)));
        rows
    }

    fn faults(&self) -> String {
        let config = self.fleet.config();
        let lead = format!("none in the first {}", config.clean_lead);
        if config.endless() {
            return format!("one in {} on every faulty device, {lead}", config.fault_every);
        }
        format!("{}, {lead}", grouped(self.fleet.truth().len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Args;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn options_agree_with_each_other() {
        Line::command().debug_assert();
        for line in [
            "--out a",
            "--kafka b:9092 --topic t --property a=b --secret c=env:D --endless",
            "--out a.csv.gz --force",
            "--event-hubs env:A --hub h",
        ] {
            assert!(Line::try_parse_from(["simulate"].into_iter().chain(line.split(' '))).is_ok(), "{line}");
        }
        for line in [
            "--devices 3",
            "--hub h --out a",
            "--event-hubs env:A --force",
            "--out a --kafka b:9092 --topic t",
            "--kafka b:9092",
            "--out a --topic t",
        ] {
            assert!(Line::try_parse_from(["simulate"].into_iter().chain(line.split(' '))).is_err(), "{line}");
        }
    }
}
