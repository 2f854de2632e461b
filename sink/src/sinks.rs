//! The places that results go to, opened and checked once; and a sink for each partition.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use rand::RngExt;
use store::Location;
use tokio::runtime::Handle;
use types::PartitionId;

use crate::health::Ward;
use crate::place::Place;
use crate::writer::Patience;
use crate::{Config, Dataset, Error, Health, PartitionSink, names};

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
    pub state: Location,
}

/// Where readers find results, as they write it. Safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    pub predictions: String,
    pub late: String,
    pub quarantine: String,
    pub state: String,
}

/// All that partitions' sinks share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sinks {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) identity: Identity,
    datasets: [Place; 3],
    pub(crate) state: Place,
    pub(crate) runtime: Handle,
    pub(crate) ward: Ward,
    pub(crate) patience: Patience,
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
        Self::with_patience(places, identity, runtime, Patience::default())
    }

    pub(crate) fn with_patience(
        places: Places,
        identity: Identity,
        runtime: Handle,
        patience: Patience,
    ) -> Result<Self, Error> {
        names::check_pipeline(&identity.pipeline)?;
        places.check_apart()?;
        let Places { predictions, late, quarantine, state } = places;
        let shared = Arc::new(Shared {
            identity,
            datasets: [predictions, late, quarantine].map(Place::new),
            state: Place::new(state),
            runtime,
            ward: Ward::default(),
            patience,
        });
        let checked = Arc::clone(&shared);
        shared.block(async move {
            for place in checked.datasets.iter().chain([&checked.state]) {
                place.check().await?;
            }
            Ok(())
        })?;
        Ok(Sinks { shared })
    }

    /// The sink of one partition. It does nothing yet: its `recover` is the first to ask the store.
    #[must_use]
    pub fn partition(&self, partition: &PartitionId) -> PartitionSink {
        PartitionSink::new(Arc::clone(&self.shared), partition.clone(), rand::rng().random())
    }

    /// Where readers find results, to be printed at start.
    #[must_use]
    pub fn paths(&self) -> Paths {
        let display = |place: &Place| place.location.display.clone();
        let [predictions, late, quarantine] = &self.shared.datasets;
        Paths {
            predictions: display(predictions),
            late: display(late),
            quarantine: display(quarantine),
            state: display(&self.shared.state),
        }
    }

    /// What stands in the way of commits just now.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.ward.health()
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn dataset(&self, dataset: Dataset) -> &Place {
        &self.datasets[dataset as usize]
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.datasets.iter().chain([&self.state])
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
            Ok(store::open(&url, storage)?)
        };
        Ok(Places {
            predictions: open("predictions", &config.predictions)?,
            late: open("late", &config.late)?,
            quarantine: open("quarantine", &config.quarantine)?,
            state: open("state", &config.state)?,
        })
    }

    fn check_apart(&self) -> Result<(), Error> {
        let all = [
            ("predictions", &self.predictions),
            ("late", &self.late),
            ("quarantine", &self.quarantine),
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
