//! The folder beside a place, where files are finished: its name and theirs, whether it serves, and how it is swept.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use object_store::PutPayload;

use crate::{Error, Location};

use super::blocking;
use super::disk::{Disk, RealDisk};
use super::put::Folder;

/// File systems allow 255 bytes; the rest is for the random end.
const NAME_BYTES_MAX: usize = 200;

pub(super) fn folder_beside(root: &Path) -> PathBuf {
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    root.with_file_name(format!(".{name}-tmp"))
}

/// Tells people what the file was to be, and is like no other process's.
pub(super) fn name(root: &Path, target: &Path) -> String {
    let name = target.strip_prefix(root).unwrap_or(target).to_string_lossy().replace(['/', '\\'], "+");
    let from = (name.len().saturating_sub(NAME_BYTES_MAX)..=name.len()).find(|&at| name.is_char_boundary(at));
    format!("{}-{:016x}", &name[from.unwrap_or_default()..], random())
}

/// The standard library's hash keys are the system's randomness; nothing here needs more than being different.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Tries everything that a put needs, without ever showing a reader a file: links are tried in the temp folder, and into
/// the place itself only an empty folder is moved.
pub(crate) fn check(root: &Path) -> Result<(), Error> {
    let folder = Folder::new(RealDisk, root);
    let refused = |e: io::Error| Error::NotWritable { path: root.display().to_string(), reason: e.to_string() };
    if root.file_name().is_none() {
        return Err(refused(io::Error::other("nothing is beside the root of a file system")));
    }
    folder.make().map_err(refused)?;
    check_links(&folder, root)
}

pub(super) fn check_links<D: Disk>(folder: &Folder<D>, root: &Path) -> Result<(), Error> {
    let (disk, temp) = (folder.disk(), folder.temp());
    let place = root.display().to_string();
    let unusable = |e: io::Error| match full(&place, &e) {
        Some(full) => full,
        None => Error::TempUnusable { folder: place.clone(), temp: temp.display().to_string(), reason: e.to_string() },
    };
    let probe = name(root, &root.join("atalaia-probe"));

    let outside = temp.join(format!("{probe}-folder"));
    let inside = root.join(format!(".{probe}"));
    folder.make_temp().and_then(|()| disk.create_folder(&outside)).map_err(unusable)?;
    let moved = disk.rename(&outside, &inside);
    let _ = fs::remove_dir(if moved.is_ok() { &inside } else { &outside });
    moved.map_err(unusable)?;

    let file = folder.finish_beside(&root.join(&probe), &PutPayload::new()).map_err(unusable)?;
    let second = temp.join(format!("{probe}-link"));
    let linked = disk.link(&file, &second);
    let _ = disk.unlink(&second);
    let _ = disk.unlink(&file);
    linked.map_err(|e| match full(&place, &e) {
        Some(full) => full,
        None => Error::NoHardLinks { folder: place.clone(), reason: e.to_string() },
    })
}

fn full(place: &str, error: &io::Error) -> Option<Error> {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        .then(|| Error::Full { place: place.to_owned() })
}

/// Removes files that killed processes left unfinished; gives their number. One still being written is younger than
/// any sensible `older_than`, and its put would fail and be repeated.
pub(crate) async fn sweep(location: &Location, older_than: Duration) -> Result<u64, Error> {
    let Some(temp) = location.local_root.as_deref().map(folder_beside) else { return Ok(0) };
    blocking(move || sweep_folder(&temp, older_than)).await.map_err(|e| Error::from_io(location, &e))
}

fn sweep_folder(temp: &Path, older_than: Duration) -> io::Result<u64> {
    let entries = match fs::read_dir(temp) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let mut swept = 0;
    for entry in entries {
        let entry = entry?;
        match sweep_entry(&entry, older_than) {
            Ok(gone) => swept += u64::from(gone),
            // Its owner, or another sweep, was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(swept)
}

fn sweep_entry(entry: &fs::DirEntry, older_than: Duration) -> io::Result<bool> {
    let metadata = entry.metadata()?;
    // A time in the future is a clock that was set back: not old.
    let age = metadata.modified()?.elapsed().unwrap_or_default();
    if metadata.is_dir() || age < older_than {
        return Ok(false);
    }
    fs::remove_file(entry.path())?;
    Ok(true)
}
