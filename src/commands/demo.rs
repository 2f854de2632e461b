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
use ingest::simulated::{Fleet, Moment};
use ingest::{Bound, SourceKind, Start};
use types::{Micros, Span};

use self::judge::Judgement;
use self::live::Watch;
use super::output::{Output, grouped};
use super::report::{self, Written};
use super::{assemble, input};
use crate::pipeline::{Counts, Ending};
use crate::runtime::Runtime;
use crate::shutdown::{STOPPED, Shutdown};
use crate::{telemetry, terminal};

/// Shows the whole pipeline at work on a simulated fleet, in two minutes
///
/// Trains a one-class SVM for every sensor on a clean day, streams the following days (spikes, stuck values, drift,
/// dropouts, devices that go offline and upload later, clocks that run fast or slow, malformed and late records),
/// scores every window, writes Parquet, and compares what was found with what was injected. The same seed gives the
/// same result.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia demo
  atalaia demo --devices 200 --seed 7 --out /tmp/atalaia-demo
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

    /// Bars and lines in place of the live view, as where the output is no terminal
    #[arg(long)]
    plain: bool,
}

/// Tells a folder that a demo may replace from one that it may not.
const MARKER: &str = ".atalaia-demo";

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let live = !args.plain && args.format == super::Format::Text && terminal::is_live();
    let config = configuration(&args, live);
    telemetry::logs(&config.telemetry)?;
    let runtime = Runtime::new()?;
    let shutdown = Shutdown::on_signals(runtime.handle());
    clear(&args.out)?;

    let fleet = Fleet::new(&config.ingest.simulated)?;
    let watch = Watch::begin(live, &fleet, &shutdown);
    let begun = Instant::now();
    let Some(models) = learn::train(&config, &runtime, &watch, &shutdown)? else { return Ok(ExitCode::from(STOPPED)) };
    let trained = begun.elapsed().as_secs_f64();

    let sources = input::sources(&config, Bound::PresentEnd, runtime.handle())?;
    let assembly = assemble::Assembly::new(config, runtime)?;
    let ending = Ending::WhenRead { close: aggregate::Close::All, partitions: sources.partitions };
    let job = assembly.job(ending, &sources)?;
    let expected = fleet.readings_planned().map(|readings| readings / 2);
    let begun = Instant::now();
    watch.stream(expected, || assembly.run(&job, sources, watch.totals(), &shutdown))?;
    let streamed = begun.elapsed().as_secs_f64();
    if shutdown.requested() {
        return Ok(ExitCode::from(STOPPED));
    }

    watch.judging();
    let truth = fleet.truth();
    let Moment(start) = fleet.config().start;
    let begins = start.saturating_add(fleet.config().clean_lead.micros());
    let truth_file = args.out.join("truth.csv");
    let file = std::fs::File::create(&truth_file).with_context(|| format!("write `{}`", truth_file.display()))?;
    ingest::simulated::write_truth_csv(&truth, std::io::BufWriter::new(file)).context("write the truth")?;
    let judgement = judge::judge(&args.out.join("predictions"), &truth, begins)
        .context("compare the predictions with the truth")?;
    let counts = watch.totals().counts();
    watch.end();
    let report = report(&args, &truth_file, begins).context("write the report")?;
    let summary = Summary { args: &args, counts, models, trained, streamed, judgement: &judgement, report };
    match args.format {
        super::Format::Text => summary.print()?,
        super::Format::Json => summary.print_json()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The page about it all, for a browser.
fn report(args: &Args, truth: &Path, begins: Micros) -> anyhow::Result<Written> {
    let (url, labels) = (args.out.display().to_string(), [truth.display().to_string()]);
    let order = report::Order {
        url: Some(&url),
        output: &args.out.join("report.html"),
        labels: &labels,
        judge_from: Some(begins),
        since: None,
        until: None,
        command: format!("atalaia demo --devices {} --seed {} --out {url}", args.devices, args.seed),
    };
    report::write(&order, &configuration(args, false), &Runtime::new()?)
}

/// What a user would write in a file, here in code.
fn configuration(args: &Args, live: bool) -> Config {
    let mut config = Config { pipeline: "demo".into(), ..Config::default() };
    let day = Span::from_secs(86_400);
    let fleet = &mut config.ingest.simulated;
    fleet.seed = args.seed;
    fleet.devices = args.devices;
    fleet.interval = Span::from_secs(10);
    fleet.clean_lead = day;
    fleet.duration = Span::from_secs(2 * 86_400);
    fleet.malformed = 0.0001;
    let Moment(start) = fleet.start;
    config.ingest.start = Start::Time(start.saturating_add(day.micros()));
    config.ingest.source = SourceKind::Simulated;
    config.aggregate.window = Span::from_secs(300);
    config.score.models = args.out.join("models").display().to_string();
    config.score.features = learn::FEATURES.map(Into::into).to_vec();
    config.sink.url = args.out.display().to_string();
    if live {
        // Windows are scored when they are due to be written: so often something happens to be seen.
        config.sink.commit_interval = Span::from_millis(500);
        config.sink.max_delay = Span::from_millis(500);
    }
    config.telemetry.log = "error".into();
    config
}

/// An empty folder with our marker; a folder that is somebody else's is left alone.
fn clear(out: &Path) -> anyhow::Result<()> {
    let shown = out.display();
    if out.exists() {
        let empty = out.read_dir().with_context(|| format!("read the folder `{shown}`"))?.next().is_none();
        if !empty && !out.join(MARKER).exists() {
            bail!("`{shown}` holds other things than a former demo: name another folder with --out");
        }
        std::fs::remove_dir_all(out).with_context(|| format!("remove the former demo in `{shown}`"))?;
    }
    std::fs::create_dir_all(out).with_context(|| format!("make the folder `{shown}`"))?;
    std::fs::write(out.join(MARKER), "").with_context(|| format!("write into `{shown}`"))
}

struct Summary<'a> {
    args: &'a Args,
    counts: Counts,
    models: usize,
    trained: f64,
    streamed: f64,
    judgement: &'a Judgement,
    report: Written,
}

