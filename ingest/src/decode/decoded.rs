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

/// The readings of one record, and its refused elements.
#[derive(Debug, Clone, Copy)]
pub struct Many<'a> {
    pub(super) buffers: Buffers<'a>,
    pub(super) items: &'a [(u32, Item)],
    pub(super) rejects: &'a [(u32, Reject)],
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
        self.items.iter().map(move |(index, item)| (*index, item.reading(buffers)))
    }

    /// Refused elements with their index in the record; the others still count.
    #[must_use]
    pub fn rejects(&self) -> &'a [(u32, Reject)] {
        self.rejects
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Record(Span),
    Scratch(Span),
    Name(u32),
}

impl Text {
    #[inline]
    pub(super) fn of(self, buffers: Buffers<'_>) -> &str {
        match self {
            Text::Record(span) => span.of(buffers.record),
            Text::Scratch(span) => span.of(buffers.scratch),
            Text::Name(at) => &buffers.names[at as usize],
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
    pub(super) fn reading(self, buffers: Buffers<'_>) -> Reading<'_> {
        Reading { device: self.device.of(buffers), sensor: self.sensor.of(buffers), time: self.time, value: self.value }
    }
}

/// A text as it may stand in a message: cut, and with what a terminal would not print escaped.
pub(super) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 48;
    let mut shown = String::new();
    for (at, character) in text.chars().take(CHARS_MAX + 1).enumerate() {
        match character {
            _ if at == CHARS_MAX => shown.push('…'),
            '\'' | '"' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}
