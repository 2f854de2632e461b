//! An object with attributes, as all three file formats have them.

use crate::import::Refused;
use crate::import::globals::Global;
use crate::import::heap::{Heap, Id, Value};
use crate::import::numpy::{Numbers, number_of, numbers, truth};

/// Estimators have some thirty.
const ATTRIBUTES_MAX: usize = 1_000;

#[derive(Debug, Clone, Copy)]
pub(super) struct Estimator<'h, 'a> {
    pub(super) heap: &'h Heap<'a>,
    pub(super) class: Global,
    state: Option<Id>,
}

// === impl Estimator ===

impl<'h, 'a> Estimator<'h, 'a> {
    pub(super) fn new(heap: &'h Heap<'a>, id: Id) -> Result<Self, Refused> {
        let &Value::Object { class, state } = heap.get(id) else {
            return Err(Refused::Root { found: heap.name(id) });
        };
        match state.map(|state| heap.get(state)) {
            Some(Value::Dict(attributes)) if attributes.len() > ATTRIBUTES_MAX => {
                Err(Refused::TooLarge { what: "attributes of an estimator", max: ATTRIBUTES_MAX })
            }
            _ => Ok(Estimator { heap, class, state }),
        }
    }

    pub(super) fn find(&self, attribute: &str) -> Option<Id> {
        self.heap.item(self.state?, attribute)
    }

    pub(super) fn get(&self, attribute: &'static str) -> Result<Id, Refused> {
        self.find(attribute).ok_or(Refused::Missing { class: self.class.as_str(), attribute })
    }

    pub(super) fn numbers(&self, attribute: &'static str) -> Result<Numbers, Refused> {
        numbers(self.heap, self.get(attribute)?, attribute)
    }

    pub(super) fn number(&self, attribute: &'static str) -> Result<f64, Refused> {
        number_of(self.heap, self.get(attribute)?, attribute)
    }

    pub(super) fn vector(&self, attribute: &'static str) -> Result<Vec<f64>, Refused> {
        let vector = self.numbers(attribute)?;
        match vector.shape.len() {
            1 => Ok(vector.values),
            _ => Err(self.shape(attribute, &vector.shape, "a list's")),
        }
    }

    pub(super) fn flag(&self, parameter: &'static str) -> Result<bool, Refused> {
        truth(self.heap, self.get(parameter)?, parameter)
    }

    /// A parameter that older versions do not have; they do as if it were false.
    pub(super) fn flag_if_there(&self, parameter: &'static str) -> Result<bool, Refused> {
        self.find(parameter).map_or(Ok(false), |id| truth(self.heap, id, parameter))
    }

    /// An array that is used only if a parameter says so.
    pub(super) fn vector_if(
        &self,
        parameter: &'static str,
        attribute: &'static str,
    ) -> Result<Option<Vec<f64>>, Refused> {
        self.flag(parameter)?.then(|| self.vector(attribute)).transpose()
    }

    /// The private copy of an attribute, where there is one, must be the same numbers.
    pub(super) fn check_copy(&self, one: &'static str, other: &'static str, values: &[f64]) -> Result<(), Refused> {
        let Some(copy) = self.find(other) else { return Ok(()) };
        let copy = numbers(self.heap, copy, other)?;
        let is_same = copy.values.iter().map(|v| v.to_bits()).eq(values.iter().map(|v| v.to_bits()));
        if is_same { Ok(()) } else { Err(Refused::Contradiction { one, other }) }
    }

    /// The version of scikit-learn that wrote it, as far as it is worth telling apart.
    pub(super) fn version(&self) -> Option<(u32, u32)> {
        let mut numbers = self.heap.text(self.find("_sklearn_version")?)?.split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    pub(super) fn shape(&self, attribute: &'static str, found: &[usize], expected: &str) -> Refused {
        Refused::Shape { attribute, found: format!("{found:?}"), expected: expected.into() }
    }
}
