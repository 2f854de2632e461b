//! What `atalaia train` tells in the end: what became of the keys, how long it took, and where the models are.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use store::Location;

use super::report::{Line, Status};
use super::source::Read;
use super::{Args, LeftOut};
use crate::commands::Format;
use crate::commands::output::{Output, grouped};

pub(super) struct Summary<'a> {
    pub(super) read: Read,
    pub(super) left_out: LeftOut,
    pub(super) windows: u64,
    pub(super) trained: usize,
    pub(super) lines: &'a [Line],
    pub(super) written: &'a score::registry::Published,
    pub(super) seconds: f64,
    pub(super) next: String,
}

/// Failures that are shown one by one.
const SHOWN: usize = 5;

impl Summary<'_> {
    pub(super) fn print(&self, args: &Args, to: &Location) -> anyhow::Result<()> {
        match args.format {
            Format::Text => self.text(args, to),
            Format::Json => self.json(to),
        }
    }

    fn failed(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.status == Status::Failed)
    }

    fn kept(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.status == Status::Kept)
    }

    /// What could not be trained, whether or not there is an older model of it.
    fn failures(&self) -> impl Iterator<Item = (&Line, &str)> {
        self.lines.iter().filter_map(|line| Some((line, line.failure.as_deref()?)))
    }

    /// How many keys each kind of warning concerns.
    fn warnings(&self) -> BTreeMap<&'static str, u64> {
        let mut counts: HashMap<&'static str, u64> = HashMap::new();
        for line in self.lines {
            let mut words: Vec<&'static str> = line.warnings().map(score::Warning::as_str).collect();
            words.dedup();
            words.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
        }
        counts.into_iter().collect()
    }

    fn text(&self, args: &Args, to: &Location) -> anyhow::Result<()> {
        let mut out = Output::new();
        let failed = self.failed().count();
        let in_vain = match self.kept().filter(|line| line.failure.is_some()).count() {
            0 => String::new(),
            count => format!(" ({} tried in vain)", grouped(count as u64)),
        };
        let mut rows = vec![
            (
                "models",
                format!(
                    "{} trained, {} kept{in_vain}, {failed} keys without",
                    grouped(self.trained as u64),
                    grouped(self.kept().count() as u64)
                ),
            ),
            (
                "records",
                format!(
                    "{}; {} records or readings refused or late",
                    grouped(self.read.records),
                    grouped(self.read.refused)
                ),
            ),
            ("windows", format!("{}; left out: {}", grouped(self.windows), self.left_out.text())),
            ("time", format!("{:.1} s", self.seconds)),
            ("registry", format!("{to}, {} KiB", grouped(self.written.bytes.div_ceil(1024)))),
            ("set", format!("{}, number {}, in use from now on", self.written.set, self.written.number)),
        ];
        let options = args.train.options();
        let windows = options.smoothing;
        if windows > 1 && !matches!(options.threshold, score::ThresholdRule::Zero) {
            rows.push(("verdicts", format!("by severity, smoothed: the mean over up to {windows} adjacent windows")));
        }
        let warnings: Vec<String> =
            self.warnings().iter().map(|(word, count)| format!("{} {word}", grouped(*count))).collect();
        if !warnings.is_empty() {
            rows.push(("warnings", warnings.join(", ")));
        }
        if let Some(file) = &args.report {
            rows.push(("report", file.display().to_string()));
        }
        rows.push(("next", self.next.clone()));
        out.table(&rows);
        for (line, failure) in self.failures().take(SHOWN) {
            let model = if line.status == Status::Kept { "the old model" } else { "no model" };
            out.line(format_args!("  {model} for `{}`: {failure}", line.key().to_string().escape_debug()));
        }
        out.finish()
    }

    fn json(&self, to: &Location) -> anyhow::Result<()> {
        let failures: Vec<_> = self
            .failures()
            .map(|(line, failure)| {
                let kept = line.status == Status::Kept;
                json!({ "device": line.device, "sensor": line.sensor, "failure": failure, "kept": kept })
            })
            .collect();
        let mut out = Output::new();
        out.line(json!({
            "trained": self.trained, "kept": self.kept().count(), "failed": failures, "warnings": self.warnings(),
            "records": self.read.records, "readings": self.read.readings, "refused": self.read.refused,
            "windows": self.windows, "partial": self.left_out.partial, "too_few": self.left_out.too_few, "seconds": self.seconds,
            "to": to.display, "set": self.written.set, "number": self.written.number, "files": self.written.files, "bytes": self.written.bytes,
        }));
        out.finish()
    }
}
