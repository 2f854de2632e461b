//! An immutable set of models, shared by all partitions.
//!
//! All numbers lie in two arenas, so that a million models are a few allocations and not a million. Keys are found by
//! hash once for each series; rows then use the model's index.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use sha2::{Digest, Sha256};
use types::ModelRef;

use crate::kernel::{Lanes, Shape};
use crate::{Error, Feature, Kernel, Model, ModelKey};

/// Models by key, ready to score.
#[derive(Debug)]
pub struct ModelSet {
    id: Arc<str>,
    entries: Vec<Entry>,
    lanes: Vec<Lanes>,
    /// For each model its means and then its scales.
    scaling: Vec<f64>,
    /// The distinct feature lists; few, whatever the number of models.
    lists: Vec<Vec<Feature>>,
    by_key: HashTable<u32>,
    hasher: RandomState,
    skipped: usize,
}

/// A model without its numbers.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) shape: Shape,
    pub(crate) intercept: f64,
    pub(crate) threshold: Option<f64>,
    /// Severity exists for this model.
    pub(crate) has_severity: bool,
    /// Features are centred, so a scaled 0 is the training mean.
    pub(crate) is_centred: bool,
    /// Index of its feature list; none: the configured one.
    list: Option<u32>,
    scaling: usize,
    pub(crate) reference: ModelRef,
    /// The device's part of the reference's key.
    device_bytes: usize,
    source: Arc<str>,
}

/// What a listing says of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary<'a> {
    pub device: &'a str,
    pub sensor: &'a str,
    /// None: the model does not say; the configured list is used.
    pub features: Option<&'a [Feature]>,
    pub dimensions: usize,
    pub kernel: Kernel,
    pub support_vectors: usize,
    pub intercept: f64,
    pub threshold: Option<f64>,
    pub version: &'a str,
    /// Memory of its numbers.
    pub bytes: usize,
    /// The file it was read from.
    pub source: &'a str,
}

/// Collects models into a set.
#[derive(Debug)]
pub(crate) struct Builder {
    set: ModelSet,
    lists: BTreeMap<Vec<u8>, u32>,
}

// === impl ModelSet ===

impl ModelSet {
    /// The set without models: every row has the status `no_model`.
    #[must_use]
    pub fn empty() -> ModelSet {
        Builder::new().finish(0)
    }

    /// # Errors
    /// If a model does not pass [`Model::check`], or two have the same key.
    pub fn from_models(models: Vec<Model>) -> Result<ModelSet, Error> {
        let mut builder = Builder::new();
        for model in &models {
            builder.add(model)?;
        }
        Ok(builder.finish(0))
    }

    /// Made from the keys and versions of its models: equal sets have equal ids, wherever they were read from.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Model files that were left out because they could not be used (`score.on_bad_model = "skip"`).
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Memory of the whole set, about.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let entries: usize = self.entries.iter().map(|e| e.reference.key.len() + e.reference.version.len() + 32).sum();
        let fixed = self.entries.len() * (size_of::<Entry>() + size_of::<u64>());
        (entries + fixed + size_of_val(self.lanes.as_slice()) + size_of_val(self.scaling.as_slice())) as u64
    }

    /// The models, by device and sensor.
    pub fn iter(&self) -> impl Iterator<Item = Summary<'_>> {
        self.in_order().into_iter().map(|index| self.summary(&self.entries[index]))
    }

    /// One series' model.
    #[must_use]
    pub fn get(&self, device: &str, sensor: &str) -> Option<Summary<'_>> {
        self.find(device, sensor).map(|index| self.summary(self.entry(index)))
    }

    pub(crate) fn find(&self, device: &str, sensor: &str) -> Option<u32> {
        let hash = hash(&self.hasher, device, sensor);
        self.by_key.find(hash, |&index| self.entry(index).is(device, sensor)).copied()
    }

    pub(crate) fn entry(&self, index: u32) -> &Entry {
        &self.entries[index as usize]
    }

    pub(crate) fn lanes(&self) -> &[Lanes] {
        &self.lanes
    }

    pub(crate) fn id_shared(&self) -> Arc<str> {
        Arc::clone(&self.id)
    }

    /// A model's own feature list, if it has one.
    pub(crate) fn features(&self, entry: &Entry) -> Option<&[Feature]> {
        entry.list.map(|list| self.lists[list as usize].as_slice())
    }

    /// A model's means and scales.
    #[inline]
    pub(crate) fn scaling(&self, entry: &Entry) -> (&[f64], &[f64]) {
        let width = entry.shape.dimensions as usize;
        self.scaling[entry.scaling..entry.scaling + 2 * width].split_at(width)
    }

    fn summary<'a>(&'a self, entry: &'a Entry) -> Summary<'a> {
        let (vectors, width) = (entry.shape.vectors as usize, entry.shape.dimensions as usize);
        Summary {
            device: entry.device(),
            sensor: entry.sensor(),
            features: self.features(entry),
            dimensions: width,
            kernel: entry.shape.kernel,
            support_vectors: vectors,
            intercept: entry.intercept,
            threshold: entry.threshold,
            version: &entry.reference.version,
            bytes: vectors.div_ceil(crate::kernel::LANES) * (width + 1) * size_of::<Lanes>() + 16 * width,
            source: &entry.source,
        }
    }

    fn in_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_unstable_by_key(|&index| (self.entries[index].device(), self.entries[index].sensor()));
        order
    }
}

