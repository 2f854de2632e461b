//! A source of which a test decides whether it answers, in a pipeline that runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ingest::{Polled, Source, Start, Trouble};
use types::{Micros, PartitionId, Position};

use super::*;
use crate::pipeline::{self, Counts, Ending, Keeper, testing};
use crate::shutdown::Shutdown;

const LIVED: Duration = Duration::from_secs(60);

/// What the source does.
#[derive(Default)]
struct Switches {
    blocks: AtomicBool,
    is_cut_off: AtomicBool,
}

/// Of no partitions.
struct Switched(Arc<Switches>);

impl Source for Switched {
    fn poll(&mut self, wait: Duration) -> Result<Polled, ingest::Error> {
        thread::park_timeout(wait);
        while self.0.blocks.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_millis(5));
        }
        Ok(Polled::Idle)
    }

    fn trouble(&self) -> Option<Trouble> {
        let long_ago = Instant::now().checked_sub(SOURCE_PATIENCE * 2)?;
        let trouble = Trouble { since: long_ago, reason: "connection refused".into() };
        self.0.is_cut_off.load(Ordering::Relaxed).then_some(trouble)
    }

    fn resolve(&mut self, _: &PartitionId, _: Start) -> Result<Position, ingest::Error> {
        Ok(Position(0))
    }

    fn start(&mut self, _: &PartitionId, _: Position) -> Result<(), ingest::Error> {
        Ok(())
    }

    fn stop(&mut self, _: &PartitionId) {}
    fn pause(&mut self, _: &PartitionId) {}
    fn resume(&mut self, _: &PartitionId) {}
    fn acknowledge(&mut self, _: &PartitionId, _: Position, _: Option<&str>) {}
    fn leave(&mut self) {}
}

struct Nothing;

impl Keeper for Nothing {
    fn sink(&self, partition: &PartitionId) -> Box<dyn sink::Sink> {
        panic!("nobody has `{partition}`");
    }

    fn drain(&self) -> Option<Micros> {
        None
    }

    fn handed_over(&self, _: &str, _: &PartitionId) -> Result<Option<sink::record::DrainFrom>, sink::Error> {
        Ok(None)
    }
}

/// Looks again and again until it is as it should be.
#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LIVED, "waited in vain until {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_worker_that_stands_still_is_not_alive_and_one_that_goes_on_is() {
    let progress = Arc::new(Progress::default());
    let probes = Probes::new(progress.clone(), Duration::from_millis(600));
    assert_eq!(probes.alive(), Ok(()), "nobody has begun");
    let (switches, shutdown) = (Arc::new(Switches::default()), Shutdown::default());
    let sources: Vec<Box<dyn Source>> = vec![Box::new(Switched(Arc::default())), Box::new(Switched(switches.clone()))];
    let job = testing::job(Ending::Never);
    thread::scope(|scope| {
        let run = scope.spawn(|| pipeline::run(&job, sources, &Nothing, &progress, &shutdown));
        wait_until("both workers turn", || progress.board().workers.len() == 2 && probes.alive().is_ok());
        switches.blocks.store(true, Ordering::Relaxed);
        wait_until("it is told", || {
            probes.alive().is_err_and(|why| why.starts_with("worker 1 has not got round to its partitions for "))
        });
        switches.blocks.store(false, Ordering::Relaxed);
        wait_until("it goes on", || probes.alive().is_ok());
        shutdown.request();
        assert!(run.join().unwrap().is_ok());
    });
    assert_eq!(probes.alive(), Ok(()), "all have left");
    assert!(progress.board().workers.is_empty());
}

#[test]
fn a_source_that_cannot_be_reached_is_told_and_is_no_reason_to_start_anew() {
    let progress = Arc::new(Progress::default());
    let (switches, shutdown) = (Arc::new(Switches::default()), Shutdown::default());
    let source: Box<dyn Source> = Box::new(Switched(switches.clone()));
    let job = testing::job(Ending::Never);
    thread::scope(|scope| {
        let run = scope.spawn(|| pipeline::run(&job, vec![source], &Nothing, &progress, &shutdown));
        let told = || progress.cut_off(Instant::now(), SOURCE_PATIENCE);
        wait_until("the worker turns", || !progress.board().workers.is_empty());
        assert_eq!(told(), None);
        switches.is_cut_off.store(true, Ordering::Relaxed);
        wait_until("it is told", || told().is_some_and(|cut_off| cut_off.reason == "connection refused"));
        assert_eq!(progress.stuck(Instant::now(), LIVED), None);
        switches.is_cut_off.store(false, Ordering::Relaxed);
        wait_until("it is well again", || told().is_none());
        shutdown.request();
        assert!(run.join().unwrap().is_ok());
    });
}

#[test]
fn counts_that_change_while_they_are_read_are_no_reason_to_fail() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = crate::runtime::Runtime::new().unwrap();
    let config = sink::Config { url: folder.path().display().to_string(), ..sink::Config::default() };
    let identity = sink::Identity { pipeline: "p".into(), fingerprint: String::new() };
    let sinks = sink::Sinks::open(&config, &store::Config::default(), identity, runtime.handle().clone()).unwrap();
    let progress = Arc::new(Progress::default());
    let probes = Probes::new(progress.clone(), LIVED);
    assert!(probes.ready().is_err_and(|why| why.starts_with("starting")));
    probes.serving(sinks);
    assert!(probes.ready().is_err_and(|why| why == "the group has not answered yet"));
    let count = |counts: Counts| progress.add(&counts);
    count(Counts { joined: 1, gained: 2, started: 1, ..Counts::default() });
    assert!(probes.ready().is_err_and(|why| why == "1 of 2 partitions are taken over"));
    count(Counts { started: 1, ..Counts::default() });
    assert_eq!(probes.ready(), Ok(()));
    // As it is seen by who read the gains before two more came, and the losses after all were taken away.
    count(Counts { lost: 4, stopped: 4, ..Counts::default() });
    assert_eq!(probes.ready(), Ok(()));
}
