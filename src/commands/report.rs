//! `atalaia report`: what a dataset says, as one page that anybody opens.
//!
//! `gather` reads the files in bounded memory, `page` writes what was gathered; between them is plain data. Nothing of a pipeline
//! or of models is needed.

mod bins;
mod census;
mod course;
mod gather;
mod page;
mod place;
mod plan;
mod refused;
mod sketch;
mod smoothing;
mod svg;
mod text;
mod truth;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use config::Config;
use serde_json::json;
use types::Micros;

use self::gather::Gathered;
use self::page::Made;
use self::place::Place;
use self::refused::Part;
use self::truth::Truth;
use super::eval::labels::untouched;
use super::output::{Output, grouped};
use super::{Format, PartialConfig, time};
use crate::runtime::Runtime;
use crate::wall;

/// Writes what a dataset says as one HTML page
///
/// Figures, the fleet over time, the worst devices, scores, what was late or refused. The page is one file that asks for nothing else: it can be mailed, archived and printed. Given labels, it also says which
/// faults were found, how soon, and how many alarms were false: an alarm is true if its window touches a labelled stretch of its
/// device and sensor. The dataset is read twice, in memory that does not grow with its rows.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia report out                                         # writes report.html
  atalaia report out -o monday.html --since 2026-02-02T00:00:00Z --until 2026-02-03T00:00:00Z
  atalaia report atalaia-demo --labels atalaia-demo/truth.csv
  atalaia report az://results/pumps -c pipeline.toml         # with the credentials in there
  atalaia report -c pipeline.toml --format json | jq .anomalies")]
pub(crate) struct Args {
    /// Folder or URL that `run` or `score` wrote to, or `predictions` in it [default: that of the configuration]
    #[arg(value_name = "FOLDER-OR-URL")]
    url: Option<String>,

    /// The page; one that is there is replaced
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,

    /// File of labels, CSV or JSON, as `eval` reads it; a column `kind` tells faults apart. DEVICE=FILE for one that does not name its device
    #[arg(long, value_name = "[DEVICE=]FILE")]
    labels: Vec<String>,

    /// Leave out windows that start before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Micros>,

    /// Leave out windows that start at or after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Micros>,

    #[command(flatten)]
    config: PartialConfig,

