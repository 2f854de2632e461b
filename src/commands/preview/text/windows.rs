//! The windows that the records make, each with its verdict.

use types::Status;

use super::{INDENT, LINES_MAX, Text, WIDTH, figure, full_window_name, padded, series};
use crate::commands::output::escaped;
use crate::commands::output::grouped;
use crate::commands::preview::window::Window;
use crate::terminal::words::{columns, measure, plural, wrap};

impl Text {
    /// The windows of all records, of at most so many; `more` were not even kept. `are_judged`: without models there is no
    /// verdict on any.
    pub(in crate::commands::preview) fn windows(
        &self,
        windows: &mut [Window],
        shown_max: usize,
        more: u64,
        are_judged: bool,
    ) -> Vec<String> {
        if windows.is_empty() {
            return Vec::new();
        }
        windows.sort_by(|a, b| (&a.device, &a.sensor, a.start).cmp(&(&b.device, &b.sensor, b.start)));
        let shown = &windows[..windows.len().min(shown_max)];
        let far = if shown.iter().any(|window| window.so_far) {
            ", as if they closed now: `so far` means that more may come"
        } else {
            ""
        };
        let mut lines = vec![String::new(), format!("{}{far}", self.paint.strong("Windows"))];
        let cells: Vec<(usize, [String; 7])> = shown
            .iter()
            .enumerate()
            .flat_map(|(number, window)| window.aggregates.iter().map(move |of| (number, window, of)))
            .map(|(number, window, of)| {
                let cells = [
                    series(&window.device, Some(&of.sensor)),
                    full_window_name(window.start, self.width),
                    grouped(of.count),
                    measure(of.mean),
                    of.std.map_or_else(|| "–".into(), measure),
                    measure(of.min),
                    measure(of.max),
                ];
                (number, cells)
            })
            .collect();
        let head = ["device / sensor", "window", "readings", "mean", "std", "min", "max"];
        let width = |column: usize| {
            let widest = cells.iter().map(|(_, cells)| columns(&cells[column])).max().unwrap_or(0);
            widest.max(columns(head[column]))
        };
        let mut widths: [usize; 7] = std::array::from_fn(width);
        let others: usize = widths[1..].iter().sum::<usize>() + 2 * (widths.len() - 1) + 2;
        widths[0] = widths[0].min(WIDTH.saturating_sub(others)).max(10);
        let row = |cells: [&str; 7]| {
            let text = |column: usize| padded(cells[column], widths[column]);
            let number = |column: usize| format!("{:>width$}", cells[column], width = widths[column]);
            let numbers: Vec<String> = (2..7).map(number).collect();
            format!("  {}  {}  {}", text(0), text(1), numbers.join("  "))
        };
        lines.push(self.paint.dim(row(head)));
        let mut cells = cells.iter().peekable();
        for (number, window) in shown.iter().enumerate() {
            while let Some((_, cells)) = cells.next_if(|(of, _)| *of == number) {
                lines.push(row(std::array::from_fn(|column| cells[column].as_str())));
            }
            if are_judged {
                self.verdict(window, &mut lines);
            }
        }
        let left = (windows.len() - shown.len()) as u64 + more;
        if left > 0 {
            lines.push(format!("  … and {}; `--format json` has all", plural(left, "more window")));
        }
        lines
    }

    fn verdict(&self, window: &Window, lines: &mut Vec<String>) {
        let paint = self.paint;
        let (word, styled) = match (window.status, window.is_anomaly) {
            (Status::Scored, true) => ("anomaly", paint.bad("anomaly")),
            (Status::Scored, false) => ("normal", paint.good("normal")),
            (status, _) => (status.as_str(), paint.care(status.as_str())),
        };
        let mut facts: Vec<String> = Vec::new();
        facts.extend(window.decision.map(|decision| format!("decision {}", figure(decision))));
        if let Some(severity) = window.severity {
            let limit = window.threshold.map(|threshold| format!(" of {}", figure(threshold))).unwrap_or_default();
            facts.push(format!("severity {}{limit}", figure(severity)));
        }
        facts.extend(window.top_feature.as_ref().map(|feature| format!("mostly by `{}`", escaped(feature))));
        match &window.model {
            Ok(model) => facts.push(format!(
                "model `{}`, {} of {}, version {:.12}",
                escaped(&model.key),
                model.kernel,
                plural(model.vectors as u64, "vector"),
                escaped(&model.version)
            )),
            Err(_) if window.status == Status::ModelUnavailable => {}
            Err(missing) => {
                let looked: Vec<String> = missing.looked_for.iter().map(|key| format!("`{}`", escaped(key))).collect();
                facts.push(format!("there is none of {}", looked.join(", nor of ")));
                facts.extend(missing.nearest.as_ref().map(|key| format!("did you mean `{}`?", escaped(key))));
            }
        }
        if window.so_far {
            facts.push("so far".into());
        }
        // The first word is styled by itself, so that wrapping counts what is seen.
        let colon = if facts.is_empty() { "" } else { ": " };
        let wrapped = wrap(&format!("{word}{colon}{}", facts.join("; ")), WIDTH - INDENT, LINES_MAX);
        for (number, line) in wrapped.iter().enumerate() {
            let line = match line.strip_prefix(word).filter(|_| number == 0) {
                Some(rest) => format!("{styled}{rest}"),
                None => line.clone(),
            };
            lines.push(format!("{:INDENT$}{line}", ""));
        }
    }
}
