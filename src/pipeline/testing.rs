//! What tests in the crate share: a pipeline's job without models and broker, and how they wait for what it does.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Cadence, Ending, Guards, Job, SystemClock};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn job(ending: Ending) -> Job {
    Job {
        decode: ingest::decode::Config::default(),
        shard: None,
        windows: aggregate::Config::default().settings(false, false).unwrap(),
        models: Arc::new(score::Models::new(Arc::new(score::ModelSet::empty()))),
        score: score::Config::default(),
        cadence: Cadence { commit_interval: Duration::from_secs(60), min_rows: 1, max_delay: Duration::from_secs(60) },
        pending_bytes_max: 1 << 20,
        start: ingest::Start::Earliest,
        predecessor: None,
        on_gap: ingest::OnGap::Halt,
        wall: true,
        ending,
        grace: Duration::from_secs(60),
        clock: Arc::new(SystemClock),
        withheld: Duration::ZERO,
        guards: Guards::default(),
    }
}

/// Looks again and again until it is as it should be.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}
