//! Asks a store, once and cheaply, whether it can be used, so that a wrong setting is told at start and not hours later.

use futures::StreamExt;
use object_store::{Error as Failure, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};

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

/// As [`check_writable`], and that objects may be read and created there; nothing is left behind. For a look before a start: a
/// run finds out with its first commit.
///
/// # Errors
/// Says what is in the way.
pub async fn check_rights(location: &Location) -> Result<(), Error> {
    check_writable(location).await?;
    if location.local_root.is_some() {
        return Ok(());
    }
    let probe = location.path(&format!("atalaia-probe-{:016x}", folder::random()));
    match location.store.head(&probe).await {
        Ok(_) | Err(Failure::NotFound { .. }) => {}
        Err(error) => return Err(Error::from_store(location, &error)),
    }
    // A create whose condition cannot hold: rights are looked at before conditions, and nothing comes to be.
    let never = UpdateVersion { e_tag: Some("\"0x0\"".into()), version: None };
    let options = PutOptions::from(PutMode::Update(never));
    match location.store.put_opts(&probe, PutPayload::new(), options).await {
        Err(Failure::Precondition { .. } | Failure::NotFound { .. }) => Ok(()),
        Err(error) => match Error::from_store(location, &error) {
            Error::NotFound { .. } | Error::Exists { .. } => Ok(()),
            other => Err(other),
        },
        // A store that knows no conditions.
        Ok(_) => location.store.delete(&probe).await.map_err(|error| Error::from_store(location, &error)),
    }
}
