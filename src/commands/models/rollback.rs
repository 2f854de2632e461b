//! `atalaia models rollback`: an older set back to use.

use anyhow::Context;
use score::registry;
use serde_json::json;

use super::Place;
use super::registry_place::{Open, note};
use crate::commands::Format;
use crate::commands::output::Output;

/// Puts an older set of a registry to use again: the one before, or one that is named
///
/// Nothing is undone or deleted: the history gets one entry more. Running services take the set up within `score.poll_interval`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia models rollback --from registry/
  atalaia models rollback -c pipeline.toml --note 'false alarms since Monday'")]
pub(super) struct Args {
    /// The set to put to use: an id of `atalaia models history`, or `previous`: the one before the set in use
    #[arg(long, default_value = "previous", value_name = "ID")]
    to_set: String,

    /// What people should know of it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    #[command(flatten)]
    place: Place,

    /// How the summary is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let open = Open::new(&args.place)?;
    let (store, prefix) = (&open.at.store, &open.at.prefix);
    let set = open.set(&args.to_set).context("find the set to go back to")?;
    let before = open.runtime.block_on(registry::current(store, prefix))?.map(|current| current.pointer.set);
    let from = before.as_deref().unwrap_or("nothing");
    let text = args.note.unwrap_or_else(|| format!("rollback from {from}"));
    let number = open.runtime.block_on(registry::point(&set, store, prefix, &note(text)));
    let number = number.with_context(|| format!("put the set `{set}` to use"))?;
    let mut out = Output::new();
    match args.format {
        Format::Json => _ = out.line(json!({ "set": set, "number": number, "before": before })),
        Format::Text => _ = out.line(format_args!("`{set}` is in use, before it was `{from}` (number {number})")),
    }
    out.finish()
}
