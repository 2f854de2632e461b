//! Puts under power cuts, dying processes and full disks, on a simulated disk; and on the real one what needs it.

use std::path::Path;
use std::time::Duration;

use object_store::{ObjectStoreExt, PutPayload};

use super::put::{Folder, How, Outcome};
use super::simulated::{Mutant, Simulated, Trouble};
use super::{disk, generic, temp};
use crate::{Config, Error, Kind, open};

pub(super) const INNERMOST: &str = "log";
const ROOT: &str = "/data/out";
const TARGET: &str = "/data/out/plant/log/7";
const OLD: &[u8] = b"the old content";
const NEW: &[u8] = b"the new one, which is longer";

/// A disk with an empty folder on it, or with the old file.
fn folder(mutant: Mutant, old: bool) -> Folder<Simulated> {
    let first = Folder::new(Simulated::new(mutant), Path::new(ROOT));
    if old {
        assert_eq!(
            first.put(Path::new(TARGET), &PutPayload::from_static(OLD), How::Create).expect("put"),
            Outcome::Done
        );
    }
    first
}

/// Cuts the power at every call of a put and looks at everything that may be found then; gives what must not be.
fn violations(how: How, mutant: Mutant, old: bool) -> Vec<String> {
    let mut violations = Vec::new();
    for cut in 0.. {
        let folder = folder(mutant, old);
        folder.disk().expect(Some((cut, Trouble::End)));
        let done = folder.put(Path::new(TARGET), &PutPayload::from_static(NEW), how).is_ok();
        for found in folder.disk().worlds(Path::new(TARGET)) {
            let right = match found.as_deref() {
                Some(NEW) => true,
                Some(OLD) => old && !done,
                Some(_) => false,
                None => !old && !done,
            };
            if !right {
                violations.push(format!("power cut at call {cut}, done {done}: {found:?}"));
            }
        }
        if folder.disk().calls() <= cut {
            assert!(done && cut > 3, "a put without a power cut succeeds: {cut}");
            break;
        }
    }
    violations
}

#[test]
fn a_power_cut_leaves_nothing_the_old_file_or_the_new_one() {
    assert_eq!(violations(How::Create, Mutant::None, false), [""; 0]);
    assert_eq!(violations(How::Overwrite, Mutant::None, false), [""; 0]);
    assert_eq!(violations(How::Overwrite, Mutant::None, true), [""; 0]);
}

#[test]
fn without_a_sync_a_power_cut_is_seen() {
    for mutant in [Mutant::NoSyncOfFiles, Mutant::NoSyncOfFolders, Mutant::NoSyncOfParents] {
        assert_ne!(violations(How::Create, mutant, false), [""; 0], "{mutant:?}");
        assert_ne!(violations(How::Overwrite, mutant, false), [""; 0], "{mutant:?}");
    }
}

/// A process dies at any call of a create (the power stays), and another comes to the same name: then a power cut.
fn violations_of_succession(mutant: Mutant) -> Vec<String> {
    let mut violations = Vec::new();
    for end in 0.. {
        let first = folder(mutant, false);
        first.disk().expect(Some((end, Trouble::End)));
        let done = first.put(Path::new(TARGET), &PutPayload::from_static(OLD), How::Create).is_ok();
        let ended = first.disk().calls() <= end;

        let second = Folder::new(first.into_disk(), Path::new(ROOT));
        second.disk().expect(None);
        let outcome = second.put(Path::new(TARGET), &PutPayload::from_static(NEW), How::Create).expect("put");
        let want = if outcome == Outcome::Taken { OLD } else { NEW };
        assert!(!done || outcome == Outcome::Taken, "two have created it");
        for found in second.disk().worlds(Path::new(TARGET)) {
            if found.as_deref() != Some(want) {
                violations.push(format!("first ended at call {end}, second {outcome:?}: {found:?}"));
            }
        }
        if ended {
            break;
        }
    }
    violations
}

