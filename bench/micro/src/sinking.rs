//! Rows and scores -> the frozen bytes of a commit, Parquet above all.

use std::hint::black_box;
use std::time::Duration;

use sink::record::{Packed, RecordKind, Resume, RunFacts};
use sink::{Claim, Clock, Commit, Identity, PartitionSink, Places, RunRows, Sink, Sinks, Workings};
use tokio::runtime::{Builder, Runtime};
use types::{LateReadings, Ledger, PartitionId, Position, Quarantine, Scores};

use crate::Work;
use crate::scoring::{Judged, ROWS, Scoring};

pub(crate) struct Encoding {
    scored: Scoring,
    scores: Scores,
    state: Packed,
    sink: PartitionSink,
    /// Where the sink asks its store; nothing does once the partition is claimed.
    _runtime: Runtime,
}

impl Encoding {
    pub(crate) fn new() -> Encoding {
        let mut scored = Scoring::new(ROWS, 20, Judged::Normal);
        let scores = scored.score();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a thread more");
        let config = sink::Config { url: "memory://microbench".to_owned(), ..sink::Config::default() };
        let places = Places::open(&config, &store::Config::default()).expect("memory opens");
        let identity = Identity { pipeline: "microbench".to_owned(), fingerprint: String::new() };
        // Under valgrind there is no clock of the machine's.
        let workings = Workings { clock: Clock::Runtime, ..Workings::default() };
        let sinks = Sinks::unchecked(places, identity, runtime.handle().clone(), workings).expect("the id is a name");
        let mut sink = sinks.partition(&PartitionId { topic: "readings".into(), index: 0 });
        sink.claim(Claim::default());
        sink.wait(Duration::from_secs(60));
        Encoding { scored, scores, state: Packed::new(&[]), sink, _runtime: runtime }
    }
}

impl Work for Encoding {
    fn run(&mut self) {
        let commit = Commit {
            kind: RecordKind::Genesis,
            resume: Resume { next: Position(1), ..Resume::default() },
            state: Some(&self.state),
            ledger: Ledger::default(),
            run: RunFacts::default(),
            rows: &self.scored.rows,
            scores: &self.scores,
            names: self.scored.windows.names(),
            late: &LateReadings::default(),
            quarantine: &Quarantine::default(),
            runs: &RunRows::default(),
            now: 0,
        };
        black_box(self.sink.encode(&commit).expect("the rows are sound"));
    }

    fn units(&self) -> usize {
        self.scored.rows.len()
    }
}
