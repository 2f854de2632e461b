//! `atalaia explain`: why a window was judged as it was.
//!
//! The row says what its model was given; the model says what it would make of it with one feature as usual. The row's own
//! model is looked for first, in the registry's sets; with another one at hand, that is said.

mod row;
mod show;

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{Context, bail};
use config::Config;
use score::Model;
use store::Location;
use types::Micros;

use super::output::escaped;
use super::predictions::Predictions;
use super::{Format, PartialConfig, progress, time};
use crate::runtime::Runtime;
use crate::wall;
use row::Row;

/// Explains the verdict on a window: what each feature has to do with it
///
/// Each feature in turn is set to its mean in training, the others stay: the further that moves the decision up (and the severity down), the
/// more the feature has to do with an alarm. Of a device that is judged as a whole, each sensor in turn is set to what the others
/// let one expect of it, with all its features: that says which sensor it is better than features one by one. The row is read from the predictions, the model from the set that the row names or,
/// where that is not kept, from the present models, which is said. Models that do not begin by subtracting means (a MinMaxScaler,
/// a bare OneClassSVM) do not know what is usual: only the verdict can be shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia explain -c pipeline.toml --device pump-7 --sensor temp --window 2026-02-01T06:00:00Z
  # any time in the window
  atalaia explain -c pipeline.toml --device pump-7 --window 2026-02-01T06:20:00Z --format json
  atalaia explain --predictions out/predictions --models models/ --device 1 --sensor 4 \\
    --window 2018-08-28T23:00:05Z")]
pub(crate) struct Args {
    /// The device, as predictions name it
    #[arg(long, value_name = "NAME")]
    device: String,

    /// The sensor; not needed if the device is judged as a whole, or has one sensor only
    #[arg(long, value_name = "NAME")]
    sensor: Option<String>,

    /// Start of the window, or any time in it
    #[arg(long, value_name = "TIME", value_parser = time)]
    window: Micros,

    /// Folder or URL of the predictions [default: those of the configuration]
    #[arg(long, value_name = "FOLDER-OR-URL")]
    predictions: Option<String>,

    /// Folder or URL of the models [default: `score.models` of the configuration]
    #[arg(long, value_name = "FOLDER-OR-URL")]
    models: Option<String>,

    #[command(flatten)]
    config: PartialConfig,

