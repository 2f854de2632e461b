//! Whole objects, for jobs that read a dataset once. Nothing is retried beyond what the client does: a job is run again.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::{Error, Location};

/// All objects below the location, in the order of their names.
///
/// # Errors
/// If the store does not answer, or may not be listed.
pub async fn list(location: &Location) -> Result<Vec<Path>, Error> {
    let listed = location.store.list(Some(&location.prefix)).map_ok(|meta| meta.location).try_collect::<Vec<_>>().await;
    let mut paths = listed.map_err(|error| Error::from_store(location, &error))?;
    paths.sort_unstable();
    Ok(paths)
}

/// One object.
///
/// # Errors
/// If it is not there, or may not be read.
pub async fn get(location: &Location, path: &Path) -> Result<Bytes, Error> {
    let got = async { location.store.get(path).await?.bytes().await };
    got.await.map_err(|error| Error::from_store(location, &error))
}
