//! What a file holds: values that name one another by number.
//!
//! Sharing and cycles cost nothing here, because nothing owns anything: a list that holds itself is a list that holds a
//! number. Texts and bytes stay where they are in the file.

use std::cell::Cell;
use std::collections::HashSet;

use super::globals::Global;
use super::{Limits, Refused};

/// Names, kernels, keys and orders are far shorter. One long text may stand in many places, and is not looked through in each.
const TEXT_BYTES_MAX: usize = 4_096;

/// A value's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(u32);

#[derive(Debug)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A whole number beyond 64 bits. Nothing that makes a model is one.
    Huge,
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// A text whose characters are bytes (protocol 2); decoded when it is asked for.
    Encoded(Id),
    Tuple(Box<[Id]>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// An estimator, and the dict of its attributes once it was built.
    Object {
        class: Global,
        state: Option<Id>,
    },
    Dtype(Dtype),
    Scalar {
        dtype: Id,
        data: Id,
    },
    /// None: reconstructed, but not filled yet.
    Array(Option<Array>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dtype {
    /// `f`, `i`, `u`, `b`, `O`, …
    pub(super) kind: u8,
    /// Bytes of one element.
    pub(super) size: usize,
    pub(super) is_big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Array {
    /// A tuple of whole numbers.
    pub(super) shape: Id,
    pub(super) dtype: Id,
    pub(super) is_fortran: bool,
    /// Bytes, or a list of objects.
    pub(super) data: Id,
}

/// All values of one file, and which of them it stands for.
#[derive(Debug)]
pub(super) struct Heap<'a> {
    values: Vec<Value<'a>>,
    /// What Python copied when it was used: a later change would reach what was made of it here, but not there.
    used: HashSet<Id>,
    limits: Limits,
    /// Elements that may still be looked at, shared ones each time anew.
    looks_left: Cell<usize>,
    pub(super) root: Id,
}

// === impl Dtype ===

impl std::fmt::Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", char::from(self.kind), self.size)
    }
}

// === impl Heap ===

impl<'a> Heap<'a> {
    pub(super) fn new(limits: Limits) -> Heap<'a> {
        let (values, used) = (Vec::new(), HashSet::new());
        Heap { values, used, limits, looks_left: Cell::new(limits.looks), root: Id(0) }
    }

    pub(super) fn add(&mut self, value: Value<'a>) -> Result<Id, Refused> {
        if self.values.len() >= self.limits.values {
            return Err(Refused::TooLarge { what: "values in the file", max: self.limits.values });
        }
        let id = Id(self.values.len() as u32);
        self.values.push(value);
        Ok(id)
    }

    pub(super) fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id.0 as usize]
    }

    /// None: it was used, and may not change any more.
    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Value<'a>> {
        (!self.used.contains(&id)).then(|| &mut self.values[id.0 as usize])
    }

    /// From here on nothing may change that Python would have copied to make this value.
    pub(super) fn use_parts(&mut self, value: &Value<'a>) {
        let parts = match *value {
            Value::Object { state: Some(state), .. } => [Some(state), None],
            Value::Scalar { dtype, .. } => [Some(dtype), None],
            Value::Array(Some(Array { dtype, data, .. })) => [Some(dtype), Some(data)],
            _ => [None, None],
        };
        self.used.extend(parts.into_iter().flatten());
    }

    /// Charges for elements that are looked at; when none are left, nothing is found any more.
    pub(super) fn look(&self, elements: usize) {
        self.looks_left.set(self.looks_left.get().saturating_sub(elements));
    }

    /// Asked where what was not found would be blamed on the file.
    pub(super) fn check_looks(&self) -> Result<(), Refused> {
        match self.looks_left.get() {
            0 => Err(Refused::TooLarge { what: "elements to look at in the file", max: self.limits.looks }),
            _ => Ok(()),
        }
    }

    /// A text that is no longer than texts in models are.
    pub(super) fn text(&self, id: Id) -> Option<&'a str> {
        match self.get(id) {
            Value::Text(text) if text.len() <= TEXT_BYTES_MAX => Some(text),
            // Python 2 writes its texts as bytes.
            Value::Bytes(bytes) if bytes.len() <= TEXT_BYTES_MAX => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Lengths are compared first, and nothing is decoded: a key may be huge.
    fn is_text(&self, id: Id, name: &str) -> bool {
        match self.get(id) {
            Value::Text(text) => *text == name,
            Value::Bytes(bytes) => *bytes == name.as_bytes(),
            _ => false,
        }
    }

    pub(super) fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a key in a dict; as in Python, the last of several counts.
    pub(super) fn item(&self, dict: Id, name: &str) -> Option<Id> {
        let Value::Dict(items) = self.get(dict) else { return None };
        self.look(items.len());
        self.check_looks().ok()?;
        items.iter().rev().find(|&&(key, _)| self.is_text(key, name)).map(|&(_, value)| value)
    }

    pub(super) fn int(&self, id: Id) -> Option<i64> {
        match self.get(id) {
            Value::Int(int) => Some(*int),
            Value::Bool(bool) => Some(i64::from(*bool)),
            _ => None,
        }
    }

    /// Bytes of an array or number, decoded if protocol 2 wrote them as text. A copy only in that case.
    pub(super) fn bytes(&self, id: Id) -> Option<std::borrow::Cow<'a, [u8]>> {
        match self.get(id) {
            Value::Bytes(bytes) => Some((*bytes).into()),
            Value::Encoded(text) => {
                let Value::Text(text) = self.get(*text) else { return None };
                self.look(text.len());
                let chars = text.chars();
                Some(chars.map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<Vec<u8>>>()?.into())
            }
            _ => None,
        }
    }

    /// The value as a message calls it.
    pub(super) fn name(&self, id: Id) -> &'static str {
        match self.get(id) {
            Value::None => "None",
            Value::Bool(_) => "a truth value",
            Value::Int(_) | Value::Huge | Value::Float(_) | Value::Scalar { .. } => "a number",
            Value::Text(_) => "a text",
            Value::Bytes(_) | Value::Encoded(_) => "bytes",
            Value::Tuple(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Dict(_) => "a dict",
            Value::Global(_) => "a class or function",
            Value::Object { class, .. } => class.as_str(),
            Value::Dtype(_) => "a dtype",
            Value::Array(_) => "an array",
        }
    }
}
