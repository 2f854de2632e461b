//! Chunks, days, and stores that are slow, refuse, or answer something else than they mean.

use std::fmt;
use std::sync::atomic::AtomicUsize;

use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutResult, Result,
};

use super::*;

fn archive(name: &str) -> Archive {
    let location = store::open(&format!("memory://{name}/logs"), &store::Config::default()).unwrap();
    Archive::new(Lines::new(), location, Duration::from_secs(60), "host.example/12")
}

async fn objects(location: &Location) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let all: Vec<_> = location.store.list(Some(&location.prefix)).try_collect().await.unwrap();
    for meta in all {
        let bytes = location.store.get(&meta.location).await.unwrap().bytes().await.unwrap();
        found.push((meta.location.to_string(), String::from_utf8(bytes.to_vec()).unwrap()));
    }
    found.sort();
    found
}

#[tokio::test(start_paused = true)]
async fn every_chunk_is_a_new_object_and_the_end_writes_the_rest() {
    let archive = archive("archive-chunks");
    let (lines, location) = (Arc::clone(&archive.lines), archive.location.clone());
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(archive.run(stopping));
    lines.push("one".into());
    lines.push("two".into());
    sleep(Duration::from_secs(61)).await;
    assert_eq!(objects(&location).await.len(), 1);
    lines.push("last words".into());
    stop.send(true).unwrap();
    running.await.unwrap();
    let objects = objects(&location).await;
    let texts: Vec<_> = objects.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["one\ntwo\n", "last words\n"]);
    for (number, (name, _)) in objects.iter().enumerate() {
        let today = date(wall::now());
        assert!(name.starts_with(&format!("logs/date={today}/host-example-12-")), "{name}");
        assert!(name.ends_with(&format!("-{number:05}.jsonl")), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_has_its_own_folder() {
    let mut archive = archive("archive-days");
    {
        let mut waiting = archive.lines.waiting.lock().unwrap();
        for (date, line) in [("2026-01-31", "a"), ("2026-01-31", "b"), ("2026-02-01", "c")] {
            waiting.lines.push_back((date.into(), line.into()));
        }
    }
    archive.write().await;
    let objects = objects(&archive.location).await;
    assert_eq!(objects.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["a\nb\n", "c\n"]);
    assert!(objects[1].0.contains("/date=2026-02-01/"), "{objects:?}");
}

#[tokio::test]
async fn an_object_that_is_there_already_is_ours() {
    let mut archive = archive("archive-again");
    archive.lines.push("one".into());
    archive.write().await;
    archive.written = 0;
    archive.lines.push("one".into());
    archive.write().await;
    assert!(archive.pending.is_none());
    assert_eq!(objects(&archive.location).await.len(), 1);
}

#[test]
fn memory_is_bounded() {
    let lines = Lines::new();
    for _ in 0..100 {
        lines.push("x".repeat(100_000));
    }
    let waiting = lines.waiting.lock().unwrap();
    assert!(waiting.bytes <= BYTES_MAX && waiting.lines.len() == BYTES_MAX / 100_001, "{}", waiting.lines.len());
}

#[tokio::test(start_paused = true)]
async fn lines_that_come_while_others_are_written_wait_for_the_next_time() {
    let mut archive = archive("archive-slow");
    let slow = ThrottleConfig { wait_put_per_call: Duration::from_secs(1), ..ThrottleConfig::default() };
    archive.location.store = Arc::new(ThrottledStore::new(Arc::clone(&archive.location.store), slow));
    let (lines, location) = (Arc::clone(&archive.lines), archive.location.clone());
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(archive.run(stopping));
    for _ in 0..3000 {
        lines.push("again".into());
        sleep(Duration::from_millis(100)).await;
    }
    stop.send(true).unwrap();
    running.await.unwrap();
    let objects = objects(&location).await;
    assert_eq!(objects.iter().map(|(_, text)| text.lines().count()).sum::<usize>(), 3000);
    assert!(objects.len() <= 6, "five minutes make {} objects", objects.len());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_is_not_asked_again_for_every_line() {
    let refuses: fn(&Path) -> Error =
        |path| Error::PermissionDenied { path: path.to_string(), source: "status code: 403 Forbidden".into() };
    let (archive, tries) = refused("archive-refused", refuses);
    let lines = Arc::clone(&archive.lines);
    let (_stop, stopping) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(archive.run(stopping));
    for _ in 0..3000 {
        lines.push("x".repeat(1200));
        sleep(Duration::from_millis(100)).await;
    }
    running.abort();
    let tries = tries.load(Ordering::Relaxed);
    assert!((5..=35).contains(&tries), "five minutes make {tries} tries");
}

/// A client takes any 409 for "it exists".
#[tokio::test]
async fn what_only_looks_as_if_it_existed_is_not_written() {
    for code in ["ContainerBeingDeleted", "ConditionalRequestConflict"] {
        let conflict: fn(&Path) -> Error = match code {
            "ContainerBeingDeleted" => |path| exists(path, "ContainerBeingDeleted"),
            _ => |path| exists(path, "ConditionalRequestConflict"),
        };
        let (mut archive, _) = refused("archive-conflict", conflict);
        archive.lines.push("one".into());
        archive.write().await;
        assert!(archive.pending.is_some(), "{code}");
    }
}

fn exists(path: &Path, code: &str) -> Error {
    let source = format!("status code: 409 Conflict: <Error><Code>{code}</Code></Error>").into();
    Error::AlreadyExists { path: path.to_string(), source }
}

/// One that only ever writes to such a store, and how often it did.
fn refused(name: &str, answer: fn(&Path) -> Error) -> (Archive, Arc<AtomicUsize>) {
    let mut archive = archive(name);
    let tries = Arc::new(AtomicUsize::new(0));
    archive.location.store = Arc::new(Refusing { tries: Arc::clone(&tries), answer });
    (archive, tries)
}

#[derive(Debug)]
struct Refusing {
    tries: Arc<AtomicUsize>,
    answer: fn(&Path) -> Error,
}

impl fmt::Display for Refusing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refusing")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Refusing {
    async fn put_opts(&self, location: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        Err((self.answer)(location))
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        unreachable!("lines are written whole")
    }

    async fn get_opts(&self, _: &Path, _: GetOptions) -> Result<GetResult> {
        unreachable!("nothing is read")
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        unreachable!("nothing is deleted")
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        unreachable!("nothing is listed")
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        unreachable!("nothing is listed")
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        unreachable!("nothing is copied")
    }
}
