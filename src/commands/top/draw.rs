//! A frame of `top`, of any size: a pure function of what it shows. Lines are made from above; what is wrong comes first,
//! then partitions, then the newest anomalies with what room is left.

use ratatui::Frame;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::documents::Models;
use super::tables;
use super::view::View;
use super::warnings::{Warning, Weight, warnings};
use crate::commands::grouped;
use crate::terminal::words::{NONE, fit, harmless, moment, plural, seconds, short, wrap};
use crate::terminal::{Headline, Theme, findings, rule, spark};

const SPARK_WIDTH_MAX: usize = 60;
/// For a frame that is printed: a screen's worth.
const FINDINGS_MAX: usize = 20;

pub(super) fn draw(frame: &mut Frame<'_>, view: &View, theme: Theme) {
    let area = frame.area();
    let lines = compose(view, area.width.into(), area.height.into(), theme);
    frame.render_widget(Paragraph::new(lines), area);
    if view.is_old() {
        // Below the two lines that say so.
        let below = area.rows().skip(2);
        let grey = Style::new().fg(Color::Reset).remove_modifier(Modifier::BOLD).add_modifier(Modifier::DIM);
        below.for_each(|row| frame.buffer_mut().set_style(row, grey));
    }
}

/// The lines of a frame; with a height that no screen has, all there are.
pub(super) fn compose(view: &View, width: usize, height: usize, theme: Theme) -> Vec<Line<'static>> {
    let is_tall = height >= 16;
    let mut lines = vec![top(view, width, theme)];
    lines.push(state(view, width, theme));
    lines.extend(counters(view, width, theme));
    if height >= 12 {
        lines.push(refused(view, width, theme));
    }
    let mut warnings = warnings(view);
    if view.is_single() && view.is_old() {
        // The line above says it, and it is the first of the worst.
        warnings.remove(0);
    }
    if !warnings.is_empty() {
        // A small screen is for partitions.
        let room = if is_tall { height / 3 } else { 1 + usize::from(warnings[0].weight == Weight::Bad) };
        lines.extend(trouble(&warnings, width, room, theme));
    }
    if is_tall && !view.is_single() {
        lines.push(rule(&plural(view.instances.len() as u64, "instance"), width, theme.plain(), theme));
        lines.extend(tables::instances(view, width, theme));
    }
    let found = view.findings();
    let left = height.saturating_sub(lines.len());
    // Anomalies have a third of what is left, and what partitions do not need.
    let for_found = if is_tall { (found.len().clamp(1, FINDINGS_MAX) + 1).min(left / 3) } else { 0 };
    let partitions = tables::partitions(view, width, left.saturating_sub(for_found), theme);
    lines.extend(partitions);
    let left = height.saturating_sub(lines.len());
    if left >= 2 {
        lines.push(rule("newest anomalies, by start of window", width, theme.plain(), theme));
        let most = if view.keys { left - 1 } else { FINDINGS_MAX };
        let shown = &found[..found.len().min(most)];
        lines.extend(findings(shown, false, width, theme));
    }
    lines
}

fn top(view: &View, width: usize, theme: Theme) -> Line<'static> {
    let said = view.said().next().map(|said| &said.status);
    let what = match said {
        Some(said) if view.is_single() => {
            let up = view.instances[0].up_seconds().map_or(NONE.into(), seconds);
            format!("{}, up {up}, {}", harmless(&said.instance), harmless(&said.version))
        }
        _ => plural(view.instances.len() as u64, "instance"),
    };
    let now = view.said().filter_map(|said| said.status.now).max();
    Headline {
        name: said.map_or("Atalaia".into(), |said| harmless(&said.pipeline)),
        what,
        keys: Span::styled(if view.keys { "s sorts  r reverses  q leaves" } else { "" }, theme.dim()),
        // The day is today.
        time: now.map_or(NONE.into(), |now| moment(now).chars().skip(11).collect()),
    }
    .line(width, theme)
}

/// One line: whether it is well and by which models it judges, or that nobody answers.
fn state(view: &View, width: usize, theme: Theme) -> Line<'static> {
    if view.is_old() {
        let instance = &view.instances[0];
        let why = instance.away.as_deref().unwrap_or_default();
        let age = seconds(view.now - view.instances.iter().map(|instance| instance.said_at).fold(0.0, f64::max));
        let text = match view.is_single() {
            true => format!("✗ no answer, figures are {age} old; asked again: {} ({why})", instance.url),
            false => format!("✗ no instance answers, figures are {age} old; asked again ({why})"),
        };
        return Line::styled(fit(&harmless(&text), width), theme.bad());
    }
    let away = format!("{} of {} away", view.away(), view.instances.len());
    let (mark, word, style) = match view.said().find(|said| !said.status.live.ok || !said.status.ready.ok) {
        _ if view.away() > 0 => ("✗", away.as_str(), theme.bad()),
        None => ("●", "ready", theme.good()),
        Some(said) if !said.status.live.ok => ("✗", "stands still", theme.bad()),
        Some(_) => ("▲", "not ready", theme.care()),
    };
    let models = view.said().next().map(|said| models(&said.models)).unwrap_or_default();
    let room = width.saturating_sub(word.len() + 5);
    Line::from(vec![
        Span::styled(format!("{mark} {word}"), style),
        Span::styled(format!("   {}", fit(&models, room)), theme.dim()),
    ])
}

