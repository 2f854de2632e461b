//! `atalaia state audit`: whether what is published is what was counted, each window once.
//!
//! Logs first, files after: what a record lists was visible before the next one was created, so a pipeline that runs meanwhile
//! is judged by what it had committed when the audit began.

mod files;
mod logs;
mod rows;
mod unique;

use std::process::ExitCode;

use serde_json::json;

use super::{Common, Desk};
use crate::commands::Format;
use crate::commands::output::{Output, grouped};

/// Checks that what is published is what was counted: each window once, nothing missing or foreign
///
/// It reads the logs that are kept and all files of the datasets, one after the other. Compared are: rows by device, sensor and
/// window (none twice, over all partitions), the sums of rows with the accounts in the logs, the files with the records that
/// list them, and each record with the one before. A device in two partitions is a warning. Services may run meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia state audit -c pipeline.toml
  atalaia state audit -c pipeline.toml --memory 4096    # fewer passes over very large datasets
  atalaia state audit -c pipeline.toml --format json | jq .violations

Exit status:
  0  what is published is what was counted
  1  it is not, or it failed")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// MiB for telling rows apart, 16 bytes a row; beyond it, files are read several times. One file more is held at a time
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory: usize,
}

/// What was found, and how much was looked at.
#[derive(Debug, Default)]
struct Verdict {
    violations: Vec<String>,
    warnings: Vec<String>,
    partitions: usize,
    records: u64,
    files: u64,
    rows: u64,
    late: u64,
    quarantined: u64,
    devices: u64,
    duplicates: u64,
    passes: u32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(&args.common)?;
    let mut verdict = Verdict::default();
    let logs = logs::check(&desk, &mut verdict)?;
    files::check(&desk, &logs, args.memory, &mut verdict)?;
    if verdict.partitions == 0 {
        verdict.warning("there is no log to check: has this pipeline run, and are `pipeline` and `sink.state` those that it ran with?");
    }
    let is_good = verdict.violations.is_empty();
    match args.common.format {
        Format::Text => verdict.text(&desk)?,
        Format::Json => verdict.json(&desk)?,
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Verdict {
    fn violation(&mut self, text: impl Into<String>) {
        self.violations.push(text.into());
    }

    fn warning(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    fn text(&self, desk: &Desk) -> anyhow::Result<()> {
        let mut out = Output::new();
        for warning in &self.warnings {
            out.line(format_args!("warning    {warning}"));
        }
        for violation in &self.violations {
            out.line(format_args!("violation  {violation}"));
        }
        out.line(format_args!(
            "pipeline `{}`: {} partitions, {} commits, {} files, {} rows of {} devices, {} late, {} quarantined, {} twice: {} violations, {} warnings",
            desk.config.pipeline,
            self.partitions,
            grouped(self.records),
            grouped(self.files),
            grouped(self.rows),
            grouped(self.devices),
            grouped(self.late),
            grouped(self.quarantined),
            grouped(self.duplicates),
            self.violations.len(),
            self.warnings.len()
        ));
        out.finish()
    }

    fn json(&self, desk: &Desk) -> anyhow::Result<()> {
        let mut out = Output::new();
        out.line(json!({
            "pipeline": desk.config.pipeline,
            "ok": self.violations.is_empty(),
            "violations": self.violations,
            "warnings": self.warnings,
            "partitions": self.partitions,
            "records": self.records,
            "files": self.files,
            "rows": self.rows,
            "late": self.late,
            "quarantined": self.quarantined,
            "devices": self.devices,
            "duplicates": self.duplicates,
            "passes": self.passes,
        }));
        out.finish()
    }
}
