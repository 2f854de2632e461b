//! Which set is in use: numbered objects that are created and never changed, of which the highest counts.
//!
//! Creating an object that must not exist is the one conditional write that every store knows; so two publishers never
//! overwrite one another, and the history is there for the reading.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};

use super::layout;
use crate::Error;

/// Reads of pointers at the same time.
const READS: usize = 16;

/// What an object below `current/` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    pub set: String,
    #[serde(default)]
    pub note: String,
    /// RFC 3339.
    #[serde(default)]
    pub at: Option<String>,
    #[serde(default)]
    pub by: Option<String>,
}

/// One entry of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    pub number: u64,
    pub pointer: Pointer,
}

/// The highest pointer; none: the place is no registry, or nothing was published yet.
///
/// # Errors
/// If the store fails, or the pointer is none.
pub async fn current(store: &Arc<dyn ObjectStore>, registry: &Path) -> Result<Option<History>, Error> {
    match numbers(store, registry).await?.last() {
        Some(&number) => read(store, registry, number).await.map(Some),
        None => Ok(None),
    }
}

/// The highest pointer's number alone: one listing.
///
/// # Errors
/// If the store fails.
pub async fn highest(store: &Arc<dyn ObjectStore>, registry: &Path) -> Result<Option<u64>, Error> {
    Ok(numbers(store, registry).await?.last().copied())
}

/// All pointers, the newest first.
///
/// # Errors
/// As [`current`].
pub async fn history(store: &Arc<dyn ObjectStore>, registry: &Path) -> Result<Vec<History>, Error> {
    let mut numbers = numbers(store, registry).await?;
    numbers.reverse();
    futures::stream::iter(numbers).map(|number| read(store, registry, number)).buffered(READS).try_collect().await
}

/// Makes this the newest pointer, and says what number it got. Somebody who published at the same time keeps his own; with a base,
/// the number that must still be the highest (0: none is there), he wins.
///
/// # Errors
/// If there is another number than the base, or the store fails: then it may be there, or not.
pub(super) async fn advance(
    store: &Arc<dyn ObjectStore>,
    registry: &Path,
    pointer: &Pointer,
    base: Option<u64>,
) -> Result<u64, Error> {
    let bytes = serde_json::to_vec_pretty(pointer)
        .map_err(|error| Error::Pointer { file: layout::pointers(registry).to_string(), problem: error.to_string() })?;
    loop {
        let newest = highest(store, registry).await?.unwrap_or(0);
        check_base(registry, base, newest)?;
        let next = newest.checked_add(1).ok_or_else(|| Error::Pointer {
            file: layout::pointer(registry, newest).to_string(),
            problem: "no number comes after it: remove it by hand".into(),
        })?;
        let place = layout::pointer(registry, next);
        match store.put_opts(&place, bytes.clone().into(), PutOptions::from(PutMode::Create)).await {
            Ok(_) => return Ok(next),
            // Ours, if the answer to an earlier try of the client was lost; else somebody else's: the next one then.
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                if read(store, registry, next).await.is_ok_and(|found| found.pointer == *pointer) {
                    return Ok(next);
                }
                check_base(registry, base, next)?;
            }
            Err(source) => return Err(Error::Store { action: "write", place: place.to_string(), source }),
        }
    }
}

/// That nothing was published since the number was read.
pub(super) fn check_base(registry: &Path, base: Option<u64>, newest: u64) -> Result<(), Error> {
    match base {
        Some(base) if base != newest => Err(Error::Overtaken { place: registry.to_string(), base, newest }),
        _ => Ok(()),
    }
}

async fn numbers(store: &Arc<dyn ObjectStore>, registry: &Path) -> Result<Vec<u64>, Error> {
    let place = layout::pointers(registry);
    let mut listing = store.list(Some(&place));
    let mut numbers = Vec::new();
    loop {
        match listing.try_next().await {
            Ok(Some(meta)) => numbers.extend(layout::number(registry, &meta.location)),
            Ok(None) => break,
            // A folder that is not there, on stores that have folders.
            Err(object_store::Error::NotFound { .. }) => break,
            Err(source) => return Err(Error::Store { action: "list", place: place.to_string(), source }),
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

async fn read(store: &Arc<dyn ObjectStore>, registry: &Path, number: u64) -> Result<History, Error> {
    let place = layout::pointer(registry, number);
    let read = async { store.get(&place).await?.bytes().await };
    let bytes = read.await.map_err(|source| Error::Store { action: "read", place: place.to_string(), source })?;
    let pointer: Pointer = serde_json::from_slice(&bytes)
        .map_err(|error| Error::Pointer { file: place.to_string(), problem: error.to_string() })?;
    match layout::is_word(&pointer.set) {
        true => Ok(History { number, pointer }),
        false => Err(Error::SetId { id: pointer.set.chars().take(80).collect() }),
    }
}
