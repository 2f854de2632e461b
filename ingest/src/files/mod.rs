//! Files as one bounded input: one partition, whose positions are the records' numbers over all files in order.
//!
//! Framing happens here (a line or a CSV row is a record), decoding does not. A restart reads the same files from the
//! beginning and skips: files have no index, and nothing is remembered about them here.

mod avro;
mod error;
mod expand;
mod frame;
mod identity;
mod open;
mod relay;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::{PartitionId, Position};

use crate::decode::{self, Format, Plan, row};
use crate::{Given, Polled, RawRecord, Records, Shard, Source, Start, Wanted};
use avro::AvroFile;
pub use error::Error;
use error::nearest;
use expand::Input;
use frame::{Framer, Framing};
use open::Opened;
pub use open::Progress;
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

/// Where reading is.
struct Reading {
    /// Index of the input to open next.
    next_input: usize,
    opened: Option<Opened>,
    framer: Framer,
    /// The file at hand, if it is one of Avro; the framer has no part in it.
    avro: Option<AvroFile>,
    /// The framer holds the first record of the file already.
    held: bool,
    columns: Option<Arc<[String]>>,
    /// Of the next record.
    position: i64,
    /// Came up while a batch was being filled: the batch goes first.
    failure: Option<Error>,
}

/// What reading on brought.
enum Step {
    /// [`Reading::push_to`] knows it.
    Record,
    /// A file was opened, or ended.
    Between,
    End,
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

// === impl Reading ===

impl Reading {
    fn new(plan: &Plan) -> Self {
        Reading {
            next_input: 0,
            opened: None,
            framer: Framer::new(Framing::Lines, plan.record_bytes_max()),
            avro: None,
            held: false,
            columns: None,
            position: 0,
            failure: None,
        }
    }

    fn skip_to(&mut self, files: &Files, partition: &PartitionId, position: Position) -> Result<(), crate::Error> {
        while self.position < position.0 {
            match self.step(files)? {
                Step::Record => self.position += 1,
                Step::Between => {}
                Step::End => {
                    let high = Position(self.position);
                    return Err(crate::Error::PositionAhead { partition: partition.clone(), position, high });
                }
            }
        }
        Ok(())
    }

    /// The next records; empty at the end of the input.
    fn batch(&mut self, files: &Files, partition: &PartitionId, batch_records: usize) -> Result<Records, Error> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut records = Records::new(partition.clone());
        let mut columns = self.columns.clone();
        while records.len() < batch_records && records.bytes() < BATCH_BYTES {
            match self.step(files) {
                Ok(Step::Record) => {
                    self.push_to(&mut records, files);
                    self.position += 1;
                }
                // The next file may have another header, and a batch has one.
                Ok(Step::Between) if same(columns.as_ref(), self.columns.as_ref()) => {}
                Ok(Step::Between) if records.is_empty() => columns.clone_from(&self.columns),
                Ok(Step::Between | Step::End) => break,
                Err(error) if records.is_empty() => return Err(error),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        Ok(records.with_columns(columns))
    }

    fn step(&mut self, files: &Files) -> Result<Step, Error> {
        if std::mem::take(&mut self.held) {
            return Ok(Step::Record);
        }
        let Some(opened) = &mut self.opened else {
            let Some(input) = files.inputs.get(self.next_input) else { return Ok(Step::End) };
            self.next_input += 1;
            let mut opened = Opened::new(input, &files.progress)?;
            self.begin(files, &mut opened)?;
            self.opened = Some(opened);
            return Ok(Step::Between);
        };
        if let Some(avro) = &mut self.avro {
            if avro.advance().map_err(|source| opened.failed_as_avro(source.into()))? {
                return Ok(Step::Record);
            }
            self.avro = None;
        } else if self.framer.advance(&mut *opened.reader).map_err(|source| opened.failed(source))? {
            return Ok(Step::Record);
        }
        self.opened = None;
        Ok(Step::Between)
    }
}

impl Reading {
    /// Appends the record at hand.
    fn push_to(&self, records: &mut Records, files: &Files) {
        let (record, given) = match &self.avro {
            Some(avro) => avro.record(self.position),
            None => {
                let payload = Some(self.framer.record());
                (RawRecord { position: self.position, broker_time: None, key: &[], payload }, Given::default())
            }
        };
        if files.wanted.is_nothing() {
            records.push(record);
        } else {
            records.push_given(record, given);
        }
    }

