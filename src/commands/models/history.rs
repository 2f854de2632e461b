//! `atalaia models history`: which sets were in use, since when, and why.

use score::registry::{self, History};
use serde_json::json;

use super::Place;
use super::list::aligned;
use super::registry_place::Open;
use crate::commands::output::{Output, escaped};
use crate::commands::{Format, progress};

/// Shows which sets of a registry were in use, the newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia models history --from registry/
  atalaia models history -c pipeline.toml --format json | jq -r .set")]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,

    /// `json` prints one object an entry
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let open = Open::new(&args.place)?;
    let meter = progress::wait("reading the history");
    let history = open.runtime.block_on(registry::history(&open.at.store, &open.at.prefix))?;
    drop(meter);
    if history.is_empty() {
        return Err(score::Error::NotPublished { place: open.at.display }.into());
    }
    let mut out = Output::new();
    match args.format {
        Format::Json => {
            for History { number, pointer } in &history {
                let shown = json!({
                    "number": number, "set": pointer.set, "at": pointer.at, "by": pointer.by, "note": pointer.note,
                });
                if !out.line(shown) {
                    break;
                }
            }
        }
        Format::Text => {
            let row = |(index, History { number, pointer }): (usize, &History)| {
                let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".into(), escaped);
                let mark = if index == 0 { "in use" } else { "" };
                let note = escaped(&pointer.note);
                [number.to_string(), mark.into(), pointer.set.clone(), text(&pointer.at), text(&pointer.by), note]
            };
            let rows: Vec<[String; 6]> = history.iter().enumerate().map(row).collect();
            aligned(&mut out, ["number", "", "set", "at", "by", "note"], &rows);
        }
    }
    out.finish()
}
