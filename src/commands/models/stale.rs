//! `atalaia models stale`: which keys are to be trained, and why.
//!
//! Age is asked of the models; what they make of the present is asked of the predictions. Either can be left out.

mod show;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use types::{Micros, Span, parse_span};

use self::show::Report;
use super::Place;
use crate::commands::assemble;
use crate::commands::predictions::{Predictions, Row};
use crate::runtime::Runtime;
use crate::wall;

/// Names the keys that should be trained: models too old, series without one, models that call too much an anomaly
///
/// Each bound that is given is looked after. Predictions are those of the configuration unless others are named; of them, what lies
/// within --since of the newest row counts. Series that a default judges are named by their own key: they can have a model of their own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia models stale -c pipeline.toml
  atalaia models stale -c pipeline.toml --max-age 7d --max-anomalous 5% --since 1d
  atalaia models stale -c pipeline.toml --format csv > retrain.csv    # for the job that trains
  atalaia models stale --from models/registry/ --no-predictions --check || echo retrain

Exit status:
  0  told; with --check: nothing is stale
  1  it failed; with --check: something is stale")]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,

    /// Models trained longer ago than this are stale
    #[arg(long, value_name = "SPAN", value_parser = parse_span, default_value = "30d")]
    max_age: Span,

    /// Series with a larger share of anomalous windows among those scored are stale, like `0.2` or `20%`
    #[arg(long, value_name = "SHARE", value_parser = crate::commands::share, default_value = "20%")]
    max_anomalous: f64,

    /// Shares of fewer scored windows than this say nothing
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    min_rows: u64,

    /// How much of the newest predictions is looked at
    #[arg(long, value_name = "SPAN", value_parser = parse_span, default_value = "7d")]
    since: Span,

    /// Folder or URL of the predictions [default: those of the configuration]
    #[arg(long, value_name = "FOLDER-OR-URL", conflicts_with = "no_predictions")]
    predictions: Option<String>,

    /// Look at the age of models only
    #[arg(long)]
    no_predictions: bool,

    /// End with status 1 if anything is stale
    #[arg(long)]
    check: bool,

    /// How the report is printed
    #[arg(long, value_enum, default_value = "text")]
    format: StaleFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StaleFormat {
    /// For people
    Text,
    /// One object
    Json,
    /// One line a key, with a header
    Csv,
}

/// A device and its sensor; none: a default, or the whole device. In the order of a report.
type Key = (Option<String>, Option<String>);

/// What was seen of a key.
#[derive(Debug, Clone, Default, PartialEq)]
struct Seen {
    trained_at: Option<Micros>,
    /// Windows by what became of them.
    rows: u64,
    scored: u64,
    anomalous: u64,
    no_model: u64,
    /// The model that judged them, if it is not the key's own.
    model: Option<String>,
}

/// A key that is to be trained, and why.
struct Stale<'a> {
    key: &'a Key,
    seen: &'a Seen,
    reasons: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Bounds {
    now: Micros,
    max_age: Micros,
    max_anomalous: f64,
    min_rows: u64,
}

