//! scikit-learn's estimators -> a model: the few attributes that its `decision_function` uses.

mod estimator;
mod steps;

use super::globals::Global;
use super::heap::{Heap, Id, Value};
use super::numpy::{key_text, texts};
use super::refused::shown;
use super::{ForeignKey, Imported, Refused};
use crate::{Kernel, Model, ModelKey, Step};

use estimator::Estimator;

/// Estimators of one pipeline, those of pipelines within it counted too.
const ESTIMATORS_MAX: usize = 16;
/// Numbers of all support vectors in a file of many models: 1 GiB of them. One object may stand under many keys.
const ALL_NUMBERS_MAX: usize = 128 << 20;

/// The model that an object of a file is.
pub(super) fn model(heap: &Heap<'_>, id: Id, key: ModelKey) -> Result<Imported, Refused> {
    let found = model_in(heap, id, key);
    heap.check_looks()?;
    found
}

fn model_in(heap: &Heap<'_>, id: Id, key: ModelKey) -> Result<Imported, Refused> {
    let Chain { transformers, svm } = chain(heap, id)?;
    // First: another kernel lays its numbers down in another way.
    let name = kernel_name(&svm)?;
    let (support_vectors, coefficients) = terms(&svm)?;
    let mut steps: Vec<Step> = Vec::new();
    for transformer in &transformers {
        let found = || Refused::Steps { found: transformer.class.as_str().into() };
        steps.extend(steps::of(transformer)?.ok_or_else(found)?);
    }
    let model = Model {
        key,
        features: None,
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
    };
    Imported::checked(model, names(transformers.first().unwrap_or(&svm))?, false)
}

/// The models of a dict, by its keys.
#[expect(clippy::type_complexity, reason = "one result for each key")]
pub(super) fn models(heap: &Heap<'_>) -> Result<Vec<(ForeignKey, Result<Imported, Refused>)>, Refused> {
    let Value::Dict(items) = heap.get(heap.root) else {
        return Err(Refused::NotMany { found: heap.name(heap.root) });
    };
    let mut numbers = 0;
    let mut models = Vec::new();
    for &(key, object) in items {
        let model = model(heap, object, ModelKey { device: None, sensor: None });
        numbers += model.as_ref().map_or(0, |found| found.model.support_vectors.len());
        if numbers > ALL_NUMBERS_MAX {
            return Err(Refused::TooLarge { what: "numbers in support vectors", max: ALL_NUMBERS_MAX });
        }
        models.push((foreign_key(heap, key)?, model));
        heap.check_looks()?;
    }
    Ok(models)
}

fn foreign_key(heap: &Heap<'_>, key: Id) -> Result<ForeignKey, Refused> {
    let refused = || Refused::Type {
        attribute: "a key of the dict",
        found: heap.name(key),
        expected: "a text, or a tuple of a device and a sensor",
    };
    match heap.tuple(key) {
        None => key_text(heap, key).map(ForeignKey::Text).ok_or_else(refused),
        Some(&[device, sensor]) => {
            let pair = key_text(heap, device).zip(key_text(heap, sensor));
            pair.map(|(device, sensor)| ForeignKey::Pair(device, sensor)).ok_or_else(refused)
        }
        Some(_) => Err(refused()),
    }
}

/// A pipeline without its steps that do nothing.
struct Chain<'h, 'a> {
    transformers: Vec<Estimator<'h, 'a>>,
    svm: Estimator<'h, 'a>,
}

fn chain<'h, 'a>(heap: &'h Heap<'a>, root: Id) -> Result<Chain<'h, 'a>, Refused> {
    match heap.get(root) {
        Value::Object { class: Global::OneClassSvm | Global::Pipeline, .. } => {}
        _ => return Err(Refused::Root { found: heap.name(root) }),
    }
    let mut flat: Vec<Id> = Vec::new();
    // To be looked at, the next one last. A pipeline may be a step of a pipeline, even of itself: that never ends.
    let (mut waiting, mut pipelines) = (vec![root], 0);
    while let Some(id) = waiting.pop() {
        if !matches!(heap.get(id), Value::Object { class: Global::Pipeline, .. }) {
            flat.push(id);
            continue;
        }
        pipelines += 1;
        let mut steps = steps_of(heap, id)?;
        if pipelines > ESTIMATORS_MAX || waiting.len() + flat.len() + steps.len() > ESTIMATORS_MAX {
            return Err(Refused::TooLarge { what: "estimators in a pipeline", max: ESTIMATORS_MAX });
        }
        steps.reverse();
        waiting.extend(steps);
    }
    let is_passed = |id: Id| matches!(heap.get(id), Value::None) || heap.text(id) == Some("passthrough");
    let is_svm = |id: Id| matches!(heap.get(id), Value::Object { class: Global::OneClassSvm, .. });
    let (last, others) = match flat.split_last() {
        Some((&last, others)) if is_svm(last) && !others.iter().any(|&id| is_svm(id)) => (last, others),
        _ => {
            let names: Vec<&str> = flat.iter().map(|&id| heap.name(id)).collect();
            return Err(Refused::Steps { found: if names.is_empty() { "none".into() } else { names.join(", ") } });
        }
    };
    let transformers = others.iter().filter(|&&id| !is_passed(id));
    let transformers = transformers.map(|&id| match heap.get(id) {
        Value::Object { .. } => Estimator::new(heap, id),
        _ => Err(Refused::Steps { found: heap.name(id).into() }),
    });
    Ok(Chain { transformers: transformers.collect::<Result<_, _>>()?, svm: Estimator::new(heap, last)? })
}

fn steps_of(heap: &Heap<'_>, pipeline: Id) -> Result<Vec<Id>, Refused> {
    let steps = Estimator::new(heap, pipeline)?.get("steps")?;
    let Value::List(steps) = heap.get(steps) else {
        return Err(Refused::Type { attribute: "steps", found: heap.name(steps), expected: "a list" });
    };
    let estimator = |&step: &Id| match heap.tuple(step) {
        Some(&[name, estimator]) if heap.text(name).is_some() => Some(estimator),
        _ => None,
    };
    let estimators: Option<Vec<Id>> = steps.iter().take(ESTIMATORS_MAX + 1).map(estimator).collect();
    estimators.ok_or(Refused::Steps { found: "not pairs of a name and an estimator".into() })
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

/// The columns that the first estimator was trained on, if it was a data frame.
fn names(first: &Estimator<'_, '_>) -> Result<Option<Vec<String>>, Refused> {
    const ATTRIBUTE: &str = "feature_names_in_";
    let Some(id) = first.find(ATTRIBUTE) else { return Ok(None) };
    let refused = Refused::Type { attribute: ATTRIBUTE, found: first.heap.name(id), expected: "an array of texts" };
    texts(first.heap, id).map(Some).ok_or(refused)
}
