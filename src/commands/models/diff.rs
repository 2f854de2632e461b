//! `atalaia models diff`: what one set has that another has not.

use score::{ModelKey, registry};
use serde_json::json;

use super::Place;
use super::registry_place::Open;
use crate::commands::output::{Output, escaped, grouped};
use crate::commands::{Format, progress};

/// Keys that the text shows of each kind.
const SHOWN_MAX: usize = 20;

/// Compares two sets of a registry: keys added, removed, and those whose models judge differently
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia models diff previous current --from registry/
  atalaia models diff previous current -c pipeline.toml --format json | jq '.changed | length'")]
pub(super) struct Args {
    /// The older set: an id, `current` or `previous`
    a: String,

    /// The newer set: an id, `current` or `previous`
    b: String,

    #[command(flatten)]
    place: Place,

    /// `json` prints all keys in one object
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let open = Open::new(&args.place)?;
    let (before, after) = (open.set(&args.a)?, open.set(&args.b)?);
    let difference = registry::diff(&open.config.score, &open.at.store, &open.at.prefix, &before, &after);
    let meter = progress::wait("comparing the sets");
    let difference = open.runtime.block_on(difference)?;
    drop(meter);
    let mut out = Output::new();
    match args.format {
        Format::Json => {
            let keys = |keys: &[ModelKey]| -> Vec<_> {
                keys.iter().map(|key| json!({ "device": key.device, "sensor": key.sensor })).collect()
            };
            out.line(json!({
                "before": before, "after": after, "added": keys(&difference.added), "removed": keys(&difference.removed),
                "changed": keys(&difference.changed), "unchanged": difference.unchanged,
            }));
        }
        Format::Text => {
            out.line(format_args!("from `{before}` to `{after}`"));
            for (what, keys) in
                [("added", &difference.added), ("removed", &difference.removed), ("changed", &difference.changed)]
            {
                out.line(format_args!("{} {what}", grouped(keys.len() as u64)));
                for key in keys.iter().take(SHOWN_MAX) {
                    out.line(format_args!("  {}", escaped(&key.to_string())));
                }
                if keys.len() > SHOWN_MAX {
                    out.line("  …");
                }
            }
            out.line(format_args!("{} unchanged", grouped(difference.unchanged)));
        }
    }
    out.finish()
}
