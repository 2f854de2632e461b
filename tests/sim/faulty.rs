//! The store as one life of one process sees it: requests take time, go wrong, and stand still while the process does.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use rand::RngExt;
use tokio::sync::Notify;

use crate::faults::{Kind, Step};
use crate::objects::{Doing, Name, Verb, name};
use crate::world::{Mode, Order, Shared, World, lock};

#[derive(Clone)]
pub(crate) struct ProcessStore {
    world: Shared,
    process: usize,
    life: u32,
    woken: Arc<Notify>,
    doing: Arc<Mutex<BTreeMap<u32, Doing>>>,
}

/// What a request does at the store, now or later.
#[derive(Debug, Clone)]
enum Change {
    Get(String),
    List(String, Option<String>),
    Create(String, Bytes),
    Replace(String, Bytes),
    Delete(String),
}

/// What the store says to it.
enum Done {
    Yes,
    Taken,
    Found(Option<(Bytes, i64)>),
    Listed(Vec<(String, u64, i64)>),
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Done::Yes => f.write_str("done"),
            Done::Taken => f.write_str("taken"),
            Done::Found(None) => f.write_str("nothing"),
            Done::Found(Some((bytes, _))) => write!(f, "{} bytes", bytes.len()),
            Done::Listed(listed) => {
                write!(f, "{} up to {}", listed.len(), listed.last().map_or("", |(path, ..)| path))
            }
        }
    }
}

impl ProcessStore {
    pub(crate) fn new(world: &Shared, process: usize) -> Self {
        let guard = lock(world);
        let facts = &guard.processes[process];
        let (life, woken) = (facts.life, Arc::clone(&facts.woken));
        ProcessStore { world: Arc::clone(world), process, life, woken, doing: Arc::default() }
    }

    /// The process claims the partition (again).
    pub(crate) fn claims(&self, partition: u32) {
        self.doing().insert(partition, Doing::Claiming);
    }