/// Windows of a dataset by time, so that what is too old can be left out once the newest is known.
#[derive(Debug, Default)]
struct Collected {
    newest: Micros,
    rows: BTreeMap<Key, Seen>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = args.place.config()?;
    crate::telemetry::logs(&config.telemetry)?;
    let runtime = Runtime::new()?;
    let set = assemble::load_models(&config, &runtime)?;
    let mut seen: BTreeMap<Key, Seen> = BTreeMap::new();
    if !args.no_predictions {
        let has_file = args.place.config.has_file();
        let predictions = Predictions::find(args.predictions.as_deref(), has_file, &config, &runtime)
            .context("find the predictions (--no-predictions does without)")?;
        seen = recent(args.since.micros(), |show| predictions.rows(&runtime, show).map(drop))
            .context("read the predictions")?
            .rows;
    }
    for model in set.iter() {
        let key = (model.device.map(str::to_owned), model.sensor.map(str::to_owned));
        seen.entry(key).or_default().trained_at = model.trained_at;
    }
    let max_age = args.max_age.micros();
    let bounds = Bounds { now: wall::now(), max_age, max_anomalous: args.max_anomalous, min_rows: args.min_rows };
    let stale: Vec<Stale<'_>> = seen
        .iter()
        .map(|(key, seen)| Stale { key, seen, reasons: seen.reasons(&bounds) })
        .filter(|stale| !stale.reasons.is_empty())
        .collect();
    let report = Report { set: &set, seen: &seen, stale: &stale, since: args.since, now: bounds.now };
    match args.format {
        StaleFormat::Text => report.text(),
        StaleFormat::Json => report.json(),
        StaleFormat::Csv => report.csv(),
    }?;
    Ok(if args.check && !stale.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What lies within `since` of the newest row. The newest is looked for first: files come in no order of time.
fn recent(
    since: Micros,
    mut rows: impl FnMut(&mut dyn FnMut(Row<'_>)) -> anyhow::Result<()>,
) -> anyhow::Result<Collected> {
    let mut collected = Collected { newest: Micros::MIN, rows: BTreeMap::new() };
    rows(&mut |row| collected.newest = collected.newest.max(row.end))?;
    let earliest = collected.newest.saturating_sub(since);
    rows(&mut |row| {
        if row.start < earliest {
            return;
        }
        let key = (Some(row.device.to_owned()), row.sensor.map(str::to_owned));
        let seen = collected.rows.entry(key).or_default();
        seen.rows += 1;
        seen.scored += u64::from(row.decision.is_some());
        seen.anomalous += u64::from(row.is_anomaly);
        seen.no_model += u64::from(row.status == types::Status::NoModel.as_str());
        if seen.model.is_none() {
            seen.model = row.model_key.map(str::to_owned);
        }
    })?;
    Ok(collected)
}

impl Seen {
    /// Why the key is to be trained.
    fn reasons(&self, bounds: &Bounds) -> Vec<&'static str> {
        let is_old = self.trained_at.is_some_and(|at| bounds.now.saturating_sub(at) > bounds.max_age);
        let is_loud = self.scored >= bounds.min_rows.max(1) && self.share().is_some_and(|s| s > bounds.max_anomalous);
        let reasons = [(is_old, "too_old"), (self.no_model > 0, "no_model"), (is_loud, "anomalous")];
        reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
    }

    fn share(&self) -> Option<f64> {
        (self.scored > 0).then(|| self.anomalous as f64 / self.scored as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Micros = 86_400_000_000;

    fn row(device: &'static str, sensor: Option<&'static str>, start: Micros, decision: Option<f64>) -> Row<'static> {
        let is_anomaly = decision.is_some_and(|decision| decision <= 0.0);
        let status = if decision.is_some() { "scored" } else { "no_model" };
        let (severity, threshold, end) = (None, None, start + 10);
        let model_key = decision.map(|_| "*");
        Row { device, sensor, start, end, decision, severity, threshold, is_anomaly, status, model_key }
    }

    #[test]
    fn only_the_newest_windows_count() {
        let rows = [
            row("a", Some("s"), 0, Some(-1.0)),
            row("b", None, 1000, Some(1.0)),
            row("a", Some("s"), 900, Some(-1.0)),
            row("a", Some("s"), 990, None),
            // A series that fell silent long ago.
            row("c", Some("s"), 5, None),
        ];
        let found = recent(110, |show| {
            rows.iter().for_each(|row| show(*row));
            Ok(())
        });
        let found = found.expect("rows");
        assert_eq!(found.newest, 1010);
        let key = |device: &str, sensor: Option<&str>| (Some(device.to_owned()), sensor.map(str::to_owned));
        let keys: Vec<&Key> = found.rows.keys().collect();
        assert_eq!(keys, [&key("a", Some("s")), &key("b", None)]);
        let a = &found.rows[&key("a", Some("s"))];
        assert_eq!((a.rows, a.scored, a.anomalous, a.no_model), (2, 1, 1, 1));
        assert_eq!(a.model.as_deref(), Some("*"));
    }

    #[test]
    fn each_reason_stands_for_itself() {
        let bounds = Bounds { now: 100 * DAY, max_age: 30 * DAY, max_anomalous: 0.2, min_rows: 10 };
        let seen = |trained_days: Option<i64>, scored, anomalous, no_model| Seen {
            trained_at: trained_days.map(|days| days * DAY),
            rows: scored + no_model,
            scored,
            anomalous,
            no_model,
            model: None,
        };
        for (seen, expected) in [
            (seen(Some(70), 100, 20, 0), &[][..]),
            (seen(Some(69), 100, 20, 0), &["too_old"]),
            (seen(None, 100, 21, 0), &["anomalous"]),
            (seen(None, 9, 9, 0), &[]),
            (seen(None, 10, 10, 0), &["anomalous"]),
            (seen(None, 0, 0, 1), &["no_model"]),
            (seen(Some(1), 10, 3, 5), &["too_old", "no_model", "anomalous"]),
        ] {
            assert_eq!(seen.reasons(&bounds), expected, "{seen:?}");
        }
    }
}
