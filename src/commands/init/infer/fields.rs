//! What the fields of a sample hold, added up over its rows: kinds, distinct texts, what reads as a time and in which unit.

use std::collections::{BTreeSet, HashMap};

use ingest::decode::{TimeUnit, parse_time};
use types::Micros;

use super::times::Fits;

/// More fields than any reading has: an object whose keys are data stops here.
pub(super) const FIELDS_MAX: usize = 512;
/// More distinct texts than this are simply many.
pub(super) const DISTINCT_MAX: usize = 1000;
/// 1990 to 2100: times of readings lie within.
const PLAUSIBLE: std::ops::Range<f64> = 631_152_000.0..4_102_444_800.0;

/// One scalar of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Bool,
    Number(f64),
    Text(String),
    /// An array; whether its elements are objects with numbers.
    Array {
        of_readings: bool,
    },
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Calendar,
    Epoch(TimeUnit),
    /// By one of the patterns in `times`.
    Pattern(usize),
}

/// A field, over all rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Field {
    pub(super) path: Vec<String>,
    /// Rows in which it is there and not null.
    pub(super) present: usize,
    pub(super) texts: usize,
    /// Numbers, and texts that are numbers.
    pub(super) numbers: usize,
    pub(super) numbers_as_text: usize,
    pub(super) integers: usize,
    pub(super) arrays_of_readings: usize,
    pub(super) distinct: BTreeSet<String>,
    pub(super) example: String,
    /// Of texts: characters in all.
    characters: usize,
    times: Vec<(Form, usize)>,
    /// Patterns that its texts fit.
    pub(super) fits: Fits,
    /// Texts that look like a time and are none that the decoder reads.
    pub(super) foreign_times: usize,
    /// Texts like `21,5`, where they are no numbers, and numbers as text with a point.
    pub(super) decimal_commas: usize,
    /// Those whose comma is not before three digits, as between thousands.
    pub(super) telling_commas: usize,
    pub(super) decimal_points: usize,
    pub(super) arrays: usize,
    last: Option<f64>,
    /// Rows whose number is one more than that of the row before.
    steps: usize,
}

/// All fields, in the order in which they were first seen.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) all: Vec<Field>,
    by_path: HashMap<Vec<String>, usize>,
    pub(super) rows: usize,
    /// Their names are made up.
    pub(super) are_nameless: bool,
    /// Numbers that are text have a decimal comma.
    pub(super) comma: bool,
}

// === impl Fields ===

impl Fields {
    /// Where numbers that are text have decimal commas.
    pub(super) fn with_commas() -> Fields {
        Fields { comma: true, ..Fields::default() }
    }

    pub(super) fn see(&mut self, path: &[String], cell: &Cell) {
        let at = match self.by_path.get(path) {
            Some(at) => *at,
            None if self.all.len() == FIELDS_MAX => return,
            None => {
                self.by_path.insert(path.to_vec(), self.all.len());
                self.all.push(Field { path: path.to_vec(), ..Field::default() });
                self.all.len() - 1
            }
        };
        self.all[at].see(cell, self.comma);
    }

    /// Whether numbers as text have decimal commas: in a field that holds little else, and more often than points.
    pub(super) fn has_commas(&self) -> bool {
        let holds = |field: &Field| {
            field.decimal_commas * 10 >= field.present.max(1)
                && (field.decimal_commas + field.numbers) * 10 >= field.present * 7
        };
        let commas: usize = self.all.iter().map(|field| field.decimal_commas).sum();
        let points: usize = self.all.iter().map(|field| field.decimal_points).sum();
        let is_told = self.all.iter().any(|field| field.telling_commas > 0);
        is_told && commas > points && self.all.iter().any(holds)
    }
}

// === impl Field ===

impl Field {
    fn see(&mut self, cell: &Cell, comma: bool) {
        match cell {
            Cell::Null => return,
            Cell::Bool => {}
            Cell::Array { of_readings } => {
                self.arrays += 1;
                self.arrays_of_readings += usize::from(*of_readings);
            }
            Cell::Number(number) => self.see_number(*number, &number.to_string()),
            Cell::Text(text) => match if comma { number_with_comma(text) } else { number_of(text) } {
                Some(number) => {
                    self.numbers_as_text += 1;
                    self.decimal_points += usize::from(!comma && text.contains('.'));
                    self.see_number(number, text);
                }
                None => self.see_text(text),
            },
        }
        self.present += 1;
    }

