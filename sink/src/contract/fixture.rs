//! Places to run laws in, and the first steps of every law.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arrow::record_batch::{RecordBatch, RecordBatchReader};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use store::Location;
use tokio::runtime::Runtime;
use types::{Micros, PartitionId, Secret};

use super::batch::{Batch, NOW};
use super::rights;
use crate::record::{Record, RecordKind};
use crate::{
    Claim, Claimed, Committed, Identity, Outcome, PartitionSink, Patience, Places, Resumed, Sink, Sinks, Workings,
};

pub(super) const WAIT: Duration = Duration::from_secs(60);

/// Quick enough for tests, slow enough to be a pause.
pub(super) const IMPATIENT: Patience =
    Patience { first: Duration::from_millis(2), longest: Duration::from_millis(20), stuck: Duration::from_millis(20) };

/// A store to try, with a runtime for its I/O.
pub(super) struct Bench {
    pub(super) runtime: Arc<Runtime>,
    base: String,
    storage: store::Config,
    used: AtomicU32,
    /// Read whenever a place is opened.
    #[expect(dead_code, reason = "kept until the end")]
    secrets: Option<tempfile::TempDir>,
}

/// One law's own places in a store.
pub(super) struct Stage {
    pub(super) runtime: Arc<Runtime>,
    pub(super) places: Places,
}

impl Bench {
    pub(super) fn memory() -> Self {
        Self::new(format!("memory://contract-{}", number()), store::Config::default())
    }

    pub(super) fn local(folder: &Path) -> Self {
        Self::new(folder.display().to_string(), store::Config::default())
    }

    pub(super) fn azurite() -> Option<Self> {
        let endpoint = wanted("ATALAIA_TEST_AZURITE")?;
        let storage = store::Config { emulator: true, endpoint: Some(endpoint), ..store::Config::default() };
        let bench = Self::new(format!("az://sink-{}-{}", std::process::id(), number()), storage);
        let location = store::open(&bench.base, &bench.storage).expect("opens");
        bench.runtime.block_on(store::emulator::create_container(&location)).expect("creates");
        Some(bench)
    }

    /// An S3-compatible server (`scripts/services run --s3`). Never required: it has to be asked for.
    pub(super) fn s3() -> Option<Self> {
        let Some(endpoint) = std::env::var("ATALAIA_TEST_S3").ok().filter(|endpoint| !endpoint.is_empty()) else {
            eprintln!("SKIPPED: ATALAIA_TEST_S3 is not set");
            return None;
        };
        let folder = tempfile::tempdir().expect("temp folder");
        let file = folder.path().join("any");
        std::fs::write(&file, "any").expect("written");
        let any = Secret::parse(&format!("file:{}", file.display())).expect("a reference");
        let storage = store::Config {
            endpoint: Some(endpoint),
            region: Some("us-east-1".to_owned()),
            access_key_id: Some(any.clone()),
            secret_access_key: Some(any),
            allow_plaintext: true,
            ..store::Config::default()
        };
        let secrets = Some(folder);
        Some(Bench { secrets, ..Self::new(format!("s3://atalaia/sink-{}-{}", std::process::id(), number()), storage) })
    }

    fn new(base: String, storage: store::Config) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Bench { runtime: Arc::new(runtime.expect("a runtime")), base, storage, used: AtomicU32::new(0), secrets: None }
    }

    pub(super) fn anew(&self) -> Stage {
        let config = crate::Config {
            url: format!("{}/law-{}", self.base, self.used.fetch_add(1, Ordering::Relaxed)),
            ..crate::Config::default()
        };
        Stage { runtime: Arc::clone(&self.runtime), places: Places::open(&config, &self.storage).expect("opens") }
    }
}

/// Tests of one process do not meet.
fn number() -> u32 {
    static USED: AtomicU32 = AtomicU32::new(0);
    USED.fetch_add(1, Ordering::Relaxed)
}

/// The variable, or a skip that is seen, or a failure where services are promised.
pub(super) fn wanted(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        assert!(std::env::var_os("ATALAIA_TEST_REQUIRED").is_none(), "{variable} is not set");
        eprintln!("SKIPPED: {variable} is not set");
    }
    value
}

pub(super) fn identity() -> Identity {
    Identity { pipeline: "plant-7".to_owned(), fingerprint: "width=5s".to_owned() }
}

pub(super) fn partition(index: u32) -> PartitionId {
    PartitionId { topic: "readings".into(), index }
}

impl Stage {
    pub(super) fn sinks(&self) -> Sinks {
        self.sinks_of(identity()).expect("places are usable")
    }

