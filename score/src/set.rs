//! An immutable set of models, shared by all partitions.
//!
//! All numbers lie in two arenas, so that a million models are a few allocations and not a million. Keys are found by
//! hash once for each series; rows then use the model's index.

mod builder;

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use types::{Micros, ModelRef, Status};

use crate::kernel::{Lanes, Shape};
pub(crate) use builder::{Builder, version_of};

use crate::{Error, Feature, Kernel, Model, Step, Trained};

/// Models by key, ready to score.
#[derive(Debug)]
pub struct ModelSet {
    id: Arc<str>,
    entries: Vec<Entry>,
    lanes: Vec<Lanes>,
    /// For each model that is scaled in the usual way its means and then its scales.
    scaling: Vec<f64>,
    /// Of models that are scaled in another way.
    steps: Vec<Box<[Step]>>,
    /// The distinct feature lists; few, whatever the number of models.
    lists: Vec<Vec<Feature>>,
    by_key: HashTable<u32>,
    hasher: RandomState,
    skipped: usize,
    /// That of rows which find no model here.
    without_model: Status,
    /// When it was made or put to use, if that is known.
    published_at: Option<Micros>,
}

/// A model without its numbers.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) shape: Shape,
    pub(crate) intercept: f64,
    pub(crate) threshold: Option<f64>,
    /// Severity exists for this model.
    pub(crate) has_severity: bool,
    /// Raw features of a window.
    pub(crate) inputs: u32,
    /// Features are centred, so what is set to the training mean is known.
    pub(crate) is_centred: bool,
    /// Mean severity of this many adjacent windows is judged.
    pub(crate) smoothing: u32,
    /// The least number: unknown.
    trained_at: Micros,
    /// Index of its feature list; none: the configured one.
    list: Option<u32>,
    preparation: Preparation,
    pub(crate) reference: ModelRef,
    key: ShownKey,
    source: Arc<str>,
}

impl Entry {
    /// The verdict on a window: by its severity where the model has a threshold for it, else by the decision.
    #[inline]
    pub(crate) fn is_anomalous(&self, decision: f64, severity: Option<f64>) -> bool {
        match (self.threshold, severity) {
            (Some(threshold), Some(severity)) => severity > threshold,
            // Not strict: scikit-learn calls a decision of exactly 0 an outlier.
            _ => decision <= 0.0,
        }
    }
}

/// Where it is written what is done before the kernel.
#[derive(Debug, Clone, Copy)]
enum Preparation {
    /// `(x - mean) / scale`, from here on in `scaling`: nearly all models.
    Scaling(usize),
    Steps(u32),
}

/// How to read the reference's key back.
#[derive(Debug, Clone, Copy)]
struct ShownKey {
    device_bytes: usize,
    has_device: bool,
    has_sensor: bool,
}

/// What is done to a window's features before the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Prepared<'a> {
    /// `(x - mean) / scale`
    Scaling {
        mean: &'a [f64],
        scale: &'a [f64],
    },
    Steps(&'a [Step]),
}

/// What a listing says of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary<'a> {
    /// None: a default for every device.
    pub device: Option<&'a str>,
    /// None: for a whole device, or a default for all.
    pub sensor: Option<&'a str>,
    /// None: the model does not say; the configured list is used.
    pub features: Option<&'a [Feature]>,
    /// Raw features that it takes.
    pub inputs: usize,
    /// What the kernel sees.
    pub dimensions: usize,
    pub kernel: Kernel,
    pub support_vectors: usize,
    pub intercept: f64,
    pub threshold: Option<f64>,
    pub version: &'a str,
    pub trained_at: Option<Micros>,
    /// Memory of its numbers.
    pub bytes: usize,
    /// The file it was read from.
    pub source: &'a str,
}

// === impl ModelSet ===

impl ModelSet {
    /// The set without models: every row has the status `no_model`.
    #[must_use]
    pub fn empty() -> ModelSet {
        Builder::new().finish(0)
    }

    /// Stands in while the models cannot be loaded: every row has the status `model_unavailable`.
    #[must_use]
    pub fn unavailable() -> ModelSet {
        ModelSet { without_model: Status::ModelUnavailable, ..ModelSet::empty() }
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

    /// Of a published set the name it has in its registry. Else made from the keys and versions of its models: equal sets have
    /// equal ids, wherever they were read from.
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

    /// When it was put to use or, of plain files, when the newest was written; none if nobody said.
    #[must_use]
    pub fn published_at(&self) -> Option<Micros> {
        self.published_at
    }

    /// Whether this stands in for models that could not be loaded.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.without_model == Status::ModelUnavailable
    }

    /// What becomes of a row that no model judges.
    pub(crate) fn without_model(&self) -> Status {
        self.without_model
    }

