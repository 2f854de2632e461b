//! The page: its frame, and its parts in the order in which one reads them. One file, nothing from elsewhere.
//!
//! Everything that is not a number or a word of ours goes through [`Safe`]; should something slip through all the same, the
//! policy in the head lets no script run but ours.

mod alarms;
mod devices;
mod fleet;
mod made;
mod refused;
mod scores;
mod truth;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use types::Micros;

use super::gather::Gathered;
use super::refused::Part;
use super::svg::put;
use super::text::{moment, name, percent, plural, shortened, span};
use crate::commands::markup::Safe;
use crate::commands::output::grouped;

/// How the page came about.
pub(super) struct Made<'a> {
    pub(super) place: &'a str,
    pub(super) predictions: &'a str,
    pub(super) models: Option<&'a str>,
    pub(super) command: &'a str,
    pub(super) part: Part,
    pub(super) labels: &'a [String],
    pub(super) now: Micros,
}

/// The status page's, and what only a report has.
const STYLES: [&str; 2] = [include_str!("../../http/status/assets/page.css"), include_str!("assets/report.css")];
const SCRIPT: &str = include_str!("assets/report.js");
const ICON: &str = include_str!("../../http/status/assets/icon.svg");
/// Of a name that somebody else chose, where there is room for a sentence.
const TITLE_CHARS_MAX: usize = 120;

pub(super) fn page(gathered: &Gathered, made: &Made<'_>) -> String {
    let mut out = String::with_capacity(1 << 19);
    let title = title(gathered, made);
    head(&mut out, &title);
    top(&mut out, gathered, &title);
    put(&mut out, format_args!("<main id=\"main\" tabindex=\"-1\">\n<p class=\"lead\">{}</p>\n", lead(gathered, made)));
    tiles(&mut out, gathered);
    let is_empty = gathered.census.rows == 0;
    if is_empty {
        nothing(&mut out, made);
    } else {
        fleet::over_time(&mut out, gathered);
        truth::panel(&mut out, gathered);
        fleet::overview(&mut out, gathered);
        devices::panel(&mut out, gathered);
        scores::panels(&mut out, gathered);
        alarms::panel(&mut out, gathered, made);
    }
    refused::panels(&mut out, gathered);
    made::panel(&mut out, gathered, made);
    put(&mut out, format_args!("</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"));
    out
}

/// The pipeline, if it is one.
fn title(gathered: &Gathered, made: &Made<'_>) -> String {
    let pipelines = &gathered.census.pipelines;
    match (pipelines.len(), pipelines.first()) {
        (1, Some(pipeline)) => name(pipeline),
        (2.., Some(first)) => format!("{} and {}", name(first), plural(pipelines.len() as u64 - 1, "other", "others")),
        _ => shortened(made.place, TITLE_CHARS_MAX),
    }
}

fn head(out: &mut String, title: &str) {
    let hash = STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    put(
        out,
        format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{hash}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{} · Atalaia report</title>\n<link rel=\"icon\" href=\"data:image/svg+xml;base64,{}\">\n<style>\n",
            Safe(title),
            STANDARD.encode(ICON)
        ),
    );
    STYLES.iter().for_each(|style| out.push_str(style));
    out.push_str("</style>\n</head>\n");
}

fn top(out: &mut String, gathered: &Gathered, title: &str) {
    let census = &gathered.census;
    out.push_str("<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header class=\"top\">\n<div class=\"name\">");
    put(
        out,
        format_args!(
            "{}<div><h1>{}</h1><p class=\"facts\">Anomaly report",
            ICON.replacen("<svg ", "<svg width=\"30\" height=\"30\" aria-hidden=\"true\" ", 1),
            Safe(title)
        ),
    );
    if census.rows > 0 {
        let (first, end) = (moment(census.first), moment(census.end));
        put(
            out,
            format_args!(
                " · <span class=\"stretch\">{first} to {end} UTC</span> · {}",
                span(census.end.saturating_sub(census.first))
            ),
        );
    }
    out.push_str("</p></div></div>\n<nav aria-label=\"Parts of the report\">");
    let has_rows = census.rows > 0;
    let parts = [
        ("time", "Over time", has_rows),
        ("truth", "Labels", has_rows && gathered.truth.is_some()),
        ("fleet", "Fleet", has_rows),
        ("devices", "Worst devices", has_rows),
        ("scores", "Scores", has_rows),
        ("anomalies", "Anomalies", has_rows),
        ("late", "Late and refused", true),
        ("made", "How it was made", true),
    ];
    for (id, text, _) in parts.iter().filter(|(_, _, is_there)| *is_there) {
        put(out, format_args!("<a href=\"#{id}\">{text}</a>"));
    }
    out.push_str("</nav>\n</header>\n");
}