#[test]
fn what_a_dead_process_left_is_durable_before_another_builds_on_it() {
    assert_eq!(violations_of_succession(Mutant::None), [""; 0]);
    for mutant in [Mutant::NoSyncOfFiles, Mutant::NoSyncOfFolders, Mutant::NoSyncOfParents] {
        assert_ne!(violations_of_succession(mutant), [""; 0], "{mutant:?}");
    }
}

#[test]
fn a_full_disk_shows_nothing_leaves_nothing_and_is_told() {
    let location = open(ROOT, &Config::default()).expect("opens");
    for how in [How::Create, How::Overwrite] {
        let mut failed = 0;
        for full in 0.. {
            let folder = folder(Mutant::None, how == How::Overwrite);
            folder.disk().expect(Some((full, Trouble::Full)));
            let put = folder.put(Path::new(TARGET), &PutPayload::from_static(NEW), how);
            if folder.disk().calls() <= full {
                break;
            }
            let Err(error) = put else { continue };
            failed += 1;
            assert!(matches!(Error::from_store(&location, &generic(error)), Error::Full { .. }), "{how:?} {full}");
            assert_eq!(folder.disk().names(folder.temp()), [""; 0], "{how:?} {full}");
            let again = folder.put(Path::new(TARGET), &PutPayload::from_static(NEW), How::Overwrite);
            assert_eq!(again.expect("there is room now"), Outcome::Done);
        }
        assert!(failed >= 4, "{how:?}: {failed}");
    }
}

#[test]
fn temp_names_are_short_telling_and_never_the_same() {
    let root = Path::new("/data/out");
    let name = temp::name(root, &root.join("date=2024-01-01/t-00000-0011aabb-1.parquet"));
    assert!(name.starts_with("date=2024-01-01+t-00000-0011aabb-1.parquet-"), "{name}");
    let long = root.join("ü".repeat(120)).join("é".repeat(120));
    let names: std::collections::HashSet<String> = (0..1000).map(|_| temp::name(root, &long)).collect();
    assert_eq!(names.len(), 1000);
    assert!(names.iter().all(|name| name.len() <= 255));
    assert_eq!(temp::folder_beside(root), Path::new("/data/.out-tmp"));
}

/// The real disk, but for what it is said to lack.
struct Lacking {
    links: bool,
    one_file_system: bool,
}

impl disk::Disk for Lacking {
    type Written = std::fs::File;

    fn write(&self, path: &Path, payload: &PutPayload) -> std::io::Result<std::fs::File> {
        disk::RealDisk.write(path, payload)
    }
    fn sync_file(&self, written: std::fs::File) -> std::io::Result<()> {
        disk::RealDisk.sync_file(written)
    }
    fn link(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        if self.links { disk::RealDisk.link(from, to) } else { Err(std::io::ErrorKind::PermissionDenied.into()) }
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        if self.one_file_system {
            disk::RealDisk.rename(from, to)
        } else {
            Err(std::io::ErrorKind::CrossesDevices.into())
        }
    }
    fn sync_folder(&self, folder: &Path) -> std::io::Result<()> {
        disk::RealDisk.sync_folder(folder)
    }
    fn create_folder(&self, folder: &Path) -> std::io::Result<()> {
        disk::RealDisk.create_folder(folder)
    }
    fn unlink(&self, path: &Path) -> std::io::Result<()> {
        disk::RealDisk.unlink(path)
    }
}

