//! `atalaia train`: models from history, with the windows of the service.
//!
//! A source or a dataset -> closed windows -> rows of each key -> models -> a registry. Reading is `source` or `predictions`, the
//! statistics are kept in `history`, and what a model is made of is `score::train`'s business.

mod exclude;
mod existing;
pub(crate) mod history;
pub(crate) mod learn;
mod options;
mod predictions;
mod report;
mod source;
mod summary;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use config::Config;
use score::{Feature, Key, Model, ModelKey};
use serde_json::json;
use store::Location;
use types::{Micros, Span};

use self::exclude::Excluded;
use self::existing::Existing;
use self::history::History;
use self::options::TrainArgs;
use self::report::Line;
use self::source::{Read, Wanted};
use self::summary::Summary;
use super::models::next_step;
use super::output::{Output, grouped};
use super::predictions::Predictions;
use super::progress::{self, Unit};
use super::{ConfigArgs, Format};
use crate::runtime::Runtime;
use crate::shutdown::Shutdown;
use crate::wall;

/// Trains models from history, and publishes them in a registry
///
/// Each series or device gets a model of its own. Windows are made by the code of the service. The history is the configured source up to its present end (files, a topic), or our own
/// predictions. What a model belongs to is `score.key`. Windows that may lack readings are left out: those closed by silence, and a
/// device's newest where the input ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia train -c pipeline.toml --to models/ --report report.parquet
  atalaia train -c pipeline.toml --to models/ --from-predictions az://results/predictions/ \\
    --since 2026-01-01T00:00:00Z
  atalaia train -c pipeline.toml --to models/ --only stale --max-age 30d --exclude faults.csv
  atalaia train -c pump.toml --to models/ --set score.key=device --rows 400")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,

    /// Folder or URL of the registry; made if there is none
    #[arg(long, value_name = "FOLDER-OR-URL")]
    to: String,

    /// What a model looks at, like `mean,std_pop` or `temp.mean,flow.max` [default: `score.features`; for devices mean, std_pop, min, max
    /// and delta of each sensor, unless `score.features` names sensors]
    #[arg(long, value_name = "FEATURES", value_delimiter = ',')]
    features: Option<Vec<Feature>>,

    /// Train on this dataset of predictions instead of the source
    #[arg(long, value_name = "FOLDER-OR-URL", conflicts_with = "rows")]
    from_predictions: Option<String>,

    /// Read only the first so many records of each device
    #[arg(long, value_name = "COUNT")]
    rows: Option<u64>,

    /// Leave out windows that start before this time
    #[arg(long, value_name = "TIME", value_parser = time, alias = "from-time")]
    since: Option<Micros>,

    /// Leave out windows that end after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Micros>,

    /// Leave out windows that touch these intervals: CSV or JSON with `from` and `to` (or `start` and `end`) and perhaps `device`
    #[arg(long, value_name = "FILE")]
    exclude: Option<PathBuf>,

    /// Which keys are trained: `all`; `new`, those without a model; `stale`, these and those whose model is older than `--max-age`. Models of
    /// others, and of what cannot be trained this time, are taken over as they are from those at `--to`, or else from `score.models`
    #[arg(long, value_enum, default_value = "all")]
    only: Only,

    /// Take over no models: what cannot be trained this time has none in the new set
    #[arg(long)]
    drop_missing: bool,

    /// With `--only stale`: models that are older are trained again
    #[arg(long, value_name = "SPAN", default_value = "30d", value_parser = types::parse_span)]
    max_age: Span,

    /// Read the input so many times, each time for a part of the devices: memory for less
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    passes: u64,

    /// What people should know of the new set
    #[arg(long, default_value = "trained", value_name = "TEXT")]
    note: String,

    /// Write what became of each key to this file, as Parquet
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// How the summary is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    #[command(flatten)]
    train: TrainArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    All,
    New,
    Stale,
}