    fn begin_avro(&mut self, files: &Files, opened: &mut Opened) -> Result<(), Error> {
        let plan = &files.plan;
        let reader = std::mem::replace(&mut opened.reader, Box::new(std::io::empty()));
        let avro = AvroFile::open(reader, plan.record_bytes_max(), &files.wanted);
        let avro = avro.map_err(|fault| opened.failed_as_avro(fault))?;
        if !avro.is_capture() && plan.format_of(b"{") != Format::Json {
            return Err(Error::AvroIsNoCsv { path: opened.path.clone() });
        }
        self.columns = None;
        self.avro = Some(avro);
        Ok(())
    }

    /// How the file's records end, and what its columns are.
    fn begin(&mut self, files: &Files, opened: &mut Opened) -> Result<(), Error> {
        if opened.is_avro {
            return self.begin_avro(files, opened);
        }
        let plan = &files.plan;
        let format = opened.reader.fill_buf().map(|start| plan.format_of(start));
        let framing = match format.map_err(|source| opened.failed(source))? {
            Format::Json => Framing::Lines,
            Format::Csv | Format::Auto => Framing::Rows { delimiter: plan.delimiter() },
        };
        self.framer = Framer::new(framing, plan.record_bytes_max());
        self.columns = match framing {
            Framing::Lines => None,
            Framing::Rows { .. } if files.fixed_columns.is_empty() => header(opened, &mut self.framer, plan)?,
            Framing::Rows { .. } => self.header_or_record(files, opened)?,
        };
        Ok(())
    }

    /// With columns by configuration a first row of the same names is a header; any other is a record.
    fn header_or_record(&mut self, files: &Files, opened: &mut Opened) -> Result<Option<Arc<[String]>>, Error> {
        self.held = self.framer.advance(&mut *opened.reader).map_err(|source| opened.failed(source))?;
        let row = str::from_utf8(self.framer.record()).ok().filter(|_| self.held);
        let names = row.and_then(|row| row::header(row, files.plan.delimiter()).ok());
        let names = names.filter(|names| files.plan.is_header(names, &files.fixed_columns));
        if names.is_some() {
            self.held = false;
        }
        Ok(names.map(Into::into))
    }
}

fn same(ours: Option<&Arc<[String]>>, theirs: Option<&Arc<[String]>>) -> bool {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
        (ours, theirs) => ours.is_none() && theirs.is_none(),
    }
}

/// The names in the first row of a file; none if the file is empty.
fn header(opened: &mut Opened, framer: &mut Framer, plan: &Plan) -> Result<Option<Arc<[String]>>, Error> {
    if !framer.advance(&mut *opened.reader).map_err(|source| opened.failed(source))? {
        return Ok(None);
    }
    let path = &opened.path;
    let problem = |problem: String| Error::Header { path: path.clone(), problem };
    if framer.record().len() > plan.record_bytes_max() {
        return Err(problem(format!("it has more than {} bytes", plan.record_bytes_max())));
    }
    let line = str::from_utf8(framer.record()).map_err(|_| problem("it is not UTF-8".into()))?;
    let columns = row::header(line, plan.delimiter()).map_err(|reject| problem(reject.detail))?;
    if let Some((setting, name)) = plan.lacks(&columns) {
        let near = nearest(name, columns.iter().cloned());
        return Err(Error::NoColumn { path: path.clone(), setting, name: name.to_owned(), near, columns });
    }
    if let Some(name) = plan.ambiguous(&columns) {
        return Err(problem(format!("`{name}` stands in it twice")));
    }
    Ok(Some(columns.into()))
}

#[cfg(test)]
mod tests;
