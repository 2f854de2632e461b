//! CSV rows into readings. One row a record; quoted fields may hold delimiters, doubled quotes and newlines.

use types::{Micros, Reason};

use super::Shape;
use super::decoded::{Buffers, Ignored, Item, Reject, Text};
use super::fields::{self, Field};
use super::json::Span;
use super::object::{Outcome, Scratch, wide_slots};
use super::plan::{Plan, Role};

/// What the columns of the present batch are.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) names: Vec<String>,
    /// The column of each role; the last one of that name.
    roles: [Option<usize>; 4],
    /// `wide`: which columns are sensors, and their slot if they are listed.
    sensors: Vec<(usize, usize)>,
    /// `wide`: which are neither, and why.
    left_out: Vec<(usize, Ignored)>,
}

impl Columns {
    pub(super) fn new(plan: &Plan, names: &[String]) -> Self {
        let mut columns = Columns { names: names.to_vec(), ..Columns::default() };
        for role in plan.roles() {
            columns.roles[role as usize] = names.iter().rposition(|name| *name == plan.path(role)[0]);
        }
        for (at, name) in names.iter().enumerate().filter(|(at, _)| !columns.roles.contains(&Some(*at))) {
            let last = names[at + 1..].iter().all(|later| later != name);
            let why = match plan.slot(name) {
                Some(slot) if last => {
                    columns.sensors.push((at, slot));
                    continue;
                }
                _ if !last => Ignored::Repeated,
                _ if !plan.sensors.is_empty() => Ignored::Unlisted,
                _ if plan.ignores(name) => Ignored::Named,
                _ if name.is_empty() => Ignored::Nameless,
                _ => {
                    columns.sensors.push((at, at));
                    continue;
                }
            };
            columns.left_out.push((at, why));
        }
        columns
    }

    /// Notes the cells of a wide row that are no sensors', and those of sensors that it ends before.
    fn note_left_out(&self, cells: usize, scratch: &mut Scratch) {
        for &(at, why) in self.left_out.iter().filter(|(at, _)| *at < cells) {
            scratch.ignore(Text::Column(at as u32), why);
        }
        // What stands behind the last column is empty, or the row would have been refused.
        for _ in self.names.len()..cells {
            scratch.ignore(Text::Record(Span::default()), Ignored::Nameless);
        }
        if cells < self.names.len() {
            for &(at, _) in self.sensors.iter().filter(|(at, _)| *at >= cells) {
                scratch.ignore(Text::Column(at as u32), Ignored::Empty);
            }
        }
    }
}

/// Reads one row. `cells` is scratch.
pub(super) fn decode(
    plan: &Plan,
    columns: &Columns,
    record: &str,
    time: Option<Micros>,
    scratch: &mut Scratch,
    cells: &mut Vec<Text>,
) -> Result<Outcome, Reject> {
    split(record, plan.delimiter, &mut scratch.text, cells)?;
    let buffers = &Buffers::reading(record, &scratch.text);
    if let Some(surplus) = cells.get(columns.names.len()..)
        && surplus.iter().any(|cell| !cell.of(buffers).is_empty())
    {
        let detail = format!("{} fields, but {} columns", cells.len(), columns.names.len());
        return Err(Reject::new(Reason::InvalidCsv, detail));
    }
    let cell = |role: Role| {
        let text = columns.roles[role as usize].and_then(|at| cells.get(at));
        text.map_or(Field::Absent, |text| Field::Text(*text))
    };
    let read_time = || match time {
        Some(time) => Ok(time),
        None => fields::time(plan, cell(Role::Time), buffers),
    };
    let device = fields::id(plan, Role::Device, cell(Role::Device), buffers)?;
    if plan.shape == Shape::Long {
        let sensor = fields::id(plan, Role::Sensor, cell(Role::Sensor), buffers)?;
        let time = read_time()?;
        let value = fields::value(plan, &plan.path(Role::Value)[0], cell(Role::Value), buffers)?;
        return Ok(Outcome::One { item: Item { device, sensor, time, value }, fields: [Field::Absent; 4] });
    }
    let time = read_time()?;
    columns.note_left_out(cells.len(), scratch);
    if plan.sensors.is_empty() {
        wide_cells(plan, columns, record, scratch, cells, (device, time))?;
    } else {
        scratch.slots.clear();
        scratch.slots.resize(plan.sensors.len(), Field::Absent);
        for &(at, slot) in &columns.sensors {
            if let Some(text) = cells.get(at) {
                scratch.slots[slot] = Field::Text(*text);
            }
        }
        wide_slots(plan, record, scratch, (device, time))?;
    }
    Ok(Outcome::Many)
}