    pub(super) fn sinks_of(&self, identity: Identity) -> Result<Sinks, crate::Error> {
        let sinks = self.unchecked(identity)?;
        self.runtime.block_on(sinks.check())?;
        Ok(sinks)
    }

    /// Without a request to the stores, for those that fail by plan.
    pub(super) fn unchecked(&self, identity: Identity) -> Result<Sinks, crate::Error> {
        let workings = Workings { patience: IMPATIENT, ..Workings::default() };
        Sinks::unchecked(rights::least(self.places.clone()), identity, self.runtime.handle().clone(), workings)
    }

    pub(super) fn sink(&self) -> PartitionSink {
        self.sinks().partition(&partition(0))
    }

    /// A sink whose log has begun, at position 0.
    pub(super) fn begun(&self) -> PartitionSink {
        let mut sink = self.sink();
        begin(&mut sink);
        sink
    }

    /// The records of partition 0, by their names.
    pub(super) fn records(&self) -> Vec<Record> {
        let objects = self.objects(&self.places.state);
        let of_log = objects.into_iter().filter(|(name, _)| name.starts_with("plant-7/readings/0/log/"));
        of_log.map(|(name, bytes)| Record::open(bytes).unwrap_or_else(|e| panic!("{name}: {e}"))).collect()
    }

    pub(super) fn put(&self, place: &Location, name: &str, bytes: impl Into<Bytes>) {
        let bytes: Bytes = bytes.into();
        self.runtime.block_on(place.store.put(&place.path(name), bytes.into())).expect("puts");
    }

    pub(super) fn delete(&self, place: &Location, name: &str) {
        self.runtime.block_on(place.store.delete(&place.path(name))).expect("deletes");
    }

    /// Every object of a place, by its name below it.
    pub(super) fn objects(&self, place: &Location) -> BTreeMap<String, Bytes> {
        self.runtime.block_on(async {
            let listed: Vec<_> = place.store.list(Some(&place.prefix)).try_collect().await.expect("lists");
            let mut objects = BTreeMap::new();
            for meta in listed {
                let bytes = place.store.get(&meta.location).await.expect("gets").bytes().await.expect("bytes");
                let name = meta.location.as_ref().strip_prefix(place.prefix.as_ref()).expect("below");
                objects.insert(name.trim_start_matches('/').to_owned(), bytes);
            }
            objects
        })
    }

    pub(super) fn rows(&self, place: &Location) -> usize {
        self.objects(place).values().map(|bytes| read(bytes).num_rows()).sum()
    }
}

pub(super) fn read(bytes: &Bytes) -> RecordBatch {
    read_columns(bytes, |_| true)
}

pub(super) fn read_columns(bytes: &Bytes, wanted: impl Fn(&str) -> bool) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).expect("a whole Parquet file");
    let fields = builder.schema().fields().iter().enumerate();
    let roots: Vec<usize> = fields.filter(|(_, field)| wanted(field.name())).map(|(root, _)| root).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let reader = builder.with_projection(mask).build().expect("reads");
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("decodes")).collect();
    arrow::compute::concat_batches(&schema, &batches).expect("one schema")
}

pub(super) fn claim_now(now: Micros) -> Claim {
    Claim { high: None, partitions: Some(4), commit_interval: Duration::from_secs(60), now }
}

pub(super) fn claim(sink: &mut PartitionSink) -> Outcome {
    claim_as(sink, claim_now(NOW))
}

pub(super) fn claim_as(sink: &mut PartitionSink, claim: Claim) -> Outcome {
    sink.claim(claim);
    sink.wait(WAIT)
}

pub(super) fn resume(sink: &mut PartitionSink) -> Resumed {
    match claim(sink) {
        Outcome::Claimed(Claimed::Resumed(resumed)) => *resumed,
        other => panic!("{other:?}"),
    }
}

/// Claims a partition without a log, and begins one at position 0.
pub(super) fn begin(sink: &mut PartitionSink) {
    let claimed = claim(sink);
    assert!(matches!(claimed, Outcome::Claimed(Claimed::Vacant { .. })), "{claimed:?}");
    commit(sink, &Batch::empty().kind(RecordKind::Genesis), 0);
}

pub(super) fn commit(sink: &mut PartitionSink, batch: &Batch, next: i64) -> Committed {
    match try_commit(sink, batch, next) {
        Outcome::Done(committed) => committed,
        other => panic!("{other:?}"),
    }
}

pub(super) fn try_commit(sink: &mut PartitionSink, batch: &Batch, next: i64) -> Outcome {
    let frozen = sink.encode(&batch.commit(next)).expect("encodes");
    sink.begin(frozen);
    sink.wait(WAIT)
}