fn time(text: &str) -> Result<Micros, String> {
    exclude::time(text).map_err(|error| error.to_string())
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let unneeded: &[&str] = if args.from_predictions.is_some() { &["sink", "ingest"] } else { &["sink"] };
    let config = args.config.load_without(unneeded)?;
    crate::telemetry::export(&config, None)?;
    let runtime = Runtime::new()?;
    let shutdown = Shutdown::on_signals(runtime.handle());
    let to = store::open(&args.to, config.model_storage()).context("open the place of the models")?;
    if to.local_root.as_ref().is_some_and(|root| root.is_file()) {
        bail!("`{}` is a file: models go into a folder\nname another place with `--to`", args.to);
    }
    runtime.block_on(store::check_writable(&to)).context("try the place of the models")?;
    let job =
        Job { args: &args, options: args.train.options(), config: &config, runtime: &runtime, shutdown: &shutdown };
    let begun = Instant::now();
    let Existing { models: existing, base } = job.existing(&to)?;
    let outcome = job.train(&existing)?;
    let Trained { mut models, mut lines, read, left_out, windows } = outcome;
    if models.is_empty() && lines.is_empty() && windows > 0 && !existing.is_empty() {
        nothing_to_do(&args, &existing)?;
        return Ok(ExitCode::SUCCESS);
    }
    if models.is_empty() {
        bail!("{}", nothing(&lines, windows, left_out, read));
    }
    let trained = models.len();
    existing::keep(existing, &mut models, &mut lines);
    if let Some(file) = &args.report {
        report::write(&lines, file)?;
    }
    let meter = progress::wait("writing the set");
    let written = runtime
        .block_on(publish(&models, base, &to, &args.note))
        .with_context(|| format!("write the models to `{to}`"))?;
    drop(meter);
    let summary = Summary {
        read,
        left_out,
        windows,
        trained,
        lines: &lines,
        written: &written,
        seconds: begun.elapsed().as_secs_f64(),
        next: next_step(&config, &to, &args.to),
    };
    summary.print(&args, &to)?;
    Ok(ExitCode::SUCCESS)
}

/// The one place where models leave the command: a new set, put to use at once, unless something else was meanwhile that it does not
/// know of.
async fn publish(
    models: &[Model],
    base: Option<u64>,
    to: &Location,
    note: &str,
) -> Result<score::registry::Published, score::Error> {
    let note = score::registry::Note { text: note.to_owned(), at: wall::text(wall::now()), by: None };
    match base {
        Some(base) => score::registry::publish_after(base, models, &to.store, &to.prefix, &note).await,
        None => score::registry::publish(models, &to.store, &to.prefix, &note).await,
    }
}

struct Job<'a> {
    args: &'a Args,
    options: score::TrainOptions,
    config: &'a Config,
    runtime: &'a Runtime,
    shutdown: &'a Shutdown,
}

struct Trained {
    models: Vec<Model>,
    lines: Vec<Line>,
    read: Read,
    left_out: LeftOut,
    windows: u64,
}

/// Windows that were not trained on.
#[derive(Debug, Clone, Copy, Default)]
struct LeftOut {
    partial: u64,
    too_few: u64,
}