    /// Memory of the whole set, about.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let entries: usize = self.entries.iter().map(|e| e.reference.key.len() + e.reference.version.len() + 32).sum();
        let fixed = self.entries.len() * (size_of::<Entry>() + size_of::<u64>());
        let steps: usize = self.steps.iter().map(|steps| Prepared::Steps(steps).bytes()).sum();
        (entries + fixed + steps + size_of_val(self.lanes.as_slice()) + size_of_val(self.scaling.as_slice())) as u64
    }

    /// How old the models are.
    #[must_use]
    pub fn trained(&self) -> Trained {
        Trained::of(self.entries.iter().map(Entry::trained_at))
    }

    /// The models, by device and sensor.
    pub fn iter(&self) -> impl Iterator<Item = Summary<'_>> {
        self.in_order().into_iter().map(|index| self.summary(&self.entries[index]))
    }

    /// The model of exactly this key.
    #[must_use]
    pub fn get(&self, device: Option<&str>, sensor: Option<&str>) -> Option<Summary<'_>> {
        self.find(device, sensor).map(|index| self.summary(self.entry(index)))
    }

    /// The files that models were read from.
    pub(crate) fn sources(&self) -> HashSet<&str> {
        self.entries.iter().map(|entry| &*entry.source).collect()
    }

    /// The model that judges a series or a device: its own, else the sensor's default, else the default for all.
    pub(crate) fn choose(&self, device: &str, sensor: Option<&str>) -> Option<u32> {
        let own = self.find(Some(device), sensor);
        let of_sensor = || sensor.and_then(|sensor| self.find(None, Some(sensor)));
        own.or_else(of_sensor).or_else(|| self.find(None, None))
    }

    pub(crate) fn find(&self, device: Option<&str>, sensor: Option<&str>) -> Option<u32> {
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

    #[inline]
    pub(crate) fn preparation(&self, entry: &Entry) -> Prepared<'_> {
        match entry.preparation {
            Preparation::Scaling(start) => {
                let width = entry.inputs as usize;
                let (mean, scale) = self.scaling[start..start + 2 * width].split_at(width);
                Prepared::Scaling { mean, scale }
            }
            Preparation::Steps(index) => Prepared::Steps(&self.steps[index as usize]),
        }
    }

    /// The training mean of each raw feature, where the model has them.
    pub(crate) fn centre(&self, entry: &Entry) -> Option<&[f64]> {
        match self.preparation(entry) {
            Prepared::Scaling { mean, .. } => entry.is_centred.then_some(mean),
            Prepared::Steps(steps) => match steps.first() {
                Some(Step::Subtract(mean)) => Some(mean),
                _ => None,
            },
        }
    }

    fn summary<'a>(&'a self, entry: &'a Entry) -> Summary<'a> {
        let (vectors, width) = (entry.shape.vectors as usize, entry.shape.dimensions as usize);
        Summary {
            device: entry.device(),
            sensor: entry.sensor(),
            features: self.features(entry),
            inputs: entry.inputs as usize,
            dimensions: width,
            kernel: entry.shape.kernel,
            support_vectors: vectors,
            intercept: entry.intercept,
            threshold: entry.threshold,
            version: &entry.reference.version,
            trained_at: entry.trained_at(),
            bytes: vectors.div_ceil(crate::kernel::LANES) * (width + 1) * size_of::<Lanes>()
                + self.preparation(entry).bytes(),
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
    fn device(&self) -> Option<&str> {
        self.key.has_device.then(|| &self.reference.key[..self.key.device_bytes])
    }

    fn sensor(&self) -> Option<&str> {
        self.key.has_sensor.then(|| &self.reference.key[self.key.device_bytes + 1..])
    }

    fn trained_at(&self) -> Option<Micros> {
        (self.trained_at != Micros::MIN).then_some(self.trained_at)
    }

    fn is(&self, device: Option<&str>, sensor: Option<&str>) -> bool {
        self.device() == device && self.sensor() == sensor
    }
}

impl Prepared<'_> {
    fn bytes(self) -> usize {
        match self {
            Prepared::Scaling { mean, scale } => size_of_val(mean) + size_of_val(scale),
            Prepared::Steps(steps) => steps.iter().map(|step| size_of_val(step) + step.numbers_bytes()).sum(),
        }
    }
}

fn hash(hasher: &RandomState, device: Option<&str>, sensor: Option<&str>) -> u64 {
    let mut state = hasher.build_hasher();
    // No byte of UTF-8 is 254 or 255: ("a", "bc") and ("ab", "c") differ.
    for part in [device, sensor] {
        state.write(part.unwrap_or_default().as_bytes());
        state.write_u8(if part.is_some() { 0xff } else { 0xfe });
    }
    state.finish()
}
