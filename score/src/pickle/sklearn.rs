//! scikit-learn's estimators -> a model: the few attributes that its `decision_function` uses.

use super::Refused;
use super::globals::Global;
use super::heap::{Heap, Id, Value};
use super::numpy::{number_of, numbers, texts};
use super::refused::shown;
use crate::{Feature, Kernel, Model, ModelKey, Statistic, Step};

/// The model that the pickle's root is.
pub(super) fn model(heap: &Heap<'_>, key: ModelKey) -> Result<Model, Refused> {
    let (scaler, svm) = match heap.get(heap.root) {
        Value::Object { class: Global::OneClassSvm, .. } => (None, heap.root),
        Value::Object { class: Global::Pipeline, .. } => steps(heap)?,
        _ => return Err(Refused::Root { found: heap.name(heap.root) }),
    };
    let svm = Estimator::new(heap, svm)?;
    let scaler = scaler.map(|scaler| Estimator::new(heap, scaler)).transpose()?;
    // First: another kernel lays its numbers down in another way.
    let name = kernel_name(&svm)?;
    let (support_vectors, coefficients) = terms(&svm)?;
    let steps = match &scaler {
        Some(scaler) => {
            let mean = scaler.vector_if("with_mean", "mean_")?.map(Step::Subtract);
            let scale = scaler.vector_if("with_std", "scale_")?.map(Step::Divide);
            mean.into_iter().chain(scale).collect()
        }
        None => Vec::new(),
    };
    let width = support_vectors.len() / coefficients.len().max(1);
    Ok(Model {
        key,
        features: features(scaler.as_ref().unwrap_or(&svm)).filter(|features| features.len() == width),
        steps,
        kernel: kernel(&svm, name)?,
        support_vectors,
        coefficients,
        intercept: intercept(&svm)?,
        threshold: None,
        version: String::new(),
        source: String::new(),
        trained_at: None,
        rows: None,
    })
}

/// The scaler, if there is one, and the SVM of the pipeline that is the root.
fn steps(heap: &Heap<'_>) -> Result<(Option<Id>, Id), Refused> {
    let pipeline = Estimator::new(heap, heap.root)?;
    let steps = pipeline.get("steps")?;
    let Value::List(steps) = heap.get(steps) else {
        return Err(Refused::Type { attribute: "steps", found: heap.name(steps), expected: "a list" });
    };
    let estimator = |&step: &Id| match heap.tuple(step) {
        Some(&[name, estimator]) if heap.text(name).is_some() => Some(estimator),
        _ => None,
    };
    // More steps than this are refused in any case, and are not worth a longer message.
    let estimators: Option<Vec<Id>> = steps.iter().take(8).map(estimator).collect();
    let estimators = estimators.ok_or(Refused::Steps { found: "not pairs of a name and an estimator".into() })?;
    let is_passed = |&id: &Id| matches!(heap.get(id), Value::None) || heap.text(id) == Some("passthrough");
    let at_work: Vec<Id> = estimators.into_iter().filter(|id| !is_passed(id)).collect();
    let class = |id: Id| match heap.get(id) {
        Value::Object { class, .. } => Some(*class),
        _ => None,
    };
    match *at_work {
        [svm] if class(svm) == Some(Global::OneClassSvm) => Ok((None, svm)),
        [scaler, svm] if class(scaler) == Some(Global::StandardScaler) && class(svm) == Some(Global::OneClassSvm) => {
            Ok((Some(scaler), svm))
        }
        _ => {
            let names: Vec<&str> = at_work.iter().map(|&id| heap.name(id)).collect();
            Err(Refused::Steps { found: if names.is_empty() { "none".into() } else { names.join(", ") } })
        }
    }
}

/// Support vectors one after the other, and their coefficients.
fn terms(svm: &Estimator<'_, '_>) -> Result<(Vec<f64>, Vec<f64>), Refused> {
    let vectors = svm.numbers("support_vectors_")?;
    let coefficients = svm.numbers("dual_coef_")?;
    let &[count, width] = vectors.shape.as_slice() else {
        return Err(svm.shape("support_vectors_", &vectors.shape, "a table's"));
    };
    if coefficients.shape != [1, count] {
        return Err(svm.shape("dual_coef_", &coefficients.shape, &format!("[1, {count}]")));
    }
    if count == 0 || width == 0 {
        return Err(crate::Flaw::NoSupportVectors.into());
    }
    // scikit-learn scores with the private copy; a file in which the two differ would score differently there.
    svm.check_copy("dual_coef_", "_dual_coef_", &coefficients.values)?;
    Ok((vectors.values, coefficients.values))
}

