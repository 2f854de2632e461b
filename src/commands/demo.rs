//! `atalaia demo`: the whole pipeline in one process on a simulated fleet whose faults are known.

mod draw;
mod judge;
mod learn;
mod live;
mod view;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use config::Config;
use ingest::simulated::{Episode, Fleet, Moment};
use ingest::{Bound, SourceKind};
use types::{Micros, Span};

use self::judge::Judgement;
use self::live::Watch;
use super::output::{Output, grouped};
use super::report::{self, Written};
use super::{account, assemble, input};
use crate::pipeline::{Account, Counts, Ending};
use crate::runtime::Runtime;
use crate::shutdown::{STOPPED, Shutdown};
use crate::{telemetry, terminal};

/// Shows the whole pipeline at work on a simulated fleet, in half a minute
///
/// Trains a one-class SVM for every sensor on a clean day, streams the following days (spikes, stuck values, drift,
/// dropouts, devices that go offline and upload later, clocks that run fast or slow, malformed and late records),
/// scores every window, writes Parquet, and compares what was found with what was injected. The same seed gives the
/// same result. On a terminal the day is played in a quarter of a minute, to be watched; elsewhere as fast as it goes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia demo
  atalaia demo --devices 200 --seed 7 --out /tmp/atalaia-demo
  atalaia demo --fast                  # how fast it can be
  atalaia demo --plain                 # without the live view

On a terminal it is shown live: `q`, Escape or Ctrl-C leaves (exit status 130).")]
pub(crate) struct Args {
    /// Folder for everything the demo writes; a former demo's is replaced
    #[arg(long, value_name = "FOLDER", default_value = "atalaia-demo")]
    out: PathBuf,

    /// Number of devices; each has five sensors
    #[arg(long, value_name = "COUNT", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    devices: u32,

    /// Another seed gives another fleet, with other faults
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// How the summary is printed
    #[arg(long, value_enum, default_value = "text")]
    format: super::Format,

    /// As fast as the machine can, in place of a pace for the eye; without a live view it always is
    #[arg(long)]
    fast: bool,

    /// Bars and lines in place of the live view, as where the output is no terminal
    #[arg(long)]
    plain: bool,
}

