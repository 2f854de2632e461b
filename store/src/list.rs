//! What is below a place. Nothing is retried beyond what the client does: it is for jobs, and a job is run again.

use futures::TryStreamExt;
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
