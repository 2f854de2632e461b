//! Places to run laws in, and batches to commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use store::Location;
use tokio::runtime::Runtime;
use types::{
    ClosedBy, LateReading, LateReadings, Micros, ModelRef, PartitionId, Position, Quarantine, Reading, Reason, Refusal,
    Scores, SeriesNames, Status, WindowRows,
};

use crate::writer::Patience;
use crate::{Commit, Committed, Identity, Outcome, PartitionSink, Places, Sink, Sinks};

pub(super) const DAY: Micros = 86_400_000_000;
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
}

/// One law's own places in a store.
pub(super) struct Stage {
    pub(super) runtime: Arc<Runtime>,
    pub(super) places: Places,
}

impl Bench {
    pub(super) fn memory() -> Self {
        static USED: AtomicU32 = AtomicU32::new(0);
        Self::new(format!("memory://contract-{}", USED.fetch_add(1, Ordering::Relaxed)), store::Config::default())
    }

    pub(super) fn local(folder: &Path) -> Self {
        Self::new(folder.display().to_string(), store::Config::default())
    }

    pub(super) fn azurite() -> Option<Self> {
        let endpoint = wanted("ATALAIA_TEST_AZURITE")?;
        let storage = store::Config { emulator: true, endpoint: Some(endpoint), ..store::Config::default() };
        let bench = Self::new(format!("az://sink-{}", std::process::id()), storage);
        let location = store::open(&bench.base, &bench.storage).expect("opens");
        bench.runtime.block_on(store::emulator::create_container(&location)).expect("creates");
        Some(bench)
    }

    fn new(base: String, storage: store::Config) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Bench { runtime: Arc::new(runtime.expect("a runtime")), base, storage, used: AtomicU32::new(0) }
    }

    pub(super) fn anew(&self) -> Stage {
        let config = crate::Config {
            url: format!("{}/law-{}", self.base, self.used.fetch_add(1, Ordering::Relaxed)),
            ..crate::Config::default()
        };
        Stage { runtime: Arc::clone(&self.runtime), places: Places::open(&config, &self.storage).expect("opens") }
    }
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
        Sinks::with_patience(self.places.clone(), identity, self.runtime.handle().clone(), IMPATIENT)
    }

    pub(super) fn sink(&self) -> PartitionSink {
        self.sinks().partition(&partition(0))
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
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).expect("a whole Parquet file");
    let schema = Arc::clone(builder.schema());
    let batches: Vec<RecordBatch> = builder.build().expect("reads").map(|batch| batch.expect("decodes")).collect();
    arrow::compute::concat_batches(&schema, &batches).expect("one schema")
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

pub(super) struct Batch {
    pub(super) rows: WindowRows,
    pub(super) scores: Scores,
    pub(super) late: LateReadings,
    pub(super) quarantine: Quarantine,
    pub(super) state: Vec<u8>,
    pub(super) now: Micros,
}

pub(super) struct Names;

impl SeriesNames for Names {
    fn device(&self, series: u32) -> &str {
        ["pump-9", "pump-1", "ventil/ä ../x"][series as usize % 3]
    }

    fn sensor(&self, series: u32) -> &str {
        ["tag_2", "tag_1"][series as usize / 3 % 2]
    }

    fn generation(&self, _: u32) -> u32 {
        0
    }
}

impl Batch {
    pub(super) fn empty() -> Self {
        Batch {
            rows: WindowRows { width: 5_000_000, ..WindowRows::default() },
            scores: Scores::default(),
            late: LateReadings::default(),
            quarantine: Quarantine::default(),
            state: b"nothing open".to_vec(),
            now: 20_000 * DAY,
        }
    }

    /// Rows around a midnight, so on two dates; every third without a score.
    pub(super) fn of(rows: usize) -> Self {
        let mut batch = Self::empty();
        batch.scores.model_set = "set-1".into();
        batch.scores.models = vec![ModelRef { key: "pump/tag".into(), version: "v3".into() }];
        for row in 0..rows {
            batch.add_row(row);
        }
        batch.state = format!("state after {rows} rows").into_bytes();
        batch
    }

    fn add_row(&mut self, row: usize) {
        let value = row as f64 * 0.5;
        let rows = &mut self.rows;
        rows.series.push(row as u32 % 6);
        rows.start.push(17_771 * DAY + (row as i64 / 6 - 2) * rows.width);
        rows.count.push(1 + row as u64 % 2);
        rows.closed_by.push(ClosedBy::Device);
        rows.delta.push((row >= 6).then_some(0.25));
        for column in [&mut rows.sum, &mut rows.mean, &mut rows.min, &mut rows.max, &mut rows.first, &mut rows.last] {
            column.push(value);
        }
        rows.m2.push(0.5);
        let scored = row % 3 != 2;
        let scores = &mut self.scores;
        scores.status.push(if scored { Status::Scored } else { Status::NoModel });
        scores.decision.push(scored.then_some(-value));
        scores.severity.push(None);
        scores.threshold.push(None);
        scores.is_anomaly.push(row % 3 == 1);
        scores.model.push(scored.then_some(0));
        scores.top_feature.push(None);
    }

    pub(super) fn with_refusals(mut self, count: usize) -> Self {
        for i in 0..count {
            let late = &mut self.late;
            late.push(LateReading {
                reading: Reading {
                    device: &format!("pump-{}", i % 2),
                    sensor: "tag_1",
                    time: 17_771 * DAY + i as i64,
                    value: 1.5,
                },
                window_start: 17_771 * DAY,
                closed_to: 17_771 * DAY + 10_000_000,
                closed_by: ClosedBy::Floor,
                position: i as i64,
                index: 0,
            });
            self.quarantine.add(Refusal {
                reason: if i % 2 == 0 { Reason::BadTime } else { Reason::Empty },
                position: i as i64,
                index: Some(0),
                broker_time: (i % 3 == 0).then_some(17_771 * DAY),
                detail: "no time",
                payload: b"{}",
            });
        }
        self
    }

    pub(super) fn commit(&self, next: i64) -> Commit<'_> {
        Commit {
            next: Position(next),
            state: &self.state,
            rows: &self.rows,
            scores: &self.scores,
            names: &Names,
            late: &self.late,
            quarantine: &self.quarantine,
            now: self.now,
        }
    }
}
