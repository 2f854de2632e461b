//! Collects models into a set: one after the other, or as an older set has them. A model that is refused changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use sha2::{Digest, Sha256};
use types::{Micros, ModelRef, Status};

use super::{Entry, ModelSet, Preparation, Prepared, ShownKey, hash};
use crate::kernel::Shape;
use crate::{Error, Feature, Model, ModelKey, Step, severity};

/// Collects models into a set.
#[derive(Debug)]
pub(crate) struct Builder {
    set: ModelSet,
    lists: BTreeMap<Vec<Feature>, u32>,
    /// Memory of steps, and of keys and versions.
    other_bytes: usize,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        let set = ModelSet {
            id: Arc::from(""),
            entries: Vec::new(),
            lanes: Vec::new(),
            scaling: Vec::new(),
            steps: Vec::new(),
            lists: Vec::new(),
            by_key: HashTable::new(),
            hasher: RandomState::default(),
            skipped: 0,
            without_model: Status::NoModel,
            published_at: None,
        };
        Builder { set, lists: BTreeMap::new(), other_bytes: 0 }
    }

    /// Under an id that was given to it, and put to use then.
    pub(crate) fn named(&mut self, id: Option<&str>, published_at: Option<Micros>) {
        self.set.id = Arc::from(id.unwrap_or_default());
        self.set.published_at = published_at;
    }

    /// Memory of the set so far, about.
    pub(crate) fn bytes(&self) -> u64 {
        let set = &self.set;
        let numbers = size_of_val(set.lanes.as_slice()) + size_of_val(set.scaling.as_slice());
        (numbers + size_of_val(set.entries.as_slice()) + self.other_bytes) as u64
    }

    /// Takes one model up; the set is unchanged if it is refused.
    pub(crate) fn add(&mut self, model: &Model) -> Result<(), Error> {
        model.check().map_err(|flaw| Error::Model {
            key: Box::new(model.key.clone()),
            file: model.source.clone(),
            source: Box::new(flaw),
        })?;
        let (device, sensor) = (model.key.device.as_deref(), model.key.sensor.as_deref());
        if let Some(index) = self.set.find(device, sensor) {
            return Err(Error::Twice {
                key: Box::new(model.key.clone()),
                first: self.set.entry(index).source.to_string(),
                second: model.source.clone(),
            });
        }
        let list = model.features.as_deref().map(|features| self.list(features));
        let set = &mut self.set;
        let shape = Shape::lay_down(model, &mut set.lanes);
        let preparation = set.keep_steps(model);
        let source = match set.entries.last() {
            Some(last) if *last.source == *model.source => Arc::clone(&last.source),
            _ => Arc::from(model.source.as_str()),
        };
        self.insert(Entry {
            shape,
            intercept: model.intercept,
            threshold: model.threshold.as_ref().map(|threshold| threshold.value),
            has_severity: severity::is_defined(model),
            trained_at: model.trained_at.unwrap_or(Micros::MIN),
            inputs: model.inputs() as u32,
            is_centred: model.centre().is_some(),
            smoothing: model.threshold.as_ref().map_or(1, |threshold| threshold.smoothing),
            list,
            preparation,
            reference: ModelRef { key: Arc::from(model.key.to_string()), version: Arc::from(model.version.as_str()) },
            key: ShownKey {
                device_bytes: device.map_or(1, str::len),
                has_device: device.is_some(),
                has_sensor: sensor.is_some(),
            },
            source,
        });
        Ok(())
    }

    /// Takes up the models that an older set has of the files: as they are, without reading them again.
    pub(crate) fn take_over(&mut self, older: &ModelSet, is_same: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        for entry in older.entries.iter().filter(|entry| is_same(&entry.source)) {
            if let Some(index) = self.set.find(entry.device(), entry.sensor()) {
                return Err(Error::Twice {
                    key: Box::new(ModelKey {
                        device: entry.device().map(str::to_owned),
                        sensor: entry.sensor().map(str::to_owned),
                    }),
                    first: self.set.entry(index).source.to_string(),
                    second: entry.source.to_string(),
                });
            }
            let list = older.features(entry).map(|features| self.list(features));
            let set = &mut self.set;
            let shape = entry.shape.copy(&older.lanes, &mut set.lanes);
            let preparation = match older.preparation(entry) {
                Prepared::Scaling { mean, scale } => {
                    set.scaling.extend_from_slice(mean);
                    set.scaling.extend_from_slice(scale);
                    Preparation::Scaling(set.scaling.len() - mean.len() - scale.len())
                }
                Prepared::Steps(steps) => {
                    set.steps.push(steps.into());
                    Preparation::Steps((set.steps.len() - 1) as u32)
                }
            };
            self.insert(Entry { shape, list, preparation, ..entry.clone() });
        }
        Ok(())
    }

    /// Takes an entry up whose key is new and whose numbers are there.
    fn insert(&mut self, entry: Entry) {
        if let Preparation::Steps(index) = entry.preparation {
            self.other_bytes += Prepared::Steps(&self.set.steps[index as usize]).bytes();
        }
        self.other_bytes += entry.reference.key.len() + entry.reference.version.len() + 32;
        let ModelSet { entries, by_key, hasher, .. } = &mut self.set;
        let index = u32::try_from(entries.len()).expect("a model takes far more than a byte");
        let hash_of = |entry: &Entry| hash(hasher, entry.device(), entry.sensor());
        let of_new = hash_of(&entry);
        entries.push(entry);
        by_key.insert_unique(of_new, index, |&index: &u32| hash_of(&entries[index as usize]));
    }

    pub(crate) fn finish(self, skipped: usize) -> ModelSet {
        let mut set = self.set;
        set.skipped = skipped;
        set.lanes.shrink_to_fit();
        set.scaling.shrink_to_fit();
        if !set.id.is_empty() {
            return set;
        }
        let mut sha = Sha256::new();
        for index in set.in_order() {
            let entry = &set.entries[index];
            for text in [entry.device(), entry.sensor(), Some(&*entry.reference.version)] {
                let text = text.map(str::as_bytes);
                sha.update(text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
                sha.update(text.unwrap_or_default());
            }
        }
        set.id = if set.is_empty() { Arc::from("none") } else { Arc::from(short_hex(&sha.finalize())) };
        set
    }

    fn list(&mut self, features: &[Feature]) -> u32 {
        if let Some(&list) = self.lists.get(features) {
            return list;
        }
        let list = self.set.lists.len() as u32;
        self.set.lists.push(features.to_vec());
        self.lists.insert(features.to_vec(), list);
        list
    }
}

impl ModelSet {
    /// The usual steps are kept as numbers, all others as they are.
    fn keep_steps(&mut self, model: &Model) -> Preparation {
        let (start, width) = (self.scaling.len(), model.inputs());
        let (mean, scale): (Option<&[f64]>, Option<&[f64]>) = match model.steps.as_slice() {
            [] => (None, None),
            [Step::Subtract(mean)] => (Some(mean), None),
            [Step::Divide(scale)] => (None, Some(scale)),
            [Step::Subtract(mean), Step::Divide(scale)] => (Some(mean), Some(scale)),
            steps => {
                self.steps.push(steps.into());
                return Preparation::Steps((self.steps.len() - 1) as u32);
            }
        };
        for (numbers, neutral) in [(mean, 0.0), (scale, 1.0)] {
            match numbers {
                Some(numbers) => self.scaling.extend_from_slice(numbers),
                None => self.scaling.extend(std::iter::repeat_n(neutral, width)),
            }
        }
        Preparation::Scaling(start)
    }
}

/// A version as it is shown: enough of a checksum to tell models apart, short enough to read.
pub(crate) fn version_of(bytes: &[u8]) -> String {
    short_hex(&Sha256::digest(bytes))
}

fn short_hex(digest: &[u8]) -> String {
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
