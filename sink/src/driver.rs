//! Carries out what the machine asks for, one partition's, and gives it the answers. Everything that the machine must not
//! have is here: requests, their repetition, the clock.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use types::{Micros, PartitionId};

use crate::create::{self, create_exact_once};
use crate::log::{Found, Log};
use crate::machine::{Action, Input, Machine, Told};
use crate::place::Place;
use crate::record::Record;
use crate::retries::Retries;
use crate::sinks::Shared;
use crate::{Error, follow_up, names};

/// A listing that does not show what was just written is looked at again after this.
const LISTING_LAGS: Duration = Duration::from_millis(100);

pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    pub(crate) partition: PartitionId,
    pub(crate) log: Log,
    pub(crate) retries: Retries,
    machine: Machine<Record>,
    pub(crate) swept_at: Duration,
    pub(crate) told_complete_to: Option<Micros>,
}

type Answer = Pin<Box<dyn Future<Output = Input<Record>> + Send>>;

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>, partition: PartitionId, seed: u64) -> Self {
        let log = Log::new(shared.state.clone(), &shared.identity.pipeline, &partition);
        let retries = Retries::new(Arc::clone(&shared), partition.clone(), seed);
        let machine = Machine::new(shared.guards);
        // The first time soon, also for owners that do not live long.
        let swept_at = shared.clock.now().saturating_sub(follow_up::FIRST_SWEEP_EARLIER);
        Driver { shared, partition, log, retries, machine, swept_at, told_complete_to: None }
    }

    /// Gives the machine an input, and carries out what follows until it tells how it ended.
    ///
    /// # Errors
    /// If a record in the log cannot be trusted.
    pub(crate) async fn run(&mut self, input: Input<Record>) -> Result<Told<Record>, Error> {
        let mut inputs = VecDeque::from([input]);
        let mut files: FuturesUnordered<Answer> = FuturesUnordered::new();
        let mut listed = false;
        loop {
            let mut told = None;
            while let Some(input) = inputs.pop_front() {
                for action in self.machine.step(self.shared.clock.now(), input) {
                    match action {
                        Action::Tell(end) => told = Some(end),
                        Action::PutFile { record, file } => files.push(self.put_file(record, file)),
                        Action::MeasureFile { record, file } => files.push(self.measure_file(record, file)),
                        action => {
                            let is_listing = matches!(action, Action::List);
                            if std::mem::replace(&mut listed, is_listing) && is_listing {
                                tokio::time::sleep(LISTING_LAGS).await;
                            }
                            inputs.push_back(self.perform(action).await?);
                        }
                    }
                }
            }
            if let Some(told) = told {
                return Ok(told);
            }
            match files.next().await {
                Some(answer) => inputs.push_back(answer),
                // The machine waits for an answer to something that it did not ask for.
                None => return Err(Error::OutOfTurn),
            }
        }
    }

    /// For a new beginning: what the log holds is known without asking.
    pub(crate) fn set_machine(&mut self, machine: Machine<Record>) {
        self.machine = machine;
    }

    async fn perform(&self, action: Action<Record>) -> Result<Input<Record>, Error> {
        let (log, retries) = (&self.log, &self.retries);
        Ok(match action {
            Action::List => Input::Newest(retries.until_answered(|| log.newest(self.known())).await),
            Action::Load { seq } => Input::Loaded(self.load(seq).await?),
            Action::Create(record) => {
                Input::Put(create_exact_once(retries, || log.create(record.header().seq, record.bytes())).await)
            }
            Action::ReadBack { seq } => Input::FoundNonce(create::read_back(retries, log, seq).await),
            // Sweeping can wait for another time; whatever fails ends it.
            Action::ListAll => Input::Seen(log.seen().await.unwrap_or_default()),
            Action::StateOf { seq } => {
                let header = log.header(seq).await.ok().flatten().and_then(Result::ok);
                Input::StateSeq(header.map(|header| header.state.seq))
            }
            Action::Delete { seq } => match log.delete(seq).await {
                Ok(()) => Input::Deleted,
                Err(_) => Input::StateSeq(None),
            },
            Action::Tell(_) | Action::PutFile { .. } | Action::MeasureFile { .. } => return Err(Error::OutOfTurn),
        })
    }

    /// Listings may begin at what is known to be there.
    fn known(&self) -> Option<u64> {
        self.machine.at_hand()
    }

    /// Reads a record and checks that it is this partition's. None if it is gone.
    pub(crate) async fn load(&self, seq: u64) -> Result<Option<Record>, Error> {
        let place = || self.log.display(seq);
        let record = match self.retries.until_answered(|| self.log.read(seq)).await {
            Found::Nothing => return Ok(None),
            Found::Record(record) => record,
            Found::Damaged(damage) => return Err(Error::of_damage(self.partition.clone(), place(), damage)),
        };
        self.shared.identity.check(&self.partition, record.header(), seq, place)?;
        Ok(Some(record))
    }

    fn put_file(&self, record: Record, file: usize) -> Answer {
        let Some((place, name)) = self.place_of(&record, file) else { return Box::pin(nowhere(file)) };
        let retries = self.retries.clone();
        Box::pin(async move {
            let bytes = record.file(file);
            let put = create_exact_once(&retries, || place.create(&name, &bytes)).await;
            Input::FilePut { file, put }
        })
    }

    fn measure_file(&self, record: Record, file: usize) -> Answer {
        let Some((place, name)) = self.place_of(&record, file) else { return Box::pin(nowhere(file)) };
        let retries = self.retries.clone();
        Box::pin(async move {
            let length = retries.until_answered(|| place.length(&name)).await;
            Input::FileMeasured { file, same: length.map(|length| length == record.header().files[file].length) }
        })
    }

    /// Where a file of a record goes. Markers lie beside the logs, all others in datasets.
    fn place_of(&self, record: &Record, file: usize) -> Option<(Place, String)> {
        let entry = record.header().files.get(file)?;
        if entry.dataset == names::MARKERS {
            let folder = names::markers(&self.shared.identity.pipeline);
            return Some((self.shared.state.clone(), format!("{folder}/{}", entry.name)));
        }
        let dataset = crate::Dataset::ALL.into_iter().find(|dataset| dataset.as_str() == entry.dataset)?;
        Some((self.shared.dataset(dataset).clone(), entry.name.clone()))
    }
}

/// A later version may know datasets that this one does not: the next owner of that version publishes them. Names were
/// checked when the record was loaded, so this one differs from what it should be.
async fn nowhere(file: usize) -> Input<Record> {
    Input::FileMeasured { file, same: Some(false) }
}
