//! CSV rows into readings. One row a record; quoted fields may hold delimiters, doubled quotes and newlines.

use types::{Micros, Reason};

use super::Shape;
use super::decoded::{Buffers, Item, Reject, Text};
use super::fields::{self, Field};
use super::json::Span;
use super::number;
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
}

impl Columns {
    pub(super) fn new(plan: &Plan, names: &[String]) -> Self {
        let mut columns = Columns { names: names.to_vec(), ..Columns::default() };
        for role in plan.roles() {
            columns.roles[role as usize] = names.iter().rposition(|name| *name == plan.path(role)[0]);
        }
        for (at, name) in names.iter().enumerate().filter(|(at, _)| !columns.roles.contains(&Some(*at))) {
            let last = names[at + 1..].iter().all(|later| later != name);
            match plan.slot(name) {
                Some(slot) if last => columns.sensors.push((at, slot)),
                None if last && plan.sensors.is_empty() && !name.is_empty() => columns.sensors.push((at, at)),
                _ => {}
            }
        }
        columns
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
    let buffers = Buffers { record, scratch: &scratch.text, names: &plan.sensors, device: "" };
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
        let value = fields::value(&plan.path(Role::Value)[0], cell(Role::Value), buffers)?;
        return Ok(Outcome::One { item: Item { device, sensor, time, value }, fields: [Field::Absent; 4] });
    }
    let time = read_time()?;
    if plan.sensors.is_empty() {
        wide_numbers(plan, columns, record, scratch, cells, (device, time))?;
    } else {
        scratch.slots.clear();
        scratch.slots.resize(plan.sensors.len(), Field::Absent);
        for &(at, slot) in &columns.sensors {
            if let Some(text) = cells.get(at) {
                let buffers = Buffers { record, scratch: &scratch.text, names: &[], device: "" };
                let empty = text.of(buffers).trim_matches([' ', '\t']).is_empty();
                scratch.slots[slot] = if empty { Field::Null } else { Field::Text(*text) };
            }
        }
        wide_slots(plan, record, scratch, (device, time))?;
    }
    Ok(Outcome::Many)
}

/// A wide row without a list of sensors: every cell that is a finite number.
fn wide_numbers(
    plan: &Plan,
    columns: &Columns,
    record: &str,
    scratch: &mut Scratch,
    cells: &[Text],
    (device, time): (Text, Micros),
) -> Result<(), Reject> {
    if columns.sensors.is_empty() {
        return Err(Reject::new(Reason::MissingField, "no column besides device and time"));
    }
    for &(at, _) in &columns.sensors {
        let Some(text) = cells.get(at) else { continue };
        let value = number::of_text(text.of(Buffers { record, scratch: &scratch.text, names: &[], device: "" }));
        match value {
            Some(_) if columns.names[at].len() > plan.id_bytes_max => {
                scratch.reject(fields::too_long(plan, &columns.names[at], columns.names[at].len()));
            }
            Some(value) => scratch.item(Item { device, sensor: Text::Name(at as u32), time, value }),
            None => {}
        }
    }
    Ok(())
}

/// The names in a header line.
pub(crate) fn header(line: &str, delimiter: u8) -> Result<Vec<String>, Reject> {
    let (mut scratch, mut cells) = (String::new(), Vec::new());
    split(line, delimiter, &mut scratch, &mut cells)?;
    let buffers = Buffers { record: line, scratch: &scratch, names: &[], device: "" };
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
