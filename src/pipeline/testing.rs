//! A pipeline's job as tests in the crate need it: no models, no broker, nothing to wait for.

use std::sync::Arc;
use std::time::Duration;

use super::{Cadence, Ending, Guards, Job, SystemClock};

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
