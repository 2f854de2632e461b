//! numpy's arrays and numbers, decoded when a model asks for them.

use super::Refused;
use super::heap::{Array, Dtype, Heap, Id, Value};
use crate::model::NUMBERS_MAX;

/// Numbers in C order, and their shape.
#[derive(Debug, PartialEq)]
pub(super) struct Numbers {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f64>,
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
    let Some(bytes) = heap.bytes(array.data) else {
        return Err(Refused::Type { attribute, found: heap.name(array.data), expected: "the bytes of an array" });
    };
    if bytes.len() != count * dtype.size {
        return Err(Refused::Length { attribute, found: bytes.len(), expected: count * dtype.size });
    }
    let values: Option<Vec<f64>> = bytes.chunks_exact(dtype.size).map(|element| number(dtype, element)).collect();
    let values = values.ok_or_else(|| refused_dtype(attribute, dtype))?;
    let values = if array.is_fortran { c_order(&shape, &values) } else { values };
    Ok(Numbers { shape, values })
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

/// An array of texts, such as the names of a data frame's columns.
pub(super) fn texts(heap: &Heap<'_>, id: Id) -> Option<Vec<String>> {
    let &Value::Array(Some(array)) = heap.get(id) else { return None };
    let Value::List(items) = heap.get(array.data) else { return None };
    if items.len() > crate::model::FEATURES_MAX {
        return None;
    }
    items.iter().map(|&item| heap.text(item).map(str::to_owned)).collect()
}

fn shape(heap: &Heap<'_>, array: &Array, attribute: &'static str) -> Result<Vec<usize>, Refused> {
    const SIDES_MAX: usize = 4;
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
    Refused::Dtype { attribute, dtype: format!("{}{}", char::from(dtype.kind), dtype.size) }
}

fn number(dtype: Dtype, element: &[u8]) -> Option<f64> {
    let mut bytes = [0; 8];
    for (place, &byte) in element.iter().enumerate() {
        bytes[if dtype.is_big_endian { element.len() - 1 - place } else { place }] = byte;
    }
    let bits = u64::from_le_bytes(bytes);
    // Shifting the sign to the top and back extends it.
    let unused = 64 - 8 * element.len() as u32;
    match (dtype.kind, dtype.size) {
        (b'f', 8) => Some(f64::from_bits(bits)),
        (b'f', 4) => Some(f64::from(f32::from_bits(bits as u32))),
        (b'i', _) => Some(((bits << unused) as i64 >> unused) as f64),
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
