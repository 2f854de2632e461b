//! `atalaia eval`: how good predictions are, judged by labels.
//!
//! Predictions are read as anybody reads them, from their files; nothing of models or pipelines is needed. `labels` and
//! `windows` read, `judge` brings the two together, `measure` counts.

mod bounds;
mod judge;
pub(super) mod labels;
mod measure;
mod plot;
mod report;
mod windows;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use config::Config;
use serde_json::json;
use types::Micros;

use super::output::{Output, escaped, grouped};
use super::predictions::Predictions;
use super::{Format, PartialConfig, progress, time};
use crate::runtime::Runtime;
use bounds::Bounds;
use judge::{Causal, Part, Rules};
use labels::{Columns, Labels};
use measure::Track;
use windows::{Dataset, Judge, Score};

/// Judges predictions by labels: precision, recall, F1, false and missed alarms, delays
///
/// Labels are a column of a CSV file of rows (`datetime;…;anomaly`), or intervals, in CSV (columns `from` and `to`, if need be `device` and
/// `sensor`) or JSON ({"windows": [[from, to], …]}, also below names of devices). With a column of labels, rows are counted, and each is
/// judged by a window as --causal says; with intervals, windows are counted, and one that overlaps an interval, whose ends belong to it, should be an alarm.
/// Labels without a sensor are of the whole device: an alarm of any of its series is one. What has no score is no alarm.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia eval --predictions out/predictions --labels failures.csv
  # only behind what models were trained on
  atalaia eval -c pipeline.toml --labels failures.json --since 2026-02-01T00:00:00Z
  # two datasets, pooled
  atalaia eval --predictions a/predictions --labels a.csv --predictions b/predictions --labels b.csv
  # a gate: exit status 3 if a bound is not kept
  atalaia eval --predictions out/predictions --labels 'labels/{device}.csv' --min-f1 0.85 \\
    --max-far 13.5% --plot report.html

Exit status:
  0  judged, and every bound is kept
  1  it failed: nothing was judged
  3  judged, and a bound is not kept")]
pub(crate) struct Args {
    /// Folder or URL of the predictions [default: those of the configuration]. Several are pooled, each with its own --labels or all with one
    #[arg(long, value_name = "FOLDER-OR-URL")]
    predictions: Vec<String>,

    /// File of labels; DEVICE=FILE for one that does not name its device, or of which only what it says of this device counts; with `{device}` in its name, a file for each device
    #[arg(long, value_name = "[DEVICE=]FILE", required = true)]
    labels: Vec<String>,

    #[command(flatten)]
    columns: Columns,

    /// Which window judges a labelled row
    #[arg(long, value_enum, default_value = "strict")]
    causal: Causal,

    /// Leave out the first labelled rows (or windows, for intervals) of each device: what its model was trained on
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    skip: usize,

    /// Leave out what lies before this time
    #[arg(long, value_name = "TIME", value_parser = time, aliases = ["from", "skip-until"])]
    since: Option<Micros>,

    /// Leave out what lies at or after this time
    #[arg(long, value_name = "TIME", value_parser = time, alias = "to")]
    until: Option<Micros>,

    /// What ranks windows, for AUC, curves and --threshold [default: the first of these that all scored rows have]
    #[arg(long, value_enum)]
    score: Option<Score>,

    /// Alarm where the score is above this, in place of the verdicts in the predictions
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    threshold: Option<f64>,

    /// Also show the figures of each device
    #[arg(long)]
    each: bool,

    /// Write a page (`.html`) or picture (`.svg`) of scores, labels and alarms over time, and of precision over recall
    #[arg(long, value_name = "FILE")]
    plot: Vec<PathBuf>,

    #[command(flatten)]
    config: PartialConfig,

    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    #[command(flatten)]
    bounds: Bounds,
}

/// The exit status of predictions that were judged, and are not good enough: a script tells it from a failure, which is 1.
const NOT_KEPT: u8 = 3;

/// A dataset with the labels that it is judged by.
struct Pair {
    dataset: Dataset,
    labels: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = args.config.read()?;
    crate::telemetry::logs(&config.telemetry)?;
    let pairs = pairs(args, &config, &Runtime::new()?)?;
    let score = args.score.unwrap_or_else(|| Score::finest(pairs.iter().map(|pair| pair.dataset.has())));
    let part = Part { from: args.since, to: args.until, skip: args.skip };
    let rules = Rules { causal: args.causal, part, judge: Judge { score, threshold: args.threshold } };

