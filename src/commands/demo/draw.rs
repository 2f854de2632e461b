//! The live view of the demo on a screen of any size: a pure function of what it shows. What matters least goes first where
//! there is little room: the map, then what was refused, then the newest anomalies.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::view::{Heat, History, Stage, View};
use crate::commands::grouped;
use crate::terminal::words::{NONE, fit, minute, plural, short, stopwatch};
use crate::terminal::{Headline, Theme, findings, gauge, rule, spark};

/// The map stands beside the anomalies where this many columns are left for them.
const FINDINGS_WIDTH_MIN: u16 = 52;
const MAP_WIDTH: u16 = 26;
const SPARK_WIDTH_MAX: usize = 48;

pub(super) fn draw(frame: &mut Frame<'_>, view: &View, theme: Theme) {
    let area = frame.area();
    let width = area.width as usize;
    let mut lines = vec![top(view, width, theme)];
    if area.height >= 14 {
        lines.push(stages(view.now.stage, width, theme));
    }
    lines.push(progress(view, width, theme));
    if area.height >= 18 {
        lines.push(Line::default());
    }
    lines.extend(counters(view, width, theme));
    if area.height >= 12 {
        lines.push(refused(view, width, theme));
    }
    if area.height >= 18 {
        lines.push(Line::default());
    }
    let [above, below] = Layout::vertical([Constraint::Length(lines.len() as u16), Constraint::Min(0)]).areas(area);
    frame.render_widget(Paragraph::new(lines), above);
    lists(frame, below, view, theme);
}

fn top(view: &View, width: usize, theme: Theme) -> Line<'static> {
    let keys = match view.now.stopping {
        true => Span::styled("stopping", theme.care()),
        false => Span::styled("q leaves", theme.dim()),
    };
    let what = format!("{}, seed {}", plural(view.devices.into(), "device"), view.seed);
    Headline { name: "Atalaia demo".into(), what, keys, time: stopwatch(view.now.at) }.line(width, theme)
}

/// The way of the demo, and where it is.
fn stages(now: Stage, width: usize, theme: Theme) -> Line<'static> {
    let mut names = [
        (Stage::Reading, "read a clean day".to_owned()),
        (Stage::Training, "train models".into()),
        (Stage::Streaming, "stream the next day".into()),
        (Stage::Judging, "judge".into()),
    ];
    if names.iter().map(|(_, name)| name.len() + 4).sum::<usize>() > width {
        names = names.map(|(stage, name)| (stage, name.split(' ').next().unwrap_or_default().to_owned()));
    }
    let mut line = Line::default();
    for (stage, name) in names {
        let (mark, style) = match stage.cmp(&now) {
            std::cmp::Ordering::Less => ("✓", theme.good()),
            std::cmp::Ordering::Equal => ("▸", theme.strong()),
            std::cmp::Ordering::Greater => ("·", theme.dim()),
        };
        let text = if stage < now { theme.dim() } else { style };
        line.extend([Span::styled(mark, style), Span::styled(format!(" {name}  "), text)]);
    }
    line
}

fn progress(view: &View, width: usize, theme: Theme) -> Line<'static> {
    let share = view.share().map_or_else(|| NONE.into(), |share| format!("{:.0} %", share * 100.0));
    let left = view.seconds_left().map_or_else(String::new, |left| format!("{} left", stopwatch(left)));
    let figures = format!(" {share:>5} {left:>10}");
    let room = width.saturating_sub(figures.len().min(width));
    let mut line = Line::from(gauge(view.share(), room, theme));
    line.push_span(Span::raw(figures));
    line
}

fn counters(view: &View, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let counts = &view.now.counts;
    let line = |name: &str, total: u64, history: &History, style: Style| {
        let figures = format!("{:>13} ", grouped(total));
        let rate = format!("{:>8}/s  ", short(history.rate()));
        let room = width.saturating_sub(9 + figures.len() + rate.len()).min(SPARK_WIDTH_MAX);
        Line::from(vec![
            Span::styled(format!("{name:<9}"), theme.dim()),
            Span::styled(figures, theme.strong()),
            Span::raw(rate),
            Span::styled(if room >= 8 { spark(&history.rates, room) } else { String::new() }, style),
        ])
    };
    let (events, history) = match (view.now.stage, view.now.steps) {
        (Stage::Reading, Some((done, _))) => (done, &view.clean),
        _ => (counts.records, &view.events),
    };
    vec![
        line("events", events, history, theme.accent()),
        line("windows", counts.rows, &view.windows, theme.good()),
        line("anomalies", counts.anomalies, &view.anomalies, theme.care()),
    ]
}

