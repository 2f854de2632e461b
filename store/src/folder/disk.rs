//! The calls to the file system that a put is made of: few, so that a simulated disk can cut the power between them.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use object_store::PutPayload;

pub(super) trait Disk {
    /// A file that was written and is not durable yet.
    type Written;

    /// Writes a new file; one that exists is an error and stays as it is. Another error leaves none, if it can.
    fn write(&self, path: &Path, payload: &PutPayload) -> io::Result<Self::Written>;
    /// Makes a file's bytes durable, though not its name.
    fn sync_file(&self, written: Self::Written) -> io::Result<()>;
    /// Gives a file a second name, unless that exists.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file another name, whose former file is gone.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable, though not those of the folder itself.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    fn unlink(&self, path: &Path) -> io::Result<()>;
}

#[derive(Debug, Clone, Copy)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    /// Kept open until it is synced: an error of writing back is told only to those who had the file open.
    type Written = fs::File;

    fn write(&self, path: &Path, payload: &PutPayload) -> io::Result<fs::File> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        match payload.iter().try_for_each(|part| file.write_all(part)) {
            Ok(()) => Ok(file),
            Err(error) => {
                // A full disk must not stay full for the sake of a part of a file.
                let _ = fs::remove_file(path);
                Err(error)
            }
        }
    }

    fn sync_file(&self, written: fs::File) -> io::Result<()> {
        written.sync_all()
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    #[cfg(unix)]
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        fs::File::open(folder)?.sync_all()
    }

    /// Elsewhere folders cannot be opened for this.
    #[cfg(not(unix))]
    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir(folder)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}
