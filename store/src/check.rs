//! Asks a store, once and cheaply, whether it can be used, so that a wrong setting is told at start and not hours later.

use std::path::Path;

use futures::StreamExt;

use crate::{Error, Location};

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

/// As [`check`], for a place that results go to: a folder is created, and must take new entries.
///
/// # Errors
/// Says what is in the way.
pub async fn check_writable(location: &Location) -> Result<(), Error> {
    match &location.local_root {
        Some(folder) => writable(folder),
        None => check(location).await,
    }
}

/// Tries with an empty folder, because no reader sees one even if this process dies before it is gone again.
fn writable(folder: &Path) -> Result<(), Error> {
    let refused = |e: std::io::Error| Error::NotWritable { path: folder.display().to_string(), reason: e.to_string() };
    std::fs::create_dir_all(folder).map_err(refused)?;
    let probe = folder.join(format!(".atalaia-probe-{}", std::process::id()));
    match std::fs::create_dir(&probe) {
        Ok(()) => std::fs::remove_dir(&probe).map_err(refused),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(refused(e)),
    }
}
