//! What would be calls: REDUCE, NEWOBJ and BUILD.
//!
//! They only fill in the shapes that numpy's and scikit-learn's own files have; what else they are asked to do is refused.

use super::machine::{Machine, USED};
use crate::import::Refused;
use crate::import::globals::Global;
use crate::import::heap::{Array, Dtype, Id, Value};
use crate::import::numpy;

// === impl Machine ===

impl<'a> Machine<'a> {
    pub(super) fn new_object(&mut self) -> Result<(), Refused> {
        let (arguments, class) = (self.pop()?, self.pop()?);
        let Value::Global(class) = *self.heap.get(class) else {
            return Err(self.damaged("an object of what is not a class"));
        };
        let is_made_so = class.is_estimator() || class == Global::ArrayWrapper;
        if !is_made_so || self.heap.tuple(arguments).is_none_or(|arguments| !arguments.is_empty()) {
            return Err(Refused::Call { name: class.as_str() });
        }
        self.push(Value::Object { class, state: None })
    }

    pub(super) fn reduce(&mut self) -> Result<(), Refused> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let Value::Global(callable) = *self.heap.get(callable) else {
            return Err(self.damaged("something is called that is not a name"));
        };
        let Some(arguments) = self.heap.tuple(arguments) else {
            return Err(self.damaged("arguments that are not a tuple"));
        };
        match self.reduced(callable, arguments) {
            Some(value) => {
                self.heap.use_parts(&value);
                self.push(value)
            }
            None => Err(Refused::Call { name: callable.as_str() }),
        }
    }

    /// What the allow-listed functions give for the arguments that they have in scikit-learn's files.
    fn reduced(&self, callable: Global, arguments: &[Id]) -> Option<Value<'a>> {
        let heap = &self.heap;
        let is = |id: Id, global: Global| matches!(heap.get(id), Value::Global(found) if *found == global);
        match (callable, arguments) {
            (Global::Reconstruct, &[class, _, _]) if is(class, Global::NdArray) => Some(Value::Array(None)),
            (Global::FromBuffer, &[data, dtype, shape, order]) => {
                let is_fortran = match heap.text(order)? {
                    "C" => false,
                    "F" => true,
                    _ => return None,
                };
                self.array(shape, dtype, is_fortran, data).map(|array| Value::Array(Some(array)))
            }
            (Global::Scalar, &[dtype, data]) => {
                numpy::is_whole_number(heap, dtype, data).then_some(Value::Scalar { dtype, data })
            }
            (Global::Dtype, &[name, _, _]) => dtype(heap.text(name)?).map(Value::Dtype),
            (Global::Encode, &[text, encoding]) => {
                let is_latin1 = matches!(heap.text(encoding), Some("latin1" | "latin-1"));
                (is_latin1 && matches!(heap.get(text), Value::Text(_))).then_some(Value::Encoded(text))
            }
            (Global::Bytes, &[]) => Some(Value::Bytes(&[])),
            (Global::OrderedDict, &[]) => Some(Value::Dict(Vec::new())),
            (Global::Reconstructor, &[class, base, state]) => match *heap.get(class) {
                Value::Global(class)
                    if class.is_estimator() && is(base, Global::Object) && matches!(heap.get(state), Value::None) =>
                {
                    Some(Value::Object { class, state: None })
                }
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn array(&self, shape: Id, dtype: Id, is_fortran: bool, data: Id) -> Option<Array> {
        let array = Array { shape, dtype, is_fortran, data };
        numpy::is_whole(&self.heap, &array).then_some(array)
    }

    pub(super) fn build(&mut self) -> Result<(), Refused> {
        let state = self.pop()?;
        let built = self.top()?;
        let value = match (self.heap.get(built), self.heap.get(state)) {
            (&Value::Object { class: Global::ArrayWrapper, state: None }, Value::Dict(_)) => {
                self.wrapped_array(state)?
            }
            (&Value::Object { class, state: None }, Value::Dict(_)) => Value::Object { class, state: Some(state) },
            (Value::Object { class, .. }, _) => return Err(Refused::Call { name: class.as_str() }),
            (&Value::Dtype(dtype), Value::Tuple(state)) => {
                Value::Dtype(self.dtype_state(dtype, state).ok_or(Refused::Call { name: Global::Dtype.as_str() })?)
            }
            (Value::Array(None), Value::Tuple(state)) => match **state {
                [_, shape, dtype, is_fortran, data] => {
                    let is_fortran = matches!(self.heap.get(is_fortran), Value::Bool(true));
                    let array = self.array(shape, dtype, is_fortran, data);
                    Value::Array(Some(array.ok_or(Refused::Call { name: Global::NdArray.as_str() })?))
                }
                _ => return Err(Refused::Call { name: Global::NdArray.as_str() }),
            },
            _ => return Err(self.damaged("a state is set on what has none")),
        };
        self.heap.use_parts(&value);
        match self.heap.get_mut(built) {
            Some(built) => *built = value,
            None => return Err(self.damaged(USED)),
        }
        Ok(())
    }

    /// `(version, byte order, subdtype, names, fields, …)`: only plain elements are read.
    fn dtype_state(&self, dtype: Dtype, state: &[Id]) -> Option<Dtype> {
        let &[_, order, subdtype, names, fields, ..] = state else { return None };
        let is_plain = [subdtype, names, fields].iter().all(|&id| matches!(self.heap.get(id), Value::None));
        let is_big_endian = match self.heap.text(order)? {
            "<" | "|" | "=" => false,
            ">" => true,
            _ => return None,
        };
        is_plain.then_some(Dtype { is_big_endian, ..dtype })
    }
}

/// `f8`, `i4`, `O8`, `U12`, `b1`: a letter and the bytes of an element.
fn dtype(name: &str) -> Option<Dtype> {
    let (kind, size) = name.split_at_checked(1)?;
    let kind = kind.as_bytes()[0];
    if !kind.is_ascii_alphabetic() || size.is_empty() || size.len() > 6 {
        return None;
    }
    let size: usize = size.parse().ok()?;
    // Of texts the characters are counted, each of four bytes.
    Some(Dtype { kind, size: if kind == b'U' { 4 * size } else { size }, is_big_endian: false })
}