/// Tells a folder that a demo may replace from one that it may not.
const MARKER: &str = ".atalaia-demo";
const DAY: Span = Span::from_secs(86_400);
/// Event time against wall time, for who watches: the day in 15 s.
const SPEED: f64 = 5760.0;
/// Windows are scored when they are due to be written: so often something happens to be seen.
const SEEN_EVERY: Span = Span::from_millis(250);

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let live = !args.plain && args.format == super::Format::Text && terminal::is_live();
    let runtime = Runtime::new()?;
    let shutdown = Shutdown::on_signals(runtime.handle());
    shutdown.only_starting();
    let config = configuration(&args, live);
    telemetry::logs(&config.telemetry)?;
    clear(&args.out)?;

    let fleet = Fleet::new(&config.ingest.simulated)?;
    let watch = Watch::begin(live, &fleet, &shutdown);
    let begun = Instant::now();
    let Some(models) = learn::train(&config, &runtime, &watch, &shutdown)? else { return stopped(&args, watch) };
    let trained = begun.elapsed().as_secs_f64();

    let is_paced = config.ingest.simulated.speed > 0.0;
    let width = config.aggregate.window.micros();
    let sources = input::sources(&config, Bound::PresentEnd, runtime.handle())?;
    let assembly = assemble::Assembly::new(config, runtime)?;
    // Of the windows in which the devices' clocks stand at the end only a part was read.
    let ending = Ending::WhenRead { close: aggregate::Close::Due, partitions: sources.partitions };
    let job = assembly.job(ending, &sources)?;
    let expected = fleet.readings_planned().map(|readings| readings / 2);
    let begun = Instant::now();
    watch.stream(expected, || assembly.run(&job, sources, watch.totals(), &shutdown))?;
    let streamed = begun.elapsed().as_secs_f64();
    shutdown.only_ending();
    if shutdown.requested() {
        return stopped(&args, watch);
    }

    watch.judging();
    let truth = truth(&fleet, width);
    let truth_file = args.out.join("truth.csv");
    let file = std::fs::File::create(&truth_file).with_context(|| format!("write `{}`", truth_file.display()))?;
    ingest::simulated::write_truth_csv(&truth, std::io::BufWriter::new(file)).context("write the truth")?;
    let judgement =
        judge::judge(&args.out.join("predictions"), &truth).context("compare the predictions with the truth")?;
    let (counts, account) = (watch.totals().counts(), watch.totals().account());
    watch.end();
    let report = report(&args, &truth_file).context("write the report")?;
    let summary =
        Summary { args: &args, counts, account, models, trained, streamed, is_paced, judgement: &judgement, report };
    match args.format {
        super::Format::Text => summary.print()?,
        super::Format::Json => summary.print_json()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Who leaves a live view is back at the prompt, and should know where he stands.
fn stopped(args: &Args, watch: Watch) -> anyhow::Result<ExitCode> {
    watch.end();
    if args.format == super::Format::Text {
        let mut out = Output::new();
        out.line("stopped before its end: `atalaia demo` begins anew, `atalaia demo --fast` is over sooner");
        out.finish()?;
    }
    Ok(ExitCode::from(STOPPED))
}

/// All that was injected. Of an outage only the window in which it began is touched: that one closes without the readings that
/// come later, and those are in `late`; the windows after it are whole, if late. Who reads labels takes their ends as part of
/// them, so this one ends just before the next window begins.
fn truth(fleet: &Fleet, width: Micros) -> Vec<Episode> {
    let begins = fleet.config().recorded_from.map_or(Micros::MIN, |Moment(begins)| begins);
    let mut truth = fleet.truth();
    // By a slow clock the first of them may lie before.
    truth.retain(|fault| fault.to > begins);
    truth.extend(fleet.outages(begins, Micros::MAX).into_iter().map(|outage| {
        let next_window = outage.from - outage.from.rem_euclid(width) + width;
        Episode { to: outage.to.min(next_window - 1000).max(outage.from), ..outage }
    }));
    truth.sort_by(|a, b| (a.from, &a.device).cmp(&(b.from, &b.device)));
    truth
}

/// The page about it all, for a browser.
fn report(args: &Args, truth: &Path) -> anyhow::Result<Written> {
    let (url, labels) = (args.out.display().to_string(), [truth.display().to_string()]);
    let order = report::Order {
        url: Some(&url),
        output: &args.out.join("report.html"),
        labels: &labels,
        since: None,
        until: None,
        command: format!("atalaia demo --devices {} --seed {} --out {url}", args.devices, args.seed),
    };
    report::write(&order, &configuration(args, false), &Runtime::new()?)
}

/// What a user would write in a file, here in code.
fn configuration(args: &Args, live: bool) -> Config {
    let mut config = Config { pipeline: "demo".into(), ..Config::default() };
    let fleet = &mut config.ingest.simulated;
    fleet.seed = args.seed;
    fleet.devices = args.devices;
    fleet.interval = Span::from_secs(10);
    fleet.clean_lead = DAY;
    fleet.duration = Span::from_secs(2 * 86_400);
    fleet.malformed = 0.0001;
    // Models learn from what was read before, by each device's own clock, and judge what was read from then on: no window has
    // a part in both.
    fleet.recorded_from = Some(Moment(fleet.start.0.saturating_add(DAY.micros())));
    if live && !args.fast {
        fleet.speed = SPEED;
    }
    config.ingest.source = SourceKind::Simulated;
    config.aggregate.window = Span::from_secs(300);
    // Devices that send in bursts are silent for five minutes at a time, and nothing is wrong with them.
    config.aggregate.close_after = Some(Span::from_secs(600));
    config.score.models = args.out.join("models").display().to_string();
    config.score.features = learn::FEATURES.map(Into::into).to_vec();
    config.sink.url = args.out.display().to_string();
    if live {
        config.sink.commit_interval = SEEN_EVERY;
        config.sink.max_delay = SEEN_EVERY;
    }
    config.telemetry.log = "error".into();
    config
}

/// An empty folder with our marker; a folder that is somebody else's is left alone. The marker stays all the while: who stops
/// a demo at once must be able to begin another.
fn clear(out: &Path) -> anyhow::Result<()> {
    let shown = out.display();
    let marker = out.join(MARKER);
    std::fs::create_dir_all(out).with_context(|| format!("make the folder `{shown}`"))?;
    let entries = out.read_dir().and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.with_context(|| format!("read the folder `{shown}`"))?;
    if !entries.is_empty() && !marker.exists() {
        bail!("`{shown}` holds other things than a former demo: name another folder with --out");
    }
    std::fs::write(&marker, "").with_context(|| format!("write into `{shown}`"))?;
    for entry in entries.iter().filter(|entry| entry.path() != marker) {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let path = entry.path();
        let removed = if is_folder { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        removed.with_context(|| format!("remove the former demo in `{shown}`"))?;
    }
    Ok(())
}

struct Summary<'a> {
    args: &'a Args,
    counts: Counts,
    account: Account,
    models: usize,
    trained: f64,
    streamed: f64,
    is_paced: bool,
    judgement: &'a Judgement,
    report: Written,
}

impl Summary<'_> {
    fn print(&self) -> anyhow::Result<()> {
        let Summary { args, counts, account, judgement, report, .. } = self;
        let mut out = Output::new();
        let out_dir = args.out.display();
        let rate = (counts.records as f64 / self.streamed) as u64;
        let pace = if self.is_paced { ", a pace for the eye (--fast: as fast as it goes)" } else { "" };
        out.line(format_args!(
            "\nAtalaia watched {} simulated devices for a day (seed {})\n",
            grouped(args.devices.into()),
            args.seed
        ));
        out.table(&[
            (
                "events",
                format!("{} in {:.1} s: {} a second{pace}", grouped(counts.records), self.streamed, grouped(rate)),
            ),
            ("readings", account::readings(counts, account)),
            ("models", format!("{}, trained in {:.1} s on the day before", grouped(self.models as u64), self.trained)),
            ("windows", format!("{} of five minutes, each scored by its sensor's own model", grouped(counts.rows))),
            ("anomalies", format!("{} windows", grouped(counts.anomalies))),
            (
                "quarantined",
                format!("{} of the events, {} unreadable", grouped(counts.quarantined), grouped(counts.undecodable)),
            ),
            ("files", grouped(counts.files)),
        ]);
        out.line("\nAgainst the faults that were injected:\n");
        out.table(&[
            ("precision", format!("{:.1} % of alarmed windows touch a fault", 100.0 * judgement.precision())),
            ("recall", format!("{:.1} % of {} faults raised an alarm", 100.0 * judgement.recall(), judgement.faults())),
        ]);
        for kind in &judgement.kinds {
            let note = if kind.name == "outage" { "  (the window in which a device fell silent)" } else { "" };
            out.line(format_args!("    {:<8}  {:>4} of {:>4} found{note}", kind.name, kind.found, kind.faults));
        }
        out.line(format_args!(
            "\nWhat to look at next:\n\
             \x20 {}   all of it as a page for a browser: {}\n\
             \x20 {out_dir}/predictions   one row for every window (is_anomaly, decision, severity, top_feature, aggregates)\n\
             \x20 {out_dir}/truth.csv     what was injected: device, sensor, kind, start, end\n\
             \x20 {out_dir}/late, {out_dir}/quarantine   what did not count, and why\n\
             \n\
             \x20 python3 -c \"import pandas as pd; d = pd.read_parquet('{out_dir}/predictions'); print(d[d.is_anomaly].nlargest(10, 'severity'))\"\n\
             \x20 duckdb -c \"select top_feature, count(*) from '{out_dir}/predictions/**/*.parquet' where is_anomaly group by all\"\n\
             \x20 atalaia models list --from {out_dir}/models\n\
             \x20 atalaia run --help                     the same as a service on your own topic",
            report.file.display(),
            report.url
        ));
        out.finish()
    }

    fn print_json(&self) -> anyhow::Result<()> {
        let kinds: serde_json::Map<_, _> = (self.judgement.kinds.iter())
            .map(|kind| (kind.name.to_owned(), serde_json::json!({ "faults": kind.faults, "found": kind.found })))
            .collect();
        let mut out = Output::new();
        out.line(serde_json::json!({
            "counts": self.counts,
            "account": self.account,
            "models": self.models,
            "train_seconds": self.trained,
            "stream_seconds": self.streamed,
            "paced": self.is_paced,
            "precision": self.judgement.precision(),
            "recall": self.judgement.recall(),
            "kinds": kinds,
            "report": self.report.url,
        }));
        out.finish()
    }
}
