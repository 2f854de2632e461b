//! joblib's files: pickles in which the bytes of an array follow the object that stands for it.
//!
//! Since 1.1 they are aligned: a byte says how many to skip. An array of objects follows as a pickle of its own.

use super::machine::Machine;
use crate::import::globals::Global;
use crate::import::heap::{Heap, Id, Value};
use crate::import::numpy;
use crate::import::{Limits, Refused};
use crate::model::NUMBERS_MAX;

/// A wrapper has six.
const ATTRIBUTES_MAX: usize = 32;

// === impl Machine ===

impl<'a> Machine<'a> {
    /// The array that a wrapper with these attributes stands for, out of the bytes that come next.
    pub(super) fn wrapped_array(&mut self, state: Id) -> Result<Value<'a>, Refused> {
        let refused = Refused::Call { name: Global::ArrayWrapper.as_str() };
        // Looked through for each array: one large dict, named again and again, would take forever.
        if matches!(self.heap.get(state), Value::Dict(items) if items.len() > ATTRIBUTES_MAX) {
            return Err(refused);
        }
        let attribute = |name| self.heap.item(state, name);
        let (Some(class), Some(shape), Some(order), Some(dtype)) =
            (attribute("subclass"), attribute("shape"), attribute("order"), attribute("dtype"))
        else {
            self.heap.check_looks()?;
            return Err(refused);
        };
        let is_aligned = match attribute("numpy_array_alignment_bytes").map(|id| self.heap.get(id)) {
            None | Some(Value::None) => false,
            Some(Value::Int(_)) => true,
            _ => return Err(refused),
        };
        let is_fortran = match self.heap.text(order) {
            Some("C") => false,
            Some("F") => true,
            _ => return Err(refused),
        };
        let &Value::Dtype(element) = self.heap.get(dtype) else { return Err(refused) };
        if self.is_inner || !matches!(self.heap.get(class), Value::Global(Global::NdArray)) {
            return Err(refused);
        }
        if element.kind == b'O' {
            return self.inner_array();
        }
        let length = self.bytes_of(shape, element.size)?;
        if is_aligned {
            let padding = self.byte()?;
            self.take(u64::from(padding))?;
        }
        let data = self.take(length)?;
        let data = self.heap.add(Value::Bytes(data))?;
        self.array(shape, dtype, is_fortran, data).map(|array| Value::Array(Some(array))).ok_or(refused)
    }

    fn bytes_of(&self, shape: Id, element_bytes: usize) -> Result<u64, Refused> {
        let count = numpy::count(&self.heap, shape);
        let count = count.ok_or(Refused::TooLarge { what: "numbers in an array", max: NUMBERS_MAX })?;
        Ok(count as u64 * element_bytes as u64)
    }

    /// A pickle within the file: nothing but one plain array.
    fn inner_array(&mut self) -> Result<Value<'a>, Refused> {
        let heap = std::mem::replace(&mut self.heap, Heap::new(Limits::default()));
        let mut inner = Machine::new(self.bytes, self.at, heap, self.steps_left);
        inner.is_inner = true;
        let root = inner.run(self.steps_left)?;
        (self.at, self.steps_left, self.heap) = (inner.at, inner.steps_left, inner.heap);
        match self.heap.get(root) {
            &Value::Array(Some(array)) => Ok(Value::Array(Some(array))),
            _ => Err(Refused::Type {
                attribute: "an array of objects",
                found: self.heap.name(root),
                expected: "an array",
            }),
        }
    }
}
