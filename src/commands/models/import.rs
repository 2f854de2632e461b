//! `atalaia models import`: scikit-learn files into a registry.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;
use store::Location;

use super::{Place, next_step};
use crate::commands::Format;
use crate::commands::output::{Output, grouped};
use crate::commands::progress::{self, Unit};
use crate::runtime::Runtime;

/// Reads scikit-learn files and writes them as a registry: a few Parquet files instead of one file a model
///
/// `--from` is a folder or URL of files of one model each, or one local pickle or joblib file that holds a dict of models, by `device/sensor`,
/// by (device, sensor), or by names that fit the template.
///
/// The files are read as plain data; nothing in them is run. Every model is checked before anything is written, and a place that holds a
/// registry already is refused: take a new one, and change `score.models` to it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia models import --from az://trained/ --to az://models/registry/ -c pipeline.toml
  atalaia models import --from trained/ --template '{device}/{sensor}/model.pkl' --to registry/
  atalaia models import --from all.joblib --to registry/ --skip-bad")]
pub(super) struct Args {
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

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let configured = args.place.config.read()?;
    let mut config = args.place.applied(configured.clone(), "--from")?;
    crate::telemetry::logs(&config.telemetry)?;
    if args.skip_bad {
        config.score.on_bad_model = score::OnBadModel::Skip;
    }
    let storage = config.model_storage();
    let from = Source::open(&config)?;
    let to = store::open(&args.to, storage).context("open the place of the registry")?;
    let runtime = Runtime::new()?;
    let written = runtime.block_on(copy(&config, &from, &to))?;

    let mut out = Output::new();
    match args.format {
        Format::Json => {
            out.line(json!({
                "from": from.to_string(), "to": to.display, "set": written.set, "models": written.models,
                "files": written.files, "bytes": written.bytes,
            }));
        }
        Format::Text => {
            out.line(format_args!("imported {} models from `{from}`", grouped(written.models as u64)));
            out.table(&[
                ("registry", to.display.clone()),
                ("set", written.set),
                ("files", format!("{}, {} KiB", written.files.len(), grouped(written.bytes.div_ceil(1024)))),
                ("next", next_step(&configured, &to, &args.to)),
            ]);
        }
    }
    out.finish()
}

/// Where the models come from.
enum Source {
    Files(Location),
    /// One file of many models.
    File(PathBuf),
}

impl Source {
    fn open(config: &config::Config) -> anyhow::Result<Source> {
        let path = Path::new(&config.score.models);
        if path.is_file() {
            return Ok(Source::File(path.to_owned()));
        }
        let location = store::open(&config.score.models, config.model_storage());
        Ok(Source::Files(location.context("open the place of the models")?))
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Files(location) => location.fmt(f),
            Source::File(path) => path.display().fmt(f),
        }
    }
}

async fn copy(config: &config::Config, from: &Source, to: &Location) -> anyhow::Result<score::Written> {
    if let Source::Files(location) = from {
        store::check(location).await.context("open the place of the models")?;
    }
    store::check_writable(to).await.context("try the place of the registry")?;
    let models = match from {
        Source::Files(location) => read_files(config, location).await,
        Source::File(path) => read_file(config, path),
    };
    let models = models.with_context(|| format!("read the models in `{from}`"))?;
    if models.is_empty() {
        return Err(score::Error::NothingToPublish).with_context(|| format!("read the models in `{from}`"));
    }
    tracing::info!(models = models.len(), "models read");
    let _meter = progress::wait("writing the registry");
    score::write_registry(&models, &to.store, &to.prefix).await.with_context(|| format!("write the registry to `{to}`"))
}

pub(super) fn read_file(config: &config::Config, path: &Path) -> anyhow::Result<Vec<score::Model>> {
    let bytes = super::score::bytes(path, score::import::MANY_BYTES_MAX)?;
    Ok(score::read_many(&config.score, &path.display().to_string(), &bytes)?)
}

async fn read_files(config: &config::Config, from: &Location) -> anyhow::Result<Vec<score::Model>> {
    let meter = progress::count("reading models", Unit::Of("files"), 0);
    let shown = |done: usize, total: usize| {
        meter.set_total(total as u64);
        meter.set(done as u64);
    };
    let place = (from.store.clone(), from.prefix.clone());
    let models = score::read_models(&config.score, Some(place), &shown).await;
    Ok(models?)
}