#[test]
fn what_a_file_system_lacks_is_told_before_the_first_put() {
    let above = tempfile::tempdir().expect("temp folder");
    let root = above.path().join("out");
    std::fs::create_dir(&root).expect("made");
    let try_it = |links, one_file_system| {
        let told = temp::check_links(&Folder::new(Lacking { links, one_file_system }, &root), &root);
        for folder in [&root, &above.path().join(".out-tmp")] {
            assert_eq!(std::fs::read_dir(folder).expect("exists").count(), 0, "nothing is left behind");
        }
        told
    };
    try_it(true, true).expect("lacks nothing");
    let error = try_it(false, true).expect_err("no links");
    assert!(matches!(error, Error::NoHardLinks { .. }), "{error:?}");
    assert_eq!((error.kind(), error.hint().is_some()), (Kind::Input, true));
    let error = try_it(true, false).expect_err("two file systems");
    assert!(matches!(error, Error::TempUnusable { .. }), "{error:?}");
    assert_eq!((error.kind(), error.hint().is_some()), (Kind::Input, true));

    std::fs::write(above.path().join(".in-tmp"), "a file is in the way").expect("written");
    let error = temp::check(&above.path().join("in")).expect_err("no temp folder");
    assert!(matches!(error, Error::TempUnusable { .. }), "{error:?}");
}

#[tokio::test]
async fn readers_see_files_only_when_they_are_whole() {
    let above = tempfile::tempdir().expect("temp folder");
    let location = open(&above.path().join("out").display().to_string(), &Config::default()).expect("opens");
    let path = location.path("date=2024-01-01/a.parquet");
    let create = || location.store.put_opts(&path, "first".into(), object_store::PutMode::Create.into());
    create().await.expect("created");
    let error = create().await.expect_err("it is there");
    assert!(matches!(Error::from_store(&location, &error), Error::Exists { .. }), "{error:?}");
    assert_eq!(location.store.get(&path).await.expect("there").bytes().await.expect("bytes"), "first");
    location.store.put(&path, "second".into()).await.expect("overwritten");
    assert_eq!(location.store.get(&path).await.expect("there").bytes().await.expect("bytes"), "second");

    // Somebody removes the day; the store that has made it before makes it again.
    std::fs::remove_dir_all(above.path().join("out/date=2024-01-01")).expect("removed");
    create().await.expect("created again");

    let inside = walk(&above.path().join("out"));
    assert_eq!(inside, ["date=2024-01-01", "date=2024-01-01/a.parquet"]);
    assert_eq!(walk(&above.path().join(".out-tmp")), [""; 0]);

    std::fs::create_dir(above.path().join("out/folder")).expect("made");
    let error = location.store.put(&location.path("folder"), "x".into()).await.expect_err("a folder has the name");
    assert!(matches!(Error::from_store(&location, &error), Error::Answer { .. }), "{error:?}");
    assert_eq!(walk(&above.path().join(".out-tmp")), [""; 0], "a failed put leaves nothing");
}

#[tokio::test]
async fn what_the_dead_left_is_swept_when_it_is_old() {
    let above = tempfile::tempdir().expect("temp folder");
    let location = open(&above.path().join("out").display().to_string(), &Config::default()).expect("opens");
    assert_eq!(location.sweep(Duration::ZERO).await.expect("no folder yet"), 0);
    location.store.put(&location.path("a"), "x".into()).await.expect("put");
    let temp = above.path().join(".out-tmp");
    let old = std::fs::File::create(temp.join("old")).expect("created");
    let hours_ago = old.metadata().expect("known").modified().expect("a time") - Duration::from_secs(7200);
    old.set_modified(hours_ago).expect("set");
    std::fs::write(temp.join("young"), "half").expect("written");

    assert_eq!(location.sweep(Duration::from_secs(3600)).await.expect("swept"), 1);
    assert_eq!(walk(&temp), ["young"]);
    assert_eq!(location.sweep(Duration::ZERO).await.expect("swept"), 1);
    assert_eq!(walk(&above.path().join("out")), ["a"], "only what is beside is swept");
    assert_eq!(
        open("memory://swept", &Config::default()).expect("opens").sweep(Duration::ZERO).await.expect("no-op"),
        0
    );
}

/// Every name below a folder, sorted.
fn walk(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            names.extend(walk(&entry.path()).into_iter().map(|inner| format!("{name}/{inner}")));
        }
        names.push(name);
    }
    names.sort();
    names
}
