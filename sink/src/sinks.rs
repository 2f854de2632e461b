//! The places that results go to, opened and checked once; and a sink for each partition.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use rand::RngExt;
use store::Location;
use tokio::runtime::Handle;
use types::PartitionId;

use crate::attention::Attention;
use crate::handover::Request;
use crate::health::Ward;
use crate::machine::Guards;
use crate::names::Genesis;
use crate::place::Place;
use crate::record::{FileEntry, Header, Nonce, RECORD_BYTES_MAX, RecordKind, Resume, RunFacts, StateRef};
use crate::retries::Patience;
use crate::{Clock, Config, Dataset, Error, Health, PartitionSink, names, preflight};

/// Whose results these are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Id of the pipeline: names its state.
    pub pipeline: String,
    /// The rules that windows are made by (width, offset, clock, keys), as a line of text. State made under other
    /// rules is refused.
    pub fingerprint: String,
}

/// The opened places of the datasets and of the state.
#[derive(Debug, Clone)]
pub struct Places {
    pub predictions: Location,
    pub late: Location,
    pub quarantine: Location,
    pub runs: Location,
    pub state: Location,
}

/// Where readers find results, as they write it. Safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    pub predictions: String,
    pub late: String,
    pub quarantine: String,
    pub runs: String,
    pub state: String,
}

/// All that partitions' sinks share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sinks {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) identity: Identity,
    datasets: [Place; 4],
    pub(crate) state: Place,
    pub(crate) runtime: Handle,
    pub(crate) ward: Ward,
    pub(crate) patience: Patience,
    pub(crate) clock: Clock,
    pub(crate) guards: Guards,
    pub(crate) request: Request,
    pub(crate) attention: Attention,
    /// Random for each process; in records, for people and for telling owners apart.
    owner: Nonce,
    instance: String,
}

/// What tests choose differently than services.
#[derive(Debug, Clone, Copy, Default)]
pub struct Workings {
    pub patience: Patience,
    pub clock: Clock,
    pub guards: Guards,
}

impl Sinks {
    /// Opens the places that the configuration names and checks, once, that results can go there. Blocks: not for
    /// async tasks. I/O runs on `runtime`, which must keep running while it does.
    ///
    /// # Errors
    /// If a place cannot be used, or two of them overlap.
    pub fn open(config: &Config, storage: &store::Config, identity: Identity, runtime: Handle) -> Result<Self, Error> {
        Self::at(Places::open(config, storage)?, identity, runtime)
    }

    /// As [`Sinks::open`], at places that are open already.
    ///
    /// # Errors
    /// As `open`.
    pub fn at(places: Places, identity: Identity, runtime: Handle) -> Result<Self, Error> {
        let sinks = Self::unchecked(places, identity, runtime, Workings::default())?;
        let shared = Arc::clone(&sinks.shared);
        sinks.shared.block(async move { preflight::check(&shared).await })?;
        Ok(sinks)
    }

    /// As [`Sinks::at`], without asking the stores anything yet; see [`Sinks::check`].
    ///
    /// # Errors
    /// If the pipeline's id cannot name objects, or places overlap.
    pub fn unchecked(places: Places, identity: Identity, runtime: Handle, workings: Workings) -> Result<Self, Error> {
        names::check_pipeline(&identity.pipeline)?;
        places.check_apart()?;
        let Places { predictions, late, quarantine, runs, state } = places;
        let Workings { patience, clock, guards } = workings;
        let shared = Shared {
            identity,
            datasets: [predictions, late, quarantine, runs].map(Place::new),
            state: Place::new(state),
            runtime,
            ward: Ward::default(),
            patience,
            clock,
            guards,
            request: Request::default(),
            attention: Attention::default(),
            owner: Nonce(rand::rng().random()),
            instance: instance(),
        };
        Ok(Sinks { shared: Arc::new(shared) })
    }

    /// Checks that results can go to the places, and that the stores keep what delivery rests on.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn check(&self) -> Result<(), Error> {
        preflight::check(&self.shared).await
    }

    /// The sink of one partition. It does nothing yet: its `claim` is the first to ask the store.
    #[must_use]
    pub fn partition(&self, partition: &PartitionId) -> PartitionSink {
        self.partition_seeded(partition, rand::rng().random())
    }

    /// With a seed for everything random, for tests that are to be repeated. No two owners may have the same.
    #[must_use]
    pub fn partition_seeded(&self, partition: &PartitionId, seed: u64) -> PartitionSink {
        PartitionSink::new(Arc::clone(&self.shared), partition.clone(), seed)
    }

    /// Where readers find results, to be printed at start.
    #[must_use]
    pub fn paths(&self) -> Paths {
        let display = |place: &Place| place.location.display.clone();
        let [predictions, late, quarantine, runs] = &self.shared.datasets;
        Paths {
            predictions: display(predictions),
            late: display(late),
            quarantine: display(quarantine),
            runs: display(runs),
            state: display(&self.shared.state),
        }
    }

    /// What stands in the way of commits just now.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.ward.health()
    }
}