impl Summary<'_> {
    fn print(&self) -> anyhow::Result<()> {
        let Summary { args, counts, judgement, report, .. } = self;
        let mut out = Output::new();
        let out_dir = args.out.display();
        let rate = (counts.records as f64 / self.streamed) as u64;
        out.line(format_args!(
            "\nAtalaia watched {} simulated devices for a day (seed {})\n",
            grouped(args.devices.into()),
            args.seed
        ));
        out.table(&[
            ("events", format!("{} in {:.1} s: {} a second", grouped(counts.records), self.streamed, grouped(rate))),
            ("models", format!("{}, trained in {:.1} s on the day before", grouped(self.models as u64), self.trained)),
            ("windows", format!("{} of five minutes, each scored by its sensor's own model", grouped(counts.rows))),
            ("anomalies", format!("{} windows", grouped(counts.anomalies))),
            ("late readings", grouped(counts.late)),
            ("quarantined records", grouped(counts.quarantined)),
            ("files", format!("{}, {} bytes of Parquet", grouped(counts.files), grouped(counts.file_bytes))),
        ]);
        out.line("\nAgainst the faults that were injected:\n");
        out.table(&[
            ("precision", format!("{:.1} % of alarmed windows touch a fault", 100.0 * judgement.precision())),
            ("recall", format!("{:.1} % of {} faults raised an alarm", 100.0 * judgement.recall(), judgement.faults())),
        ]);
        for kind in &judgement.kinds {
            out.line(format_args!("    {:<8}  {:>4} of {:>4} found", kind.name, kind.found, kind.faults));
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
            "models": self.models,
            "train_seconds": self.trained,
            "stream_seconds": self.streamed,
            "precision": self.judgement.precision(),
            "recall": self.judgement.recall(),
            "kinds": kinds,
            "report": self.report.url,
        }));
        out.finish()
    }
}