    let meter = progress::wait("comparing with the labels");
    let mut tracks = Vec::new();
    let mut are_rows = None;
    for pair in &pairs {
        let labels = read_labels(pair, &args.columns)?;
        let of_rows = matches!(labels, Labels::Rows(_));
        if *are_rows.get_or_insert(of_rows) != of_rows {
            bail!("labels of rows and labels of intervals cannot be pooled: evaluate them one after the other");
        }
        tracks.extend(judge::tracks(&pair.dataset, &labels, &rules)?);
    }
    if tracks.iter().all(|track| track.judged.is_empty()) {
        bail!(
            "nothing is left to evaluate\ncompare the times of the labels with those of the predictions, and with --since, --until and --skip"
        );
    }
    let shown = Shown { tracks, rules, are_rows: are_rows.unwrap_or_default() };
    for doubt in shown.doubts() {
        tracing::warn!("{doubt}");
    }
    for file in &args.plot {
        plot::write(file, &shown).with_context(|| format!("write the plot `{}`", file.display()))?;
    }
    drop(meter);
    print(args, &shown)
}

/// What was evaluated, and how.
struct Shown {
    tracks: Vec<Track>,
    rules: Rules,
    are_rows: bool,
}

fn print(args: &Args, shown: &Shown) -> anyhow::Result<ExitCode> {
    let beside = report::Beside::of(&shown.tracks);
    let outcomes = args.bounds.check(&beside.own);
    let is_good = outcomes.iter().all(bounds::Outcome::is_kept);
    let mut out = Output::new();
    match args.format {
        Format::Text => {
            out.line(shown.summary(&beside.own));
            out.line(shown.method());
            beside.text(&mut out);
            if args.each {
                report::each(&mut out, &shown.tracks);
            }
            for outcome in &outcomes {
                let verdict = if outcome.is_kept() { "kept    " } else { "not kept" };
                out.line(format_args!("{verdict}  {outcome}"));
            }
        }
        Format::Json => {
            let mut result = beside.json();
            result["ok"] = is_good.into();
            result["bounds"] = outcomes.iter().map(bounds::Outcome::json).collect();
            result["evaluated"] = json!({
                "unit": if shown.are_rows { "row" } else { "window" },
                "count": beside.own.counts.total(),
                "devices": shown.tracks.len(),
                "causal": shown.are_rows.then(|| shown.causal()),
                "score": shown.rules.judge.score.describe(),
                "threshold": shown.rules.judge.threshold,
            });
            if args.each {
                result["each"] = report::each_json(&shown.tracks);
            }
            out.line(result);
        }
    }
    out.finish()?;
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(NOT_KEPT) })
}

impl Shown {
    /// What makes the figures say nothing, though they are right.
    fn doubts(&self) -> Vec<String> {
        let judged = || self.tracks.iter().flat_map(|track| &track.judged);
        let mut doubts = Vec::new();
        if judged().all(|judged| judged.score.is_none()) {
            doubts.push(
                "nothing that is evaluated has a score, so that nothing can be an alarm: the column `status` says why. \
                 Without models `atalaia train` makes some"
                    .to_owned(),
            );
        }
        let labelled = || self.tracks.iter().flat_map(|track| &track.intervals);
        if let (Some(first), Some(last)) = (labelled().map(|own| own.0).min(), labelled().map(|own| own.1).max())
            && judged().all(|judged| !judged.is_positive)
        {
            let start = judged().map(|judged| judged.start).min().unwrap_or_default();
            let end = judged().map(|judged| judged.end).max().unwrap_or_default();
            doubts.push(labels::untouched(labelled().count() as u64, "intervals", [first, last], [start, end]));
        }
        doubts
    }

    fn causal(&self) -> &'static str {
        match self.rules.causal {
            Causal::Strict => "strict",
            Causal::LastRow => "last-row",
            Causal::Window => "window",
        }
    }

    fn summary(&self, own: &measure::Figures) -> String {
        format!(
            "evaluated {} {} of {} devices or series, {:.2} days when added up, {} of them labelled as anomalous",
            grouped(own.counts.total()),
            if self.are_rows { "labelled rows" } else { "windows" },
            grouped(self.tracks.len() as u64),
            own.days(),
            grouped(own.counts.positives())
        )
    }

    /// How verdicts were made, with whatever looks ahead named.
    fn method(&self) -> String {
        let verdicts = match (self.are_rows, self.rules.causal) {
            (false, _) => "each window as its row says, known at its end".to_owned(),
            (true, Causal::Strict) => "a row by the newest window that ended before it; nothing looks ahead".to_owned(),
            (true, Causal::LastRow) => {
                "a row by the newest window without a later labelled row; nothing looks ahead if labels list every reading"
                    .to_owned()
            }
            (true, Causal::Window) => {
                let known = self.tracks.iter().flat_map(|track| &track.judged);
                let ahead = known.map(|judged| judged.known - judged.start).max();
                format!("a row by the window it lies in: looks ahead by up to {}", report::span(ahead))
            }
        };
        let Judge { score, threshold } = self.rules.judge;
        let alarm = threshold.map(|limit| format!("; alarm where it is above {limit}")).unwrap_or_default();
        format!("verdicts: {verdicts}; score: {}{alarm}", score.describe())
    }
}

