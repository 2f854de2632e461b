//! A last commit that another owner forestalls: over a topic in memory, and two real owners of one log.

use std::thread;

use aggregate::Close;
use ingest::Bound;
use ingest::memory::Topic;
use sink::{Claim, Claimed, Commit, Frozen, Outcome, Sinks};
use types::Micros;

use super::*;
use crate::pipeline::{self, testing};
use crate::runtime::Runtime;

const LIVED: Duration = Duration::from_secs(60);

/// The places of two processes.
struct Two {
    ours: Sinks,
    others: Sinks,
}

impl Keeper for Two {
    fn sink(&self, partition: &PartitionId) -> Box<dyn Sink> {
        let (ours, other) = (self.ours.partition(partition), self.others.partition(partition));
        Box::new(Forestalled { ours: Box::new(ours), other: Box::new(other), begun: 0 })
    }

    fn drain(&self) -> Option<Micros> {
        None
    }

    fn handed_over(&self, _: &str, _: &PartitionId) -> Result<Option<sink::record::DrainFrom>, sink::Error> {
        Ok(None)
    }
}

/// After the first commit the partition is another process'.
struct Forestalled {
    ours: Box<dyn Sink>,
    other: Box<dyn Sink>,
    begun: usize,
}

impl Sink for Forestalled {
    fn claim(&mut self, claim: Claim) {
        self.ours.claim(claim);
    }

    fn encode(&mut self, commit: &Commit<'_>) -> Result<Frozen, sink::Error> {
        self.ours.encode(commit)
    }

    fn begin(&mut self, frozen: Frozen) {
        self.begun += 1;
        if self.begun == 2 {
            self.other.claim(Claim::default());
            let claimed = self.other.wait(LIVED);
            assert!(matches!(claimed, Outcome::Claimed(Claimed::Resumed(_))), "the other one has it");
        }
        self.ours.begin(frozen);
    }

    fn poll(&mut self) -> Outcome {
        self.ours.poll()
    }

    fn wait(&mut self, at_most: Duration) -> Outcome {
        self.ours.wait(at_most)
    }
}

/// What becomes of a run whose last commit another owner forestalls.
fn forestalled(name: &str, ending: Ending) -> anyhow::Result<()> {
    let runtime = Runtime::new().unwrap();
    let config = sink::Config { url: format!("memory://{name}/results"), ..sink::Config::default() };
    let sinks = || {
        let identity = sink::Identity { pipeline: "p".into(), fingerprint: String::new() };
        Sinks::open(&config, &store::Config::default(), identity, runtime.handle().clone()).unwrap()
    };
    let two = Two { ours: sinks(), others: sinks() };
    // One partition without a record.
    let source = Topic::new("t", 1).source(Bound::PresentEnd, 1);
    let (progress, shutdown) = (Progress::default(), Shutdown::default());
    thread::scope(|scope| {
        let run =
            scope.spawn(|| pipeline::run(&testing::job(ending), vec![Box::new(source)], &two, &progress, &shutdown));
        // A job ends by itself.
        if ending == Ending::Never {
            let _stop = shutdown.stop_on_drop_unless(|| false);
            testing::wait_until("the partition is taken over", || progress.counts().started == 1);
        }
        run.join().unwrap()
    })
}

#[test]
fn a_job_whose_last_commit_is_forestalled_is_not_done_and_a_service_that_stops_leaves_it_at_that() {
    let error = forestalled("a-job", Ending::WhenRead { close: Close::Due, partitions: 1 }).unwrap_err();
    let (said, hints) = (failure::chain(&error), failure::hints(&error));
    assert_eq!(said, "partition `t-0`: another owner has taken the partition over before the last commit");
    assert!(hints[0].starts_with("run the job again"), "{hints:?}");
    forestalled("a-service", Ending::Never).unwrap();
}
