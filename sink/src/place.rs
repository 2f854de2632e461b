//! A dataset's or the state's place, and the three things done there: create a file, replace an object, read one.
//!
//! Whatever the store, a name shows either a whole file or nothing. Object stores give that with one PUT; on local disks
//! a file is finished in a folder *beside* the place (never inside: readers take everything there) and moved in.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};
use store::{Location, StoreKind};

use crate::Error;

#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) location: Location,
    local: Option<Arc<Local>>,
}

#[derive(Debug)]
struct Local {
    root: PathBuf,
    tmp: PathBuf,
}

/// Where a partition's unfinished files are on local disks, and a mark that no other owner of the partition has.
#[derive(Debug, Clone)]
pub(crate) struct Scratch {
    pub(crate) folder: String,
    pub(crate) mark: u64,
}

/// What became of a file that was to be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Creation {
    /// It is there, with these bytes.
    Visible,
    /// Another file has the name.
    Taken,
}

impl Place {
    pub(crate) fn new(location: Location) -> Self {
        let local = location.local_root.clone().map(|root| {
            let name = root.file_name().unwrap_or_default().to_string_lossy();
            let tmp = root.with_file_name(format!(".{name}-tmp"));
            Arc::new(Local { root, tmp })
        });
        Place { location, local }
    }

    /// That results can go here.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        store::check_writable(&self.location).await?;
        match &self.local {
            Some(local) => local.check_tmp(),
            None => Ok(()),
        }
    }

    /// Creates a file. Repeating it with the same bytes is harmless, and needed after an unknown outcome.
    pub(crate) async fn create(&self, name: &str, bytes: &Bytes, scratch: &Scratch) -> Result<Creation, store::Error> {
        if self.local.is_some() {
            let (name, bytes, scratch) = (name.to_owned(), bytes.clone(), scratch.clone());
            return self.blocking(move |local| local.create(&name, &bytes, &scratch)).await;
        }
        let path = self.location.path(name);
        let options = PutOptions::from(PutMode::Create);
        match self.location.store.put_opts(&path, PutPayload::from(bytes.clone()), options).await {
            Ok(_) => Ok(Creation::Visible),
            Err(error) => match store::Error::from_store(&self.location, &error) {
                // A try whose answer was lost may have created it.
                store::Error::Exists { .. } => match self.read(name).await? {
                    Some(found) if found == bytes => Ok(Creation::Visible),
                    Some(_) => Ok(Creation::Taken),
                    None => Err(store::Error::Answer {
                        place: self.location.display.clone(),
                        reason: "a file exists and does not exist".to_owned(),
                    }),
                },
                other => Err(other),
            },
        }
    }

    /// Creates an object, or replaces it whole.
    pub(crate) async fn replace(&self, name: &str, bytes: &Bytes, scratch: &Scratch) -> Result<(), store::Error> {
        if self.local.is_some() {
            let (name, bytes, scratch) = (name.to_owned(), bytes.clone(), scratch.clone());
            return self.blocking(move |local| local.replace(&name, &bytes, &scratch)).await;
        }
        let path = self.location.path(name);
        let put = self.location.store.put(&path, PutPayload::from(bytes.clone())).await;
        put.map(drop).map_err(|e| store::Error::from_store(&self.location, &e))
    }

    /// None if there is no such object.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<Bytes>, store::Error> {
        let translate = |error| match store::Error::from_store(&self.location, &error) {
            store::Error::NotFound { .. } => Ok(None),
            other => Err(other),
        };
        match self.location.store.get(&self.location.path(name)).await {
            Ok(found) => match found.bytes().await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) => translate(error),
            },
            Err(error) => translate(error),
        }
    }

    /// Removes what a killed owner of the partition left unfinished.
    pub(crate) async fn sweep(&self, scratch: &Scratch) -> Result<(), store::Error> {
        let folder = scratch.folder.clone();
        if self.location.kind != StoreKind::Local {
            return Ok(());
        }
        self.blocking(move |local| match fs::remove_dir_all(local.tmp.join(folder)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Local) -> io::Result<T> + Send + 'static,
    ) -> Result<T, store::Error> {
        let local = self.local.clone().expect("only asked for on local disks");
        match tokio::task::spawn_blocking(move || work(&local)).await {
            Ok(result) => result.map_err(|e| store::Error::from_io(&self.location, &e)),
            Err(e) => Err(store::Error::Answer { place: self.location.display.clone(), reason: e.to_string() }),
        }
    }
}

// === impl Local ===

impl Local {
    /// Moves an empty folder in and away again: no reader sees one, and two mounts refuse.
    fn check_tmp(&self) -> Result<(), Error> {
        let probe = format!("probe-{}", std::process::id());
        let (from, to) = (self.tmp.join(&probe), self.root.join(format!(".{probe}")));
        let moved = fs::create_dir_all(&from).and_then(|()| fs::rename(&from, &to)).and_then(|()| fs::remove_dir(&to));
        moved.map_err(|e| {
            let _ = fs::remove_dir(&from);
            Error::TmpElsewhere {
                folder: self.root.display().to_string(),
                tmp: self.tmp.display().to_string(),
                reason: e.to_string(),
            }
        })
    }

    fn create(&self, name: &str, bytes: &Bytes, scratch: &Scratch) -> io::Result<Creation> {
        let target = self.root.join(name);
        match fs::read(&target) {
            Ok(found) if found == *bytes => return Ok(Creation::Visible),
            Ok(_) => return Ok(Creation::Taken),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        self.replace(name, bytes, scratch).map(|()| Creation::Visible)
    }

    /// Written and made durable out of sight, then moved in; durable itself when the folders are.
    fn replace(&self, name: &str, bytes: &Bytes, scratch: &Scratch) -> io::Result<()> {
        let folder = self.tmp.join(&scratch.folder);
        fs::create_dir_all(&folder)?;
        let unfinished = folder.join(format!("{}-{:016x}", name.replace('/', "+"), scratch.mark));
        let target = self.root.join(name);
        let result = write_durably(&unfinished, bytes).and_then(|()| {
            let parent = target.parent().expect("names lie below the root");
            create_durably(parent)?;
            fs::rename(&unfinished, &target)?;
            sync_folder(parent)?;
            sync_folder(&folder)
        });
        if result.is_err() {
            // A full disk must not stay full for the sake of a part of a file.
            let _ = fs::remove_file(&unfinished);
        }
        result
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Creates a folder and those above it, each entry durable in its parent.
fn create_durably(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_durably(parent)?;
        match fs::create_dir(folder) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => sync_folder(parent)?,
        }
    }
    Ok(())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Elsewhere folders cannot be opened for this.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
