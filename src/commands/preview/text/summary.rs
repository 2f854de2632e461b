//! What it all adds up to, with an example and a remedy for each reason of refusal.

use types::Status;

use super::{LINES_MAX, Text, WIDTH};
use crate::commands::output::{escaped, grouped};
use crate::commands::preview::models::Models;
use crate::commands::preview::summary::Summary;
use crate::terminal::words::{fit, plural, wrap};

impl Text {
    pub(in crate::commands::preview) fn summary(&self, summary: &Summary, models: &Models, place: &str) -> Vec<String> {
        let title = self.paint.strong("Summary");
        if summary.records == 0 {
            return vec![String::new(), format!("{title}  no records: the input holds nothing to look at")];
        }
        let names = summary.statuses.keys().chain(summary.refused.keys());
        let mut rows = Rows { name_width: names.map(|name| name.len() + 2).fold(13, usize::max), lines: Vec::new() };
        rows.lines.push(String::new());
        rows.lines.push(format!(
            "{title}  {} of {}: {} of {}, {}",
            plural(summary.records, "record"),
            plural(summary.partitions.len() as u64, "partition"),
            plural(summary.readings, "reading"),
            plural(summary.devices() as u64, "device"),
            if summary.series == 1 { "1 series".into() } else { format!("{} series", grouped(summary.series as u64)) },
        ));
        if summary.tombstones > 0 {
            rows.add("tombstones", &format!("{}, counted and nothing else", grouped(summary.tombstones)), &[]);
        }
        rows.windows(summary, matches!(models, Models::NotConfigured(_)));
        rows.models(models, place);
        rows.refused(summary);
        for (number, said) in summary.left_out.said().iter().enumerate() {
            rows.add(if number == 0 { "left out" } else { "" }, said, &[]);
        }
        if let Some(wrong) = &summary.wrong_unit {
            rows.add("times", "in a unit that is too fine", std::slice::from_ref(wrong));
        }
        rows.lines
    }
}

/// Names with what there is to say of them, wrapped, and remedies below.
struct Rows {
    name_width: usize,
    lines: Vec<String>,
}

impl Rows {
    fn room(&self) -> usize {
        WIDTH - 2 - self.name_width
    }

    fn add(&mut self, name: &str, text: &str, remedies: &[String]) {
        let (room, name_width) = (self.room(), self.name_width);
        let wrapped = wrap(text, room, LINES_MAX);
        for (number, line) in wrapped.iter().filter(|line| !line.is_empty()).enumerate() {
            let name = if number == 0 { name } else { "" };
            self.lines.push(format!("  {name:<name_width$}{line}"));
        }
        for remedy in remedies {
            let hints = wrap(&format!("hint: {remedy}"), room, LINES_MAX);
            self.lines.extend(hints.iter().map(|line| format!("  {:name_width$}{line}", "")));
        }
    }

    fn windows(&mut self, summary: &Summary, are_unjudged: bool) {
        let counted = match (summary.windows, summary.windows_so_far) {
            (windows, 0) => grouped(windows),
            (windows, so_far) if windows == so_far => format!("{}, all of them so far", grouped(windows)),
            (windows, so_far) => format!("{}, {} of them so far", grouped(windows), grouped(so_far)),
        };
        self.add("windows", &counted, &[]);
        for (status, statuses) in &summary.statuses {
            let anomalies = match *status == Status::Scored.as_str() {
                true => format!(", {}", plural(summary.anomalies, "anomaly").replace("anomalys", "anomalies")),
                false => String::new(),
            };
            let remedies = statuses.remedy.clone().filter(|_| !are_unjudged);
            self.add(status, &format!("{}{anomalies}", grouped(statuses.count)), remedies.as_slice());
        }
    }

    fn models(&mut self, models: &Models, place: &str) {
        match models {
            Models::There(set) => {
                let skipped = match set.skipped() {
                    0 => String::new(),
                    skipped => format!(", {} left out", plural(skipped as u64, "file")),
                };
                self.add("models", &format!("{} in `{place}`{skipped}", grouped(set.len() as u64)), &[]);
            }
            Models::Unusable { problem, hints, .. } => self.add("models", problem, hints),
            Models::NotConfigured(_) | Models::Loading(_) => self.add(
                "models",
                "none are configured",
                &["`atalaia train -c FILE --to models/` makes them from history; then set `score.models = \"models/\"`"
                    .into()],
            ),
        }
    }

    fn refused(&mut self, summary: &Summary) {
        if summary.refused.is_empty() {
            self.add("refused", "nothing", &[]);
        }
        for (reason, refusals) in &summary.refused {
            let example = &refusals.example;
            let count = grouped(refusals.count);
            self.add(reason, &format!("{count} refused, like {}: {}", example.place, escaped(&example.detail)), &[]);
            if !example.payload.is_empty() {
                self.add("", &fit(&example.payload, self.room()), &[]);
            }
            self.add("", "", std::slice::from_ref(&refusals.remedy));
        }
    }
}