    fn see_number(&mut self, number: f64, text: &str) {
        self.numbers += 1;
        self.integers += usize::from(number.fract() == 0.0);
        self.steps += usize::from(self.last.is_some_and(|last| number == last + 1.0));
        self.last = Some(number);
        if let Some(unit) = unit_of(number) {
            self.see_time(Form::Epoch(unit));
        }
        self.note(text);
    }

    fn see_text(&mut self, text: &str) {
        self.texts += 1;
        self.characters += text.chars().count();
        if parse_time(text, TimeUnit::Auto).is_ok() {
            self.see_time(Form::Calendar);
        } else {
            self.foreign_times += usize::from(looks_like_a_time(text) && !self.fits.see(text));
            let is_number = number_with_comma(text).is_some();
            self.decimal_commas += usize::from(is_number);
            // Three digits may be thousands.
            let behind = text.trim_end().rsplit(',').next().map_or(0, str::len);
            self.telling_commas += usize::from(is_number && behind != 3);
        }
        self.note(text);
    }

    fn see_time(&mut self, form: Form) {
        match self.times.iter_mut().find(|(known, _)| *known == form) {
            Some((_, count)) => *count += 1,
            None => self.times.push((form, 1)),
        }
    }

    fn note(&mut self, text: &str) {
        if self.example.is_empty() {
            text.clone_into(&mut self.example);
        }
        if self.distinct.len() < DISTINCT_MAX && !self.distinct.contains(text) {
            self.distinct.insert(text.to_owned());
        }
    }

    /// As a message may show it.
    pub(super) fn name(&self) -> String {
        self.path.join(".")
    }

    pub(super) fn is_top(&self) -> bool {
        self.path.len() == 1
    }

    /// Of the rows, how many hold a time.
    pub(super) fn time_share(&self, rows: usize) -> f64 {
        share(self.times.iter().map(|(_, count)| count).sum::<usize>() + self.fits.most(), rows)
    }

    /// The way most times are written; `None` beside it if there is more than one.
    pub(super) fn form(&self) -> Option<(Form, bool)> {
        let by_pattern = self.fits.best().map(|(best, _)| (Form::Pattern(best), self.fits.most()));
        let forms = self.times.iter().copied().chain(by_pattern);
        let (form, _) = forms.clone().max_by_key(|(form, count)| (*count, *form == Form::Calendar))?;
        Some((form, forms.count() == 1))
    }

    pub(super) fn is_number(&self) -> bool {
        self.numbers * 10 >= self.present * 7 && self.numbers > 0
    }

    pub(super) fn is_text(&self) -> bool {
        self.texts * 10 >= self.present * 7 && self.texts > 0
    }

    /// Whole, and one more from row to row.
    pub(super) fn is_counter(&self) -> bool {
        self.numbers >= 8 && self.steps + 1 >= self.numbers && self.integers == self.numbers
    }

    pub(super) fn length_mean(&self) -> usize {
        self.characters / self.texts.max(1)
    }
}

pub(super) fn share(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

/// A number as text, by the decoder's rules or nearly so; the decoder has the last word.
pub(super) fn number_of(text: &str) -> Option<f64> {
    let text = text.trim_matches([' ', '\t']);
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    text.parse::<f64>().ok().filter(|number| plain && number.is_finite())
}

/// The same with a decimal comma, and then no point.
pub(super) fn number_with_comma(text: &str) -> Option<f64> {
    if text.contains('.') { None } else { number_of(&text.replacen(',', ".", 1)) }
}

/// The unit in which a number is a time near ours.
fn unit_of(number: f64) -> Option<TimeUnit> {
    [(TimeUnit::S, 1.0), (TimeUnit::Ms, 1e3), (TimeUnit::Us, 1e6), (TimeUnit::Ns, 1e9)]
        .into_iter()
        .find_map(|(unit, scale)| PLAUSIBLE.contains(&(number / scale)).then_some(unit))
}

/// Digits with the marks of dates and times between them: `28/08/2018 23:00`, `2018-08-28`.
pub(super) fn looks_like_a_time(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let marks = text.bytes().filter(|byte| matches!(byte, b'/' | b'-' | b':' | b'.')).count();
    digits >= 5 && marks >= 2 && text.len() <= 40 && text.starts_with(|c: char| c.is_ascii_digit())
}

/// The moment that a time as people write it means.
pub(super) fn moment(text: &str, unit: TimeUnit) -> Option<Micros> {
    parse_time(text, unit).ok()
}
