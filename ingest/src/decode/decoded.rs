//! What comes out of a record: readings and rejects, borrowed from the record and the decoder's scratch.
//!
//! Inside, a text is a span with the name of its buffer, so that one set of buffers serves every record and nothing
//! refers to itself.

use types::{Micros, Reading, Reason};

use super::json::Span;

/// What a record holds.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// A record that is one reading, its index 0.
    One(Reading<'a>),
    /// An array, or a wide row.
    Many(Many<'a>),
    /// Nothing of the record is usable.
    Reject(Reject),
}

/// The readings of one record, its refused elements, and its cells that are neither.
#[derive(Debug, Clone, Copy)]
pub struct Many<'a> {
    pub(super) buffers: Buffers<'a>,
    pub(super) items: &'a [(u32, Item)],
    pub(super) rejects: &'a [(u32, Reject)],
    pub(super) ignored: &'a [(Text, Ignored)],
}

/// Why a cell of a wide record is neither a reading nor refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ignored {
    /// A sensor's, and there is nothing in it.
    Empty,
    /// `ignore` names it.
    Named,
    /// `sensors` does not.
    Unlisted,
    /// Its column has no name, or a name that is no text.
    Nameless,
    /// Another field of the same name stands behind it, and the last one counts.
    Repeated,
    /// It stands beside device or time in an object within the record, where no sensor is looked for.
    Nested,
}

impl Ignored {
    pub const ALL: [Ignored; 6] =
        [Ignored::Empty, Ignored::Named, Ignored::Unlisted, Ignored::Nameless, Ignored::Repeated, Ignored::Nested];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Ignored::Empty => "empty",
            Ignored::Named => "ignore",
            Ignored::Unlisted => "unlisted",
            Ignored::Nameless => "nameless",
            Ignored::Repeated => "repeated",
            Ignored::Nested => "nested",
        }
    }
}

/// Why a record, or an element of it, is not usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub reason: Reason,
    /// What exactly and where: "`ts` is `2018-13-01`: no such date". At most some 200 characters.
    pub detail: String,
}

impl<'a> Many<'a> {
    /// How many readings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Readings with their index in the record. Readings and rejects are numbered together: in an array of
    /// readings by the element's place.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u32, Reading<'a>)> + use<'a> {
        let buffers = self.buffers;
        self.items.iter().map(move |(index, item)| (*index, item.reading(&buffers)))
    }

    /// Refused elements with their index in the record; the others still count.
    #[must_use]
    pub fn rejects(&self) -> &'a [(u32, Reject)] {
        self.rejects
    }

    /// Cells that are neither readings nor refused: their fields' names, and why.
    pub fn ignored(&self) -> impl ExactSizeIterator<Item = (&'a str, Ignored)> + use<'a> {
        let buffers = self.buffers;
        self.ignored.iter().map(move |(name, why)| (name.of(&buffers), *why))
    }

    /// The same without names.
    pub fn ignored_whys(&self) -> impl ExactSizeIterator<Item = Ignored> + use<'a> {
        self.ignored.iter().map(|(_, why)| *why)
    }
}

impl Reject {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Reject { reason, detail: detail.into() }
    }
}

/// Where the texts of a record may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffers<'a> {
    pub(super) record: &'a str,
    /// Texts whose escapes were resolved.
    pub(super) scratch: &'a str,
    /// Sensors' or columns' names.
    pub(super) names: &'a [String],
    /// Of a row, all columns' names.
    pub(super) columns: &'a [String],
    /// The device of the whole record, if its payload does not name it.
    pub(super) device: &'a str,
}

impl<'a> Buffers<'a> {
    /// Of a record that is still being read: no names, and a device that nobody looks at.
    #[inline]
    pub(super) fn reading(record: &'a str, scratch: &'a str) -> Buffers<'a> {
        Buffers { record, scratch, names: &[], columns: &[], device: "" }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Record(Span),
    Scratch(Span),
    Name(u32),
    Column(u32),
    Device,
}

impl Text {
    #[inline]
    pub(super) fn of<'a>(self, buffers: &Buffers<'a>) -> &'a str {
        match self {
            Text::Record(span) => span.of(buffers.record),
            Text::Scratch(span) => span.of(buffers.scratch),
            Text::Name(at) => &buffers.names[at as usize],
            Text::Column(at) => &buffers.columns[at as usize],
            Text::Device => buffers.device,
        }
    }
}

/// A reading whose texts are still spans.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) device: Text,
    pub(super) sensor: Text,
    pub(super) time: Micros,
    pub(super) value: f64,
}

impl Item {
    #[inline]
    pub(super) fn reading<'a>(self, buffers: &Buffers<'a>) -> Reading<'a> {
        Reading { device: self.device.of(buffers), sensor: self.sensor.of(buffers), time: self.time, value: self.value }
    }
}

/// A text as it may stand in a message: with what a terminal would not print escaped, and cut.
pub(super) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 48;
    let mut shown = String::new();
    let mut length = 0;
    for character in text.chars() {
        let is_plain = matches!(character, '\'' | '"' | '\\');
        length += if is_plain { 1 } else { character.escape_debug().count() };
        if length > CHARS_MAX {
            shown.push('…');
            break;
        }
        if is_plain {
            shown.push(character);
        } else {
            shown.extend(character.escape_debug());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cut before they were escaped, texts of control characters came out ten times as long as others.
    #[test]
    fn a_shown_text_has_at_most_48_characters_and_an_ellipsis() {
        let sensor = "x".repeat(48);
        assert_eq!(shown(&sensor), sensor);
        assert_eq!(shown(&"x".repeat(49)), format!("{sensor}…"));
        assert_eq!(shown(&"\u{10ffff}".repeat(48)), format!("{}…", r"\u{10ffff}".repeat(4)));
        assert_eq!(shown("it's \"a\" \\ é\n"), r#"it's "a" \ é\n"#);
    }
}