    /// How the explanation is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// A model, and how it is related to the row.
struct Found {
    model: Model,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Of the set that the row names.
    OfTheSet,
    /// The present one, and it is the same.
    Same,
    /// The present one, and another.
    Other,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut config = args.config.read()?;
    crate::telemetry::logs(&config.telemetry)?;
    if let Some(models) = &args.models {
        config.score.models.clone_from(models);
    }
    let runtime = Runtime::new()?;
    let row = find_row(args, &config, &runtime)?;
    let Some(key) = row.model_key.clone() else {
        bail!(
            "no model judged this window: its status is `{}`\ntrain one, or give the sensor or the fleet a default",
            row.status
        );
    };
    let meter = progress::wait("reading the model");
    let found = find_model(&key, &row, &config, &runtime)?;
    drop(meter);
    let features = found.model.features.clone().unwrap_or_else(|| config.score.features.clone());
    let values = row.values(&features, &found.model)?;
    let explanation = score::explain(&found.model, &features, &values)
        .with_context(|| format!("explain the row by the model of `{key}`"))?;
    match args.format {
        Format::Text => show::text(&row, &found, &explanation)?,
        Format::Json => show::json(&row, &found, &explanation)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn find_row(args: &Args, config: &Config, runtime: &Runtime) -> anyhow::Result<Row> {
    const DAY: Micros = 86_400_000_000;
    let has_file = args.config.has_file();
    let mut predictions = Predictions::find(args.predictions.as_deref(), has_file, config, runtime)?;
    // A window that holds the time began then or earlier, by no more than its width.
    let earliest = args.window - config.aggregate.window.micros().max(DAY);
    let day = |micros| wall::text(micros).chars().take(10).collect::<String>();
    let days = predictions.days();
    predictions.of_days(&day(earliest), &day(args.window));
    let mut rows: Vec<Row> = Vec::new();
    let mut others = Others::default();
    predictions.watched(runtime, |file| row::read(file, &args.device, args.window, &mut rows, &mut others))?;
    let device = &args.device;
    let moment = wall::text(args.window);
    if rows.is_empty() {
        let advice = match days {
            Some([first, last]) if predictions.count() == 0 => format!("\nits windows are of {first} to {last}"),
            _ => others.advice(device),
        };
        bail!("`{}` holds no window of `{device}` at {moment}{advice}", predictions.place);
    }
    let names: BTreeSet<String> =
        rows.iter().map(|row| row.sensor.clone().unwrap_or_else(|| "(the whole device)".into())).collect();
    rows.retain(|row| args.sensor.is_none() || row.sensor == args.sensor);
    if rows.is_empty()
        && let Some(sensor) = &args.sensor
    {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let near = config::nearest(sensor, names.iter().copied());
        let meant = near.map_or_else(
            || format!("it has {}", escaped(&names.join(", "))),
            |near| format!("did you mean `{}`?", escaped(near)),
        );
        bail!("`{device}` has no window of `{sensor}` at {moment}\n{meant}");
    }
    if args.sensor.is_none() && names.len() > 1 {
        let names: Vec<String> = names.into_iter().collect();
        bail!("`{device}` has several windows at {moment}: of {}\nname one with --sensor", escaped(&names.join(", ")));
    }
    // Readings from several partitions make several rows; one with an alarm is what is asked about.
    rows.sort_by_key(|row| (!row.is_anomaly, row.decision.is_none()));
    rows.into_iter().next().with_context(|| format!("`{device}` has no window at {moment}"))
}

/// What else is near, for those who mistyped.
#[derive(Debug, Default)]
struct Others {
    /// Whether the device has windows at other times.
    has_device: bool,
    names: BTreeSet<String>,
}

impl Others {
    /// A fleet may be large, and one that is near enough is among many.
    const NAMES_MAX: usize = 100_000;
    /// What differs by more was not meant.
    const LENGTHS_APART_MAX: usize = 3;

    fn add(&mut self, name: &str, wanted: &str) {
        self.has_device |= name == wanted;
        let is_alike = name.len().abs_diff(wanted.len()) <= Self::LENGTHS_APART_MAX;
        if is_alike && !self.names.contains(name) && self.names.len() < Self::NAMES_MAX {
            self.names.insert(name.to_owned());
        }
    }

    fn advice(&self, wanted: &str) -> String {
        if self.has_device {
            return "\nit has windows at other times of these days: `--window` is in UTC".into();
        }
        let near = config::nearest(wanted, self.names.iter().map(String::as_str));
        near.map_or_else(String::new, |near| format!("\ndid you mean `{}`?", escaped(near)))
    }
}

/// The model of the set that the row names, if the registry still has it; else the present one of the same key.
fn find_model(key: &str, row: &Row, config: &Config, runtime: &Runtime) -> anyhow::Result<Found> {
    if config.score.models.is_empty() {
        bail!(
            "no models are named: give their place with --models, or a configuration that has `score.models` with -c"
        );
    }
    let location = store::open(&config.score.models, config.model_storage()).context("open the place of the models")?;
    runtime.block_on(store::check(&location)).context("open the place of the models")?;
    let read = |location: &Location, prefix| {
        let place = Some((location.store.clone(), prefix));
        runtime.block_on(score::read_model(&config.score, place, key))
    };
    if let Some(set) = row.model_set.as_deref() {
        let prefix = location.path(&format!("sets/{set}"));
        match read(&location, prefix) {
            Ok(Some(model)) => return Ok(Found { model, standing: Standing::OfTheSet }),
            // Plain files, or a set that is not kept any more.
            Ok(None) | Err(score::Error::NoModels { .. }) => {}
            Err(error) => tracing::warn!(%error, set, "the set of the row cannot be read"),
        }
    }
    let present = read(&location, location.prefix.clone());
    let present = present.with_context(|| format!("read the models in `{location}`"))?;
    let model = present.with_context(|| format!("there is no model of `{key}` in `{location}`"))?;
    let is_same = row.model_version.as_deref() == Some(&model.version);
    Ok(Found { model, standing: if is_same { Standing::Same } else { Standing::Other } })
}
