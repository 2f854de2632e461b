//! `atalaia models`: what models there are, what one of them says, and scikit-learn files into a registry.
//!
//! Reading is the service's own (`score::load`): what is listed here is what would score.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use score::{Kernel, Summary};
use serde_json::{Value, json};
use store::Location;

use super::output::{Output, grouped};
use super::{Format, assemble, progress};

/// Shows the models that judge windows, and imports scikit-learn files into a registry
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia models list --from models/
  atalaia models show 1 4 -c pipeline.toml
  atalaia models import --from az://trained/ --to az://models/registry/ -c pipeline.toml
  atalaia models import --from trained/ --template '{device}/{sensor}/model.pkl' --to registry/")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Import(ImportArgs),
    List(ListArgs),
    Show(ShowArgs),
}

/// Where models are, and with what rights they are read.
#[derive(Debug, clap::Args)]
struct Place {
    /// Folder or URL of the models [default: `score.models` of the configuration]
    #[arg(long, value_name = "FOLDER-OR-URL")]
    from: Option<String>,

    /// How scikit-learn files are named, like `model_{device}_{sensor}` [default: `score.template` of the configuration]
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,

    /// Configuration file: its credentials, and the defaults of the other options
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Overrides one setting; may be given several times
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

/// Reads scikit-learn files and writes them as a registry: a few Parquet files instead of one file a model
///
/// The files are read as plain data; nothing in them is run. Every model is checked before anything is written, and a place that holds a
/// registry already is refused: take a new one, and change `score.models` to it.
#[derive(Debug, clap::Args)]
struct ImportArgs {
    #[command(flatten)]
    place: Place,

    /// Folder or URL that the registry is written to
    #[arg(long, value_name = "FOLDER-OR-URL")]
    to: String,

    /// Leave out files that cannot be used, with a warning each, instead of stopping
    #[arg(long)]
    skip_bad: bool,

    /// How the summary is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Lists the models, one a line
#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    place: Place,

    /// `json` prints one object a model
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Shows one model
#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The device that the model belongs to
    device: String,

    /// The sensor that the model belongs to
    sensor: String,

    #[command(flatten)]
    place: Place,