    fn doing(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Doing>> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stands still while the process does; for ever once it is dead.
    async fn gate(&self) {
        loop {
            let woken = self.woken.notified();
            match self.mode() {
                Mode::Runs => return,
                Mode::Dead => return std::future::pending().await,
                Mode::Paused => {}
            }
            woken.await;
        }
    }

    fn mode(&self) -> Mode {
        let world = lock(&self.world);
        let process = &world.processes[self.process];
        if process.life == self.life { process.mode } else { Mode::Dead }
    }

    fn step(&self, verb: &Verb, path: &str) -> Step {
        let Some(name) = name(path) else { return Step::ClaimVacant };
        let partition = partition_of(path);
        let doing = partition.and_then(|partition| self.doing().get(&partition).copied()).unwrap_or_default();
        let log_is_empty = || {
            let world = lock(&self.world);
            partition.is_some_and(|partition| !world.objects.chains.contains_key(&partition))
        };
        match (verb, name) {
            (Verb::Head, Name::Marker) if doing == Doing::Claiming && log_is_empty() => Step::ClaimVacant,
            _ => doing.step(verb, name),
        }
    }

    /// What a request of ours tells of what comes next.
    fn learn(&self, step: Step, partition: Option<u32>) {
        let Some(partition) = partition else { return };
        let doing = match step {
            Step::ClaimConfirm => Doing::Confirmed { is_claim: true },
            Step::CommitConfirm => Doing::Confirmed { is_claim: false },
            _ => return,
        };
        self.doing().insert(partition, doing);
    }

    async fn request(&self, verb: Verb, path: &str, change: Change) -> Result<Done> {
        self.gate().await;
        if let (Change::Create(_, bytes), Some(Name::Record { partition, .. })) = (&change, name(path)) {
            let is_claim = sink::record::peek(bytes).is_ok_and(|header| header.kind == sink::record::RecordKind::Claim);
            self.doing().insert(partition, if is_claim { Doing::Taking } else { Doing::Committing });
        }
        let step = self.step(&verb, path);
        let done = self.answered(step, path, change).await;
        {
            let mut world = lock(&self.world);
            let (process, life) = (self.process, self.life);
            let said = match &done {
                Ok(done) => format!("{done:?}"),
                Err(error) => error.to_string(),
            };
            world.note(format_args!("{process}.{life} {}: {path}: {said}", step.as_str()));
        }
        self.gate().await;
        if done.is_ok() {
            self.learn(step, partition_of(path));
        }
        done
    }

    async fn answered(&self, step: Step, path: &str, change: Change) -> Result<Done> {
        let (there, back, fault, cut) = {
            let mut world = lock(&self.world);
            let fault = world.fault(step);
            if let Some(kind) = fault {
                world.count(step, kind, self.process);
            }
            (world.latency(), world.latency(), fault, world.is_cut_off(self.process))
        };
        if cut {
            return self.cut_off().await;
        }
        match fault {
            None => self.plainly(there, back, change).await,
            Some(kind) if kind.is_of_request() => self.faulty(kind, there, back, path, change).await,
            Some(kind) => {
                let before = lock(&self.world).rng.random_bool(0.6);
                if !before {
                    tokio::time::sleep(there).await;
                    let done = self.apply(&change);
                    self.order(kind, step);
                    self.gate().await;
                    tokio::time::sleep(back).await;
                    return Ok(done);
                }
                self.order(kind, step);
                self.gate().await;
                if lock(&self.world).is_cut_off(self.process) {
                    return self.cut_off().await;
                }
                self.plainly(there, back, change).await
            }
        }
    }

    async fn plainly(&self, there: Duration, back: Duration, change: Change) -> Result<Done> {
        tokio::time::sleep(there).await;
        let done = self.apply(&change);
        tokio::time::sleep(back).await;
        Ok(done)
    }

    /// No request reaches the store: some fail at once, others hang.
    async fn cut_off(&self) -> Result<Done> {
        if lock(&self.world).rng.random_bool(0.3) {
            tokio::time::sleep(Duration::from_secs(120)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        Err(broken("connection refused"))
    }

    async fn faulty(&self, kind: Kind, there: Duration, back: Duration, path: &str, change: Change) -> Result<Done> {
        let location = path.to_owned();
        tokio::time::sleep(there).await;
        let result = match kind {
            Kind::Refused => Err(broken("connection reset")),
            Kind::AnswerLost => {
                self.apply(&change);
                Err(broken("the answer was lost"))
            }
            Kind::AppliedTwice => {
                // The client's own second try of a request that was applied: its answer is about that.
                self.apply(&change);
                Ok(self.apply(&change))
            }
            Kind::AppliedLate => {
                self.apply_later(change);
                Err(broken("the answer was lost"))
            }
            Kind::Conflict if lock(&self.world).rng.random_bool(0.3) => {
                Err(broken("status code: 409: <Code>ConditionalRequestConflict</Code>"))
            }
            Kind::Conflict => Err(Error::AlreadyExists { path: location, source: "409".into() }),
            Kind::Precondition => Err(Error::Precondition { path: location, source: "412".into() }),
            Kind::TooMany => Err(broken("status code: 429: <Code>TooManyRequests</Code>")),
            Kind::Unavailable => Err(broken("status code: 503: <Code>ServerBusy</Code>")),
            Kind::Timeout => {
                if lock(&self.world).rng.random_bool(0.5) {
                    self.apply(&change);
                }
                tokio::time::sleep(Duration::from_secs(120)).await;
                Err(broken("timed out"))
            }
            _ => {
                let (before, after) = {
                    let mut world = lock(&self.world);
                    (world.seconds(0, 18), world.seconds(0, 18))
                };
                tokio::time::sleep(Duration::from_micros(before as u64)).await;
                let done = self.apply(&change);
                tokio::time::sleep(Duration::from_micros(after as u64)).await;
                Ok(done)
            }
        };
        tokio::time::sleep(back).await;
        result
    }

    fn apply(&self, change: &Change) -> Done {
        apply(&mut lock(&self.world), change)
    }

    /// Whatever becomes of the process meanwhile.
    fn apply_later(&self, change: Change) {
        let (delay, heals) = {
            let mut world = lock(&self.world);
            world.late += 1;
            let long = world.rng.random_bool(0.2);
            let delay = if long { world.seconds(60, 1500) } else { world.seconds(0, 60) };
            (delay, Arc::clone(&world.broker.heals))
        };
        let world = Arc::clone(&self.world);
        tokio::spawn(async move {
            let _ = tokio::time::timeout(Duration::from_micros(delay as u64), heals.notified()).await;
            let mut world = lock(&world);
            world.late -= 1;
            let done = apply(&mut world, &change);
            world.note(format_args!("lands late: {}: {done:?}", change.path()));
        });
    }

    fn order(&self, kind: Kind, step: Step) {
        let mut world = lock(&self.world);
        // A process that is to stop does so before anything else of it goes on.
        world.begin(kind, self.process);
        world.orders.push(Order { kind, step, process: self.process });
    }

    async fn read(&self, verb: Verb, path: &str) -> Result<Option<(Bytes, i64)>> {
        match self.request(verb, path, Change::Get(path.to_owned())).await? {
            Done::Found(found) => Ok(found),
            _ => Err(broken("no answer to a read")),
        }
    }

    async fn listing(&self, prefix: String, after: Option<String>) -> Result<Vec<ObjectMeta>> {
        match self.request(Verb::List, &prefix, Change::List(prefix.clone(), after)).await? {
            Done::Listed(listed) => {
                Ok(listed.into_iter().map(|(path, size, modified)| meta(&path, size, modified)).collect())
            }
            _ => Err(broken("no answer to a listing")),
        }
    }

    fn list_from(&self, prefix: Option<&Path>, after: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.map(Path::to_string).unwrap_or_default());
        let after = after.map(Path::to_string);
        let listing = async move {
            match store.listing(prefix, after).await {
                Ok(listed) => stream::iter(listed.into_iter().map(Ok).collect::<Vec<_>>()),
                Err(error) => stream::iter(vec![Err(error)]),
            }
        };
        stream::once(listing).flatten().boxed()
    }
}

fn apply(world: &mut World, change: &Change) -> Done {
    let now = world.now();
    let done = match change {
        Change::Get(path) => {
            return Done::Found(world.objects.all.get(path).map(|object| (object.bytes.clone(), object.modified)));
        }
        Change::List(prefix, after) => return Done::Listed(world.objects.list(prefix, after.as_deref())),
        Change::Create(path, bytes) => world.objects.create(path, bytes, now),
        Change::Replace(path, bytes) => world.objects.replace(path, bytes, now).map(|()| true),
        Change::Delete(path) => world.objects.delete(path),
    };
    if let Some(news) = world.objects.news.take() {
        world.note(format_args!("{news}"));
    }
    match (done, change) {
        (Ok(false), Change::Create(..)) => Done::Taken,
        (Ok(_), _) => Done::Yes,
        (Err(why), _) => {
            world.fail(why);
            Done::Yes
        }
    }
}

impl Change {
    fn path(&self) -> &str {
        match self {
            Change::Get(path) | Change::List(path, _) => path,
            Change::Create(path, _) | Change::Replace(path, _) | Change::Delete(path) => path,
        }
    }
}

/// From the names of logs and of files.
fn partition_of(path: &str) -> Option<u32> {
    match name(path)? {
        Name::Record { partition, .. } | Name::Log { partition } | Name::CompleteTo { partition } => Some(partition),
        Name::Marker => path.rsplit('-').next()?.parse().ok(),
        Name::Markers => None,
        Name::File(path) => path.rsplit('/').next()?.split('-').nth(1)?.parse().ok(),
    }
}

fn broken(what: &'static str) -> Error {
    Error::Generic { store: "simulated", source: what.into() }
}

fn meta(path: &str, size: u64, modified: i64) -> ObjectMeta {
    let mut meta =
        ObjectMeta { location: Path::from(path), last_modified: Default::default(), size, e_tag: None, version: None };
    meta.last_modified += Duration::from_micros(modified as u64);
    meta
}

impl fmt::Debug for ProcessStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store of process {}", self.process)
    }
}

