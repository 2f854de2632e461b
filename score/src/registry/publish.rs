//! Models -> a new set and the pointer to it; and the pointer back to an older set.
//!
//! The order is the guarantee: files, then the manifest that names them with their hashes, then the pointer. Whoever dies
//! on the way leaves objects that nobody looks at.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use sha2::{Digest, Sha256};

use super::manifest::{self, FileEntry, Manifest};
use super::pointer::{self, Pointer};
use super::write::{FILE_MODELS, encode};
use super::{checksum, hex, layout, sha256};
use crate::{Error, Model};

const TRIES: usize = 5;

/// What people want to know of a change.
#[derive(Debug, Clone, Default)]
pub struct Note {
    pub text: String,
    /// RFC 3339.
    pub at: String,
    pub by: Option<String>,
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub set: String,
    /// Of the pointer.
    pub number: u64,
    /// The set that was in use before.
    pub parent: Option<String>,
    pub models: usize,
    pub files: usize,
    pub bytes: u64,
}

/// Writes the models as a new set of the registry and puts it to use.
///
/// # Errors
/// If there are no models, one does not pass [`Model::check`], a key comes twice, or the store fails. The set in use stays.
pub async fn publish(
    models: &[Model],
    store: &Arc<dyn ObjectStore>,
    registry: &Path,
    note: &Note,
) -> Result<Published, Error> {
    publish_upon(None, models, store, registry, note).await
}

/// The same for models some of which were taken from what was in use at this number of the pointer (0: nothing was): if something
/// else was put to use since, be it an older set, that is not to be undone.
///
/// # Errors
/// As [`publish`], and [`Error::Overtaken`].
pub async fn publish_after(
    base: u64,
    models: &[Model],
    store: &Arc<dyn ObjectStore>,
    registry: &Path,
    note: &Note,
) -> Result<Published, Error> {
    publish_upon(Some(base), models, store, registry, note).await
}

async fn publish_upon(
    base: Option<u64>,
    models: &[Model],
    store: &Arc<dyn ObjectStore>,
    registry: &Path,
    note: &Note,
) -> Result<Published, Error> {
    let order = in_order(models)?;
    let set = id(&order, &note.at);
    let current = pointer::current(store, registry).await?;
    pointer::check_base(registry, base, current.as_ref().map_or(0, |current| current.number))?;
    let parent = current.map(|current| current.pointer.set);
    let mut files = Vec::new();
    for (number, part) in order.chunks(FILE_MODELS).enumerate() {
        let name = format!("models-{number:05}.parquet");
        let place = layout::file(registry, &set, &name);
        let bytes =
            encode(part).map_err(|broken| Error::Registry { file: place.to_string(), source: broken.into() })?;
        files.push(FileEntry { name, bytes: bytes.len() as u64, sha256: sha256(&bytes) });
        put_once(store, &place, bytes).await?;
    }
    let bytes = files.iter().map(|file| file.bytes).sum();
    let count = files.len();
    let manifest = Manifest {
        schema_version: manifest::SCHEMA_VERSION,
        files,
        models: Some(order.len() as u64),
        created_at: Some(note.at.clone()),
        note: note.text.clone(),
        parent: parent.clone(),
    };
    let place = layout::manifest(registry, &set);
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| Error::Manifest { file: place.to_string(), problem: error.to_string() })?;
    put_once(store, &place, text).await?;
    let number = pointer::advance(store, registry, &pointer_to(&set, note), base).await?;
    Ok(Published { set, number, parent, models: order.len(), files: count, bytes })
}

/// Puts a set to use that is there: an older one, or one that something else has written.
///
/// # Errors
/// If there is no such set, its manifest is not one, or the store fails.
pub async fn point(set: &str, store: &Arc<dyn ObjectStore>, registry: &Path, note: &Note) -> Result<u64, Error> {
    manifest::find(store, registry, set).await?;
    pointer::advance(store, registry, &pointer_to(set, note), None).await
}

/// The set before the one in use: what was current when that was first put to use. So each step back is a step further.
///
/// # Errors
/// If nothing is in use, or nothing was before it.
pub async fn previous(store: &Arc<dyn ObjectStore>, registry: &Path) -> Result<String, Error> {
    let mut history = pointer::history(store, registry).await?;
    history.reverse();
    let Some(current) = history.last().map(|newest| newest.pointer.set.clone()) else {
        return Err(Error::NotPublished { place: registry.to_string() });
    };
    let first = history.iter().position(|entry| entry.pointer.set == current).unwrap_or(0);
    match first.checked_sub(1) {
        Some(before) => Ok(history.swap_remove(before).pointer.set),
        None => Err(Error::NothingBefore { set: current }),
    }
}

fn pointer_to(set: &str, note: &Note) -> Pointer {
    Pointer { set: set.to_owned(), note: note.text.clone(), at: Some(note.at.clone()), by: note.by.clone() }
}

/// The models by key, all of them usable and none twice.
fn in_order(models: &[Model]) -> Result<Vec<&Model>, Error> {
    if models.is_empty() {
        return Err(Error::NothingToPublish);
    }
    for model in models {
        model.check().map_err(|flaw| Error::Model {
            key: Box::new(model.key.clone()),
            file: model.source.clone(),
            source: Box::new(flaw),
        })?;
    }
    let mut order: Vec<&Model> = models.iter().collect();
    order.sort_by(|a, b| a.key.cmp(&b.key));
    match order.windows(2).find(|pair| pair[0].key == pair[1].key) {
        Some(pair) => Err(Error::Twice {
            key: Box::new(pair[0].key.clone()),
            first: pair[0].source.clone(),
            second: pair[1].source.clone(),
        }),
        None => Ok(order),
    }
}

/// When, and from what: `20260102T030405Z-0a1b2c3d4e5f`. In the order of time, and of its own for each moment and content.
fn id(models: &[&Model], at: &str) -> String {
    let mut sum = Sha256::new();
    sum.update(at);
    models.iter().for_each(|model| sum.update(checksum(model)));
    let seconds = at.split(['.', 'Z']).next().unwrap_or_default();
    let digits: String = seconds.chars().filter(|c| c.is_ascii_digit() || *c == 'T').collect();
    format!("{digits}Z-{}", &hex(&sum.finalize())[..12])
}

/// Creates an object. One that is there already is ours if it holds the same: an answer was lost, or we are run again.
async fn put_once(store: &Arc<dyn ObjectStore>, place: &Path, bytes: Vec<u8>) -> Result<(), Error> {
    let bytes = bytes::Bytes::from(bytes);
    let failed = |action, source| Error::Store { action, place: place.to_string(), source };
    for _ in 0..TRIES {
        match store.put_opts(place, bytes.clone().into(), PutOptions::from(PutMode::Create)).await {
            Ok(_) => return Ok(()),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {}
            Err(source) => return Err(failed("write", source)),
        }
        let read = async { store.get(place).await?.bytes().await };
        match read.await {
            Ok(found) if found == bytes => return Ok(()),
            Ok(_) => break,
            // S3 says "conflict" of a create that is under way and may yet fail.
            Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => return Err(failed("read", source)),
        }
    }
    Err(Error::Exists { place: place.to_string(), file: place.to_string() })
}
