//! `atalaia models verify`: every byte and row of a set, looked at.

use std::process::ExitCode;

use score::registry::{self, Verified};
use serde_json::json;

use super::Place;
use super::registry_place::Open;
use crate::commands::output::{Output, escaped, grouped};
use crate::commands::{Format, progress};

/// Checks a set: hashes of its files, checksums of its rows, every model's numbers, keys that come twice
///
/// All problems are named, and the exit status is 1 if there is one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia models verify --from registry/
  atalaia models verify previous -c pipeline.toml
  atalaia models verify --from trained/    # files of scikit-learn, before they are imported

Exit status:
  0  sound
  1  not sound, or not to be read")]
pub(super) struct Args {
    /// An id, `current` or `previous` [default: what a service would load, also files of Parquet or scikit-learn without a registry around them]
    set_id: Option<String>,

    #[command(flatten)]
    place: Place,

    /// How the findings are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let open = Open::new(&args.place)?;
    let set = args.set_id.as_deref().map(|word| open.set(word)).transpose()?;
    let verified = registry::verify(&open.config.score, &open.at.store, &open.at.prefix, set.as_deref());
    let Verified { set, models, files, bytes, problems, problems_total } = {
        let _meter = progress::wait("verifying files and models");
        open.runtime.block_on(verified)?
    };
    let mut out = Output::new();
    match args.format {
        Format::Json => {
            let problems: Vec<_> =
                problems.iter().map(|found| json!({ "file": found.file, "problem": found.problem })).collect();
            out.line(json!({
                "set": set, "ok": problems_total == 0, "models": models, "files": files, "bytes": bytes,
                "problems_total": problems_total, "problems": problems,
            }));
        }
        Format::Text => {
            for found in &problems {
                out.line(format_args!("{}: {}", escaped(&found.file), escaped(&found.problem)));
            }
            if problems_total > problems.len() as u64 {
                out.line(format_args!("… {} problems in all", grouped(problems_total)));
            }
            let name = match set {
                Some(set) => format!("set `{set}` is"),
                None => format!("the model files in `{}` are", open.at),
            };
            let sound = if problems_total == 0 { "sound" } else { "NOT sound" };
            let (models, files) = (grouped(models), grouped(files as u64));
            out.line(format_args!("{name} {sound}: {models} models, {files} files, {} bytes", grouped(bytes)));
        }
    }
    out.finish()?;
    Ok(if problems_total == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