/// Simulated time, and what did not count.
fn refused(view: &View, width: usize, theme: Theme) -> Line<'static> {
    let Some(simulated) = view.simulated() else {
        let text = match (view.now.stage, view.now.steps) {
            (Stage::Reading, _) => "a day without faults, for the models to learn from".into(),
            (Stage::Training, Some((done, of))) => {
                format!("{} of {}, one for each sensor of each device", grouped(done), plural(of, "model"))
            }
            _ => "the stream begins".into(),
        };
        return Line::styled(fit(&text, width), theme.dim());
    };
    let counts = &view.now.counts;
    let label = |text: &'static str| Span::styled(text, theme.dim());
    let mut line = Line::from(vec![
        label("simulated"),
        Span::styled(format!(" {}", minute(simulated)), theme.strong()),
        label("   late "),
        Span::raw(grouped(counts.late)),
        label("   refused "),
        Span::raw(grouped(counts.quarantined)),
    ]);
    let reasons = view.now.refused.iter().map(|(reason, count)| format!("{} {}", grouped(*count), reason.as_str()));
    let reasons = reasons.collect::<Vec<_>>().join(", ");
    let room = width.saturating_sub(line.width() + 2);
    if !reasons.is_empty() && room > 8 {
        line.push_span(Span::styled(format!(": {}", fit(&reasons, room)), theme.dim()));
    }
    line
}

fn lists(frame: &mut Frame<'_>, area: Rect, view: &View, theme: Theme) {
    let beside = area.width >= FINDINGS_WIDTH_MIN + 2 + MAP_WIDTH;
    let (left, right) = if beside {
        // On a wide screen the map of a large fleet may take more.
        let map = MAP_WIDTH.max((area.width - FINDINGS_WIDTH_MIN) / 3);
        let [left, _, right] =
            Layout::horizontal([Constraint::Min(0), Constraint::Length(2), Constraint::Length(map)]).areas(area);
        (left, Some(right))
    } else if area.height >= 14 {
        let [above, below] = Layout::vertical([Constraint::Min(0), Constraint::Length(5)]).areas(area);
        (above, Some(below))
    } else {
        (area, None)
    };
    let width = left.width as usize;
    let mut lines = vec![rule("newest anomalies, by start of window", width, theme.plain(), theme)];
    let shown: Vec<_> = view.newest.iter().take(left.height.saturating_sub(1).into()).cloned().collect();
    lines.extend(findings(&shown, false, width, theme));
    frame.render_widget(Paragraph::new(lines), left);
    if let Some(area) = right {
        map(frame, area, view, theme);
    }
}

/// A cell for each device, or for some where there are more devices than room.
fn map(frame: &mut Frame<'_>, area: Rect, view: &View, theme: Theme) {
    let (width, rows) = (area.width as usize, area.height.saturating_sub(2).max(1) as usize);
    let heat = view.heat();
    let is_wide = heat.len() * 2 <= width * rows;
    let in_row = if is_wide { width / 2 } else { width }.max(1);
    let of_cell = heat.len().div_ceil(in_row * rows).max(1);
    let name = match of_cell {
        1 => "fleet".to_owned(),
        many => format!("fleet, {many} a cell"),
    };
    let mut lines = vec![rule(&name, width, theme.plain(), theme)];
    let cells: Vec<Heat> = heat.chunks(of_cell).map(|some| some.iter().copied().max().unwrap_or_default()).collect();
    for row in cells.chunks(in_row) {
        let gap = if is_wide { " " } else { "" };
        lines.push(row.iter().map(|heat| cell(*heat, gap, theme)).collect());
    }
    let legend = [(Heat::Many, "many "), (Heat::Some, "some "), (Heat::Earlier, "earlier")];
    let legend = legend.map(|(heat, name)| [cell(heat, " ", theme), Span::styled(name, theme.dim())]);
    lines.push(legend.into_iter().flatten().collect());
    frame.render_widget(Paragraph::new(lines), area);
}

fn cell(heat: Heat, gap: &str, theme: Theme) -> Span<'static> {
    let (mark, style) = match heat {
        Heat::Never => ("·", theme.dim()),
        Heat::Earlier => ("▫", theme.plain()),
        Heat::Some => ("▪", theme.care()),
        Heat::Many => ("■", theme.bad()),
    };
    Span::styled(format!("{mark}{gap}"), style)
}

#[cfg(test)]
mod tests;
