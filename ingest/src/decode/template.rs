//! The fast path: most records of a topic differ only in their scalars, so a record that the full parser has accepted
//! becomes a template of literal bytes and holes, and the next ones are compared with it instead of parsed.
//!
//! A template only ever says yes where the full parser would say the same: its literals are the bytes of a valid record
//! at the same places of the grammar, and a hole takes nothing but a plain text or a number. Whatever else turns up, the
//! full parser decides.

use types::{Micros, Reading};

use super::decoded::Text;
use super::fields::Field;
use super::json::{Span, text_stop};
use super::number;
use super::plan::{Plan, Role};

/// Records larger than this, or with more scalars, are not worth a template.
const BYTES_MAX: usize = 4096;
const HOLES_MAX: usize = 64;
/// Producers of a topic differ in a few ways: the order of fields, blanks.
const TEMPLATES_MAX: usize = 4;
/// Records between two lessons, at most: a topic where no record is like another must not pay for learning.
const PAUSE_MAX: u32 = 4096;

#[derive(Debug, Default)]
pub(super) struct Templates {
    learned: Vec<Template>,
    /// Not in use: its memory serves the next lesson.
    spare: Template,
    /// The one that fitted last.
    last: usize,
    next: usize,
    /// Records to go until the next lesson, and how long the pause after that is.
    pause: u32,
    pause_after: u32,
}

#[derive(Debug, Default)]
struct Template {
    literals: Vec<u8>,
    holes: Vec<Hole>,
    /// Where the literal after the last hole begins.
    tail: usize,
}

#[derive(Debug, Clone, Copy)]
struct Hole {
    /// The literal before it.
    start: usize,
    end: usize,
    kind: Kind,
    role: Option<Role>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
}

impl Templates {
    /// The reading of a record that is like one seen before. `OUTSIDE`: some parts may stand outside the payload; the time is given
    /// then, and the device, which is empty here, is the caller's to fill in.
    #[inline]
    pub(super) fn read<'a, const OUTSIDE: bool>(
        &mut self,
        plan: &Plan,
        record: &'a str,
        time: Option<Micros>,
    ) -> Option<Reading<'a>> {
        if let Some(reading) =
            self.learned.get(self.last).and_then(|template| template.read::<OUTSIDE>(plan, record, time))
        {
            self.pause_after = 0;
            return Some(reading);
        }
        for (at, template) in self.learned.iter().enumerate().filter(|(at, _)| *at != self.last) {
            if let Some(reading) = template.read::<OUTSIDE>(plan, record, time) {
                self.last = at;
                return Some(reading);
            }
        }
        None
    }

    /// Learns from a record that the full parser took for one reading with these fields.
    pub(super) fn learn(&mut self, plan: &Plan, record: &str, fields: &[Field; 4]) {
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        self.pause = self.pause_after;
        self.pause_after = (self.pause_after * 2 + 1).min(PAUSE_MAX);
        if self.spare.take_apart(plan, record, fields).is_none() {
            return;
        }
        if self.learned.len() < TEMPLATES_MAX {
            self.learned.push(std::mem::take(&mut self.spare));
            self.last = self.learned.len() - 1;
        } else {
            std::mem::swap(&mut self.learned[self.next], &mut self.spare);
            self.last = self.next;
            self.next = (self.next + 1) % TEMPLATES_MAX;
        }
    }
}

impl Template {
    /// Becomes the template of a valid record, or none that is of use. A quote in the record opens a text, and a digit or minus
    /// outside of texts a number.
    fn take_apart(&mut self, plan: &Plan, record: &str, fields: &[Field; 4]) -> Option<()> {
        let bytes = record.as_bytes();
        if bytes.len() > BYTES_MAX || record.starts_with('\u{feff}') {
            return None;
        }
        self.literals.clear();
        self.holes.clear();
        let mut from = 0;
        let mut at = 0;
        while at < bytes.len() {
            let (kind, start, end) = match bytes[at] {
                b'"' => {
                    let end = text_end(bytes, at + 1);
                    let after = bytes[end + 1..].iter().find(|byte| !byte.is_ascii_whitespace());
                    if after == Some(&b':') {
                        at = end + 1;
                        continue;
                    }
                    (Kind::Text, at + 1, end)
                }
                b'-' | b'0'..=b'9' => (Kind::Number, at, number::json_end(bytes, at)?),
                _ => {
                    at += 1;
                    continue;
                }
            };
            let role = Role::ALL.into_iter().find(|role| starts_at(fields[*role as usize], start));
            let literal = self.literals.len();
            self.literals.extend_from_slice(&bytes[from..start]);
            self.holes.push(Hole { start: literal, end: self.literals.len(), kind, role });
            from = end;
            at = end + usize::from(kind == Kind::Text);
        }
        self.tail = self.literals.len();
        self.literals.extend_from_slice(&bytes[from..]);
        let complete = plan.roles().all(|role| self.holes.iter().any(|hole| hole.role == Some(role)));
        (complete && self.holes.len() <= HOLES_MAX).then_some(())
    }

    #[inline]
    fn read<'a, const OUTSIDE: bool>(
        &self,
        plan: &Plan,
        record: &'a str,
        given_time: Option<Micros>,
    ) -> Option<Reading<'a>> {
        let bytes = record.as_bytes();
        let mut spans = [(Kind::Text, Span::default()); 4];
        let mut at = 0;
        for hole in &self.holes {
            let literal = &self.literals[hole.start..hole.end];
            if !bytes[at..].starts_with(literal) {
                return None;
            }
            let start = at + literal.len();
            at = match hole.kind {
                Kind::Text => text_stop(bytes, start),
                Kind::Number => number::json_end(bytes, start)?,
            };
            if let Some(role) = hole.role {
                spans[role as usize] = (hole.kind, Span::new(start, at));
            }
        }
        if bytes[at..] != self.literals[self.tail..] {
            return None;
        }

        let [(_, device), (_, sensor), (time_kind, time), (value_kind, value)] = spans;
        let id = |span: Span| {
            let text = span.of(record);
            (!text.is_empty() && text.len() <= plan.id_bytes_max).then_some(text)
        };
        let device = if OUTSIDE && plan.outside.has_device() { "" } else { id(device)? };
        let time = match (given_time, time_kind) {
            (Some(time), _) if OUTSIDE => time,
            (_, Kind::Text) => plan.time_of_text(time.of(record)).ok()?,
            (_, Kind::Number) => plan.time_of_number(time.of(record)).ok()?,
        };
        let value = match value_kind {
            Kind::Text => number::of_text(value.of(record), plan.decimal),
            Kind::Number => number::finite(value.of(record)),
        };
        Some(Reading { device, sensor: id(sensor)?, time, value: value? })
    }
}

/// The closing quote of a text whose first byte is at `at`, in a valid record.
fn text_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at = text_stop(bytes, at);
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            _ => return at,
        }
    }
}

fn starts_at(field: Field, start: usize) -> bool {
    // A text with escapes lies in the scratch, and such a record teaches nothing.
    matches!(field, Field::Number(Text::Record(span)) | Field::Text(Text::Record(span)) if span.start as usize == start)
}
