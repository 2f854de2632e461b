//! A store with doors: each process has one of its own, so that one can be killed or stopped without the others. Requests
//! are counted over all doors, and the chosen one meets the chosen fault.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fault::Fault;
use super::witness::Witness;
use crate::audit::FileName;
use crate::{Dataset, Places};

/// The store itself, behind all doors.
pub(super) struct Vault {
    inner: Arc<dyn ObjectStore>,
    /// Where requests really run, for stores that are not in memory.
    io: Option<Handle>,
    began: Instant,
    book: Mutex<Book>,
}

pub(super) struct Book {
    pub(super) operations: usize,
    plan: Option<(usize, Fault)>,
    burst: u32,
    /// What met the fault.
    pub(super) hit: Option<String>,
    late: Vec<Late>,
    written: HashMap<Path, Duration>,
    pub(super) witness: Witness,
}

/// A request that lands when others have gone through.
struct Late {
    after: usize,
    change: Change,
}

#[derive(Clone)]
enum Change {
    Put(Path, PutPayload, PutOptions),
    Delete(Path),
}

/// What has become of a process.
#[derive(Debug, Default)]
pub(super) struct Fate {
    dead: AtomicBool,
    stopped: AtomicBool,
    goes_on: Notify,
}

#[derive(Clone)]
pub(super) struct Door {
    pub(super) vault: Arc<Vault>,
    pub(super) fate: Arc<Fate>,
}

impl Fate {
    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(super) fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    pub(super) fn go_on(&self) {
        self.stopped.store(false, Ordering::Relaxed);
        self.goes_on.notify_waiters();
    }

    async fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.wait().await;
    }

    async fn wait(&self) {
        while self.is_stopped() {
            let goes_on = self.goes_on.notified();
            if self.is_stopped() {
                goes_on.await;
            }
        }
    }
}

impl Vault {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, io: Option<Handle>, plan: Option<(usize, Fault)>) -> Arc<Self> {
        let book = Book {
            operations: 0,
            plan,
            burst: plan.map_or(0, |(_, fault)| fault.burst()),
            hit: None,
            late: Vec::new(),
            written: HashMap::new(),
            witness: Witness::default(),
        };
        Arc::new(Vault { inner, io, began: Instant::now(), book: Mutex::new(book) })
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("not poisoned")
    }

    /// The fault that this request meets.
    fn count(&self, what: &str, path: &Path) -> Option<(Fault, usize)> {
        let mut book = self.book();
        let at = book.operations;
        book.operations += 1;
        let (from, fault) = book.plan?;
        if at < from || book.burst == 0 {
            return None;
        }
        book.burst -= 1;
        book.hit.get_or_insert_with(|| format!("{what} {path}"));
        Some((fault, at))
    }

    fn put_late(&self, after: usize, change: Change) {
        let mut book = self.book();
        let after = book.operations + after;
        book.late.push(Late { after, change });
    }

    /// What was given up long ago lands now.
    async fn land(&self, all: bool) {
        loop {
            let change = {
                let mut book = self.book();
                let now = book.operations;
                let due = book.late.iter().position(|late| all || late.after <= now);
                due.map(|due| book.late.remove(due).change)
            };
            match change {
                None => return,
                // Nobody hears how it ended.
                Some(Change::Put(path, payload, options)) => drop(self.put(&path, payload, options).await),
                Some(Change::Delete(path)) => drop(self.delete(&path).await),
            }
        }
    }

    pub(super) async fn land_all(&self) {
        self.land(true).await;
    }

    /// Everything that readers can see, by what the store itself lists.
    pub(super) async fn contents(&self, places: &Places) -> BTreeMap<FileName, Bytes> {
        let mut found = BTreeMap::new();
        let datasets = [&places.predictions, &places.late, &places.quarantine, &places.runs];
        for (dataset, location) in Dataset::ALL.into_iter().zip(datasets) {
            let prefix = location.prefix.clone();
            for meta in self.list(Some(prefix.clone())).await.expect("lists") {
                let (inner, path) = (Arc::clone(&self.inner), meta.location.clone());
                let bytes = self.run(async move { inner.get(&path).await?.bytes().await }).await.expect("reads");
                let name = meta.location.as_ref().strip_prefix(prefix.as_ref()).expect("below");
                let name = name.trim_start_matches('/').to_owned();
                found.insert(FileName { dataset: dataset.as_str().to_owned(), name }, bytes);
            }
        }
        found
    }

    /// Real requests keep the clock from running on while they are under way.
    async fn run<T: Send + 'static>(&self, request: impl Future<Output = T> + Send + 'static) -> T {
        match self.io.clone() {
            None => request.await,
            Some(io) => tokio::task::spawn_blocking(move || io.block_on(request)).await.expect("does not panic"),
        }
    }

    async fn put(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let bytes = payload.clone().into();
        let (inner, to) = (Arc::clone(&self.inner), path.clone());
        let put = self.run(async move { inner.put_opts(&to, payload, options).await }).await?;
        let mut book = self.book();
        book.written.insert(path.clone(), self.began.elapsed());
        book.witness.created(path, &bytes);
        Ok(put)
    }

    async fn delete(&self, path: &Path) -> Result<()> {
        let (inner, to) = (Arc::clone(&self.inner), path.clone());
        self.run(async move { inner.delete(&to).await }).await?;
        self.book().witness.deleted(path);
        Ok(())
    }

    async fn list(&self, prefix: Option<Path>) -> Result<Vec<ObjectMeta>> {
        let inner = Arc::clone(&self.inner);
        let mut listed: Vec<ObjectMeta> =
            self.run(async move { inner.list(prefix.as_ref()).try_collect().await }).await?;
        let book = self.book();
        for meta in &mut listed {
            // The store's clock is the trial's.
            if let Some(written) = book.written.get(&meta.location) {
                meta.last_modified = std::time::UNIX_EPOCH.checked_add(*written).expect("in range").into();
            }
        }
        Ok(listed)
    }
}

