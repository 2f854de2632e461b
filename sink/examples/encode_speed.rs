//! How fast rows become Parquet: `cargo run --release -p atalaia-sink --example encode_speed [ROWS [ROUNDS]]`.
//!
//! Random values, 10,000 series, one date: the encoder's hard case, with little to compress.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use sink::record::{Packed, RecordKind, Resume, RunFacts};
use sink::{Claim, Commit, Identity, Places, RunRows, Sink, Sinks};
use types::{
    ClosedBy, LateReadings, Ledger, ModelRef, PartitionId, Position, Quarantine, Scores, SeriesNames, Status,
    WindowRows,
};

const SERIES: usize = 10_000;

struct Names(Vec<String>);

impl SeriesNames for Names {
    fn device(&self, series: u32) -> &str {
        &self.0[series as usize]
    }

    fn sensor(&self, series: u32) -> &str {
        ["temperature", "pressure", "current"][series as usize % 3]
    }

    fn generation(&self, _: u32) -> u32 {
        0
    }
}

#[allow(clippy::print_stdout)]
fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().expect("a number"));
    let rows = arguments.next().unwrap_or(1_000_000);
    let rounds = arguments.next().unwrap_or(5);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let config = sink::Config { url: "memory://speed".to_owned(), ..sink::Config::default() };
    let places = Places::open(&config, &store::Config::default()).expect("opens");
    let identity = Identity { pipeline: "speed".to_owned(), fingerprint: String::new() };
    let sinks = Sinks::at(places, identity, runtime.handle().clone()).expect("opens");
    let mut sink = sinks.partition(&PartitionId { topic: "readings".into(), index: 0 });
    sink.claim(Claim::default());
    sink.wait(Duration::from_secs(60));

    let (windows, scores) = batch(rows);
    let names = Names((0..SERIES).map(|series| format!("device-{series:06}")).collect());
    let state = Packed::new(&[]);
    let commit = Commit {
        kind: RecordKind::Genesis,
        resume: Resume { next: Position(1), ..Resume::default() },
        state: Some(&state),
        ledger: Ledger::default(),
        run: RunFacts::default(),
        rows: &windows,
        scores: &scores,
        names: &names,
        late: &LateReadings::default(),
        quarantine: &Quarantine::default(),
        runs: &RunRows::default(),
        now: 0,
    };
    for _ in 0..rounds {
        let began = Instant::now();
        let frozen = sink.encode(&commit).expect("encodes");
        let seconds = began.elapsed().as_secs_f64();
        let (rate, size) = (rows as f64 / seconds / 1e6, frozen.bytes as f64 / rows as f64);
        println!("{rows} rows in {seconds:.3} s: {rate:.2} M rows/s, {size:.1} bytes a row");
    }
}

fn batch(rows: usize) -> (WindowRows, Scores) {
    let mut random = rand::rngs::SmallRng::seed_from_u64(7);
    let mut doubles = || (0..rows).map(|_| random.random_range(-1.0..1.0)).collect::<Vec<f64>>();
    let windows = WindowRows {
        width: 10_000_000,
        series: (0..rows).map(|row| (row % SERIES) as u32).collect(),
        start: (0..rows).map(|row| (row / SERIES) as i64 * 10_000_000).collect(),
        count: (0..rows).map(|row| 1 + row as u64 % 50).collect(),
        sum: doubles(),
        mean: doubles(),
        m2: (0..rows).map(|row| row as f64).collect(),
        min: doubles(),
        max: doubles(),
        first: doubles(),
        last: doubles(),
        delta: doubles().into_iter().map(Some).collect(),
        closed_by: vec![ClosedBy::Device; rows],
    };
    let scores = Scores {
        devices: None,
        status: vec![Status::Scored; rows],
        decision: doubles().into_iter().map(Some).collect(),
        severity: doubles().into_iter().map(Some).collect(),
        threshold: vec![Some(0.5); rows],
        is_anomaly: (0..rows).map(|row| row % 100 == 0).collect(),
        model: (0..rows).map(|row| Some((row % SERIES) as u32)).collect(),
        top_feature: vec![None; rows],
        models: (0..SERIES).map(|key| ModelRef { key: format!("key-{key}").into(), version: "v1".into() }).collect(),
        model_set: "set-1".into(),
    };
    (windows, scores)
}
