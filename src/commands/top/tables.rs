//! The tables of `top`: partitions in the order that is wanted, and instances where there are several.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::view::{Instance, Row, View};
use super::warnings;
use crate::commands::grouped;
use crate::terminal::words::{NONE, harmless, plural, seconds, short};
use crate::terminal::{Column, Columns, Theme, Width, rule};

/// Sorted by the names that `Sort` knows.
const PARTITIONS: [Column<Row>; 10] = [
    Column {
        head: "partition",
        width: Width::Text(32),
        rank: 0,
        cell: |row, theme| row.say(harmless(&warnings::name(&row.partition)), theme.plain(), theme),
    },
    Column {
        head: "phase",
        width: Width::Text(10),
        rank: 1,
        cell: |row, theme| row.say(harmless(&row.partition.phase), phase(&row.partition.phase, theme), theme),
    },
    Column {
        head: "lag",
        width: Width::Number,
        rank: 2,
        cell: |row, theme| row.say(row.partition.lag_records.map_or(NONE.into(), grouped), theme.plain(), theme),
    },
    Column {
        head: "behind",
        width: Width::Number,
        rank: 4,
        cell: |row, theme| row.say(span(row.partition.lag_seconds), age(row.partition.lag_seconds, theme), theme),
    },
    Column {
        head: "clock",
        width: Width::Number,
        rank: 6,
        cell: |row, theme| row.say(span(row.partition.clock_delay_seconds), theme.plain(), theme),
    },
    Column {
        head: "committed",
        width: Width::Number,
        rank: 5,
        cell: |row, theme| row.say(ago(row.committed), theme.plain(), theme),
    },
    Column {
        head: "records/s",
        width: Width::Number,
        rank: 3,
        cell: |row, theme| row.say(row.rate.map_or(NONE.into(), short), theme.plain(), theme),
    },
    Column {
        head: "windows",
        width: Width::Number,
        rank: 8,
        cell: |row, theme| row.say(grouped(row.partition.open_windows), theme.dim(), theme),
    },
    Column {
        head: "devices",
        width: Width::Number,
        rank: 9,
        cell: |row, theme| row.say(grouped(row.partition.devices), theme.dim(), theme),
    },
    Column {
        head: "owner",
        width: Width::Text(28),
        rank: 7,
        cell: |row, theme| {
            let Row { partition, .. } = row;
            row.say(format!("{} #{}", harmless(&partition.owner), partition.worker), theme.dim(), theme)
        },
    },
];

const INSTANCES: [Column<Instance>; 8] = [
    Column {
        head: "instance",
        width: Width::Text(28),
        rank: 0,
        cell: |instance, theme| instance.tell(harmless(instance.name()), theme.plain(), theme),
    },
    Column { head: "state", width: Width::Text(12), rank: 1, cell: state },
    Column {
        head: "partitions",
        width: Width::Number,
        rank: 3,
        cell: |instance, theme| instance.tell(instance.partitions().len().to_string(), theme.plain(), theme),
    },
    Column {
        head: "lag",
        width: Width::Number,
        rank: 4,
        cell: |instance, theme| {
            instance.tell(instance.lag_records().map_or(NONE.into(), grouped), theme.plain(), theme)
        },
    },
    Column {
        head: "records/s",
        width: Width::Number,
        rank: 2,
        cell: |instance, theme| {
            instance.tell(instance.rates().records.map_or(NONE.into(), short), theme.plain(), theme)
        },
    },
    Column {
        head: "anomalies",
        width: Width::Number,
        rank: 5,
        cell: |instance, theme| {
            let anomalies = instance.status().map_or(NONE.into(), |status| grouped(status.totals.anomalies));
            instance.tell(anomalies, theme.plain(), theme)
        },
    },
    Column {
        head: "up",
        width: Width::Number,
        rank: 6,
        cell: |instance, theme| instance.tell(span(instance.up_seconds()), theme.plain(), theme),
    },
    Column {
        head: "address",
        width: Width::Text(40),
        rank: 7,
        cell: |instance, theme| instance.tell(harmless(&instance.url), theme.dim(), theme),
    },
];

/// A line across (where there is room), a head, and as many rows as fit; none where not even a row does.
pub(super) fn partitions(view: &View, width: usize, room: usize, theme: Theme) -> Vec<Line<'static>> {
    if room < 2 {
        return Vec::new();
    }
    let rows = view.rows();
    let above = if room < 6 { 1 } else { 2 };
    let shown = (room - above).min(rows.len());
    let first = view.scrolled.min(rows.len() - shown);
    let name = match shown == rows.len() {
        true => plural(rows.len() as u64, "partition"),
        false => format!("partitions {} to {} of {}", first + 1, first + shown, rows.len()),
    };
    let columns = Columns::fit(&PARTITIONS, &rows, width, theme);
    let mut lines = vec![rule(&name, width, theme.plain(), theme), columns.head(Some(view.sort.head()), theme)];
    lines.drain(..2 - above);
    lines.extend(rows[first..first + shown].iter().map(|row| columns.line(row, theme)));
    lines
}

pub(super) fn instances(view: &View, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let columns = Columns::fit(&INSTANCES, &view.instances, width, theme);
    let rows = view.instances.iter().map(|instance| columns.line(instance, theme));
    std::iter::once(columns.head(None, theme)).chain(rows).collect()
}

impl Row {
    /// What is old is dim.
    fn say(&self, text: String, style: Style, theme: Theme) -> Span<'static> {
        Span::styled(text, if self.is_old { theme.dim() } else { style })
    }
}

impl Instance {
    fn tell(&self, text: String, style: Style, theme: Theme) -> Span<'static> {
        Span::styled(text, if self.away.is_some() { theme.dim() } else { style })
    }
}

fn state(instance: &Instance, theme: Theme) -> Span<'static> {
    let (word, style) = match instance.status() {
        _ if instance.away.is_some() => ("✗ away", theme.bad()),
        Some(status) if !status.live.ok => ("✗ stuck", theme.bad()),
        Some(status) if !status.ready.ok => ("▲ not ready", theme.care()),
        Some(_) => ("● ready", theme.good()),
        None => ("· asked", theme.dim()),
    };
    Span::styled(word, style)
}

fn phase(phase: &str, theme: Theme) -> Style {
    match phase {
        "reading" => theme.good(),
        "halted" => theme.bad(),
        "draining" => theme.plain(),
        _ => theme.care(),
    }
}

/// From a minute on it is looked at.
fn age(span: Option<f64>, theme: Theme) -> Style {
    if span.is_some_and(|span| span >= 60.0) { theme.care() } else { theme.plain() }
}

fn span(span: Option<f64>) -> String {
    span.map_or(NONE.into(), seconds)
}

fn ago(span: Option<f64>) -> String {
    span.map_or("never".into(), |span| format!("{} ago", seconds(span)))
}