    /// How the main figures are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// A report that was written.
pub(crate) struct Written {
    pub(crate) file: PathBuf,
    /// What a browser opens.
    pub(crate) url: String,
    gathered: Gathered,
}

/// What a report is to be about.
pub(crate) struct Order<'a> {
    pub(crate) url: Option<&'a str>,
    pub(crate) output: &'a Path,
    pub(crate) labels: &'a [String],
    pub(crate) since: Option<Micros>,
    pub(crate) until: Option<Micros>,
    /// The command that makes it, for those who read it.
    pub(crate) command: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = args.config.read()?;
    crate::telemetry::logs(&config.telemetry)?;
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since >= until
    {
        bail!("--since is not before --until: nothing can lie between them");
    }
    let order = Order {
        url: args.url.as_deref(),
        output: &args.output,
        labels: &args.labels,
        since: args.since,
        until: args.until,
        command: args.command(),
    };
    let written = write(&order, &config, &Runtime::new()?)?;
    let mut out = Output::new();
    match args.format {
        Format::Text => {
            out.line(written.summary());
            out.line(format_args!("{}\n{}", written.file.display(), written.url));
        }
        Format::Json => {
            out.line(written.json());
        }
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the dataset and writes the page.
pub(crate) fn write(order: &Order<'_>, config: &Config, runtime: &Runtime) -> anyhow::Result<Written> {
    let part = Part { since: order.since, until: order.until };
    let truth = match order.labels.is_empty() {
        true => None,
        false => Some(Truth::read(order.labels, order.since, order.until)?),
    };
    let mut place = Place::find(order.url, config, runtime)?;
    place.of(part);
    let gathered = gather::gather(&place, part, truth, runtime)?;
    let truth = gathered.truth.as_ref().filter(|truth| !truth.is_empty());
    if let Some((count, names)) = truth.and_then(Truth::absent) {
        if !truth.is_some_and(Truth::is_about_these) {
            bail!(
                "no device of the labels is among the predictions: the labels name {names}\ncorrect the names, or name the device as --labels DEVICE=FILE"
            );
        }
        tracing::warn!("of {count} devices that the labels name, there are no windows: {names}");
    }
    if let Some(doubt) = unseen(&gathered) {
        tracing::warn!("{doubt}");
    }
    let predictions = place.predictions.as_ref().map_or(place.shown.as_str(), |dataset| &dataset.place);
    let predictions = from_anywhere(predictions);
    let models = Some(config.score.models.as_str()).filter(|models| !models.is_empty()).map(from_anywhere);
    let made = Made {
        place: &place.shown,
        predictions: &predictions,
        models: models.as_deref(),
        command: &order.command,
        part,
        labels: order.labels,
        now: wall::now(),
    };
    let page = page::page(&gathered, &made);
    let shown = order.output.display();
    std::fs::write(order.output, page).with_context(|| format!("write the report `{shown}`"))?;
    let file = order.output.canonicalize().with_context(|| format!("find the report `{shown}`"))?;
    Ok(Written { file: order.output.to_owned(), url: file_url(&file), gathered })
}

/// Labels of which no window was there at all: of a silence that is right, and mostly a year or a sensor is wrong.
fn unseen(gathered: &Gathered) -> Option<String> {
    let truth = gathered.truth.as_ref()?;
    let all = truth.all();
    if all.stretches == 0 || all.unseen < all.stretches {
        return None;
    }
    let windows = [gathered.census.first, gathered.census.end];
    let said = untouched(all.stretches, "stretches", truth.span()?, windows);
    Some(format!("{said} of sensors"))
}

/// The commands on the page are given wherever its reader stands: a folder by its whole path, a URL as it is.
fn from_anywhere(place: &str) -> String {
    if place.contains("://") {
        return place.to_owned();
    }
    std::path::absolute(place).map_or_else(|_| place.to_owned(), |path| path.display().to_string())
}

impl Args {
    /// As it could be given again. Settings by `--set` may be secrets: only their names are told.
    fn command(&self) -> String {
        let mut words = vec!["atalaia report".to_owned()];
        let word = |text: &str| text::word(text).unwrap_or_else(|| "…".to_owned());
        words.extend(self.url.as_deref().map(word));
        words.push(format!("-o {}", word(&self.output.display().to_string())));
        words.extend(self.labels.iter().map(|labels| format!("--labels {}", word(labels))));
        words.extend(self.since.map(|since| format!("--since {}", wall::text(since))));
        words.extend(self.until.map(|until| format!("--until {}", wall::text(until))));
        words.extend(self.config.config.as_ref().map(|file| format!("-c {}", word(&file.display().to_string()))));
        let names = self.config.set.iter().map(|set| set.split('=').next().unwrap_or_default());
        words.extend(names.map(|name| format!("--set {}=…", word(name))));
        words.join(" ")
    }
}

impl Written {
    fn summary(&self) -> String {
        let Gathered { census, plan, refused, .. } = &self.gathered;
        let pipelines = match census.pipelines.len() {
            0 | 1 => String::new(),
            count => format!(" of {count} pipelines"),
        };
        let mut text = format!(
            "{} windows{pipelines} of {} devices, {} anomalies, {} late readings, {} quarantined",
            grouped(census.rows),
            grouped(plan.device_count),
            grouped(census.anomalies),
            grouped(refused.late_readings()),
            grouped(refused.quarantined()),
        );
        if let Some(truth) = &self.gathered.truth {
            let share = |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{:.1} %", 100.0 * share));
            // Writing to a text cannot fail.
            let _ = write!(text, "; precision {}, recall {}", share(truth.precision()), share(truth.recall()));
            let all = truth.all();
            if all.unseen > 0 {
                let _ = write!(
                    text,
                    "; {} of {} labelled stretches touch no window",
                    grouped(all.unseen),
                    grouped(all.stretches)
                );
            }
        }
        text
    }

    fn json(&self) -> serde_json::Value {
        let Gathered { census, plan, refused, truth, .. } = &self.gathered;
        json!({
            "file": self.file,
            "url": self.url,
            "devices": plan.device_count,
            "series": plan.series_count,
            "windows": census.rows,
            "anomalies": census.anomalies,
            "statuses": census.statuses,
            "late": refused.late_readings(),
            "quarantined": refused.quarantined(),
            "pipelines": census.pipelines,
            "labelled": truth.as_ref().map(|truth| truth.all().stretches),
            "labelled_unseen": truth.as_ref().map(|truth| truth.all().unseen),
            "precision": truth.as_ref().and_then(Truth::precision),
            "recall": truth.as_ref().and_then(Truth::recall),
        })
    }
}

/// The address of an absolute path.
fn file_url(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut url = "file://".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
            // Writing to a text cannot fail.
            _ => drop(write!(url, "%{byte:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests;
