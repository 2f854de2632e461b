//! Models from a place in an object store: a listing, many reads at a time, one set.
//!
//! What a folder holds is told from its names: `.parquet` is a registry, what fits the template is a scikit-learn file.
//! A model that cannot be used stops the load unless the configuration says otherwise: a fleet that silently lost some
//! of its watchers would look healthy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tracing::warn;

use crate::find::{Found, Part};
use crate::registry::{FileEntry, Known};
use crate::set::version_of;
use crate::{Config, Error, Model, ModelKey, ModelSet, OnBadModel, Place, fit, import, metrics, registry};

/// Files read at the same time.
const READS: usize = 32;
/// Registry files read at the same time; each is some 50 MB.
const REGISTRY_READS: usize = 4;
const REGISTRY_BYTES_MAX: u64 = 2 << 30;
/// Files that could not be used are logged by name up to this many; all are counted.
const LOGGED_MAX: usize = 20;

/// Is told the files done, and the files in all.
pub(crate) type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Reads all models at `location` into a set; without a location, or with nothing configured, the set is empty.
/// `progress` is told the files done and the files in all.
///
/// # Errors
/// If the store fails, the names do not give keys, no model is there, or one cannot be used.
pub async fn load(
    config: &Config,
    location: Option<(Arc<dyn ObjectStore>, Path)>,
    progress: Progress<'_>,
) -> Result<Arc<ModelSet>, Error> {
    let empty = ModelSet::empty();
    let Some((store, prefix)) = location.filter(|_| !config.models.is_empty()) else { return Ok(Arc::new(empty)) };
    let loaded = Place::new(config.clone(), store, prefix).newer(&empty, None, progress).await?;
    Ok(loaded.unwrap_or_else(|| Arc::new(empty)))
}

/// The same models as plain numbers, to be written elsewhere.
///
/// # Errors
/// As [`load`], but two models of one key are not looked for.
pub async fn read_models(
    config: &Config,
    location: Option<(Arc<dyn ObjectStore>, Path)>,
    progress: Progress<'_>,
) -> Result<Vec<Model>, Error> {
    let mut models = Vec::new();
    let mut take = |model| {
        models.push(model);
        Ok(())
    };
    read_each(config, location, progress, &mut take).await?;
    Ok(models)
}

/// The model whose key is shown so, as plain numbers; none if there is none. All are read, one is kept.
///
/// # Errors
/// As [`read_models`].
pub async fn read_model(
    config: &Config,
    location: Option<(Arc<dyn ObjectStore>, Path)>,
    key: &str,
) -> Result<Option<Model>, Error> {
    let mut found = None;
    let mut take = |model: Model| {
        if found.is_none() && model.key.to_string() == key {
            found = Some(model);
        }
        Ok(())
    };
    read_each(config, location, &|_, _| (), &mut take).await?;
    Ok(found)
}

async fn read_each(
    config: &Config,
    location: Option<(Arc<dyn ObjectStore>, Path)>,
    progress: Progress<'_>,
    take: Take<'_>,
) -> Result<(), Error> {
    let Some((store, prefix)) = location.filter(|_| !config.models.is_empty()) else { return Ok(()) };
    let loader = Loader::new(config, store, prefix, progress);
    loader.within_time(async { loader.load_found(loader.find().await?, take).await }).await.map(drop)
}

/// What becomes of each model; an error is that model's, and may be skipped.
pub(crate) type Take<'a> = &'a mut (dyn FnMut(Model) -> Result<(), Error> + Send);

pub(crate) struct Loader<'a> {
    pub(crate) config: &'a Config,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
    progress: Progress<'a>,
    /// One file of a registry after the other: whoever scores meanwhile comes first.
    pub(crate) is_background: bool,
    pub(crate) done: AtomicUsize,
    pub(crate) total: AtomicUsize,
}

// === impl Loader ===

impl<'a> Loader<'a> {
    pub(crate) fn new(config: &'a Config, store: Arc<dyn ObjectStore>, prefix: Path, progress: Progress<'a>) -> Self {
        let (done, total) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Loader { config, store, prefix, progress, is_background: false, done, total }
    }
}

