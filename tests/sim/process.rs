//! A simulated process: the real worker with its own store, broker session and clocks.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use atalaia::pipeline::{Cadence, Clock, Ending, Finish, Guards, Job, Keeper, Progress, Worker};
use rand::RngExt;
use sink::{Identity, Patience, Places, Sinks, Workings};
use tokio::runtime::Handle;
use types::{Micros, PartitionId, Reason};

use crate::faulty::ProcessStore;
use crate::fleet::{CLOSE_AFTER, MAX_FUTURE_SKEW, OUT_OF_ORDERNESS, WINDOW};
use crate::objects::PIPELINE;
use crate::scenario::{Mutant, Scenario};
use crate::scoring;
use crate::source::SimSource;
use crate::world::{Mode, Shared, lock};

/// What stays while its lives come and go.
pub(crate) struct Host {
    pub(crate) number: usize,
    pub(crate) job: Job,
    pub(crate) keeper: SimKeeper,
    pub(crate) progress: Progress,
    /// Of the present life; those of former lives stay until the end, as their workers may refer to them.
    finish: Cell<&'static Finish>,
}

/// The runtime's clock, and a wall clock of one's own.
struct SimClock {
    world: Shared,
    process: usize,
}

impl Clock for SimClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn wall(&self) -> Micros {
        lock(&self.world).wall(self.process)
    }
}

/// The sinks of the present life.
pub(crate) struct SimKeeper {
    world: Shared,
    sinks: Mutex<Option<(Sinks, ProcessStore)>>,
}

impl Keeper for SimKeeper {
    fn sink(&self, partition: &PartitionId) -> Box<dyn sink::Sink> {
        let seed = lock(&self.world).rng.random();
        let sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        let (sinks, store) = sinks.as_ref().expect("a life has its sinks");
        store.claims(partition.index);
        Box::new(sinks.partition_seeded(partition, seed))
    }

    fn drain(&self) -> Option<Micros> {
        None
    }

    fn handed_over(&self, _: &str, _: &PartitionId) -> Result<Option<sink::record::DrainFrom>, sink::Error> {
        Ok(None)
    }
}

impl Host {
    pub(crate) fn new(world: &Shared, number: usize, ending: Ending) -> Self {
        let scenario = lock(world).scenario.clone();
        Host {
            number,
            job: job(world, &scenario, number, ending),
            keeper: SimKeeper { world: Arc::clone(world), sinks: Mutex::new(None) },
            progress: Progress::default(),
            finish: Cell::new(finish(ending)),
        }
    }

    /// A new life.
    pub(crate) fn start(&self, world: &Shared, places: &Places) -> Worker<'_> {
        let guards = {
            let mut world = lock(world);
            let process = &mut world.processes[self.number];
            process.life += 1;
            process.mode = Mode::Runs;
            let (number, life) = (self.number, process.life);
            world.note(format_args!("{number}.{life} begins"));
            world.scenario.guards()
        };
        let store = ProcessStore::new(world, self.number);
        let mut places = places.clone();
        let Places { predictions, late, quarantine, runs, state } = &mut places;
        for place in [predictions, late, quarantine, runs, state] {
            place.store = Arc::new(store.clone());
        }
        let patience = Patience {
            first: Duration::from_millis(200),
            longest: Duration::from_secs(10),
            stuck: Duration::from_secs(30),
        };
        let workings = Workings { clock: sink::Clock::Runtime, patience, guards };
        let identity = Identity { pipeline: PIPELINE.into(), fingerprint: "simulated".into() };
        let sinks = Sinks::unchecked(places, identity, Handle::current(), workings).expect("places apart");
        *self.keeper.sinks.lock().unwrap_or_else(PoisonError::into_inner) = Some((sinks, store));
        let source = Box::new(SimSource::new(world, self.number));
        // What a former life has read is read anew where it was not committed.
        self.finish.set(finish(self.job.ending));
        Worker::new(self.number, &self.job, source, &self.keeper, &self.progress, self.finish.get())
    }

    pub(crate) fn decided(&self) -> bool {
        self.finish.get().decided(self.job.clock.now())
    }

    /// How often it has folded a record that kills.
    pub(crate) fn killers_folded(&self) -> u64 {
        let refused = self.progress.refused();
        refused.iter().find(|(reason, _)| *reason == Reason::TooDeep).map_or(0, |(_, count)| *count)
    }
}

/// A few bytes a life, never freed.
fn finish(ending: Ending) -> &'static Finish {
    Box::leak(Box::new(Finish::new(ending, 1, tokio::time::Instant::now().into_std())))
}

fn job(world: &Shared, scenario: &Scenario, process: usize, ending: Ending) -> Job {
    let windows = aggregate::Settings {
        window: WINDOW,
        offset: 0,
        clock: aggregate::Clock::Device,
        out_of_orderness: OUT_OF_ORDERNESS,
        close_after: CLOSE_AFTER,
        max_future_skew: MAX_FUTURE_SKEW,
        max_past: None,
        device_ttl: None,
        series_max: 1000,
        files: false,
        assume_sorted: false,
    };
    Job {
        decode: ingest::decode::Config::default(),
        shard: None,
        windows,
        models: Arc::new(score::Models::new(scoring::models(scenario.seed))),
        score: scoring::config(scenario.seed),
        cadence: Cadence {
            commit_interval: scenario.commit_interval,
            min_rows: scenario.min_rows,
            max_delay: scenario.max_delay,
        },
        pending_bytes_max: scenario.pending_bytes_max,
        start: ingest::Start::Earliest,
        predecessor: None,
        on_gap: ingest::OnGap::Halt,
        // Whether a broker time is believed would depend on the clock of whoever reads it, and not on the log alone.
        wall: false,
        ending,
        grace: Duration::from_secs(10),
        clock: Arc::new(SimClock { world: Arc::clone(world), process }),
        withheld: Duration::ZERO,
        guards: Guards { positions: scenario.mutant != Some(Mutant::Positions), anchor: true },
    }
}