fn models(models: &Models) -> String {
    match models.state.as_str() {
        "loaded" => {
            let set = models.set.as_deref().map(harmless).unwrap_or_default();
            let age = models.age_seconds.map_or(String::new(), |age| format!(", {} old", seconds(age)));
            format!("{} of set {set}{age}", plural(models.count, "model"))
        }
        "none" => "no models: rows have no score".into(),
        "loading" => "models are being loaded".into(),
        _ => "the store of the models does not answer".into(),
    }
}

fn counters(view: &View, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let (totals, rates) = (view.totals(), view.rates());
    let line = |name: &str, total: u64, rate: Option<f64>, more: String, history: Vec<f64>, style: Style| {
        let rate = match rate {
            Some(rate) if rate > 0.0 && rate < 9.95 => format!("{rate:.1}/s"),
            Some(rate) => format!("{}/s", short(rate)),
            None => NONE.into(),
        };
        let figures = format!("{:>15} ", grouped(total));
        let room = width.saturating_sub(9 + figures.len() + 12);
        let more = if more.len() <= room { more } else { String::new() };
        let room = (room - more.len()).min(SPARK_WIDTH_MAX);
        Line::from(vec![
            Span::styled(format!("{name:<9}"), theme.dim()),
            Span::styled(figures, theme.strong()),
            Span::raw(format!("{rate:>10}  ")),
            Span::styled(more, theme.care()),
            Span::styled(if room >= 8 { spark(&history, room) } else { String::new() }, style),
        ])
    };
    // Closed windows are judged when they are written: behind a slow store they are not among the judged ones.
    let waiting = match view.waiting() {
        0 => String::new(),
        waiting => format!("{} wait  ", grouped(waiting)),
    };
    let none = String::new;
    vec![
        line(
            "records",
            totals.records,
            rates.records,
            none(),
            view.history(|said| &said.throughput.records),
            theme.accent(),
        ),
        line("windows", totals.rows, rates.rows, waiting, view.history(|said| &said.throughput.rows), theme.good()),
        line(
            "anomalies",
            totals.anomalies,
            rates.anomalies,
            none(),
            view.history(|said| &said.throughput.anomalies),
            theme.care(),
        ),
    ]
}

fn refused(view: &View, width: usize, theme: Theme) -> Line<'static> {
    let totals = view.totals();
    let reasons: Vec<_> =
        view.refused().iter().map(|(reason, count)| format!("{} {}", grouped(*count), harmless(reason))).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
    let parts = [
        ("late ", grouped(totals.late)),
        ("   without a score ", grouped(totals.unscored)),
        ("   refused ", grouped(totals.quarantined)),
    ];
    let mut line = Line::default();
    for (name, figure) in parts {
        line.extend([Span::styled(name, theme.dim()), Span::raw(figure)]);
    }
    let room = width.saturating_sub(line.width());
    line.push_span(Span::styled(fit(&reasons, room), theme.dim()));
    line
}

/// Each with as much of its reason as there is room for, in as many lines as it takes.
fn trouble(warnings: &[Warning], width: usize, room: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (index, warning) in warnings.iter().enumerate() {
        let (mark, style) = match warning.weight {
            Weight::Bad => ("✗", theme.bad()),
            Weight::Care => ("▲", theme.care()),
        };
        let text = match warning.why.is_empty() {
            true => warning.what.clone(),
            false => format!("{}: {}", warning.what, warning.why),
        };
        let unseen = warnings.len() - index - 1;
        // The last line that there is room for says how many are not seen.
        let reserved = usize::from(unseen > 0 && room > 1);
        let most = room.saturating_sub(lines.len() + reserved);
        let wrapped = wrap(&harmless(&text), width.saturating_sub(2), most);
        lines.extend(marked(mark, &wrapped, style));
        if lines.len() + reserved >= room {
            let more = format!("  and {}", plural(unseen as u64, "more warning"));
            lines.extend((reserved > 0).then(|| Line::styled(fit(&more, width), theme.care())));
            break;
        }
    }
    lines
}

fn marked(mark: &str, wrapped: &[String], style: Style) -> Vec<Line<'static>> {
    let line = |(index, text): (usize, &String)| {
        Line::styled(format!("{} {text}", if index == 0 { mark } else { " " }), style)
    };
    wrapped.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests;
