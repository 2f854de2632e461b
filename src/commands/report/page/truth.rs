//! Alarms against labels: what was found, how soon, and what was not there.

use super::{Gathered, bar, close_table, open, open_table};
use crate::commands::markup::Safe;
use crate::commands::output::grouped;
use crate::commands::report::svg::put;
use crate::commands::report::text::{moment, name, percent, plural, span};
use crate::commands::report::truth::Kind;

pub(super) fn panel(out: &mut String, gathered: &Gathered) {
    let Some(truth) = &gathered.truth else { return };
    let mut hint = String::new();
    if let Some(from) = truth.judged_from() {
        hint = format!("Windows from {} UTC on.", moment(from));
    }
    open(out, "truth", "Against the labels", &hint);
    if truth.is_empty() {
        out.push_str("<p class=\"nothing\">No labelled stretch lies in this part of time: every alarm would be false.</p></section>\n");
        return;
    }
    if let Some((count, names)) = truth.absent() {
        let said = plural(count as u64, "device of the labels has", "devices of the labels have");
        put(out, format_args!("<p class=\"nothing warning\">{said} no windows here: {}.</p>", Safe(&names)));
    }
    let false_alarms = truth.alarms - truth.true_alarms;
    put(
        out,
        format_args!(
            "<p class=\"says\"><b>Precision</b> {}: {} of {} touch a labelled fault, {} {}. <b>Recall</b> {}: {} of {} raised an alarm.</p>\n",
            truth.precision().map_or("–".to_owned(), |share| format!("{:.1} %", 100.0 * share)),
            grouped(truth.true_alarms),
            plural(truth.alarms, "anomalous window", "anomalous windows"),
            grouped(false_alarms),
            if false_alarms == 1 { "does not" } else { "do not" },
            truth.recall().map_or("–".to_owned(), |share| format!("{:.1} %", 100.0 * share)),
            grouped(truth.all().found),
            plural(truth.all().stretches, "labelled fault", "labelled faults"),
        ),
    );
    open_table(
        out,
        "truth",
        "Labelled faults by kind",
        &[
            ("", "Kind"),
            ("number", "Labelled"),
            ("number", "Found"),
            ("number", "Recall"),
            ("number", "Median delay"),
            ("number wide", "Windows in faults"),
            ("number wide", "Anomalous of them"),
        ],
    );
    let kinds = truth.kinds();
    kinds.iter().for_each(|kind| row(out, kind, ""));
    if kinds.len() > 1 {
        row(out, &truth.all(), "total");
    }
    close_table(out);
    out.push_str("<p class=\"below\">A window that touches a labelled fault of its device and sensor should be an anomaly. The delay runs from the beginning of a fault to the end of its first anomalous window.</p></section>\n");
}

fn row(out: &mut String, kind: &Kind, class: &str) {
    let unseen = match kind.unseen {
        0 => String::new(),
        unseen => format!(" <span class=\"faint\">({} without any window)</span>", grouped(unseen)),
    };
    put(
        out,
        format_args!(
            "<tr class=\"{class}\"><th scope=\"row\" class=\"id\">{}</th><td class=\"number\">{}{unseen}</td><td class=\"number\">{}</td><td class=\"number\">{}{}</td><td class=\"number\">{}</td><td class=\"number wide\">{}</td><td class=\"number wide\">{}</td></tr>\n",
            Safe(&name(&kind.name)),
            grouped(kind.stretches),
            grouped(kind.found),
            percent(kind.found, kind.stretches),
            bar(kind.found, kind.stretches),
            kind.delay.map_or("–".to_owned(), span),
            grouped(kind.windows),
            percent(kind.alarms, kind.windows)
        ),
    );
}
