//! Places in Azurite that one sink reaches through the proxy and another directly, and what must be true of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use sink::audit::{self, Content, Evidence, FileName};
use sink::record::{Packed, RecordKind, Resume, RunFacts};
use sink::{
    Claim, Claimed, Commit, Dataset, Identity, Outcome, PartitionSink, Patience, Places, RunRows, Sink, Sinks, Workings,
};
use tokio::runtime::Runtime;
use types::{
    ClosedBy, LateReadings, Ledger, PartitionId, Position, Quarantine, Scores, SeriesNames, Span, Status, WindowRows,
};

use crate::proxy::Proxy;

pub(crate) const WAIT: Duration = Duration::from_secs(60);
const NOW: i64 = 1_728_000_000_000_000;

pub(crate) struct Stage {
    runtime: Runtime,
    places: Places,
    pub(crate) proxied: Sinks,
    direct: Sinks,
}

/// A sink, and the accounts of what it has seen.
pub(crate) struct Owner {
    pub(crate) sink: PartitionSink,
    emitted: u64,
}

struct Names;

impl SeriesNames for Names {
    fn device(&self, _: u32) -> &str {
        "pump"
    }

    fn sensor(&self, _: u32) -> &str {
        "tag"
    }

    fn generation(&self, _: u32) -> u32 {
        0
    }
}

fn identity() -> Identity {
    Identity { pipeline: "plant-7".to_owned(), fingerprint: "width=5s".to_owned() }
}

fn partition() -> PartitionId {
    PartitionId { topic: "readings".into(), index: 0 }
}

impl Stage {
    pub(crate) fn new(proxy: &Proxy) -> Self {
        static USED: AtomicU32 = AtomicU32::new(0);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let container = format!("lost-{}-{}", std::process::id(), USED.fetch_add(1, Ordering::Relaxed));
        let config = sink::Config { url: format!("az://{container}/plant"), ..sink::Config::default() };
        // Short, so that what hangs is given up soon.
        let storage = |endpoint: &str| store::Config {
            emulator: true,
            endpoint: Some(endpoint.to_owned()),
            request_timeout: Span::from_secs(2),
            ..store::Config::default()
        };
        let places = Places::open(&config, &storage(&proxy.azurite)).expect("opens");
        runtime.block_on(store::emulator::create_container(&places.state)).expect("creates");
        let patience = Patience {
            first: Duration::from_millis(10),
            longest: Duration::from_millis(100),
            stuck: Duration::from_millis(100),
        };
        let workings = Workings { patience, ..Workings::default() };
        let sinks = |places| Sinks::unchecked(places, identity(), runtime.handle().clone(), workings).expect("apart");
        let proxied = sinks(Places::open(&config, &storage(&proxy.endpoint)).expect("opens"));
        let direct = sinks(places.clone());
        Stage { proxied, direct, runtime, places }
    }

    pub(crate) fn through_proxy(&self) -> Owner {
        Owner { sink: self.proxied.partition(&partition()), emitted: 0 }
    }

    pub(crate) fn direct(&self) -> Owner {
        Owner { sink: self.direct.partition(&partition()), emitted: 0 }
    }

    /// A commit of one row, whose window says which.
    pub(crate) fn start(&self, owner: &mut Owner, next: i64) {
        let frozen = encode(owner, RecordKind::Data, next);
        owner.sink.begin(frozen);
    }

    pub(crate) fn commit(&self, owner: &mut Owner, next: i64) -> Outcome {
        self.start(owner, next);
        owner.sink.wait(WAIT)
    }

    pub(crate) fn has_record(&self, seq: u64) -> bool {
        let path = self.places.state.path(&format!("plant-7/readings/0/log/{seq:020}"));
        self.runtime.block_on(self.places.state.store.head(&path)).is_ok()
    }