fn intercept(svm: &Estimator<'_, '_>) -> Result<f64, Refused> {
    let intercept = svm.numbers("intercept_")?;
    if intercept.shape != [1] {
        return Err(svm.shape("intercept_", &intercept.shape, "[1]"));
    }
    svm.check_copy("intercept_", "_intercept_", &intercept.values)?;
    Ok(intercept.values[0])
}

fn kernel_name<'a>(svm: &Estimator<'_, 'a>) -> Result<&'a str, Refused> {
    let named = svm.get("kernel")?;
    let Some(name) = svm.heap.text(named) else {
        return Err(Refused::Type { attribute: "kernel", found: svm.heap.name(named), expected: "a text" });
    };
    match Kernel::named(name, 0.0, 0.0, 0) {
        Some(_) => Ok(name),
        None => Err(Refused::Kernel { kernel: shown(name) }),
    }
}

fn kernel(svm: &Estimator<'_, '_>, name: &str) -> Result<Kernel, Refused> {
    // The number in use: the parameter itself may be `scale` or `auto`.
    let gamma = svm.number("_gamma")?;
    let coef0 = svm.number("coef0")?;
    let degree = svm.number("degree")?;
    let is_whole = degree.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&degree);
    if !is_whole && name == "poly" {
        return Err(Refused::Type { attribute: "degree", found: "something else", expected: "a whole number from 0" });
    }
    Kernel::named(name, gamma, coef0, degree as u32).ok_or_else(|| Refused::Kernel { kernel: shown(name) })
}

/// The model's own feature list, if its columns are named after statistics of a window.
fn features(first: &Estimator<'_, '_>) -> Option<Vec<Feature>> {
    let names = texts(first.heap, first.find("feature_names_in_")?)?;
    names.iter().map(|name| Statistic::named(name).map(Feature::from)).collect()
}

/// An object with attributes.
struct Estimator<'h, 'a> {
    heap: &'h Heap<'a>,
    class: &'static str,
    attributes: &'h [(Id, Id)],
}

// === impl Estimator ===

impl<'h, 'a> Estimator<'h, 'a> {
    fn new(heap: &'h Heap<'a>, id: Id) -> Result<Self, Refused> {
        let Value::Object { class, state } = heap.get(id) else {
            return Err(Refused::Root { found: heap.name(id) });
        };
        let attributes = match state.map(|state| heap.get(state)) {
            Some(Value::Dict(attributes)) => attributes.as_slice(),
            _ => &[],
        };
        Ok(Estimator { heap, class: class.as_str(), attributes })
    }

    /// As in Python, the last of several values for one name counts.
    fn find(&self, attribute: &str) -> Option<Id> {
        let is = |&&(key, _): &&(Id, Id)| self.heap.text(key) == Some(attribute);
        self.attributes.iter().rev().find(is).map(|&(_, value)| value)
    }

    fn get(&self, attribute: &'static str) -> Result<Id, Refused> {
        self.find(attribute).ok_or(Refused::Missing { class: self.class, attribute })
    }

    fn numbers(&self, attribute: &'static str) -> Result<super::numpy::Numbers, Refused> {
        numbers(self.heap, self.get(attribute)?, attribute)
    }

    fn number(&self, attribute: &'static str) -> Result<f64, Refused> {
        number_of(self.heap, self.get(attribute)?, attribute)
    }

    /// An array that is used only if a parameter says so.
    fn vector_if(&self, parameter: &'static str, attribute: &'static str) -> Result<Option<Vec<f64>>, Refused> {
        let flag = self.get(parameter)?;
        match self.heap.get(flag) {
            Value::Bool(false) => Ok(None),
            Value::Bool(true) => {
                let vector = self.numbers(attribute)?;
                match vector.shape.len() {
                    1 => Ok(Some(vector.values)),
                    _ => Err(self.shape(attribute, &vector.shape, "a list's")),
                }
            }
            _ => Err(Refused::Type { attribute: parameter, found: self.heap.name(flag), expected: "a truth value" }),
        }
    }

    /// The private copy of an attribute, where there is one, must be the same numbers.
    fn check_copy(&self, one: &'static str, other: &'static str, values: &[f64]) -> Result<(), Refused> {
        let Some(copy) = self.find(other) else { return Ok(()) };
        let copy = numbers(self.heap, copy, other)?;
        let is_same = copy.values.iter().map(|v| v.to_bits()).eq(values.iter().map(|v| v.to_bits()));
        if is_same { Ok(()) } else { Err(Refused::Contradiction { one, other }) }
    }

    fn shape(&self, attribute: &'static str, found: &[usize], expected: &str) -> Refused {
        Refused::Shape { attribute, found: format!("{found:?}"), expected: expected.into() }
    }
}
