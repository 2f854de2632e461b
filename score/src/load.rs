//! Models from a place in an object store: a listing, many reads at a time, one set.
//!
//! What a folder holds is told from its names: `.parquet` is a registry, what fits the template is a scikit-learn file.
//! A model that cannot be used stops the load unless the configuration says otherwise: a fleet that silently lost some
//! of its watchers would look healthy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tracing::{info, warn};

use crate::set::{Builder, version_of};
use crate::template::Template;
use crate::{Config, Error, Model, ModelKey, ModelSet, OnBadModel, fit, import, metrics, registry};

/// Files read at the same time.
const READS: usize = 32;
/// Registry files read at the same time; each is some 50 MB.
const REGISTRY_READS: usize = 4;
const REGISTRY_BYTES_MAX: u64 = 2 << 30;
/// Files that could not be used are logged by name up to this many; all are counted.
const LOGGED_MAX: usize = 20;

/// Reads all models at `location` into a set; without a location, or with nothing configured, the set is empty.
/// `progress` is told the files done and the files in all.
///
/// # Errors
/// If the store fails, the names do not give keys, no model is there, or one cannot be used.
pub async fn load(
    config: &Config,
    location: Option<(Arc<dyn ObjectStore>, Path)>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Arc<ModelSet>, Error> {
    let began = Instant::now();
    let mut builder = Builder::new();
    let skipped = load_each(config, location, progress, &mut |model| builder.add(&model)).await?;
    let set = builder.finish(skipped);
    let seconds = began.elapsed().as_secs_f64();
    metrics::models_loaded(set.len(), set.bytes(), seconds);
    metrics::models_trained(&set.trained());
    info!(models = set.len(), skipped, bytes = set.bytes(), set = set.id(), seconds, "models loaded");
    Ok(Arc::new(set))
}

/// The same models as plain numbers, to be written elsewhere.
///
/// # Errors
/// As [`load`], but two models of one key are not looked for.
pub async fn read_models(
    config: &Config,
    location: Option<(Arc<dyn ObjectStore>, Path)>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Model>, Error> {
    let mut models = Vec::new();
    let mut take = |model| {
        models.push(model);
        Ok(())
    };
    load_each(config, location, progress, &mut take).await?;
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
    load_each(config, location, &|_, _| (), &mut take).await?;
    Ok(found)
}

/// What becomes of each model; an error is that model's, and may be skipped.
type Take<'a> = &'a mut (dyn FnMut(Model) -> Result<(), Error> + Send);

/// How many files or models were skipped.
async fn load_each(
    config: &Config,
    location: Option<(Arc<dyn ObjectStore>, Path)>,
    progress: &(dyn Fn(usize, usize) + Sync),
    take: Take<'_>,
) -> Result<usize, Error> {
    let Some((store, prefix)) = location.filter(|_| !config.models.is_empty()) else { return Ok(0) };
    let loader = Loader { config, store, prefix, progress, done: AtomicUsize::new(0), total: AtomicUsize::new(0) };
    let limit = config.load_timeout;
    tokio::time::timeout(limit.duration(), loader.load(take)).await.unwrap_or_else(|_| {
        let (done, total) = (loader.done.load(Ordering::Relaxed), loader.total.load(Ordering::Relaxed));
        Err(Error::Timeout { limit, done, total })
    })
}

struct Loader<'a> {
    config: &'a Config,
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    progress: &'a (dyn Fn(usize, usize) + Sync),
    done: AtomicUsize,
    total: AtomicUsize,
}

/// What a listing holds.
#[derive(Default)]
struct Found {
    registry: Vec<ObjectMeta>,
    files: Vec<(ModelKey, ObjectMeta)>,
    /// Names that are neither.
    others: usize,
    example: Option<String>,
}

// === impl Loader ===

impl Loader<'_> {
    async fn load(&self, take: Take<'_>) -> Result<usize, Error> {
        let found = self.find().await?;
        let place = || self.config.models.clone();
        match (found.registry.first(), found.files.first()) {
            (Some(registry), Some((_, file))) => Err(Error::Mixed {
                place: place(),
                registry: registry.location.to_string(),
                file: file.location.to_string(),
            }),
            (None, None) => Err(Error::NoModels {
                place: place(),
                template: self.config.template.clone(),
                files: found.others,
                example: found.example.map(|name| format!(", for example `{name}` does not")).unwrap_or_default(),
            }),
            (Some(_), None) => self.load_registry(found.registry, take).await,
            (None, Some(_)) => {
                if found.others > 0 {
                    warn!(
                        files = found.others,
                        example = found.example,
                        "files beside the models do not fit `score.template`"
                    );
                }
                self.load_files(found.files, take).await
            }
        }
    }

    async fn find(&self) -> Result<Found, Error> {
        let template = Template::parse(&self.config.template)?;
        let mut found = Found::default();
        let mut listing = self.store.list(Some(&self.prefix));
        while let Some(meta) = listing.try_next().await.map_err(|source| self.failed("list", source))? {
            let Some(parts) = meta.location.prefix_match(&self.prefix) else { continue };
            let name = parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
            if name.ends_with(".parquet") {
                found.registry.push(meta);
            } else if let Some(key) = template.read(&name)? {
                found.files.push((key, meta));
            } else {
                found.others += 1;
                found.example.get_or_insert(name);
            }
        }
        found.registry.sort_by(|a, b| a.location.cmp(&b.location));
        found.files.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
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

    async fn read_file(&self, key: ModelKey, meta: ObjectMeta) -> Result<Model, Error> {
        let file = meta.location.to_string();
        if meta.size > import::BYTES_MAX as u64 {
            return Err(Error::FileSize { file, bytes: meta.size, max: import::BYTES_MAX as u64 });
        }
        let bytes = self.get(&meta.location).await?;
        let read = import::read(&bytes, key).and_then(|imported| imported.named_by(&self.config.feature_names));
        let mut model = read.map_err(|refused| Error::File { file: file.clone(), source: Box::new(refused) })?;
        model.version = version_of(&bytes);
        model.source = file;
        fit::check(self.config, &model)?;
        Ok(model)
    }

    async fn load_registry(&self, files: Vec<ObjectMeta>, take: Take<'_>) -> Result<usize, Error> {
        self.expect(files.len());
        let mut skipped = 0;
        let mut parts = futures::stream::iter(files).map(|meta| self.read_registry(meta)).buffered(REGISTRY_READS);
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

    async fn read_registry(&self, meta: ObjectMeta) -> Result<Vec<Model>, Error> {
        let file = meta.location.to_string();
        if meta.size > REGISTRY_BYTES_MAX {
            return Err(Error::FileSize { file, bytes: meta.size, max: REGISTRY_BYTES_MAX });
        }
        let bytes = self.get(&meta.location).await?;
        // Decoding takes far longer than a runtime's thread may be kept from its other work.
        let decoded = tokio::task::spawn_blocking(move || registry::read(bytes)).await;
        // A panic of the Parquet library on a damaged file ends its task, not the service.
        let models = decoded.unwrap_or(Err(registry::Broken::Decoder));
        let mut models = models.map_err(|broken| Error::Registry { file: file.clone(), source: Box::new(broken) })?;
        models.iter_mut().for_each(|model| model.source.clone_from(&file));
        Ok(models)
    }

    async fn get(&self, location: &Path) -> Result<bytes::Bytes, Error> {
        let read = async { self.store.get(location).await?.bytes().await };
        read.await.map_err(|source| Error::Store { action: "read", place: location.to_string(), source })
    }

    fn failed(&self, action: &'static str, source: object_store::Error) -> Error {
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
