//! Lines as rows of CSV: the delimiter under which they agree on their columns, and whether the first one names them.

use super::fields::{Cell, FIELDS_MAX, Fields, looks_like_a_time, number_of, number_with_comma};
use ingest::decode::{TimeUnit, parse_time};

/// Where two fit equally well, the first one is meant.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];

/// Lines, cut into cells.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) delimiter: char,
    /// Cells of the rows below the header.
    rows: Vec<Vec<String>>,
    /// The text of each, as the decoder is to have it.
    pub(super) texts: Vec<String>,
    pub(super) columns: Vec<String>,
    /// The columns' names stand in the first row; otherwise they are made up.
    pub(super) named: bool,
}

/// Lines under one delimiter.
struct Cut {
    delimiter: char,
    texts: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Reads lines as CSV, if they are. `lines`: a quoted cell may go on in the next one, as in a file.
pub(super) fn read(texts: &[&str], lines: bool) -> Option<Rows> {
    let mut best: Option<(usize, Cut)> = None;
    for delimiter in DELIMITERS {
        let texts =
            if lines { joined(texts, delimiter) } else { texts.iter().map(|text| (*text).to_owned()).collect() };
        let rows: Vec<Vec<String>> = texts.iter().map(|text| split(text, delimiter)).collect();
        let Some(width) = usual(rows.iter().map(Vec::len)) else { continue };
        let agreeing = rows.iter().filter(|row| row.len() == width).count();
        if !(2..=FIELDS_MAX).contains(&width) || agreeing * 10 < rows.len() * 7 {
            continue;
        }
        // Which delimiter it is shows in how many rows agree; a decimal comma agrees as well, and cuts into fewer numbers.
        let cells = rows.iter().map(Vec::len).sum::<usize>().max(1);
        let numbers = rows.iter().flatten().filter(|cell| is_data(cell, delimiter)).count();
        let fit =
            agreeing * 1000 / rows.len() + usize::from(numbers > 0) * 1000 + numbers * 100 / cells + width.min(50);
        if best.as_ref().is_none_or(|(other, _)| fit > *other) {
            best = Some((fit, Cut { delimiter, texts, rows }));
        }
    }
    let (_, Cut { delimiter, mut texts, mut rows }) = best?;
    let width = usual(rows.iter().map(Vec::len))?;
    let named = is_header(&rows, delimiter);
    let columns = if named {
        texts.remove(0);
        let names = rows.remove(0);
        // Of several files each has its header.
        let kept: Vec<bool> = rows.iter().map(|row| *row != names).collect();
        texts = texts.into_iter().zip(&kept).filter_map(|(text, kept)| kept.then_some(text)).collect();
        rows = rows.into_iter().zip(&kept).filter_map(|(row, kept)| kept.then_some(row)).collect();
        names
    } else {
        (1..=width).map(|number| format!("column_{number}")).collect()
    };
    Some(Rows { delimiter, rows, texts, columns, named })
}

impl Rows {
    pub(super) fn note_in(&self, fields: &mut Fields) {
        fields.are_nameless = !self.named;
        let is_twice = |name: &String| self.columns.iter().filter(|other| *other == name).count() > 1;
        let usable: Vec<bool> = self.columns.iter().map(|name| !name.is_empty() && !is_twice(name)).collect();
        for row in &self.rows {
            fields.rows += 1;
            for ((cell, name), _) in row.iter().zip(&self.columns).zip(&usable).filter(|(_, usable)| **usable) {
                let cell = if cell.trim().is_empty() { Cell::Null } else { Cell::Text(cell.clone()) };
                fields.see(std::slice::from_ref(name), &cell);
            }
        }
    }
}

/// The first row names columns: texts, each once, none a number, and something else stands below.
fn is_header(rows: &[Vec<String>], delimiter: char) -> bool {
    let Some((first, below)) = rows.split_first() else { return false };
    let is_data = |cell: &String| is_data(cell, delimiter);
    let named = first.iter().filter(|cell| !cell.is_empty()).count();
    let fitting = below.is_empty() || below.iter().flatten().any(is_data);
    named > 0 && fitting && !first.iter().any(is_data)
}

/// A number or a time, however it is written: no name of a column. Between commas no number has one.
fn is_data(cell: &str, delimiter: char) -> bool {
    number_of(cell).is_some()
        || delimiter != ',' && number_with_comma(cell).is_some()
        || parse_time(cell, TimeUnit::Auto).is_ok()
        || looks_like_a_time(cell)
}

/// The number that comes up most often.
fn usual(numbers: impl Iterator<Item = usize>) -> Option<usize> {
    let mut counts = std::collections::BTreeMap::<usize, usize>::new();
    for number in numbers {
        *counts.entry(number).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(number, _)| number)
}

/// Lines of which one goes on in the next as one text.
fn joined(lines: &[&str], delimiter: char) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in lines {
        match texts.last_mut() {
            Some(text) if is_open => {
                text.push('\n');
                text.push_str(line);
            }
            _ => texts.push((*line).to_owned()),
        }
        is_open = ends_open(line, is_open, delimiter);
    }
    texts
}

/// Whether a quoted cell has no end at the end of the line.
fn ends_open(line: &str, begins_open: bool, delimiter: char) -> bool {
    let (mut quoted, mut at_start) = (begins_open, !begins_open);
    for character in line.chars() {
        match character {
            '"' if quoted => quoted = false,
            // The second half of a doubled quote, too.
            '"' if at_start => quoted = true,
            _ => {}
        }
        at_start = !quoted && (character == delimiter || character == '"');
    }
    quoted
}

fn split(text: &str, delimiter: char) -> Vec<String> {
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut characters = text.trim_start_matches('\u{feff}').chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            other if other == delimiter && !quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    cells.push(cell);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_under_which_rows_agree() {
        for (lines, delimiter, columns, named) in [
            (
                &["ts;machine;temp", "1735689600;a;21,5", "1735689660;a;21,7"][..],
                ';',
                &["ts", "machine", "temp"][..],
                true,
            ),
            (&["a\tb", "1\t2"], '\t', &["a", "b"], true),
            (&["1,2,3", "4,5,6"], ',', &["column_1", "column_2", "column_3"], false),
            (&["note,v", "\"a, b\",1", "\"he said \"\"no\"\"\",2"], ',', &["note", "v"], true),
            (&["2018-08-28 23:00:05|x|1"], '|', &["column_1", "column_2", "column_3"], false),
        ] {
            let rows = read(lines, true).expect("rows");
            assert_eq!((rows.delimiter, rows.named), (delimiter, named), "{lines:?}");
            assert_eq!(rows.columns, columns);
        }
        for none in [&["hello world", "how are you"][..], &["{}"], &[""], &[]] {
            assert!(read(none, true).is_none(), "{none:?}");
        }
    }

    #[test]
    fn a_quoted_cell_goes_on_in_the_next_line() {
        let rows = read(&["note,v", "\"two", "lines\",1", "x,2"], true).expect("rows");
        assert_eq!(rows.texts, ["\"two\nlines\",1", "x,2"]);
        assert_eq!(split("a,\"b\"\"c,d\",", ','), ["a", "b\"c,d", ""]);
    }
}