/// A wide row without a list of sensors: every cell that has a column.
fn wide_cells(
    plan: &Plan,
    columns: &Columns,
    record: &str,
    scratch: &mut Scratch,
    cells: &[Text],
    (device, time): (Text, Micros),
) -> Result<(), Reject> {
    if columns.sensors.is_empty() {
        return Err(Reject::new(Reason::MissingField, "no column besides device and time is a sensor"));
    }
    for &(at, _) in &columns.sensors {
        let Some(text) = cells.get(at) else { continue };
        let (name, field) = (&columns.names[at], Field::Text(*text));
        let buffers = &Buffers::reading(record, &scratch.text);
        if fields::is_empty(field, buffers) {
            scratch.ignore(Text::Column(at as u32), Ignored::Empty);
            continue;
        }
        match fields::value(plan, name, field, buffers) {
            Ok(_) if name.len() > plan.id_bytes_max => scratch.reject(fields::too_long(plan, name, name.len())),
            Ok(value) => scratch.item(Item { device, sensor: Text::Column(at as u32), time, value }),
            Err(reject) => scratch.reject(reject),
        }
    }
    Ok(())
}

/// The names in a header line.
pub(crate) fn header(line: &str, delimiter: u8) -> Result<Vec<String>, Reject> {
    let (mut scratch, mut cells) = (String::new(), Vec::new());
    split(line, delimiter, &mut scratch, &mut cells)?;
    let buffers = &Buffers::reading(line, &scratch);
    Ok(cells.iter().map(|cell| cell.of(buffers).to_owned()).collect())
}

/// Splits a row, which may end with its newline, into cells.
fn split(record: &str, delimiter: u8, scratch: &mut String, cells: &mut Vec<Text>) -> Result<(), Reject> {
    cells.clear();
    let bytes = record.as_bytes();
    let row_end = bytes.len() - usize::from(bytes.ends_with(b"\n"));
    let row_end = row_end - usize::from(bytes[..row_end].ends_with(b"\r"));
    let mut at = if record.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    loop {
        let (cell, end) = if at < row_end && bytes[at] == b'"' {
            quoted(record, at, row_end, scratch)?
        } else {
            let end = bytes[at..row_end]
                .iter()
                .position(|byte| *byte == delimiter || *byte == b'\n')
                .map_or(row_end, |length| at + length);
            (Text::Record(Span::new(at, end)), end)
        };
        cells.push(cell);
        if end == row_end {
            return Ok(());
        }
        if bytes[end] != delimiter {
            let wrong = if bytes[end] == b'\n' { "a second line" } else { "text after a closing quote" };
            return Err(Reject::new(Reason::InvalidCsv, format!("{wrong} at byte {end}")));
        }
        at = end + 1;
    }
}

/// A quoted cell that starts at `start`, and where it ends.
fn quoted(record: &str, start: usize, row_end: usize, scratch: &mut String) -> Result<(Text, usize), Reject> {
    let bytes = &record.as_bytes()[..row_end];
    let scratch_start = scratch.len();
    let mut from = start + 1;
    let mut doubled = false;
    loop {
        let Some(quote) = bytes.get(from..).and_then(|rest| memchr::memchr(b'"', rest)).map(|length| from + length)
        else {
            return Err(Reject::new(Reason::InvalidCsv, format!("the quote at byte {start} is not closed")));
        };
        let again = bytes.get(quote + 1) == Some(&b'"');
        if !again && !doubled {
            return Ok((Text::Record(Span::new(from, quote)), quote + 1));
        }
        // Both halves of a doubled quote stand here; one is kept.
        scratch.push_str(&record[from..quote + usize::from(again)]);
        if !again {
            return Ok((Text::Scratch(Span::new(scratch_start, scratch.len())), quote + 1));
        }
        doubled = true;
        from = quote + 2;
    }
}
