//! Labels in CSV: rows with a label each, or intervals, told apart by their columns.

use std::borrow::Cow;

use anyhow::{Context, bail};

use super::{Columns, Interval, LabelledRow, Labels, Whom, time};

const TIMES: &[&str] = &["datetime", "timestamp", "time", "ts", "date"];
const LABELS: &[&str] = &["anomaly", "is_anomaly", "label"];
const FROM: &[&str] = &["from", "start"];
const TO: &[&str] = &["to", "end"];

struct Table<'a> {
    separator: char,
    names: Vec<Cow<'a, str>>,
}

pub(super) fn parse(text: &str, columns: &Columns) -> anyhow::Result<Labels> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, header) = lines.next().context("it is empty")?;
    let table = Table::of(header);
    let device = table.find("device", columns.device_column.as_deref(), &["device"])?;
    let sensor = table.find("sensor", columns.sensor_column.as_deref(), &["sensor"])?;
    let kind = table.find("kind", None, &["kind"])?;
    let whom = |cells: &[Cow<'_, str>]| Whom { device: named(cells, device), sensor: named(cells, sensor) };
    let interval = (table.find("from", None, FROM)?, table.find("to", None, TO)?);
    if let ((Some(from), Some(to)), None) = (interval, &columns.label_column) {
        let read = |line| -> anyhow::Result<Interval> {
            let cells = table.cells(line)?;
            let interval = Interval::new(whom(&cells), &cells[from], &cells[to])?;
            Ok(Interval { kind: named(&cells, kind), ..interval })
        };
        let intervals = lines.map(|(number, line)| read(line).with_context(|| format!("line {}", number + 1)));
        return Ok(Labels::Intervals(intervals.collect::<anyhow::Result<_>>()?));
    }
    let at = table.find("time", columns.time_column.as_deref(), TIMES)?;
    let label = table.find("label", columns.label_column.as_deref(), LABELS)?;
    let (Some(at), Some(label)) = (at, label) else {
        bail!(
            "its columns are {}: labels are a column of times and one of labels, or columns `from` and `to`\nname them with --time-column and --label-column",
            table.names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        );
    };
    let read = |line| -> anyhow::Result<Option<LabelledRow>> {
        let cells = table.cells(line)?;
        let Some(is_anomaly) = label_of(&cells[label])? else { return Ok(None) };
        Ok(Some(LabelledRow { whom: whom(&cells), time: time(&cells[at])?, is_anomaly }))
    };
    let rows = lines.map(|(number, line)| read(line).with_context(|| format!("line {}", number + 1)));
    let rows: Vec<Option<LabelledRow>> = rows.collect::<anyhow::Result<_>>()?;
    Ok(Labels::Rows(rows.into_iter().flatten().collect()))
}

/// None: not labelled.
fn label_of(text: &str) -> anyhow::Result<Option<bool>> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "0" | "0.0" | "false" => Ok(Some(false)),
        "1" | "1.0" | "true" => Ok(Some(true)),
        other => bail!("`{other}` is no label: 0 is normal, 1 is an anomaly, nothing is unknown"),
    }
}

fn named(cells: &[Cow<'_, str>], column: Option<usize>) -> Option<String> {
    cells.get(column?).filter(|cell| !cell.is_empty()).map(|cell| cell.to_string())
}

impl<'a> Table<'a> {
    fn of(header: &'a str) -> Table<'a> {
        let count = |separator: char| header.matches(separator).count();
        let separator = [',', ';', '\t'].into_iter().max_by_key(|&s| (count(s), s == ',')).unwrap_or(',');
        Table { separator, names: split(header, separator) }
    }

    fn find(&self, what: &str, wanted: Option<&str>, usual: &[&str]) -> anyhow::Result<Option<usize>> {
        let place = |name: &str| self.names.iter().position(|own| own.eq_ignore_ascii_case(name));
        match wanted {
            Some(name) => match place(name) {
                Some(place) => Ok(Some(place)),
                None => bail!("there is no column `{name}` for the {what}"),
            },
            None => Ok(usual.iter().find_map(|name| place(name))),
        }
    }

    fn cells<'b>(&self, line: &'b str) -> anyhow::Result<Vec<Cow<'b, str>>> {
        let cells = split(line, self.separator);
        if cells.len() != self.names.len() {
            bail!("{} columns instead of {}", cells.len(), self.names.len());
        }
        Ok(cells)
    }
}

/// Cells of a line; those in quotes may hold separators, and quotes twice.
fn split(line: &str, separator: char) -> Vec<Cow<'_, str>> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start_matches(' ');
        let Some(quoted) = trimmed.strip_prefix('"') else {
            let Some((cell, after)) = rest.split_once(separator) else {
                cells.push(Cow::Borrowed(rest.trim()));
                return cells;
            };
            cells.push(Cow::Borrowed(cell.trim()));
            rest = after;
            continue;
        };
        let mut cell = String::new();
        let mut chars = quoted.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if chars.peek() == Some(&'"') => cell.extend(chars.next()),
                '"' => break,
                c => cell.push(c),
            }
        }
        cells.push(Cow::Owned(cell));
        let rest_of_line: &str = &quoted[quoted.len() - chars.map(char::len_utf8).sum::<usize>()..];
        match rest_of_line.split_once(separator) {
            Some((_, after)) => rest = after,
            None => return cells,
        }
    }
}
