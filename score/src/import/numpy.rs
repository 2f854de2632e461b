//! numpy's arrays and numbers, decoded when a model asks for them.

use super::Refused;
use super::heap::{Array, Dtype, Heap, Id, Value};
use crate::model::NUMBERS_MAX;

/// Numbers in C order, and their shape.
#[derive(Debug, PartialEq)]
pub(super) struct Numbers {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f64>,
    /// What they were before they became double precision.
    pub(super) dtype: Dtype,
}

// === impl Numbers ===

impl Numbers {
    pub(super) fn is_double(&self) -> bool {
        (self.dtype.kind, self.dtype.size) == (b'f', 8)
    }
}

/// The tables of models have two sides. One shape may be that of many arrays, and is looked through for each.
const SIDES_MAX: usize = 4;

/// How many elements an array of this shape has.
pub(super) fn count(heap: &Heap<'_>, shape: Id) -> Option<usize> {
    let sides = heap.tuple(shape).filter(|sides| sides.len() <= SIDES_MAX)?;
    sides.iter().try_fold(1_usize, |product, &side| {
        product.checked_mul(usize::try_from(heap.int(side)?).ok()?).filter(|&product| product <= NUMBERS_MAX)
    })
}

/// Whether an array holds as much as its shape says: numpy refuses to load another, whether it is used or not.
pub(super) fn is_whole(heap: &Heap<'_>, array: &Array) -> bool {
    let &Value::Dtype(dtype) = heap.get(array.dtype) else { return false };
    let Some(count) = count(heap, array.shape) else { return false };
    match heap.get(array.data) {
        Value::List(items) => dtype.kind == b'O' && items.len() == count,
        _ => dtype.kind != b'O' && is_length(heap, array.data, count * dtype.size),
    }
}

/// Whether a number has as many bytes as its type.
pub(super) fn is_whole_number(heap: &Heap<'_>, dtype: Id, data: Id) -> bool {
    matches!(heap.get(dtype), Value::Dtype(dtype) if dtype.kind != b'O' && is_length(heap, data, dtype.size))
}

/// Of bytes that are written as text only what it takes no decoding to know: one character takes one or two bytes.
fn is_length(heap: &Heap<'_>, data: Id, length: usize) -> bool {
    match heap.get(data) {
        Value::Bytes(bytes) => bytes.len() == length,
        Value::Encoded(text) => {
            matches!(heap.get(*text), Value::Text(text) if (length..=2 * length).contains(&text.len()))
        }
        _ => false,
    }
}

/// An array of numbers.
pub(super) fn numbers(heap: &Heap<'_>, id: Id, attribute: &'static str) -> Result<Numbers, Refused> {
    let &Value::Array(Some(array)) = heap.get(id) else {
        return Err(Refused::Type { attribute, found: heap.name(id), expected: "an array" });
    };
    let shape = shape(heap, &array, attribute)?;
    let dtype = dtype(heap, array.dtype, attribute)?;
    let count = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
    let count = count
        .filter(|&count| count <= NUMBERS_MAX)
        .ok_or(Refused::TooLarge { what: "numbers in an array", max: NUMBERS_MAX })?;
    heap.look(count);
    heap.check_looks()?;
    let Some(bytes) = heap.bytes(array.data) else {
        return Err(Refused::Type { attribute, found: heap.name(array.data), expected: "the bytes of an array" });
    };
    if bytes.len() != count * dtype.size {
        return Err(Refused::Length { attribute, found: bytes.len(), expected: count * dtype.size });
    }
    let values: Option<Vec<f64>> = bytes.chunks_exact(dtype.size).map(|element| number(dtype, element)).collect();
    let values = values.ok_or_else(|| refused_dtype(attribute, dtype))?;
    let values = if array.is_fortran { c_order(&shape, &values) } else { values };
    Ok(Numbers { shape, values, dtype })
}

/// A single number: Python's or numpy's, or an array of one.
pub(super) fn number_of(heap: &Heap<'_>, id: Id, attribute: &'static str) -> Result<f64, Refused> {
    match *heap.get(id) {
        Value::Int(int) => Ok(int as f64),
        Value::Float(float) => Ok(float),
        Value::Scalar { dtype: kind, data } => {
            let kind = dtype(heap, kind, attribute)?;
            let bytes = heap.bytes(data).filter(|bytes| bytes.len() == kind.size);
            let bytes =
                bytes.ok_or(Refused::Type { attribute, found: heap.name(data), expected: "a number's bytes" })?;
            number(kind, &bytes).ok_or_else(|| refused_dtype(attribute, kind))
        }
        Value::Array(_) => match numbers(heap, id, attribute)? {
            Numbers { values, .. } if values.len() == 1 => Ok(values[0]),
            Numbers { shape, .. } => {
                Err(Refused::Shape { attribute, found: format!("{shape:?}"), expected: "[1]".into() })
            }
        },
        _ => Err(Refused::Type { attribute, found: heap.name(id), expected: "a number" }),
    }
}

