//! Files as one bounded input: one partition, whose positions are the records' numbers over all files in order.
//!
//! Framing happens here (a line or a CSV row is a record), decoding does not. A restart reads the same files from the
//! beginning and skips: files have no index, and nothing is remembered about them here.

mod avro;
mod error;
mod expand;
mod frame;
mod identity;
mod kind;
mod open;
mod reading;
mod relay;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::{PartitionId, Position};

use crate::decode::{self, Plan};
use crate::{Polled, Shard, Source, Start, Wanted};
pub use error::Error;
use expand::Input;
pub use open::Progress;
pub use reading::Missing;
use reading::Reading;
use relay::Relay;

/// Files of readings: one bounded input without broker times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A file, a folder (read in the order of names, recursively, without hidden files), a glob like `data/*.csv.gz` (`**` for any
    /// folders), or `-` for standard input; a pipe
    /// (`/dev/fd/3`, a FIFO) is read like standard input. Plain, gzip, zstd and Avro are told apart by their content. JSON is one record a
    /// line, CSV one record a row; blank lines do not count. Each value of an Avro object container file is read as JSON, and each event
    /// of an Event Hubs Capture file by its body.
    pub path: String,
    /// Each device's readings are in order of time (up to `aggregate.out_of_orderness`), so that windows may close before the end of
    /// the input and memory stays small. Readings that break the promise are late.
    pub assume_sorted: bool,
}

/// A batch ends at so many bytes, however few records they are.
const BATCH_BYTES: usize = 8 << 20;

/// Files, read one after the other; with a pipe among them, on a thread of their own.
pub struct FilesSource {
    path: String,
    partition: PartitionId,
    /// As many as there are shards.
    partitions: u32,
    files: Arc<Files>,
    /// Some of them can be read only once.
    once: bool,
    begun: bool,
    batch_records: usize,
    state: State,
    paused: bool,
}

/// What does not change while reading.
struct Files {
    inputs: Vec<Input>,
    plan: Plan,
    /// The columns' names by configuration: a file need not begin with them then.
    fixed_columns: Vec<String>,
    /// Of Capture files.
    wanted: Wanted,
    progress: Progress,
}

enum State {
    New,
    Waiting,
    Reading(Box<Reading>),
    Relayed(Relay),
    Over,
}

// === impl FilesSource ===

impl FilesSource {
    /// Finds the files; opens none.
    ///
    /// # Errors
    /// If there are no such files, or the settings of decoding contradict each other.
    pub fn new(config: &Config, decode: &decode::Config, batch_records: usize) -> Result<FilesSource, crate::Error> {
        let plan = Plan::new(decode)?;
        let inputs = expand::expand(&config.path)?;
        Ok(FilesSource {
            partition: PartitionId { topic: identity::topic(&config.path, &inputs).into(), index: 0 },
            partitions: 1,
            once: inputs.iter().any(Input::is_stream),
            begun: false,
            files: Arc::new(Files {
                progress: Progress::new(&inputs),
                inputs,
                fixed_columns: decode.columns.clone(),
                plan,
                wanted: Wanted::of(decode),
            }),
            path: config.path.clone(),
            batch_records: batch_records.max(1),
            state: State::New,
            paused: false,
        })
    }

    /// As the partition of a shard: it hands over all records too, and whoever reads them leaves those of other shards alone.
    ///
    /// # Errors
    /// If other shards could not read the same.
    pub fn of_shard(mut self, shard: Shard) -> Result<FilesSource, crate::Error> {
        if self.once {
            return Err(Error::Unshared { path: self.path }.into());
        }
        self.partition.index = shard.index();
        self.partitions = shard.count();
        Ok(self)
    }

    /// The only one that it hands over.
    #[must_use]
    pub fn partition(&self) -> &PartitionId {
        &self.partition
    }

    /// Opens the files, of which none is a pipe, as a run would, and looks at their headers: columns that settings name and that are
    /// not there, though a run would go without them.
    ///
    /// # Errors
    /// What a run would fail with before its first record.
    pub fn missing_columns(&self) -> Result<Vec<Missing>, crate::Error> {
        Ok(Reading::missing(&self.files)?)
    }

    /// A handle for a progress bar, also on another thread.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.files.progress.clone()
    }
}

impl Source for FilesSource {
    fn poll(&mut self, wait: Duration) -> Result<Polled, crate::Error> {
        match &mut self.state {
            State::New => {
                self.state = State::Waiting;
                Ok(Polled::Gained(vec![self.partition.clone()]))
            }
            State::Reading(reading) if !self.paused => {
                match reading.batch(&self.files, &self.partition, self.batch_records) {
                    Ok(records) if !records.is_empty() => Ok(Polled::Records(records)),
                    Ok(_) => {
                        let position = Position(reading.position);
                        self.state = State::Over;
                        Ok(Polled::Ended { partition: self.partition.clone(), position })
                    }
                    Err(error) => {
                        self.state = State::Over;
                        Err(error.into())
                    }
                }
            }
            State::Relayed(relay) if !self.paused => {
                let polled = relay.poll(&self.partition, wait);
                if let Ok(Polled::Ended { .. }) | Err(_) = &polled {
                    self.state = State::Over;
                }
                polled
            }
            State::Waiting | State::Reading(_) | State::Relayed(_) | State::Over => {
                thread::park_timeout(wait);
                Ok(Polled::Idle)
            }
        }
    }

    fn resolve(&mut self, _: &PartitionId, start: Start) -> Result<Position, crate::Error> {
        match start {
            Start::Earliest => Ok(Position(0)),
            Start::Latest | Start::Time(_) => Err(Error::Start { start }.into()),
        }
    }

    /// Reads over the records before the position: there is no other way to count them.
    fn start(&mut self, partition: &PartitionId, position: Position) -> Result<(), crate::Error> {
        if *partition != self.partition {
            return Err(crate::Error::NotAssigned { partition: partition.clone() });
        }
        if self.once {
            let unreadable = |source| Error::Unreadable { path: self.path.clone().into(), source };
            if std::mem::replace(&mut self.begun, true) {
                return Err(Error::Once { path: self.path.clone() }.into());
            }
            let files = Arc::clone(&self.files);
            let relay = Relay::start(files, partition, position, self.batch_records).map_err(unreadable)?;
            self.state = State::Relayed(relay);
            return Ok(());
        }
        self.files.progress.restart();
        let mut reading = Reading::new(&self.files.plan);
        reading.skip_to(&self.files, partition, position)?;
        self.state = State::Reading(Box::new(reading));
        Ok(())
    }

    fn stop(&mut self, _: &PartitionId) {
        if matches!(self.state, State::Reading(_) | State::Relayed(_) | State::Over) {
            self.state = State::Waiting;
            self.paused = false;
        }
    }

    fn content(&mut self, _: &PartitionId) -> Result<Option<String>, crate::Error> {
        let content = identity::content(&self.files.inputs);
        Ok(content.map_err(|source| Error::Unreadable { path: self.path.clone().into(), source })?)
    }

    fn partitions(&mut self) -> Result<Option<u32>, crate::Error> {
        Ok(Some(self.partitions))
    }

    fn pause(&mut self, _: &PartitionId) {
        self.paused = true;
    }

    fn resume(&mut self, _: &PartitionId) {
        self.paused = false;
    }

    fn acknowledge(&mut self, _: &PartitionId, _: Position, _: Option<&str>) {}

    fn leave(&mut self) {
        self.state = State::Over;
    }
}

#[cfg(test)]
mod tests;