// === impl Identity ===

impl Identity {
    /// Whether a record says of itself what it must say to be this partition's.
    pub(crate) fn check(
        &self,
        partition: &PartitionId,
        header: &Header,
        seq: u64,
        place: impl Fn() -> String,
    ) -> Result<(), Error> {
        let name = |pipeline: &str, topic: &str, index: u32, seq: u64| format!("{pipeline}: {topic}-{index} at {seq}");
        let found = name(&header.pipeline, &header.topic, header.partition, header.seq);
        let expected = name(&self.pipeline, &partition.topic, partition.index, seq);
        if found != expected {
            return Err(Error::RecordForeign { place: place(), found, expected });
        }
        if header.fingerprint != self.fingerprint {
            return Err(Error::RulesChanged {
                partition: partition.clone(),
                stored: header.fingerprint.clone(),
                configured: self.fingerprint.clone(),
            });
        }
        let is_own =
            |file: &FileEntry| names::is_file_of(&file.name, &file.dataset, partition, header.genesis, header.seq);
        match header.files.iter().find(|file| !is_own(file)) {
            None => Ok(()),
            Some(file) => Err(Error::RecordForeign { place: place(), found: file.name.clone(), expected }),
        }
    }
}

/// Host and process, for people.
#[must_use]
pub fn instance() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}/{}", std::process::id())
}

// === impl Shared ===

impl Shared {
    pub(crate) fn dataset(&self, dataset: Dataset) -> &Place {
        &self.datasets[dataset as usize]
    }

    pub(crate) fn owner(&self) -> Nonce {
        self.owner
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.datasets.iter().chain([&self.state])
    }

    /// A header with what all records of this process have in common; the rest is to be filled in.
    pub(crate) fn header(&self, partition: &PartitionId, partitions: Option<u32>) -> Header {
        Header {
            pipeline: self.identity.pipeline.clone(),
            fingerprint: self.identity.fingerprint.clone(),
            topic: partition.topic.to_string(),
            partition: partition.index,
            partitions,
            genesis: Genesis(0),
            seq: 0,
            previous: None,
            nonce: Nonce(0),
            owner: self.owner,
            instance: self.instance.clone(),
            kind: RecordKind::Data,
            claims: 0,
            lagging: false,
            written_at: 0,
            resume: Resume::default(),
            ledger: types::Ledger::default(),
            run: RunFacts::default(),
            model_set: None,
            state: StateRef { seq: 0, hash: None, bytes: 0 },
            files: Vec::new(),
        }
    }

    /// Runs it on the runtime and waits for the answer, from any thread that may block.
    pub(crate) fn block<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = sync_channel(1);
        self.runtime.spawn(async move {
            let _ = answer.send(work.await);
        });
        answered.recv().map_err(|_| Error::Stopped)?
    }
}

// === impl Places ===

impl Places {
    /// # Errors
    /// If a location is missing or cannot be understood.
    pub fn open(config: &Config, storage: &store::Config) -> Result<Self, Error> {
        let open = |what: &'static str, own: &Option<String>| {
            let url = match own.as_deref() {
                Some(url) if !url.is_empty() => url.to_owned(),
                _ if config.url.is_empty() => return Err(Error::NoUrl { what }),
                _ => format!("{}/{what}", config.url.trim_end_matches('/')),
            };
            Ok(store::open_for(&url, storage, RECORD_BYTES_MAX)?)
        };
        Ok(Places {
            predictions: open("predictions", &config.predictions)?,
            late: open("late", &config.late)?,
            quarantine: open("quarantine", &config.quarantine)?,
            runs: open("runs", &config.runs)?,
            state: open("state", &config.state)?,
        })
    }

    fn check_apart(&self) -> Result<(), Error> {
        let all = [
            ("predictions", &self.predictions),
            ("late", &self.late),
            ("quarantine", &self.quarantine),
            ("runs", &self.runs),
            ("state", &self.state),
        ];
        for (place, (outer, outer_location)) in all.iter().enumerate() {
            for (other, (inner, inner_location)) in all.iter().enumerate() {
                if place != other && outer_location.contains(inner_location) {
                    return Err(Error::Overlap {
                        outer,
                        outer_url: outer_location.display.clone(),
                        inner,
                        inner_url: inner_location.display.clone(),
                    });
                }
            }
        }
        Ok(())
    }
}