    /// The log ends at `seq` and is whole, and of each commit there is its one row.
    pub(crate) fn holds(&self, seq: u64, commits: &[i64], case: &str) {
        let datasets = [&self.places.predictions, &self.places.late, &self.places.quarantine, &self.places.runs];
        let mut evidence = Evidence::default();
        for (dataset, place) in Dataset::ALL.iter().zip(datasets) {
            for (name, bytes) in self.objects(place) {
                let content = Content { length: bytes.len() as u64, crc: Some(crc32c::crc32c(&bytes)) };
                evidence.files.insert(FileName { dataset: dataset.to_string(), name }, content);
            }
        }
        let visible = evidence.files.len();
        let mut log = BTreeMap::new();
        for (name, bytes) in self.objects(&self.places.state) {
            match name.rsplit_once("/log/") {
                Some((_, seq)) => drop(log.insert(seq.parse().expect("a number"), bytes)),
                None => {
                    let name = name.rsplit('/').next().expect("a name").to_owned();
                    let content = Content { length: bytes.len() as u64, crc: None };
                    evidence.files.insert(FileName { dataset: "markers".to_owned(), name }, content);
                }
            }
        }
        assert_eq!(log.keys().copied().collect::<Vec<u64>>(), (0..=seq).collect::<Vec<u64>>(), "{case}");
        let rows: Vec<i64> = log
            .values()
            .map(|bytes| sink::record::Record::open(bytes.clone()).expect("whole"))
            .flat_map(|record| record.header().files.clone())
            .filter_map(|file| file.from)
            .collect();
        assert_eq!(rows, commits.iter().map(|next| window(*next)).collect::<Vec<i64>>(), "{case}");
        assert_eq!(visible, commits.len(), "{case}: one file each");
        evidence.logs.insert(partition(), log);
        assert_eq!(audit::check(&identity(), &evidence), [], "{case}");
    }

    fn objects(&self, place: &store::Location) -> BTreeMap<String, bytes::Bytes> {
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
}

fn window(next: i64) -> i64 {
    NOW + next * 5_000_000
}

fn encode(owner: &mut Owner, kind: RecordKind, next: i64) -> sink::Frozen {
    let count = usize::from(kind == RecordKind::Data);
    let rows = WindowRows {
        width: 5_000_000,
        series: vec![0; count],
        start: vec![window(next); count],
        count: vec![1; count],
        closed_by: vec![ClosedBy::Device; count],
        delta: vec![None; count],
        m2: vec![0.0; count],
        sum: vec![1.0; count],
        mean: vec![1.0; count],
        min: vec![1.0; count],
        max: vec![1.0; count],
        first: vec![1.0; count],
        last: vec![1.0; count],
    };
    let scores = Scores {
        status: vec![Status::NoModel; count],
        decision: vec![None; count],
        severity: vec![None; count],
        threshold: vec![None; count],
        is_anomaly: vec![false; count],
        model: vec![None; count],
        top_feature: vec![None; count],
        ..Scores::default()
    };
    owner.emitted += count as u64;
    let emitted = owner.emitted;
    let ledger = Ledger {
        records: emitted,
        decoded: emitted,
        readings: emitted,
        emitted,
        rows_in_files: emitted,
        ..Ledger::default()
    };
    let state = Packed::new(b"a state");
    let commit = Commit {
        kind,
        resume: Resume { next: Position(next), ..Resume::default() },
        state: Some(&state),
        ledger,
        run: RunFacts::default(),
        rows: &rows,
        scores: &scores,
        names: &Names,
        late: &LateReadings::default(),
        quarantine: &Quarantine::default(),
        runs: &RunRows::default(),
        now: NOW,
    };
    owner.sink.encode(&commit).expect("encodes")
}

pub(crate) fn begin(owner: &mut Owner) {
    assert_eq!(claim(owner), None);
    let frozen = encode(owner, RecordKind::Genesis, 0);
    owner.sink.begin(frozen);
    let outcome = owner.sink.wait(WAIT);
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

/// Where reading goes on; none if there is no log.
pub(crate) fn claim(owner: &mut Owner) -> Option<i64> {
    let commit_interval = Duration::from_secs(60);
    owner.sink.claim(Claim { high: None, partitions: Some(4), commit_interval, now: NOW });
    match owner.sink.wait(WAIT) {
        Outcome::Claimed(Claimed::Vacant { .. }) => None,
        Outcome::Claimed(Claimed::Resumed(resumed)) => {
            owner.emitted = resumed.header.ledger.emitted;
            Some(resumed.header.resume.next.0)
        }
        other => panic!("{other:?}"),
    }
}
