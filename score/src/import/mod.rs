//! Files of scikit-learn models, read as data: pickle, joblib, skops, ONNX.
//!
//! What a file is is told from its bytes (`format`), never from its name. Pickle, joblib and skops files become inert
//! values (`pickle`, `skops`, `heap`): numbers, texts, lists and a fixed list of classes (`globals`), of which none can do
//! anything. `sklearn` looks up in them the few attributes that its `decision_function` uses. An ONNX file is a graph
//! (`onnx`) of which only the shape that a one-class SVM has is taken. Every name, class or operator that is not on a list
//! is refused with its name; nothing recurses without a bound, and every amount has one, so a small file cannot grow.

mod format;
mod globals;
mod heap;
mod inflate;
mod numpy;
mod onnx;
mod pickle;
mod refused;
mod sklearn;
mod skops;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::{Feature, Model, ModelKey};

pub use refused::Refused;

use format::Format;

/// Largest file of one model that is looked at.
pub const BYTES_MAX: usize = 64 << 20;
/// Largest file of many models.
pub const MANY_BYTES_MAX: usize = 1 << 30;

/// A model out of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// It has passed [`Model::check`]; version and source are the caller's to fill in. Its features are there if every name in the file
    /// is a feature.
    pub model: Model,
    /// The columns it was trained on, as the file has them.
    pub names: Option<Vec<String>>,
    /// The file holds single-precision numbers (ONNX): decisions agree with scikit-learn's to about seven digits.
    pub is_float32: bool,
}

/// What a model is filed under in a file of many.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ForeignKey {
    Text(String),
    Pair(String, String),
}

/// What a reader may build of a file.
#[derive(Debug, Clone, Copy, Default)]
struct Limits {
    values: usize,
    steps: usize,
    bytes: usize,
    /// Keys, numbers and characters that are looked at: what is shared is looked at again wherever it is named.
    looks: usize,
}

/// Real models take some hundred values. With these a reader stays below some 100 MB.
const ONE: Limits = Limits { values: 1_000_000, steps: 4_000_000, bytes: BYTES_MAX, looks: 50_000_000 };
const MANY: Limits = Limits { values: 64_000_000, steps: 256_000_000, bytes: MANY_BYTES_MAX, looks: 2_000_000_000 };

/// Reads a file that holds one one-class SVM, alone or as the last step of a pipeline.
///
/// # Errors
/// Says what is not supported or not right.
pub fn read(bytes: &[u8], key: ModelKey) -> Result<Imported, Refused> {
    at_most(bytes, ONE)?;
    match format::of(bytes)? {
        Format::Onnx => onnx::read(bytes, key),
        Format::Skops => skops::read(bytes, key),
        Format::Pickle => of_pickle(bytes, key),
        Format::Compressed(compression) => of_pickle(&unpacked(compression, bytes, ONE)?, key),
    }
}

/// Reads a pickle or joblib file that holds a dict of models, in the dict's order. The models' keys are the caller's to fill in.
///
/// # Errors
/// If the file is not such a dict; what is wrong with a single model stands beside its key.
#[expect(clippy::type_complexity, reason = "one result for each key")]
pub fn read_many(bytes: &[u8]) -> Result<Vec<(ForeignKey, Result<Imported, Refused>)>, Refused> {
    at_most(bytes, MANY)?;
    match format::of(bytes)? {
        Format::Onnx | Format::Skops => Err(Refused::Format { format: "a file of one model" }),
        Format::Pickle => sklearn::models(&pickle::run(bytes, MANY)?),
        Format::Compressed(compression) => {
            let unpacked = unpacked(compression, bytes, MANY)?;
            sklearn::models(&pickle::run(&unpacked, MANY)?)
        }
    }
}

fn of_pickle(bytes: &[u8], key: ModelKey) -> Result<Imported, Refused> {
    let heap = pickle::run(bytes, ONE)?;
    sklearn::model(&heap, heap.root, key)
}

/// Only pickles are ever compressed as a whole.
fn unpacked(compression: format::Compression, bytes: &[u8], limits: Limits) -> Result<Vec<u8>, Refused> {
    let unpacked = inflate::unpack(compression, bytes, limits.bytes)?;
    match format::of(&unpacked)? {
        Format::Pickle => Ok(unpacked),
        _ => Err(Refused::Format { format: "packed twice" }),
    }
}

fn at_most(bytes: &[u8], limits: Limits) -> Result<(), Refused> {
    if bytes.len() > limits.bytes {
        return Err(Refused::TooLarge { what: "bytes in the file", max: limits.bytes });
    }
    Ok(())
}

// === impl Imported ===

impl Imported {
    /// Checks what a reader found, and takes names that are features as such.
    fn checked(mut model: Model, names: Option<Vec<String>>, is_float32: bool) -> Result<Imported, Refused> {
        model.check()?;
        if let Some(found) = names.as_ref().map(Vec::len).filter(|&found| found != model.inputs()) {
            let expected = format!("[{}]", model.inputs());
            return Err(Refused::Shape { attribute: "feature_names_in_", found: format!("[{found}]"), expected });
        }
        let features = names.iter().flatten().map(|name| name.parse::<Feature>().ok());
        model.features = features.collect::<Option<Vec<Feature>>>().filter(|_| names.is_some());
        model.check()?;
        Ok(Imported { model, names, is_float32 })
    }

    /// The model, with its columns named as features: by `translation` where that has the name, else as they are.
    ///
    /// # Errors
    /// If a name is no feature: what the model would be scored with is then not known.
    pub(crate) fn named_by(self, translation: &BTreeMap<String, Feature>) -> Result<Model, Refused> {
        let Imported { mut model, names, .. } = self;
        if let Some(names) = names {
            let feature = |name: &String| match translation.get(name) {
                Some(feature) => Ok(feature.clone()),
                None => name.parse().map_err(|_| Refused::Name { name: refused::shown(name) }),
            };
            model.features = Some(names.iter().map(feature).collect::<Result<_, _>>()?);
            model.check()?;
        }
        Ok(model)
    }
}