impl Loader<'_> {
    pub(crate) async fn within_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let limit = self.config.load_timeout;
        tokio::time::timeout(limit.duration(), work).await.unwrap_or_else(|_| {
            let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
            Err(Error::Timeout { limit, done, total })
        })
    }

    /// That the place holds models, of one kind.
    pub(crate) fn check_place(&self, found: &Found) -> Result<(), Error> {
        let place = || self.config.models.clone();
        let example = || found.example.as_ref().map(|name| format!(", for example `{name}` does not"));
        match (found.parts.first(), found.files.first()) {
            (Some(registry), Some((_, file))) => Err(Error::Mixed {
                place: place(),
                registry: self.shown(&registry.location),
                file: self.shown(&file.location),
            }),
            (None, None) => Err(Error::NoModels {
                place: place(),
                template: self.config.template().to_owned(),
                files: found.others,
                example: example().unwrap_or_default(),
            }),
            _ => Ok(()),
        }
    }

    /// How many files or models were skipped.
    pub(crate) async fn load_found(&self, found: Found, take: Take<'_>) -> Result<usize, Error> {
        self.check_place(&found)?;
        if found.files.is_empty() {
            return self.load_registry(found.parts, take).await;
        }
        if found.others > 0 && self.config.mapping.is_empty() {
            warn!(files = found.others, example = found.example, "files beside the models do not fit `score.template`");
        }
        self.load_files(found.files, take).await
    }

    async fn load_files(&self, files: Vec<(ModelKey, ObjectMeta)>, take: Take<'_>) -> Result<usize, Error> {
        self.expect(files.len());
        let mut skipped = 0;
        let mut models = futures::stream::iter(files).map(|(key, meta)| self.read_file(key, meta)).buffered(READS);
        while let Some(model) = models.next().await {
            self.skip_or_fail(model.and_then(&mut *take), &mut skipped)?;
            self.did_one();
        }
        Ok(skipped)
    }

    pub(crate) async fn read_file(&self, key: ModelKey, meta: ObjectMeta) -> Result<Model, Error> {
        let file = self.shown(&meta.location);
        if meta.size > import::BYTES_MAX as u64 {
            return Err(Error::FileSize { file, bytes: meta.size, max: import::BYTES_MAX as u64 });
        }
        let bytes = self.get(&meta.location).await?;
        let read = import::read(&bytes, key).and_then(|imported| imported.named_by(&self.config.feature_names));
        let mut model = read.map_err(|refused| Error::File { file, source: Box::new(refused) })?;
        model.version = version_of(&bytes);
        model.source = meta.location.to_string();
        fit::check(self.config, &model)?;
        Ok(model)
    }

    async fn load_registry(&self, files: Vec<Part>, take: Take<'_>) -> Result<usize, Error> {
        self.expect(files.len());
        let mut skipped = 0;
        let reads = if self.is_background { 1 } else { REGISTRY_READS };
        let mut parts = futures::stream::iter(files).map(|part| self.read_registry(part)).buffered(reads);
        while let Some(part) = parts.next().await {
            match part {
                Ok(models) => {
                    for model in models {
                        let taken = fit::check(self.config, &model).and_then(|()| take(model));
                        self.skip_or_fail(taken, &mut skipped)?;
                    }
                }
                Err(error) => self.skip_or_fail(Err(error), &mut skipped)?,
            }
            self.did_one();
        }
        Ok(skipped)
    }

    async fn read_registry(&self, part: Part) -> Result<Vec<Model>, Error> {
        let file = self.shown(&part.location);
        if part.bytes > REGISTRY_BYTES_MAX {
            return Err(Error::FileSize { file, bytes: part.bytes, max: REGISTRY_BYTES_MAX });
        }
        let bytes = self.get(&part.location).await?;
        let decoded = on_own_thread(move || decode(bytes, part.entry.as_ref())).await;
        let models = decoded.unwrap_or(Err(registry::Broken::Decoder));
        let mut models = models.map_err(|broken| Error::Registry { file, source: Box::new(broken) })?;
        models.iter_mut().for_each(|model| model.source = part.location.to_string());
        Ok(models)
    }

    pub(crate) async fn get(&self, location: &Path) -> Result<bytes::Bytes, Error> {
        let read = async { self.store.get(location).await?.bytes().await };
        read.await.map_err(|source| Error::Store { action: "read", place: self.shown(location), source })
    }

    /// As somebody who named the place would write it: the store's own names have no slash before a folder's.
    pub(crate) fn shown(&self, location: &Path) -> String {
        let place = self.config.models.trim_end_matches('/');
        match location.prefix_match(&self.prefix) {
            Some(parts) if !self.config.models.is_empty() => {
                parts.fold(place.to_owned(), |shown, part| format!("{shown}/{}", part.as_ref()))
            }
            _ => location.to_string(),
        }
    }

    pub(crate) fn failed(&self, action: &'static str, source: object_store::Error) -> Error {
        Error::Store { action, place: self.config.models.clone(), source }
    }

    /// Counts what may be skipped; anything else is the load's failure.
    fn skip_or_fail(&self, outcome: Result<(), Error>, skipped: &mut usize) -> Result<(), Error> {
        let Err(error) = outcome else { return Ok(()) };
        let of_one_file =
            matches!(error, Error::File { .. } | Error::Model { .. } | Error::FileSize { .. } | Error::Registry { .. });
        if !of_one_file || self.config.on_bad_model == OnBadModel::Refuse {
            return Err(error);
        }
        *skipped += 1;
        log_skipped(&error, *skipped);
        Ok(())
    }

    fn expect(&self, total: usize) {
        self.total.store(total, Ordering::Relaxed);
        (self.progress)(0, total);
    }

    fn did_one(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        (self.progress)(done, self.total.load(Ordering::Relaxed));
    }
}

/// Decoding takes far longer than a runtime's thread may be kept from its other work, and a thread of its own has the priority of whoever
/// loads. None if it panicked: the Parquet library may on a damaged file, which must not end the service.
async fn on_own_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, answer) = tokio::sync::oneshot::channel();
    let run = move || _ = done.send(work());
    std::thread::Builder::new().name("decode".into()).spawn(run).ok()?;
    answer.await.ok()
}

/// A file that fits its manifest is as it was written: only then are its rows not looked at one by one.
fn decode(bytes: bytes::Bytes, entry: Option<&FileEntry>) -> Result<Vec<Model>, registry::Broken> {
    let known = match entry {
        Some(entry) => {
            entry.check(&bytes)?;
            Known { version: true, bytes: true }
        }
        None => Known::default(),
    };
    registry::read_known(bytes, known)
}

pub(crate) fn log_skipped(error: &Error, skipped: usize) {
    metrics::file_skipped();
    let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    match skipped {
        ..=LOGGED_MAX => warn!(%error, reason, "model file left out"),
        n if n == LOGGED_MAX + 1 => warn!("further model files left out are only counted"),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
