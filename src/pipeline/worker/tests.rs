//! A last commit that another owner forestalls: over a source that a test makes, and two real owners of one log.

use aggregate::Close;
use ingest::Start;
use sink::{Claim, Claimed, Commit, Frozen, Outcome, Sinks};
use types::{Micros, Position};

use super::*;
use crate::pipeline::{self, testing};
use crate::runtime::Runtime;

const LIVED: Duration = Duration::from_secs(60);

fn partition() -> PartitionId {
    PartitionId { topic: "t".into(), index: 0 }
}

/// One partition without a record. Who reads it to its end is asked to stop.
#[derive(Default)]
struct Empty {
    news: Vec<Polled>,
    shutdown: Shutdown,
}

impl Source for Empty {
    fn poll(&mut self, wait: Duration) -> Result<Polled, ingest::Error> {
        let Some(news) = self.news.pop() else {
            std::thread::park_timeout(wait);
            return Ok(Polled::Idle);
        };
        if matches!(news, Polled::Ended { .. }) {
            self.shutdown.request();
        }
        Ok(news)
    }

    fn resolve(&mut self, _: &PartitionId, _: Start) -> Result<Position, ingest::Error> {
        Ok(Position(0))
    }

    fn start(&mut self, partition: &PartitionId, position: Position) -> Result<(), ingest::Error> {
        self.news.push(Polled::Ended { partition: partition.clone(), position });
        Ok(())
    }

    fn stop(&mut self, _: &PartitionId) {}
    fn pause(&mut self, _: &PartitionId) {}
    fn resume(&mut self, _: &PartitionId) {}
    fn acknowledge(&mut self, _: &PartitionId, _: Position, _: Option<&str>) {}
    fn leave(&mut self) {}
}

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
    let shutdown = Shutdown::default();
    // A job ends by itself.
    let stopped = if ending == Ending::Never { shutdown.clone() } else { Shutdown::default() };
    let source = Empty { news: vec![Polled::Gained(vec![partition()])], shutdown: stopped };
    let progress = Progress::default();
    pipeline::run(&testing::job(ending), vec![Box::new(source)], &two, &progress, &shutdown)
}

#[test]
fn a_job_whose_last_commit_is_forestalled_is_not_done_and_a_service_that_stops_leaves_it_at_that() {
    let error = forestalled("a-job", Ending::WhenRead { close: Close::Due, partitions: 1 }).unwrap_err();
    let (said, hints) = (report::chain(&error), report::hints(&error));
    assert_eq!(said, "partition `t-0`: another owner has taken the partition over before the last commit");
    assert!(hints[0].starts_with("run the job again"), "{hints:?}");
    forestalled("a-service", Ending::Never).unwrap();
}