/// One dataset with all labels, several with one each, or several with the same.
fn pairs(args: &Args, config: &Config, runtime: &Runtime) -> anyhow::Result<Vec<Pair>> {
    let found = match args.predictions.is_empty() {
        false => {
            args.predictions.iter().map(|url| Predictions::at(url, config, runtime)).collect::<anyhow::Result<_>>()?
        }
        true => vec![Predictions::find(None, args.config.has_file(), config, runtime)?],
    };
    let (datasets, files) = (found.len(), args.labels.len());
    if datasets > 1 && files > 1 && datasets != files {
        bail!(
            "{datasets} datasets of predictions and {files} files of labels: name one file for each, in the same order, or one for all"
        );
    }
    let pair = |(index, predictions): (usize, Predictions)| {
        let mut dataset = Dataset::default();
        let pipelines = predictions.rows(runtime, |row| dataset.add(row))?;
        if let Some([one, other]) = pipelines.overlapping() {
            tracing::warn!(
                "`{}` holds rows of several pipelines about the same time, such as `{}` and `{}`: they are judged together, and a window is \
                 an alarm if any of them says so",
                predictions.place,
                escaped(one),
                escaped(other)
            );
        }
        if dataset.rows == 0 {
            bail!("no rows in `{}`", predictions.place);
        }
        let labels = match (datasets, files) {
            (1, _) | (_, 1) => args.labels.clone(),
            _ => vec![args.labels[index].clone()],
        };
        Ok(Pair { dataset, labels })
    };
    found.into_iter().enumerate().map(pair).collect()
}

/// All files of a dataset as one.
fn read_labels(pair: &Pair, columns: &Columns) -> anyhow::Result<Labels> {
    let mut all: Option<Labels> = None;
    let mut add = |labels: Labels| {
        match (&mut all, labels) {
            (Some(Labels::Rows(all)), Labels::Rows(more)) => all.extend(more),
            (Some(Labels::Intervals(all)), Labels::Intervals(more)) => all.extend(more),
            (Some(_), _) => bail!("labels of rows and labels of intervals cannot be pooled"),
            (all, labels) => *all = Some(labels),
        }
        Ok(())
    };
    let of_device = |file: &Path, device: &str| {
        let own = Labels::read(file, columns)?.of_device(device);
        own.with_context(|| format!("take the labels of `{device}` from `{}`", file.display()))
    };
    for named in &pair.labels {
        if named.contains("{device}") {
            let file = |device: &str| PathBuf::from(named.replace("{device}", device));
            let there: Vec<&str> = pair.dataset.devices().filter(|device| file(device).exists()).collect();
            if there.is_empty() {
                bail!("no device of the predictions has a file of labels like `{named}`");
            }
            for device in there {
                add(of_device(&file(device), device)?)?;
            }
            continue;
        }
        match named.split_once('=') {
            Some((device, file)) if !Path::new(named).exists() => {
                add(of_device(Path::new(file), device)?)?;
            }
            _ => {
                let mut labels = Labels::read(Path::new(named), columns)?;
                names_of_files(&mut labels, &pair.dataset);
                add(labels)?;
            }
        }
    }
    all.context("no labels are named")
}

/// Benchmarks name series by their files: `folder/pump.csv` is the device `pump`, and a single name that is no device stands for
/// all of them.
fn names_of_files(labels: &mut Labels, dataset: &Dataset) {
    let devices: Vec<&str> = dataset.devices().collect();
    let is_device = |name: &str| devices.binary_search(&name).is_ok();
    if !matches!(labels, Labels::Intervals(_)) {
        return;
    }
    for whom in labels.whom_mut() {
        let Some(name) = whom.device.as_deref().filter(|name| !is_device(name)) else { continue };
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if is_device(stem) {
            whom.device = Some(stem.to_owned());
        }
    }
    let names: std::collections::BTreeSet<Option<String>> = labels.whom().map(|whom| whom.device.clone()).collect();
    let is_file = |name: &String| name.ends_with(".csv") && !is_device(name);
    if names.len() == 1 && names.iter().flatten().any(is_file) {
        labels.whom_mut().for_each(|whom| whom.device = None);
    }
}