/// Python's truth value, or numpy's.
pub(super) fn truth(heap: &Heap<'_>, id: Id, attribute: &'static str) -> Result<bool, Refused> {
    let truth = match *heap.get(id) {
        Value::Bool(truth) => Some(truth),
        Value::Int(0) => Some(false),
        Value::Int(1) => Some(true),
        Value::Scalar { dtype, data } => match (heap.get(dtype), heap.bytes(data).as_deref()) {
            (Value::Dtype(Dtype { kind: b'b', size: 1, .. }), Some(&[byte @ (0 | 1)])) => Some(byte == 1),
            _ => None,
        },
        _ => None,
    };
    truth.ok_or(Refused::Type { attribute, found: heap.name(id), expected: "a truth value" })
}

/// An array of texts, such as the names of a data frame's columns.
pub(super) fn texts(heap: &Heap<'_>, id: Id) -> Option<Vec<String>> {
    let &Value::Array(Some(array)) = heap.get(id) else { return None };
    let Value::List(items) = heap.get(array.data) else { return None };
    if items.len() > crate::model::FEATURES_MAX {
        return None;
    }
    items.iter().map(|&item| copied(heap, item)).collect()
}

/// A text or a whole number, Python's or numpy's, as it is written in a key.
pub(super) fn key_text(heap: &Heap<'_>, id: Id) -> Option<String> {
    match *heap.get(id) {
        Value::Int(int) => Some(int.to_string()),
        Value::Scalar { dtype, data } => {
            let &Value::Dtype(dtype) = heap.get(dtype) else { return None };
            let bytes = heap.bytes(data).filter(|bytes| bytes.len() == dtype.size)?;
            heap.look(bytes.len());
            match dtype.kind {
                b'U' => utf32(dtype, &bytes),
                b'i' | b'u' if matches!(dtype.size, 1 | 2 | 4 | 8) => whole(dtype, &bytes),
                _ => None,
            }
        }
        _ => copied(heap, id),
    }
}

fn copied(heap: &Heap<'_>, text: Id) -> Option<String> {
    let text = heap.text(text)?;
    heap.look(text.len());
    Some(text.to_owned())
}

fn shape(heap: &Heap<'_>, array: &Array, attribute: &'static str) -> Result<Vec<usize>, Refused> {
    let sides = heap.tuple(array.shape).unwrap_or_default();
    let shape: Option<Vec<usize>> = sides
        .iter()
        .take(SIDES_MAX + 1)
        .map(|&side| heap.int(side).and_then(|side| usize::try_from(side).ok()))
        .collect();
    match shape {
        Some(shape) if shape.len() <= SIDES_MAX => Ok(shape),
        _ => Err(Refused::Shape { attribute, found: "of something else".into(), expected: "an array's".into() }),
    }
}

fn dtype(heap: &Heap<'_>, id: Id, attribute: &'static str) -> Result<Dtype, Refused> {
    match *heap.get(id) {
        Value::Dtype(dtype) if matches!(dtype.kind, b'f' | b'i' | b'u') && matches!(dtype.size, 1 | 2 | 4 | 8) => {
            Ok(dtype)
        }
        Value::Dtype(dtype) => Err(refused_dtype(attribute, dtype)),
        _ => Err(Refused::Type { attribute, found: heap.name(id), expected: "an array of numbers" }),
    }
}

fn refused_dtype(attribute: &'static str, dtype: Dtype) -> Refused {
    Refused::Dtype { attribute, dtype: dtype.to_string() }
}

/// Filled up with zeros.
fn utf32(dtype: Dtype, bytes: &[u8]) -> Option<String> {
    let (chars, []) = bytes.as_chunks::<4>() else { return None };
    let chars = chars.iter().map(|&c| if dtype.is_big_endian { u32::from_be_bytes(c) } else { u32::from_le_bytes(c) });
    let text: Option<String> = chars.map(char::from_u32).collect();
    text.map(|text| text.trim_end_matches('\0').to_owned())
}

fn whole(dtype: Dtype, element: &[u8]) -> Option<String> {
    let bits = bits(dtype, element);
    Some(if dtype.kind == b'i' { extended(bits, element.len()).to_string() } else { bits.to_string() })
}

fn bits(dtype: Dtype, element: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    for (place, &byte) in element.iter().enumerate() {
        bytes[if dtype.is_big_endian { element.len() - 1 - place } else { place }] = byte;
    }
    u64::from_le_bytes(bytes)
}

/// Shifting the sign to the top and back extends it.
fn extended(bits: u64, bytes: usize) -> i64 {
    let unused = 64 - 8 * bytes as u32;
    (bits << unused) as i64 >> unused
}

fn number(dtype: Dtype, element: &[u8]) -> Option<f64> {
    let bits = bits(dtype, element);
    match (dtype.kind, dtype.size) {
        (b'f', 8) => Some(f64::from_bits(bits)),
        (b'f', 4) => Some(f64::from(f32::from_bits(bits as u32))),
        (b'i', _) => Some(extended(bits, element.len()) as f64),
        (b'u', _) => Some(bits as f64),
        _ => None,
    }
}

/// Column by column -> row by row.
fn c_order(shape: &[usize], values: &[f64]) -> Vec<f64> {
    let &[rows, columns] = shape else { return values.to_vec() };
    let mut ordered = Vec::with_capacity(values.len());
    for row in 0..rows {
        ordered.extend((0..columns).map(|column| values[column * rows + row]));
    }
    ordered
}
