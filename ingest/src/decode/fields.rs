//! The rules of a reading's four parts, the same for JSON and CSV: what a field may hold, and what is said if it does not.

use types::{Micros, Reason};

use super::decoded::{Buffers, Reject, Text, shown};
use super::number;
use super::plan::{Plan, Role};

/// What a record holds in a wanted field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Field {
    #[default]
    Absent,
    Null,
    Bool,
    Number(Text),
    Text(Text),
    /// A text whose escapes make no text: half a surrogate pair.
    Broken,
    Array,
    Object,
}

impl Field {
    fn noun(self) -> &'static str {
        match self {
            Field::Absent => "absent",
            Field::Null => "null",
            Field::Bool => "a boolean",
            Field::Number(_) => "a number",
            Field::Text(_) | Field::Broken => "a text",
            Field::Array => "an array",
            Field::Object => "an object",
        }
    }
}

/// A device id or a sensor's name.
pub(super) fn id(plan: &Plan, role: Role, field: Field, buffers: &Buffers<'_>) -> Result<Text, Reject> {
    if role == Role::Device && plan.outside.has_device() {
        return Ok(Text::Device);
    }
    let (Field::Number(text) | Field::Text(text)) = field else {
        return Err(unusable(field, &plan.name(role), "a text"));
    };
    match text.of(buffers).len() {
        0 => Err(Reject::new(Reason::MissingField, format!("`{}` is empty", shown(&plan.name(role))))),
        length if length > plan.id_bytes_max => Err(too_long(plan, &plan.name(role), length)),
        _ => Ok(text),
    }
}

pub(super) fn time(plan: &Plan, field: Field, buffers: &Buffers<'_>) -> Result<Micros, Reject> {
    let (text, read) = match field {
        Field::Number(text) => (text.of(buffers), plan.time_of_number(text.of(buffers))),
        Field::Text(text) => (text.of(buffers), plan.time_of_text(text.of(buffers))),
        _ => return Err(unusable(field, &plan.name(Role::Time), "a time")),
    };
    read.map_err(|fault| {
        let name = plan.name(Role::Time);
        Reject::new(Reason::BadTime, format!("`{}` is `{}`: {fault}", shown(&name), shown(text)))
    })
}

/// The value in the field of this name.
#[inline]
pub(super) fn value(plan: &Plan, name: &str, field: Field, buffers: &Buffers<'_>) -> Result<f64, Reject> {
    let read = match field {
        Field::Number(text) => number::finite(text.of(buffers)),
        Field::Text(text) => number::of_text(text.of(buffers), plan.decimal),
        _ => None,
    };
    read.ok_or_else(|| no_value(plan, name, field, buffers))
}

/// Apart, so that values do not pay for what is said of others.
#[cold]
fn no_value(plan: &Plan, name: &str, field: Field, buffers: &Buffers<'_>) -> Reject {
    let (Field::Number(text) | Field::Text(text)) = field else {
        let mut reject = unusable(field, name, "a number");
        if plan.takes_all() && reject.reason == Reason::WrongType {
            // One reason for all that is no number, so that words and truth values by turns are one run in quarantine.
            reject.reason = Reason::BadValue;
            reject.detail.push_str(NO_SENSOR);
        }
        return reject;
    };
    let text = text.of(buffers);
    let other_mark = if plan.decimal == b'.' { b',' } else { b'.' };
    let advice = match number::of_text(text, other_mark) {
        Some(_) if plan.decimal == b'.' => "; with a decimal comma? set `decimal = \",\"`",
        Some(_) => "; `decimal` is `,`",
        None if plan.takes_all() => NO_SENSOR,
        None => "",
    };
    let detail = format!("`{}` is `{}`: not a finite number{advice}", shown(name), shown(text));
    Reject::new(Reason::BadValue, detail)
}

/// What is said of a field that is a sensor only because nobody said which ones are.
const NO_SENSOR: &str = "; no sensor? name it in `ignore`, or list `sensors`";

/// Whether there is nothing in the field of a sensor.
pub(super) fn is_empty(field: Field, buffers: &Buffers<'_>) -> bool {
    match field {
        Field::Null => true,
        Field::Text(text) => text.of(buffers).bytes().all(|byte| matches!(byte, b' ' | b'\t')),
        _ => false,
    }
}

pub(super) fn too_long(plan: &Plan, name: &str, length: usize) -> Reject {
    let detail = format!("`{}` has {length} bytes, more than {}", shown(name), plan.id_bytes_max);
    Reject::new(Reason::IdTooLong, detail)
}

fn unusable(field: Field, name: &str, wanted: &str) -> Reject {
    let name = shown(name);
    match field {
        Field::Absent => Reject::new(Reason::MissingField, format!("`{name}` is absent")),
        Field::Null => Reject::new(Reason::MissingField, format!("`{name}` is null")),
        Field::Broken => Reject::new(Reason::InvalidJson, format!("`{name}` holds half of a surrogate pair")),
        _ => Reject::new(Reason::WrongType, format!("`{name}` is {}, not {wanted}", field.noun())),
    }
}
