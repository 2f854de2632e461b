//! `atalaia models import`: scikit-learn files into a registry.

use anyhow::Context;
use serde_json::json;
use store::Location;

use super::Place;
use crate::commands::output::{Output, grouped};
use crate::commands::{Format, assemble, progress};

/// Reads scikit-learn files and writes them as a registry: a few Parquet files instead of one file a model
///
/// The files are read as plain data; nothing in them is run. Every model is checked before anything is written, and a place that holds a
/// registry already is refused: take a new one, and change `score.models` to it.
#[derive(Debug, clap::Args)]
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