impl Job<'_> {
    fn train(&self, existing: &BTreeMap<ModelKey, Model>) -> anyhow::Result<Trained> {
        let args = self.args;
        let now = wall::now();
        let oldest = now.saturating_sub(args.max_age.micros());
        let wanted_key = |key: &ModelKey| match (args.only, existing.get(key)) {
            (Only::All, _) | (_, None) => true,
            (Only::New, Some(_)) => false,
            (Only::Stale, Some(model)) => model.trained_at.is_none_or(|trained_at| trained_at < oldest),
        };
        let left_out = LeftOut::default();
        let mut all = Trained { models: Vec::new(), lines: Vec::new(), read: Read::default(), left_out, windows: 0 };
        for pass in 0..args.passes {
            let excluded = args.exclude.as_deref().map(Excluded::read).transpose()?.unwrap_or_default();
            let wanted = Wanted {
                from: args.since,
                until: args.until,
                records: args.rows,
                excluded,
                shard: (pass, args.passes),
            };
            let (history, read) = self.history(&wanted)?;
            (all.read, all.windows) = (read, all.windows + history.windows);
            all.left_out.partial += history.partial;
            all.left_out.too_few += history.too_few;
            let meter = progress::count("training", Unit::Of("models"), history.keys() as u64);
            let outcomes = learn::learn(history, &wanted_key, &self.options, &meter)?;
            drop(meter);
            for outcome in outcomes {
                all.lines.push(Line::of(&outcome));
                if let Ok(trained) = outcome.trained {
                    all.models.push(Model { trained_at: Some(now), ..trained.model });
                }
            }
        }
        Ok(all)
    }

    fn history(&self, wanted: &Wanted) -> anyhow::Result<(History, Read)> {
        let Job { args, config, runtime, shutdown, .. } = self;
        let mut history = History::new(config.aggregate.window.micros(), &config.score, self.features()?);
        let what = if args.from_predictions.is_some() { "windows" } else { "records" };
        let meter = progress::count("reading history", Unit::Of(what), 0);
        let read = match &args.from_predictions {
            Some(url) => {
                let dataset = Predictions::at(url, config, runtime)?;
                predictions::read(&dataset, runtime, wanted, &mut history, &meter, shutdown)
            }
            None => source::read(config, wanted, &mut history, &meter, shutdown),
        };
        Ok((history, read?))
    }

    /// None: what each device has.
    fn features(&self) -> anyhow::Result<Option<Vec<Feature>>> {
        let score = &self.config.score;
        let names_sensors = |features: &[Feature]| features.iter().any(|feature| feature.sensor.is_some());
        let features = match (&self.args.features, score.key) {
            (Some(features), _) => features,
            (None, Key::Series) => &score.features,
            (None, Key::Device) if names_sensors(&score.features) => &score.features,
            (None, Key::Device) => return Ok(None),
        };
        for (at, feature) in features.iter().enumerate() {
            if features[..at].contains(feature) {
                bail!("the feature `{feature}` is named twice");
            }
            match (score.key, &feature.sensor) {
                (Key::Series, Some(_)) => {
                    bail!(
                        "`{feature}` names a sensor, but `score.key` is `series`: write the statistic alone, or set `score.key = \"device\"`"
                    )
                }
                (Key::Device, None) => {
                    bail!("`{feature}` names no sensor, but `score.key` is `device`: write it like `temp.{feature}`")
                }
                _ => {}
            }
        }
        Ok(Some(features.clone()))
    }
}

/// With `--only`: each key has a model that is good enough. That is no failure, and no reason for a new set.
fn nothing_to_do(args: &Args, existing: &BTreeMap<ModelKey, Model>) -> anyhow::Result<()> {
    let lines: Vec<Line> = existing.values().map(Line::kept).collect();
    if let Some(file) = &args.report {
        report::write(&lines, file)?;
    }
    let mut out = Output::new();
    match args.format {
        Format::Text => out.line(format_args!(
            "nothing to train: no key is new or stale, all {} models stay as they are; no set was published",
            grouped(lines.len() as u64)
        )),
        Format::Json => out.line(json!({ "trained": 0, "kept": lines.len(), "failed": [], "set": null })),
    };
    out.finish()
}

/// Why there is no model at all.
fn nothing(lines: &[Line], windows: u64, left_out: LeftOut, read: Read) -> String {
    let failure = lines.iter().find_map(|line| line.failure.as_deref());
    let because = match failure {
        _ if windows == 0 => format!("no whole window was left ({}) {}", left_out.text(), read.text()),
        Some(failure) => format!("{} keys, none with a model; of the first one: {failure}", lines.len()),
        None => "no key of the history is to be trained".into(),
    };
    format!(
        "nothing was trained: {because}\n`atalaia preview` shows what the records are; `--format json` and `--report` say more of keys"
    )
}

impl LeftOut {
    fn text(self) -> String {
        format!("{} partial ones, {} of too few readings", grouped(self.partial), grouped(self.too_few))
    }
}