/// The report in a sentence or two.
fn lead(gathered: &Gathered, made: &Made<'_>) -> String {
    let Gathered { census, plan, course, .. } = gathered;
    if census.rows == 0 {
        return "No window is in this dataset.".to_owned();
    }
    let scored = census.has.scored;
    let mut text = match census.anomalies {
        0 if scored == 0 => format!("None of {} was scored: ", plural(census.rows, "window", "windows")),
        0 => format!("None of {} is an anomaly.", plural(census.rows, "window", "windows")),
        anomalies => format!(
            "<strong>{} of {}</strong> ({}) {}: {} of {} had any.",
            grouped(anomalies),
            plural(census.rows, "window", "windows"),
            percent(anomalies, census.rows),
            if anomalies == 1 { "is an anomaly" } else { "are anomalies" },
            grouped(plan.anomalous_devices),
            plural(plan.device_count, "device", "devices"),
        ),
    };
    if scored == 0 {
        let most = census.statuses.iter().max_by_key(|(_, count)| **count).map(|(status, _)| status.as_str());
        text.push_str(scores::meaning(most.unwrap_or_default()));
        text.push('.');
    }
    if let Some(worst) = course.devices.first().filter(|device| device.all.alarms > 0 && plan.device_count > 1) {
        text.push_str(&format!(
            " The most had <b class=\"id\">{}</b>: {} of its {}.",
            Safe(&name(&worst.name)),
            grouped(worst.all.alarms),
            plural(worst.all.windows, "window", "windows")
        ));
    }
    let part = made.part;
    match (part.since.map(moment), part.until.map(moment)) {
        (None, None) => {}
        (Some(since), None) => text.push_str(&format!(" Left out is what lies before {since} UTC.")),
        (None, Some(until)) => text.push_str(&format!(" Left out is what lies at or after {until} UTC.")),
        (Some(since), Some(until)) => text.push_str(&format!(" Only windows from {since} to {until} UTC count.")),
    }
    text
}

fn tiles(out: &mut String, gathered: &Gathered) {
    let Gathered { census, plan, refused, truth, .. } = gathered;
    let series = if census.has_sensors { grouped(plan.series_count) } else { "–".to_owned() };
    let whole =
        if census.has_sensors || census.rows == 0 { "with models of their own" } else { "devices are judged whole" };
    let (late, quarantined) = (refused.late_readings(), refused.quarantined());
    let mut tiles = vec![
        ("Devices", grouped(plan.device_count), format!("{} with anomalies", grouped(plan.anomalous_devices)), ""),
        ("Sensors", series, if census.has_sensors { "judged one by one".to_owned() } else { whole.to_owned() }, ""),
        ("Windows", grouped(census.rows), format!("{} scored", percent(census.has.scored, census.rows)), ""),
        ("Anomalies", grouped(census.anomalies), format!("{} of all", percent(census.anomalies, census.rows)), "alarm"),
        ("Late readings", grouped(late), "after their window".to_owned(), ""),
        ("Quarantined", grouped(quarantined), "refused, and kept".to_owned(), ""),
    ];
    if let Some(truth) = truth.as_ref().filter(|truth| !truth.is_empty() && census.rows > 0) {
        let share = |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{:.1} %", 100.0 * share));
        let all = truth.all();
        tiles.push((
            "Precision",
            share(truth.precision()),
            format!("{} false alarms", grouped(truth.alarms - truth.true_alarms)),
            "",
        ));
        tiles.push((
            "Recall",
            share(truth.recall()),
            format!("{} of {} found", grouped(all.found), grouped(all.stretches)),
            "",
        ));
    }
    put(out, format_args!("<section><h2 class=\"unseen\">Figures</h2>\n<dl class=\"tiles of-{}\">\n", tiles.len()));
    for (term, figure, note, class) in tiles {
        let class = if figure == "0" { "" } else { class };
        put(
            out,
            format_args!(
                "<div class=\"tile\"><dt>{term}</dt><dd><span class=\"{class}\">{figure}</span><small>{note}</small></dd></div>\n"
            ),
        );
    }
    out.push_str("</dl></section>\n");
}

fn nothing(out: &mut String, made: &Made<'_>) {
    let is_part = made.part.since.is_some() || made.part.until.is_some();
    let why = match is_part {
        true => {
            "No window starts in the part of time that was asked for: compare it with what the dataset holds, by a report without <code>--since</code> and <code>--until</code>."
        }
        false => {
            "Nothing has closed yet, or every record was refused: <code>atalaia preview -c pipeline.toml</code> shows what becomes of the first ones."
        }
    };
    open(out, "windows", "Windows", "");
    put(out, format_args!("<p class=\"nothing\">{why}</p>"));
    out.push_str("</section>\n");
}

/// Begins a panel, which its writer ends. The hint is markup.
fn open(out: &mut String, id: &str, title: &str, hint: &str) {
    put(
        out,
        format_args!(
            "<section class=\"panel\" id=\"{id}\">\n<div class=\"head\"><h2 id=\"{id}-title\">{title}</h2><p class=\"hint\">{hint}</p></div>\n"
        ),
    );
}

/// Begins a table that scrolls in its panel.
fn open_table(out: &mut String, id: &str, caption: &str, columns: &[(&str, &str)]) {
    put(
        out,
        format_args!(
            "<div class=\"scroll\" role=\"region\" aria-labelledby=\"{id}-title\" tabindex=\"0\"><table><caption class=\"unseen\">{caption}</caption><thead><tr>"
        ),
    );
    for (class, title) in columns {
        put(out, format_args!("<th scope=\"col\" class=\"{class}\">{title}</th>"));
    }
    out.push_str("</tr></thead><tbody>\n");
}

fn close_table(out: &mut String) {
    out.push_str("</tbody></table></div>\n");
}

/// A name that a device chose: short, whole when the pointer rests on it, and nothing but text.
fn named(full: &str) -> String {
    let shown = name(full);
    match shown == full {
        true => format!("{}", Safe(&shown)),
        false => format!("<span title=\"{}\">{}</span>", Safe(&shortened(full, 400)), Safe(&shown)),
    }
}

/// A share as a bar beside its number.
fn bar(part: u64, whole: u64) -> String {
    let share = 100.0 * part as f64 / whole.max(1) as f64;
    format!("<span class=\"share\"><i style=\"width:{share:.1}%\"></i></span>")
}
