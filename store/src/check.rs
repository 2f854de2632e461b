//! Asks a store, once and cheaply, whether it can be used, so that a wrong setting is told at start and not hours later.

use futures::StreamExt;

use crate::{Error, Location, folder};

/// Looks at the location: that it answers, exists, and may be listed.
///
/// # Errors
/// Says which of these is not so.
pub async fn check(location: &Location) -> Result<(), Error> {
    if let Some(folder) = &location.local_root {
        return match folder.try_exists() {
            Ok(true) => Ok(()),
            Ok(false) => Err(location.missing()),
            Err(e) => Err(Error::Denied { place: location.display.clone(), reason: e.to_string() }),
        };
    }
    // The first page only; an empty prefix of an existing container is fine.
    match location.store.list(Some(&location.prefix)).next().await {
        None | Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(match Error::from_store(location, &error) {
            Error::NotFound { .. } => location.missing(),
            other => other,
        }),
    }
}

/// As [`check`], for a place that results go to: a folder is created, must take new entries, and its file system must be
/// able to finish files beside it and link them in.
///
/// # Errors
/// Says what is in the way.
pub async fn check_writable(location: &Location) -> Result<(), Error> {
    match &location.local_root {
        Some(root) => folder::check(root),
        None => check(location).await,
    }
}
