//! Findings as lines, each as soon as it is there: a mark, a word, what it is about, and what to do about it below.

use std::path::PathBuf;

use super::{Args, Finding, Verdict};
use crate::commands::Format;
use crate::commands::output::Output;
use crate::paint::Paint;
use crate::terminal;
use crate::terminal::words::{plural, wrap};

/// Before the text of a finding.
const INDENT: usize = 26;
/// A text is broken into lines on a terminal only: a file's reader looks for sentences.
const WIDTH_MIN: usize = 40;

pub(super) struct Show {
    out: Output,
    file: PathBuf,
    is_online: bool,
    /// For scripts there is one object at the end.
    format: Format,
    paint: Paint,
    width: usize,
    findings: Vec<Finding>,
}

impl Show {
    pub(super) fn new(args: &Args) -> Show {
        let width =
            terminal::width().map_or(usize::MAX, |width| usize::from(width).saturating_sub(INDENT).max(WIDTH_MIN));
        Show {
            out: Output::new(),
            file: args.config.config.clone(),
            is_online: args.online,
            format: args.format,
            paint: if args.format == Format::Text { Paint::of_output() } else { Paint::PLAIN },
            width,
            findings: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, finding: Finding) {
        if self.format == Format::Text {
            for line in lines(&finding, self.paint, self.width) {
                self.out.line(line);
            }
            self.out.flush();
        }
        self.findings.push(finding);
    }

    /// Ends it; returns whether the configuration can be run.
    pub(super) fn close(mut self) -> anyhow::Result<bool> {
        let runs = self.findings.iter().all(|finding| finding.verdict != Verdict::Problem);
        match self.format {
            Format::Json => self.out.line(serde_json::json!({
                "file": self.file, "ok": runs, "online": self.is_online, "findings": self.findings,
            })),
            Format::Text => self.out.line(self.conclusion(runs)),
        };
        self.out.finish()?;
        Ok(runs)
    }

    fn conclusion(&self, runs: bool) -> String {
        let count = |verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count() as u64;
        let (problems, warnings) = (count(Verdict::Problem), count(Verdict::Warning));
        let warnings = if warnings == 0 { "no warnings".into() } else { plural(warnings, "warning") };
        let file = self.file.display();
        match (runs, self.is_online) {
            (false, _) => format!("`{file}` cannot be run: {problems} to change"),
            (true, true) => format!("`{file}` can be run; {warnings}"),
            (true, false) => format!("`{file}` is consistent, {warnings}; add --online to ask broker and stores"),
        }
    }
}

fn lines(finding: &Finding, paint: Paint, width: usize) -> Vec<String> {
    let mark = match finding.verdict {
        Verdict::Ok => paint.good("✓ ok     "),
        Verdict::Warning => paint.care("! warning"),
        Verdict::Problem => paint.bad("✗ problem"),
    };
    let took = finding.seconds.map_or_else(String::new, |seconds| match seconds {
        s if s < 0.9995 => format!("  ({:.0} ms)", s * 1000.0),
        s => format!("  ({s:.1} s)"),
    });
    let mut lines = Vec::new();
    for (number, text) in broken(&format!("{}{took}", finding.text), width).into_iter().enumerate() {
        // The time is of less interest than the rest of its line.
        let text = match text.strip_suffix(took.as_str()) {
            Some(text) if !took.is_empty() => format!("{text}{}", paint.dim(&took)),
            _ => text,
        };
        lines.push(match number {
            0 => format!("{mark}  {:<13}  {text}", finding.about),
            _ => format!("{:INDENT$}{text}", ""),
        });
    }
    for remedy in &finding.remedies {
        for (number, text) in broken(&format!("hint: {remedy}"), width).into_iter().enumerate() {
            let indent = if number == 0 { INDENT } else { INDENT + 6 };
            lines.push(format!("{:indent$}{text}", ""));
        }
    }
    lines
}

fn broken(text: &str, width: usize) -> Vec<String> {
    text.lines()
        .flat_map(|line| if width == usize::MAX { vec![line.to_owned()] } else { wrap(line, width, usize::MAX) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_mark_a_word_and_a_sentence_with_its_remedies_below() {
        let mut finding = Finding::new("late", Verdict::Problem, "container `missing` does not exist in account `a`");
        finding.remedies = vec!["create it, the service never does".into()];
        finding.seconds = Some(0.0121);
        assert_eq!(
            lines(&finding, Paint::PLAIN, usize::MAX),
            [
                "✗ problem  late           container `missing` does not exist in account `a`  (12 ms)",
                "                          hint: create it, the service never does"
            ]
        );
        finding.seconds = Some(2.04);
        assert_eq!(
            lines(&finding, Paint::PLAIN, 44),
            [
                "✗ problem  late           container `missing` does not exist in",
                "                          account `a`  (2.0 s)",
                "                          hint: create it, the service never does"
            ]
        );
        let fine = Finding::ok("sink", "there");
        assert_eq!(lines(&fine, Paint::PLAIN, 44), ["✓ ok       sink           there"]);
    }
}
