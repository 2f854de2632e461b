//! A member whose store fails, hangs, or does what it was asked and does not say so.

use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::thread;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::runtime::Runtime;
use types::Span;

use super::*;
use crate::event_hubs::ownership::Group;
use crate::event_hubs::{Ownership, Strategy};

const WAIT: Duration = Duration::from_secs(60);
const RENEW: Duration = Duration::from_millis(50);
const EXPIRY: Duration = Duration::from_millis(600);

const PASS: u8 = 0;
const FAIL: u8 = 1;
const HANG: u8 = 2;
/// Each write takes place; the answer to every fourth is lost, which meets three partitions in turn.
const LOSE: u8 = 3;

/// A store in memory, with faults.
#[derive(Debug)]
struct Faulty {
    inner: Arc<dyn ObjectStore>,
    mode: Arc<AtomicU8>,
    writes: Arc<AtomicU32>,
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

fn broken() -> StoreError {
    StoreError::Generic { store: "faulty", source: "503".into() }
}

impl Faulty {
    async fn meet(&self) -> Result<()> {
        match self.mode.load(Ordering::Relaxed) {
            FAIL => Err(broken()),
            HANG => pending().await,
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.meet().await?;
        let put = self.inner.put_opts(path, payload, options).await?;
        let write = self.writes.fetch_add(1, Ordering::Relaxed);
        if self.mode.load(Ordering::Relaxed) == LOSE && write.is_multiple_of(4) {
            return Err(broken());
        }
        Ok(put)
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.meet().await?;
        self.inner.get_opts(path, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.mode.load(Ordering::Relaxed) {
            FAIL => stream::iter([Err(broken())]).boxed(),
            HANG => stream::pending().boxed(),
            _ => self.inner.list(prefix),
        }
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(StoreError::NotImplemented { operation: "multipart".into(), implementer: "faulty".into() })
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

struct Bench {
    runtime: Runtime,
    store: CheckpointStore,
    mode: Arc<AtomicU8>,
    writes: Arc<AtomicU32>,
}

impl Bench {
    fn new(name: &str) -> Self {
        let group = Group { namespace: "n".into(), hub: "h".into(), consumer_group: "g".into() };
        let url = format!("memory://member-{name}");
        let mut store = CheckpointStore::open(&url, &store::Config::default(), &group).unwrap();
        let (mode, writes) = (Arc::new(AtomicU8::new(PASS)), Arc::new(AtomicU32::new(0)));
        let inner = Arc::clone(&store.location.store);
        store.location.store = Arc::new(Faulty { inner, mode: Arc::clone(&mode), writes: Arc::clone(&writes) });
        Bench { runtime: Runtime::new().unwrap(), store, mode, writes }
    }

    fn member(&self) -> Member {
        self.member_that_renews(RENEW, EXPIRY)
    }

    fn member_that_renews(&self, every: Duration, expiry: Duration) -> Member {
        let config = Ownership {
            url: None,
            strategy: Strategy::Greedy,
            renew_interval: Span::from_millis(every.as_millis() as u64),
            expiry: Span::from_millis(expiry.as_millis() as u64),
        };
        let settings = Settings::new(&config).unwrap();
        let mut member = Member::new(self.runtime.handle().clone(), self.store.clone(), settings, 0);
        member.begin(Arc::new(|| {}));
        member.hub_has(3);
        member
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::Relaxed);
    }
}

/// Looks until it was told of so many partitions, gained or lost; all that it was told.
fn until(member: &mut Member, wanted: usize) -> Vec<Change> {
    let deadline = Instant::now() + WAIT;
    let mut told = Vec::new();
    loop {
        told.extend(member.changes().unwrap());
        let partitions = told.iter().map(|change| match change {
            Change::Gained(partitions) | Change::Lost(partitions) => partitions.len(),
        });
        if partitions.sum::<usize>() >= wanted {
            return told;
        }
        assert!(Instant::now() < deadline, "{told:?}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

fn all_are(told: &[Change], is_gain: bool) -> bool {
    told.iter().all(|change| matches!(change, Change::Gained(_)) == is_gain)
}

#[test]
fn what_cannot_be_renewed_is_given_up_and_comes_back() {
    for (name, mode) in [("fails", FAIL), ("hangs", HANG)] {
        let bench = Bench::new(name);
        let mut member = bench.member();
        assert!(all_are(&until(&mut member, 3), true), "{name}");
        bench.set(mode);
        assert!(all_are(&until(&mut member, 3), false), "{name}");
        bench.set(PASS);
        assert!(all_are(&until(&mut member, 3), true), "{name}");
        member.leave();
    }
}

#[test]
fn a_store_that_is_away_at_the_start_is_waited_for() {
    let bench = Bench::new("start");
    bench.set(FAIL);
    let mut member = bench.member();
    thread::park_timeout(RENEW * 4);
    assert_eq!(member.changes().unwrap(), []);
    bench.set(PASS);
    assert!(all_are(&until(&mut member, 3), true));
    member.leave();
}

#[test]
fn a_renewal_whose_answer_was_lost_is_still_ours() {
    let bench = Bench::new("lost-answers");
    let mut member = bench.member();
    until(&mut member, 3);
    bench.set(LOSE);
    let (deadline, before) = (Instant::now() + WAIT, bench.writes.load(Ordering::Relaxed));
    while bench.writes.load(Ordering::Relaxed) < before + 60 {
        assert!(Instant::now() < deadline);
        assert_eq!(member.changes().unwrap(), [], "nothing changes hands");
        thread::park_timeout(Duration::from_millis(5));
    }
    bench.set(PASS);
    member.leave();
    let owners = bench.runtime.block_on(bench.store.ownership(&Default::default())).unwrap();
    assert!(owners.values().all(|record| record.owner.is_empty()), "{owners:?}");
}

#[test]
fn what_is_not_held_any_more_is_given_back_too() {
    let bench = Bench::new("given-back");
    let owners = || {
        let records = bench.runtime.block_on(bench.store.ownership(&Default::default())).unwrap();
        records.into_values().map(|record| record.owner).collect::<Vec<_>>()
    };
    bench.set(LOSE);
    // It looks once, and again only long after it has left.
    let mut member = bench.member_that_renews(WAIT, WAIT * 2);
    let Change::Gained(gained) = until(&mut member, 2).remove(0) else { panic!("a gain") };
    assert_eq!(owners(), [member.id(); 3], "the third claim took place, and was not answered");
    member.stolen(gained[0]);
    bench.set(PASS);
    member.leave();
    assert_eq!(owners(), [""; 3]);
}

#[test]
fn a_fork_of_checkpoints_ends_the_member_with_both_named() {
    let bench = Bench::new("fork");
    let mut store = bench.store.clone();
    store.verbatim = Some("N/h/g".into());
    for (folder, number) in [("n/h/g", "1"), ("N/h/g", "1000000")] {
        let path = store.location.path(&format!("{folder}/checkpoint/0"));
        let metadata = super::super::layout::metadata([("sequencenumber", number)]);
        bench.runtime.block_on(store.put(&path, metadata, None)).unwrap().expect("nothing was there");
    }
    let bench = Bench { store, ..bench };
    let mut member = bench.member();
    let deadline = Instant::now() + WAIT;
    let error = loop {
        if let Err(error) = member.changes() {
            break error;
        }
        assert!(Instant::now() < deadline);
        thread::park_timeout(Duration::from_millis(5));
    };
    let text = error.to_string();
    assert!(
        text.contains("`memory://member-fork/n/h/g/checkpoint/0`") && text.contains("/N/h/g/checkpoint/0`"),
        "{text}"
    );
    member.leave();
}
