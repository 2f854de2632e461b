//! Reading the files one after the other: opening each, finding how its records end and what its columns are, and numbering
//! the records over all of them.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use tracing::warn;
use types::{PartitionId, Position};

use super::avro::AvroFile;
use super::error::nearest;
use super::frame::{Framer, Framing};
use super::open::Opened;
use super::{BATCH_BYTES, Error, Files};
use crate::decode::{Format, Plan, row};
use crate::{Given, RawRecord, Records};

/// Where reading is.
pub(super) struct Reading {
    /// Index of the input to open next.
    next_input: usize,
    opened: Option<Opened>,
    /// The path of the file at hand.
    file: Arc<Path>,
    framer: Framer,
    /// The file at hand, if it is one of Avro; the framer has no part in it.
    avro: Option<AvroFile>,
    /// The framer holds the first record of the file already.
    held: bool,
    pub(super) columns: Option<Arc<[String]>>,
    /// Of the next record.
    pub(super) position: i64,
    /// Came up while a batch was being filled: the batch goes first.
    failure: Option<Error>,
}

/// A column that a setting of decoding names, and that a file does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub path: std::path::PathBuf,
    /// `sensors` or `ignore`.
    pub setting: &'static str,
    pub name: String,
    /// What the file has.
    pub columns: Vec<String>,
}

/// What reading on brought.
pub(super) enum Step {
    /// [`Reading::push_to`] knows it.
    Record,
    /// A file was opened, or ended.
    Between,
    End,
}

impl Reading {
    pub(super) fn new(plan: &Plan) -> Self {
        Reading {
            next_input: 0,
            opened: None,
            file: Path::new("").into(),
            framer: Framer::new(Framing::Lines, plan.record_bytes_max()),
            avro: None,
            held: false,
            columns: None,
            position: 0,
            failure: None,
        }
    }

    pub(super) fn skip_to(
        &mut self,
        files: &Files,
        partition: &PartitionId,
        position: Position,
    ) -> Result<(), crate::Error> {
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
    pub(super) fn batch(
        &mut self,
        files: &Files,
        partition: &PartitionId,
        batch_records: usize,
    ) -> Result<Records, Error> {
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

    pub(super) fn step(&mut self, files: &Files) -> Result<Step, Error> {
        if std::mem::take(&mut self.held) {
            return Ok(Step::Record);
        }
        let Some(opened) = &mut self.opened else {
            let Some(input) = files.inputs.get(self.next_input) else { return Ok(Step::End) };
            self.next_input += 1;
            let mut opened = Opened::new(input, &files.progress)?;
            self.begin(files, &mut opened)?;
            self.file = opened.path.as_path().into();
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
    /// Opens the first files as a run would, without reading on: the names that settings of decoding give to columns and that a header
    /// lacks, beside those without which nothing could be read.
    pub(super) fn missing(files: &Files) -> Result<Vec<Missing>, Error> {
        const FILES_MAX: usize = 100;
        let mut missing = Vec::new();
        for input in files.inputs.iter().filter(|input| !input.is_stream()).take(FILES_MAX) {
            let mut reading = Reading::new(&files.plan);
            let mut opened = Opened::new(input, &files.progress)?;
            reading.begin(files, &mut opened)?;
            let Some(columns) = reading.columns else { continue };
            for (setting, name) in files.plan.missing(&columns) {
                let (path, name) = (opened.path.clone(), name.to_owned());
                missing.push(Missing { path, setting, name, columns: columns.to_vec() });
            }
        }
        files.progress.restart();
        Ok(missing)
    }

    /// Appends the record at hand.
    pub(super) fn push_to(&self, records: &mut Records, files: &Files) {
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
        records.note_line(&self.file, if self.avro.is_some() { 0 } else { self.framer.line() });
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

pub(super) fn same(ours: Option<&Arc<[String]>>, theirs: Option<&Arc<[String]>>) -> bool {
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
    for (setting, name) in plan.missing(&columns) {
        let near = nearest(name, columns.iter().cloned()).join(", ");
        warn!(file = %path.display(), column = name, near, "`ingest.decode.{setting}` names a column that the file does not have: nothing is read of it");
    }
    if let Some(name) = plan.ambiguous(&columns) {
        return Err(problem(format!("`{name}` stands in it twice")));
    }
    Ok(Some(columns.into()))
}