impl fmt::Display for ProcessStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "simulated store")
    }
}

#[async_trait::async_trait]
impl ObjectStore for ProcessStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let (path, bytes) = (location.to_string(), Bytes::from(payload));
        let (verb, change) = match options.mode {
            PutMode::Create => (Verb::Create, Change::Create(path.clone(), bytes)),
            PutMode::Overwrite => (Verb::Replace, Change::Replace(path.clone(), bytes)),
            PutMode::Update(_) => {
                return Err(Error::NotImplemented { operation: "update".into(), implementer: "simulation".into() });
            }
        };
        match self.request(verb, &path, change).await? {
            Done::Yes => Ok(PutResult { e_tag: None, version: None, extensions: Default::default() }),
            _ => Err(Error::AlreadyExists { path, source: "taken".into() }),
        }
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented { operation: "multipart".into(), implementer: "simulation".into() })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let path = location.to_string();
        let verb = if options.head { Verb::Head } else { Verb::Get { is_part: options.range.is_some() } };
        let Some((bytes, modified)) = self.read(verb, &path).await? else {
            return Err(Error::NotFound { path, source: "not found".into() });
        };
        let size = bytes.len() as u64;
        let range: Range<u64> = match &options.range {
            Some(range) => {
                range.as_range(size).map_err(|error| Error::Generic { store: "simulated", source: Box::new(error) })?
            }
            None => 0..size,
        };
        let part = bytes.slice(range.start as usize..range.end as usize);
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream::once(async move { Ok(part) }).boxed()),
            meta: meta(&path, size, modified),
            range,
            attributes: Default::default(),
            extensions: Default::default(),
        })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .then(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    let path = location.to_string();
                    store.request(Verb::Delete, &path, Change::Delete(path.clone())).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_from(prefix, None)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_from(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(Error::NotImplemented { operation: "folders".into(), implementer: "simulation".into() })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(Error::NotImplemented { operation: "copy".into(), implementer: "simulation".into() })
    }
}