    /// How the model is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Import(args) => import(args),
        Command::List(args) => list(args),
        Command::Show(args) => show(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

impl Place {
    /// The configuration with the options in it. A pipeline need not be complete for this.
    fn config(&self) -> anyhow::Result<config::Config> {
        let env =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let sources = config::Sources { file: self.config.clone(), env: env.collect(), set: self.set.clone() };
        let mut config = config::read(sources)?.config;
        if let Some(from) = &self.from {
            config.score.models.clone_from(from);
        }
        if let Some(template) = &self.template {
            config.score.template.clone_from(template);
        }
        if config.score.models.is_empty() {
            bail!(
                "no models are named: give their place with `--from`, or a configuration that has `score.models` with `-c`"
            );
        }
        Ok(config)
    }
}

fn import(args: ImportArgs) -> anyhow::Result<()> {
    let mut config = args.place.config()?;
    crate::telemetry::logs(&config.telemetry)?;
    if args.skip_bad {
        config.score.on_bad_model = score::OnBadModel::Skip;
    }
    let storage = config.model_storage();
    let from = store::open(&config.score.models, storage).context("open the place of the models")?;
    let to = store::open(&args.to, storage).context("open the place of the registry")?;
    let runtime = assemble::runtime()?;
    let written = runtime.block_on(copy(&config, &from, &to))?;

    let mut out = Output::new();
    match args.format {
        Format::Json => {
            out.line(json!({
                "from": from.display, "to": to.display, "set": written.set, "models": written.models,
                "files": written.files, "bytes": written.bytes,
            }));
        }
        Format::Text => {
            out.line(format_args!("imported {} models from `{from}`", grouped(written.models as u64)));
            out.table(&[
                ("registry", to.display.clone()),
                ("set", written.set),
                ("files", format!("{}, {} KiB", written.files.len(), grouped(written.bytes.div_ceil(1024)))),
                ("next", format!("set `score.models = \"{}\"`", args.to)),
            ]);
        }
    }
    out.finish()
}

async fn copy(config: &config::Config, from: &Location, to: &Location) -> anyhow::Result<score::Written> {
    store::check_writable(to).await.context("try the place of the registry")?;
    let bar = progress::bar("reading models", 0);
    let shown = |done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let place = (from.store.clone(), from.prefix.clone());
    let models = score::read_models(&config.score, Some(place), &shown).await;
    bar.finish_and_clear();
    let models = models.with_context(|| format!("read the models in `{from}`"))?;
    tracing::info!(models = models.len(), "models read");
    score::write_registry(&models, &to.store, &to.prefix).await.with_context(|| format!("write the registry to `{to}`"))
}

fn list(args: ListArgs) -> anyhow::Result<()> {
    let config = args.place.config()?;
    let set = assemble::load_models(&config, &assemble::runtime()?)?;
    let mut out = Output::new();
    match args.format {
        Format::Json => {
            for model in set.iter() {
                if !out.line(as_json(&model)) {
                    break;
                }
            }
        }
        Format::Text => {
            let rows: Vec<[String; 6]> = set.iter().map(|model| row(&model)).collect();
            aligned(&mut out, ["device", "sensor", "kernel", "vectors", "features", "version"], &rows);
            let memory = grouped(set.bytes().div_ceil(1024));
            out.line(format_args!("{} models, {memory} KiB in memory, set {}", grouped(set.len() as u64), set.id()));
        }
    }
    out.finish()
}

fn show(args: ShowArgs) -> anyhow::Result<()> {
    let config = args.place.config()?;
    let set = assemble::load_models(&config, &assemble::runtime()?)?;
    let Some(model) = set.get(Some(&args.device), Some(&args.sensor)) else {
        bail!("no model of `{}/{}` among the {} in `{}`", args.device, args.sensor, set.len(), config.score.models);
    };
    let mut out = Output::new();
    if args.format == Format::Json {
        out.line(as_json(&model));
        return out.finish();
    }
    out.line(format_args!("model of `{}/{}`", shown(model.device), shown(model.sensor)));
    out.table(&[
        ("kernel", kernel(model.kernel)),
        ("support vectors", grouped(model.support_vectors as u64)),
        ("features", features(&model)),
        ("intercept", model.intercept.to_string()),
        ("anomaly", model.threshold.map_or("decision <= 0".into(), |threshold| format!("severity > {threshold}"))),
        ("version", model.version.to_owned()),
        ("memory", format!("{} bytes", grouped(model.bytes as u64))),
        ("read from", model.source.to_owned()),
    ]);
    out.finish()
}

fn as_json(model: &Summary<'_>) -> Value {
    let features = model.features.map(|features| features.iter().map(ToString::to_string).collect::<Vec<_>>());
    json!({
        "device": model.device, "sensor": model.sensor, "kernel": kernel_name(model.kernel), "parameters": parameters(model.kernel),
        "support_vectors": model.support_vectors, "dimensions": model.dimensions, "features": features,
        "intercept": model.intercept, "threshold": model.threshold, "version": model.version, "bytes": model.bytes,
        "source": model.source,
    })
}

fn row(model: &Summary<'_>) -> [String; 6] {
    [
        shown(model.device),
        shown(model.sensor),
        kernel(model.kernel),
        model.support_vectors.to_string(),
        features(model),
        model.version.to_owned(),
    ]
}

fn features(model: &Summary<'_>) -> String {
    match model.features {
        Some(features) => features.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        None => format!("{}, as configured", model.inputs),
    }
}

fn kernel(kernel: Kernel) -> String {
    let parameters = parameters(kernel);
    let listed: Vec<String> =
        parameters.as_object().into_iter().flatten().map(|(name, value)| format!("{name} {value}")).collect();
    match listed.is_empty() {
        true => kernel_name(kernel).to_owned(),
        false => format!("{} ({})", kernel_name(kernel), listed.join(", ")),
    }
}

fn kernel_name(kernel: Kernel) -> &'static str {
    match kernel {
        Kernel::Rbf { .. } => "rbf",
        Kernel::Linear => "linear",
        Kernel::Poly { .. } => "poly",
        Kernel::Sigmoid { .. } => "sigmoid",
    }
}

fn parameters(kernel: Kernel) -> Value {
    match kernel {
        Kernel::Rbf { gamma } => json!({ "gamma": gamma }),
        Kernel::Linear => json!({}),
        Kernel::Poly { gamma, coef0, degree } => json!({ "gamma": gamma, "coef0": coef0, "degree": degree }),
        Kernel::Sigmoid { gamma, coef0 } => json!({ "gamma": gamma, "coef0": coef0 }),
    }
}

/// Columns as wide as their widest entry; the last one as it is.
fn aligned<const N: usize>(out: &mut Output, names: [&str; N], rows: &[[String; N]]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([names[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: &[&str]| {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    out.line(line(&names));
    for row in rows {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        if !out.line(line(&cells)) {
            return;
        }
    }
}

/// A default has no device, a device model no sensor.
fn shown(id: Option<&str>) -> String {
    id.map_or_else(|| "*".into(), escaped)
}

/// Ids come from file names: what would move a terminal's cursor is shown as an escape.
fn escaped(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}
