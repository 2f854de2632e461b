//! What is written, moved and synced, in which order, so that a put is atomic and durable.
//!
//! 1. the target's folders: each is made, and its name synced in the folder above;
//! 2. the file is written in the temp folder, and its bytes synced: a name never shows a part of it;
//! 3. the file gets its name: by a hard link, which fails where the name exists, or by a rename, which replaces;
//! 4. the name is synced in its folder: only then the put is done;
//! 5. the temp name goes.
//!
//! A step that another process has done may not be durable: it may have died, or be about to sync. So nothing that is
//! merely *there* is taken as durable: folders are synced once by each process, and a name that is taken, each time.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use object_store::PutPayload;

use super::disk::Disk;
use super::temp;

/// One folder for each date and dataset is the usual; beyond this the oldest knowledge is not worth its memory.
const DURABLE_FOLDERS_MAX: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Create,
    Overwrite,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The file is there, and durable.
    Done,
    /// Another file has the name, and that is durable.
    Taken,
}

#[derive(Debug)]
pub(super) struct Folder<D> {
    disk: D,
    root: PathBuf,
    temp: PathBuf,
    /// Folders whose own name, and those above, this process has synced.
    durable: Mutex<HashSet<PathBuf>>,
}

impl<D: Disk> Folder<D> {
    pub(super) fn new(disk: D, root: &Path) -> Self {
        Folder { disk, root: root.to_owned(), temp: temp::folder_beside(root), durable: Mutex::default() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn temp(&self) -> &Path {
        &self.temp
    }

    pub(super) fn disk(&self) -> &D {
        &self.disk
    }

    /// So that in tests another process can go on with the same disk.
    #[cfg(test)]
    pub(super) fn into_disk(self) -> D {
        self.disk
    }

    /// After an error the file may be there or not, but is whole; what was written in the temp folder is gone again.
    pub(super) fn put(&self, target: &Path, payload: &PutPayload, how: How) -> io::Result<Outcome> {
        let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
        self.make_durable(folder)?;
        let unfinished = self.finish_beside(target, payload)?;
        let moved = match self.move_in(&unfinished, target, how) {
            // Somebody removed the folder since it was made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.forget();
                self.make_durable(folder).and_then(|()| self.move_in(&unfinished, target, how))
            }
            other => other,
        };
        // After a rename there is nothing to remove; otherwise what stays is swept one day.
        let _ = self.disk.unlink(&unfinished);
        moved
    }

    /// The root and everything above it, made where it is missing, and durable.
    pub(super) fn make(&self) -> io::Result<()> {
        self.make_durable(&self.root)
    }

    pub(super) fn make_temp(&self) -> io::Result<()> {
        match self.disk.create_folder(&self.temp) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes the file in the temp folder, whose own names need not be durable.
    pub(super) fn finish_beside(&self, target: &Path, payload: &PutPayload) -> io::Result<PathBuf> {
        self.make_temp()?;
        let unfinished = self.temp.join(temp::name(&self.root, target));
        let written = self.disk.write(&unfinished, payload)?;
        match self.disk.sync_file(written) {
            Ok(()) => Ok(unfinished),
            Err(error) => {
                let _ = self.disk.unlink(&unfinished);
                Err(error)
            }
        }
    }

    fn move_in(&self, unfinished: &Path, target: &Path, how: How) -> io::Result<Outcome> {
        let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let outcome = match how {
            How::Create => match self.disk.link(unfinished, target) {
                Ok(()) => Outcome::Done,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Outcome::Taken,
                Err(error) => return Err(error),
            },
            How::Overwrite => {
                self.disk.rename(unfinished, target)?;
                Outcome::Done
            }
        };
        self.disk.sync_folder(folder)?;
        Ok(outcome)
    }

    fn make_durable(&self, folder: &Path) -> io::Result<()> {
        let unknown: Vec<&Path> = {
            let durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
            folder.ancestors().take_while(|folder| !durable.contains(*folder)).collect()
        };
        for folder in unknown.into_iter().rev() {
            let Some(parent) = folder.parent() else { continue };
            let made = match self.disk.create_folder(folder) {
                Ok(()) => true,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
                Err(error) => return Err(error),
            };
            match self.disk.sync_folder(parent) {
                // Above the place there may be folders that we may pass through and not open; those were not made by us.
                Err(error) if made || folder.starts_with(&self.root) => return Err(error),
                _ => {}
            }
            let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
            if durable.len() >= DURABLE_FOLDERS_MAX {
                durable.clear();
            }
            durable.insert(folder.to_owned());
        }
        Ok(())
    }

    fn forget(&self) {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
