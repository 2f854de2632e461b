//! `atalaia models score`: what one model file says of rows in a CSV file, as scikit-learn's `decision_function` and `predict` would.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use score::import::{self, Imported};
use score::{Error, Judge, ModelKey};
use serde::Serialize;

use super::table::{Columns, fields, numbers};
use crate::commands::Format;
use crate::commands::output::{Output, escaped};

/// Scores rows of a CSV file with one scikit-learn file, whatever its format
///
/// The file is read as plain data; nothing in it is run. Columns are taken by the names that the model was trained on, if the first line has
/// them, else by their order. A prediction of 1 is an anomaly: a decision that is not above 0.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia models score model.joblib --input rows.csv
  atalaia models score model.onnx --input rows.csv --format json | jq 'select(.prediction == 1)'")]
pub(super) struct Args {
    /// Pickle, joblib, skops or ONNX file
    model: PathBuf,

    /// CSV file of raw features, one row a line, with or without a line of names
    #[arg(long, value_name = "FILE")]
    input: PathBuf,

    /// `json` prints one object a row
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// What is said of one row; a decision that is no finite number is `null`.
#[derive(Debug, Serialize)]
struct Scored {
    row: u64,
    decision: f64,
    prediction: u8,
}

const LINE_BYTES_MAX: usize = 1 << 20;

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let imported = read(&args.model)?;
    let input = File::open(&args.input).with_context(|| format!("open `{}`", args.input.display()))?;
    let mut out = Output::new();
    if args.format == Format::Text {
        describe(&mut out, &imported);
    }
    score(&imported, BufReader::new(input), args.format, &mut out)
        .with_context(|| format!("score `{}`", args.input.display()))?;
    out.finish()
}

fn read(path: &Path) -> anyhow::Result<Imported> {
    let shown = path.display().to_string();
    let bytes = bytes(path, import::BYTES_MAX).with_context(|| format!("read the model file `{shown}`"))?;
    let read = import::read(&bytes, ModelKey { device: None, sensor: None });
    Ok(read.map_err(|refused| Error::File { file: shown, source: Box::new(refused) })?)
}

/// No more than one byte beyond what is accepted: the reader says so then.
pub(super) fn bytes(path: &Path, bytes_max: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn describe(out: &mut Output, imported: &Imported) {
    let model = &imported.model;
    let features = imported.names.as_ref().map_or_else(|| model.inputs().to_string(), |names| names.join(", "));
    let steps: Vec<&str> = model.steps.iter().map(score::Step::as_str).collect();
    out.table(&[
        ("kernel", model.kernel.as_str().to_owned()),
        ("support vectors", model.coefficients.len().to_string()),
        ("features", escaped(&features)),
        ("before the kernel", if steps.is_empty() { "nothing".into() } else { steps.join(", ") }),
        (
            "numbers",
            if imported.is_float32 { "single precision: about seven digits" } else { "double precision" }.into(),
        ),
    ]);
    out.line(format_args!("{:>8}  {:>24}  prediction", "row", "decision"));
}

fn score(imported: &Imported, mut input: impl BufRead, format: Format, out: &mut Output) -> anyhow::Result<()> {
    let (mut line, mut number, mut row) = (Vec::new(), 0_u64, 0_u64);
    let mut columns: Option<Columns> = None;
    let judge = Judge::new(&imported.model)?;
    loop {
        line.clear();
        if (&mut input).take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        number += 1;
        if line.len() > LINE_BYTES_MAX {
            bail!("line {number} is longer than {LINE_BYTES_MAX} bytes");
        }
        let text = std::str::from_utf8(&line).with_context(|| format!("line {number} is not UTF-8"))?;
        let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
        let text = text.trim_end_matches(['\n', '\r']);
        if text.trim().is_empty() {
            continue;
        }
        let fields = fields(text);
        let chosen = match &columns {
            Some(chosen) => chosen,
            None => {
                let is_header = numbers(&fields).is_none();
                let chosen = Columns::of(imported, is_header.then_some(&fields), fields.len())?;
                let chosen = columns.insert(chosen);
                if is_header {
                    continue;
                }
                chosen
            }
        };
        let x = chosen.numbers(&fields).with_context(|| format!("line {number}"))?;
        let decision = judge.decision(&x);
        // Of a decision that is no number neither is true: scikit-learn calls that an anomaly, too.
        let prediction = if decision > 0.0 { 0 } else { 1 };
        let goes_on = match format {
            Format::Json => out.line(serde_json::to_string(&Scored { row, decision, prediction })?),
            Format::Text => out.line(format_args!("{row:>8}  {decision:>24}  {prediction}")),
        };
        if !goes_on {
            return Ok(());
        }
        row += 1;
    }
}