// === impl Entry ===

impl Entry {
    fn device(&self) -> &str {
        &self.reference.key[..self.device_bytes]
    }

    fn sensor(&self) -> &str {
        &self.reference.key[self.device_bytes + 1..]
    }

    fn is(&self, device: &str, sensor: &str) -> bool {
        self.device() == device && self.sensor() == sensor
    }
}

// === impl Builder ===

impl Builder {
    pub(crate) fn new() -> Builder {
        let set = ModelSet {
            id: Arc::from(""),
            entries: Vec::new(),
            lanes: Vec::new(),
            scaling: Vec::new(),
            lists: Vec::new(),
            by_key: HashTable::new(),
            hasher: RandomState::default(),
            skipped: 0,
        };
        Builder { set, lists: BTreeMap::new() }
    }

    /// Takes one model up; the set is unchanged if it is refused.
    pub(crate) fn add(&mut self, model: &Model) -> Result<(), Error> {
        model.check().map_err(|flaw| Error::Model {
            key: Box::new(model.key.clone()),
            file: model.source.clone(),
            source: Box::new(flaw),
        })?;
        let ModelKey { device, sensor } = &model.key;
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
        let width = model.dimensions();
        let scaling = set.scaling.len();
        match &model.mean {
            Some(mean) => set.scaling.extend_from_slice(mean),
            None => set.scaling.extend(std::iter::repeat_n(0.0, width)),
        }
        match &model.scale {
            Some(scale) => set.scaling.extend_from_slice(scale),
            None => set.scaling.extend(std::iter::repeat_n(1.0, width)),
        }
        let source = match set.entries.last() {
            Some(last) if *last.source == *model.source => Arc::clone(&last.source),
            _ => Arc::from(model.source.as_str()),
        };
        let index = u32::try_from(set.entries.len()).expect("a model takes far more than a byte");
        set.entries.push(Entry {
            shape,
            intercept: model.intercept,
            threshold: model.threshold.as_ref().map(|threshold| threshold.value),
            has_severity: matches!(model.kernel, Kernel::Rbf { .. })
                && model.intercept < 0.0
                && model.coefficients.iter().all(|&coefficient| coefficient >= 0.0)
                && model.coefficients.iter().any(|&coefficient| coefficient > 0.0),
            is_centred: model.mean.is_some(),
            list,
            scaling,
            reference: ModelRef { key: Arc::from(model.key.to_string()), version: Arc::from(model.version.as_str()) },
            device_bytes: device.len(),
            source,
        });
        let ModelSet { entries, by_key, hasher, .. } = set;
        let rehash = |&index: &u32| {
            let entry = &entries[index as usize];
            hash(hasher, entry.device(), entry.sensor())
        };
        by_key.insert_unique(hash(hasher, device, sensor), index, rehash);
        Ok(())
    }

    pub(crate) fn finish(self, skipped: usize) -> ModelSet {
        let mut set = self.set;
        let mut sha = Sha256::new();
        for index in set.in_order() {
            let entry = &set.entries[index];
            for text in [entry.device(), entry.sensor(), &entry.reference.version] {
                sha.update((text.len() as u64).to_le_bytes());
                sha.update(text);
            }
        }
        set.id = if set.is_empty() { Arc::from("none") } else { Arc::from(short_hex(&sha.finalize())) };
        set.skipped = skipped;
        set.lanes.shrink_to_fit();
        set.scaling.shrink_to_fit();
        set
    }

    fn list(&mut self, features: &[Feature]) -> u32 {
        let names: Vec<u8> = features.iter().map(|&feature| feature as u8).collect();
        let lists = &mut self.set.lists;
        *self.lists.entry(names).or_insert_with(|| {
            lists.push(features.to_vec());
            (lists.len() - 1) as u32
        })
    }
}

/// A version as it is shown: enough of a checksum to tell models apart, short enough to read.
pub(crate) fn version_of(bytes: &[u8]) -> String {
    short_hex(&Sha256::digest(bytes))
}

fn short_hex(digest: &[u8]) -> String {
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn hash(hasher: &RandomState, device: &str, sensor: &str) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(device.as_bytes());
    // No byte of UTF-8 is 255: ("a", "bc") and ("ab", "c") differ.
    state.write_u8(0xff);
    state.write(sensor.as_bytes());
    state.finish()
}