impl Door {
    /// A request with its fault; `request` makes it happen.
    async fn pass<T, F>(
        &self,
        what: &str,
        path: &Path,
        mode: Option<&PutMode>,
        change: Option<Change>,
        request: impl FnOnce() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.fate.wait().await;
        if self.fate.is_dead() {
            return std::future::pending().await;
        }
        self.vault.land(false).await;
        let Some((fault, at)) = self.vault.count(what, path) else { return request().await };
        let error = fault.error(path.as_ref(), mode, at % 2 == 1);
        match fault {
            Fault::FailsBefore | Fault::Throttled | Fault::Unavailable | Fault::Conflict => Err(error),
            Fault::AnswerLost => {
                drop(request().await);
                Err(error)
            }
            Fault::LandsLate => {
                change.into_iter().for_each(|change| self.vault.put_late(1 + at % 4, change));
                Err(error)
            }
            Fault::TimesOut => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Err(error)
            }
            Fault::LandsForNextOwner => {
                change.into_iter().for_each(|change| self.vault.put_late([1, 2, 3, 5, 60][at % 5], change));
                self.die().await
            }
            Fault::KillBefore => self.die().await,
            Fault::KillAfter => {
                drop(request().await);
                self.die().await
            }
            Fault::PausesBriefly | Fault::PausesLong => {
                self.fate.stop().await;
                request().await
            }
            Fault::PausesAfter => {
                let answer = request().await;
                self.fate.stop().await;
                answer
            }
        }
    }

    async fn die<T>(&self) -> T {
        self.fate.kill();
        std::future::pending().await
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("fate", &self.fate).finish_non_exhaustive()
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a door to {}", self.vault.inner)
    }
}

#[async_trait::async_trait]
impl ObjectStore for Door {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let change = Change::Put(location.clone(), payload.clone(), options.clone());
        let mode = options.mode.clone();
        let request = || self.vault.put(location, payload, options);
        self.pass("PUT", location, Some(&mode), Some(change), request).await
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        panic!("the protocol has no uploads in parts")
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let what = if options.head { "HEAD" } else { "GET" };
        let (inner, from) = (Arc::clone(&self.vault.inner), location.clone());
        let request = || {
            self.vault.run(async move {
                let found = inner.get_opts(&from, options.clone()).await?;
                if options.head {
                    return Ok(found);
                }
                // Read to its end here: what is left to do needs no store.
                let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
                let bytes = found.bytes().await?;
                let payload = object_store::GetResultPayload::Stream(stream::once(async { Ok(bytes) }).boxed());
                Ok(GetResult { payload, meta, range, attributes, extensions: Default::default() })
            })
        };
        self.pass(what, location, None, None, request).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let door = self.clone();
        let delete = move |path: Result<Path>| {
            let door = door.clone();
            async move {
                let path = path?;
                let request = || door.vault.delete(&path);
                door.pass("DELETE", &path, None, Some(Change::Delete(path.clone())), request).await?;
                Ok::<Path, object_store::Error>(path)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (door, prefix) = (self.clone(), prefix.cloned());
        let listing = async move {
            let path = prefix.clone().unwrap_or_default();
            let listed = door.pass("LIST", &path, None, None, || door.vault.list(prefix)).await?;
            Ok::<_, object_store::Error>(stream::iter(listed.into_iter().map(Ok)))
        };
        stream::once(listing).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        panic!("the protocol does not list folders")
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        panic!("the protocol copies nothing")
    }
}
