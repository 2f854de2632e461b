//! `atalaia models publish`: models as a new set of a registry, put to use at once.

use std::path::Path;

use anyhow::Context;
use score::{Model, registry};
use serde_json::json;

use super::Place;
use super::registry_place::note;
use crate::commands::output::{Output, grouped};
use crate::commands::progress::{self, Unit};
use crate::commands::{Format, PartialConfig};
use crate::runtime::Runtime;

/// Writes models as a new, immutable set of a registry and puts it to use: running services take it up within `score.poll_interval`
///
/// Every model is checked before anything is written. Files first, then a manifest with their hashes, then the pointer: what dies on the way changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia models publish --from trained/ --to registry/ --note 'November, longer history'
  atalaia models publish --from models.parquet --from defaults.parquet -c pipeline.toml")]
pub(super) struct Args {
    /// Parquet files, pickle or joblib files of a dict of models, or a folder or URL of Parquet or scikit-learn files; may be given several times
    #[arg(long, required = true, value_name = "FILES-OR-PREFIX")]
    from: Vec<String>,

    /// Folder or URL of the registry; made if there is none [default: `score.models` of the configuration]
    #[arg(long, value_name = "FOLDER-OR-URL")]
    to: Option<String>,

    /// What people should know of it
    #[arg(long, default_value = "", value_name = "TEXT")]
    note: String,

    /// How scikit-learn files are named, like `model_{device}_{sensor}` [default: `score.template` of the configuration]
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,

    #[command(flatten)]
    config: PartialConfig,

    /// How the summary is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let place = Place { from: args.to, template: args.template, config: args.config };
    let config = place.config_by("--to")?;
    crate::telemetry::logs(&config.telemetry)?;
    let to = store::open(&config.score.models, config.model_storage()).context("open the place of the registry")?;
    let runtime = Runtime::new()?;
    let published = runtime.block_on(async {
        store::check_writable(&to).await.context("try the place of the registry")?;
        let mut models = Vec::new();
        for from in &args.from {
            models.extend(read(&config, from).await.with_context(|| format!("read the models in `{from}`"))?);
        }
        let _meter = progress::wait("checking and writing the set");
        let published = registry::publish(&models, &to.store, &to.prefix, &note(args.note)).await;
        published.with_context(|| format!("publish the models in `{to}`"))
    })?;
    let mut out = Output::new();
    match args.format {
        Format::Json => {
            out.line(json!({
                "registry": to.display, "set": published.set, "number": published.number, "parent": published.parent,
                "models": published.models, "files": published.files, "bytes": published.bytes,
            }));
        }
        Format::Text => {
            out.line(format_args!("published {} models in `{to}`", grouped(published.models as u64)));
            out.table(&[
                ("set", published.set),
                ("number", published.number.to_string()),
                ("before", published.parent.unwrap_or_else(|| "nothing".into())),
                ("files", format!("{}, {} KiB", published.files, grouped(published.bytes.div_ceil(1024)))),
            ]);
        }
    }
    out.finish()
}

async fn read(config: &config::Config, from: &str) -> anyhow::Result<Vec<Model>> {
    if Path::new(from).is_file() {
        return read_file(config, Path::new(from));
    }
    let place = store::open(from, config.model_storage()).context("open the place of the models")?;
    store::check(&place).await.context("open the place of the models")?;
    let meter = progress::count("reading models", Unit::Of("files"), 0);
    let shown = |done: usize, total: usize| {
        meter.set_total(total as u64);
        meter.set(done as u64);
    };
    let config = score::Config { models: from.to_owned(), ..config.score.clone() };
    let models = score::read_models(&config, Some((place.store, place.prefix)), &shown).await;
    Ok(models?)
}

/// One local file: Parquet, or scikit-learn's with a dict of models. One of a single model has its key in its name, which only a template
/// can read.
fn read_file(config: &config::Config, path: &Path) -> anyhow::Result<Vec<Model>> {
    if path.extension().is_none_or(|extension| extension != "parquet") {
        return super::import::read_file(config, path)
            .context("a file of one model is published by naming the folder that it is in; a file by itself must hold a dict of models");
    }
    let bytes = std::fs::read(path).context("read the file")?;
    let mut models = registry::read(bytes.into())
        .map_err(|broken| score::Error::Registry { file: path.display().to_string(), source: Box::new(broken) })?;
    models.iter_mut().for_each(|model| model.source = path.display().to_string());
    Ok(models)
}
