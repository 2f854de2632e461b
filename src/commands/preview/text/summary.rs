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
        let mut lines = vec![String::new()];
        lines.push(format!(
            "{title}  {} of {}: {} of {}, {}",
            plural(summary.records, "record"),
            plural(summary.partitions.len() as u64, "partition"),
            plural(summary.readings, "reading"),
            plural(summary.devices() as u64, "device"),
            if summary.series == 1 { "1 series".into() } else { format!("{} series", grouped(summary.series as u64)) },
        ));
        let names = summary.statuses.keys().chain(summary.refused.keys());
        let name_width = names.map(|name| name.len() + 2).fold(13, usize::max);
        let mut row = |name: &str, text: &str, remedies: &[String]| {
            let room = WIDTH - 2 - name_width;
            let wrapped = wrap(text, room, LINES_MAX);
            for (number, line) in wrapped.iter().filter(|line| !line.is_empty()).enumerate() {
                let name = if number == 0 { name } else { "" };
                lines.push(format!("  {name:<name_width$}{line}"));
            }
            for remedy in remedies {
                let hints = wrap(&format!("hint: {remedy}"), room, LINES_MAX);
                lines.extend(hints.iter().map(|line| format!("  {:name_width$}{line}", "")));
            }
        };
        if summary.tombstones > 0 {
            row("tombstones", &format!("{}, counted and nothing else", grouped(summary.tombstones)), &[]);
        }
        row(
            "windows",
            &match (summary.windows, summary.windows_so_far) {
                (windows, 0) => grouped(windows),
                (windows, so_far) if windows == so_far => format!("{}, all of them so far", grouped(windows)),
                (windows, so_far) => format!("{}, {} of them so far", grouped(windows), grouped(so_far)),
            },
            &[],
        );
        for (status, statuses) in &summary.statuses {
            let anomalies = match *status == Status::Scored.as_str() {
                true => format!(", {}", plural(summary.anomalies, "anomaly").replace("anomalys", "anomalies")),
                false => String::new(),
            };
            let not_configured = matches!(models, Models::NotConfigured(_));
            let remedies = statuses.remedy.clone().filter(|_| !not_configured);
            row(status, &format!("{}{anomalies}", grouped(statuses.count)), remedies.as_slice());
        }
        match models {
            Models::There(set) => {
                let skipped = match set.skipped() {
                    0 => String::new(),
                    skipped => format!(", {} left out", plural(skipped as u64, "file")),
                };
                row("models", &format!("{} in `{place}`{skipped}", grouped(set.len() as u64)), &[]);
            }
            Models::Unusable { problem, hints, .. } => row("models", problem, hints),
            Models::NotConfigured(_) | Models::Loading(_) => row(
                "models",
                "none are configured",
                &["`atalaia train -c FILE --to models/` makes them from history; then set `score.models = \"models/\"`"
                    .into()],
            ),
        }
        if summary.refused.is_empty() {
            row("refused", "nothing", &[]);
        }
        for (reason, refusals) in &summary.refused {
            let example = &refusals.example;
            let count = grouped(refusals.count);
            row(reason, &format!("{count} refused, like {}: {}", example.place, escaped(&example.detail)), &[]);
            if !example.payload.is_empty() {
                row("", &fit(&example.payload, WIDTH - 2 - name_width), &[]);
            }
            row("", "", std::slice::from_ref(&refusals.remedy));
        }
        for (number, said) in summary.left_out.said().iter().enumerate() {
            row(if number == 0 { "left out" } else { "" }, said, &[]);
        }
        if let Some(wrong) = &summary.wrong_unit {
            row("times", "in a unit that is too fine", std::slice::from_ref(wrong));
        }
        lines
    }
}
