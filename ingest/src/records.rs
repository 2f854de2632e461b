//! An owned batch of raw records of one partition: one buffer and an index into it, so that handing a batch over is
//! handing over two vectors, whatever it holds.

use std::path::Path;
use std::sync::Arc;

use types::{Micros, PartitionId, Position};

use crate::trace::Traces;
use crate::{TraceContext, decode};

/// Raw records of one partition in log order. `Send`; decoding happens where the batch is consumed.
#[derive(Debug, Clone)]
pub struct Records {
    partition: PartitionId,
    bytes: Vec<u8>,
    index: Vec<Entry>,
    next: Position,
    columns: Option<Arc<[String]>>,
    offset: Option<Box<str>>,
    /// Where the parts outside payloads end, of each record; empty if no record has any.
    given: Vec<[Option<usize>; 2]>,
    /// Of files: the line that each record begins in, from 1, or 0 where there are no lines; and from which record on it is which file.
    lines: Vec<u64>,
    files: Vec<(usize, Arc<Path>)>,
    traces: Traces,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    position: i64,
    /// `NO_TIME` if the broker gave none.
    broker_time: Micros,
    key_start: usize,
    payload_start: usize,
    end: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Payload,
    Tombstone,
}

const NO_TIME: Micros = Micros::MIN;

/// One raw record, borrowed from its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawRecord<'a> {
    /// The record's own position (not the next one).
    pub position: i64,
    /// When the broker took it (append or create time); none for files.
    pub broker_time: Option<Micros>,
    /// Empty if it has none.
    pub key: &'a [u8],
    /// None for a tombstone: a record without a value.
    pub payload: Option<&'a [u8]>,
}

/// Parts of a reading that a record carries outside its payload: properties that the service or the sender gave it, as text. A
/// property that is a timestamp is RFC 3339 text here, so that it needs no unit; a number is its digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given<'a> {
    pub device: Option<&'a str>,
    pub time: Option<&'a str>,
}

/// The properties that a source hands over with each record, by name: those that `[ingest.decode]` asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub device: Option<String>,
    pub time: Option<String>,
    /// Whether the trace is asked for that a record belongs to.
    pub trace: bool,
}

impl Wanted {
    #[must_use]
    pub fn of(config: &decode::Config) -> Wanted {
        Wanted { device: config.device_property.clone(), time: config.time_property.clone(), trace: false }
    }

    /// The same, and whether traces are asked for.
    #[must_use]
    pub fn with_traces(self, trace: bool) -> Wanted {
        Wanted { trace, ..self }
    }

    /// No part of a reading is asked for: records are pushed without.
    #[must_use]
    pub(crate) fn is_nothing(&self) -> bool {
        self.device.is_none() && self.time.is_none()
    }
}

impl Records {
    #[must_use]
    pub fn new(partition: PartitionId) -> Self {
        Records {
            partition,
            bytes: Vec::new(),
            index: Vec::new(),
            next: Position::default(),
            columns: None,
            offset: None,
            given: Vec::new(),
            lines: Vec::new(),
            files: Vec::new(),
            traces: Traces::default(),
        }
    }

    #[must_use]
    pub fn with_capacity(partition: PartitionId, records: usize, bytes: usize) -> Self {
        Records { bytes: Vec::with_capacity(bytes), index: Vec::with_capacity(records), ..Records::new(partition) }
    }

    /// Names the columns of all records in this batch.
    #[must_use]
    pub fn with_columns(self, columns: Option<Arc<[String]>>) -> Self {
        Records { columns, ..self }
    }

    /// The columns' names, if the source knows them (from the header of a CSV file). A batch never mixes two headers.
    #[must_use]
    pub fn columns(&self) -> Option<&Arc<[String]>> {
        self.columns.as_ref()
    }

    /// Appends a copy of the record. Positions must grow.
    #[inline]
    pub fn push(&mut self, record: RawRecord<'_>) {
        debug_assert!(self.index.last().is_none_or(|last| last.position < record.position), "positions grow");
        let key_start = self.bytes.len();
        self.bytes.extend_from_slice(record.key);
        let payload_start = self.bytes.len();
        self.bytes.extend_from_slice(record.payload.unwrap_or_default());
        self.index.push(Entry {
            position: record.position,
            broker_time: record.broker_time.unwrap_or(NO_TIME),
            key_start,
            payload_start,
            end: self.bytes.len(),
            kind: if record.payload.is_some() { Kind::Payload } else { Kind::Tombstone },
        });
        self.next = Position(record.position + 1);
    }

    /// As [`push`](Records::push), with parts of the reading that stand outside the payload. All records of a batch are pushed in one
    /// of the two ways.
    pub(crate) fn push_given(&mut self, record: RawRecord<'_>, given: Given<'_>) {
        debug_assert_eq!(self.given.len(), self.index.len(), "all records of a batch have them, or none");
        self.push(record);
        let ends = [given.device, given.time].map(|part| {
            part.map(|part| {
                self.bytes.extend_from_slice(part.as_bytes());
                self.bytes.len()
            })
        });
        self.given.push(ends);
    }

    /// What stands outside the payload of the record of this number.
    #[must_use]
    pub fn given(&self, number: usize) -> Given<'_> {
        let Some([device, time]) = self.given.get(number) else { return Given::default() };
        let start = self.index[number].end;
        // It was text when it was pushed.
        let text = |from: usize, to: &Option<usize>| to.and_then(|to| std::str::from_utf8(&self.bytes[from..to]).ok());
        Given { device: text(start, device), time: text(device.unwrap_or(start), time) }
    }

    /// Where the record just pushed stands in its file. To be said of all records of a batch, or of none.
    pub(crate) fn note_line(&mut self, file: &Arc<Path>, line: u64) {
        if self.files.last().is_none_or(|(_, last)| !Arc::ptr_eq(last, file)) {
            self.files.push((self.lines.len(), Arc::clone(file)));
        }
        self.lines.push(line);
    }

    /// The file and line, from 1, in which the record of this number begins, if it stands in one.
    #[must_use]
    pub fn line(&self, number: usize) -> Option<(&Path, u64)> {
        let line = self.lines.get(number).copied().filter(|line| *line > 0)?;
        let (_, file) = self.files.iter().rev().find(|(from, _)| *from <= number)?;
        Some((file, line))
    }

    /// Whether the last record pushed is one of the few whose trace is looked at.
    #[inline]
    #[must_use]
    pub fn wants_trace(&self) -> bool {
        self.traces.are_wanted()
    }

    /// The trace that a record belongs to was looked for.
    pub fn note_trace(&mut self, found: Option<TraceContext>) {
        self.traces.looked_at(found);
    }

    /// Traces that records of this batch belong to, each once: a few, and only if they were asked for.
    #[must_use]
    pub fn traces(&self) -> &[TraceContext] {
        self.traces.contexts()
    }

    /// What the source calls the last record, where it has names besides numbers: opaque, and kept with the position.
    #[must_use]
    pub fn offset(&self) -> Option<&str> {
        self.offset.as_deref()
    }

    /// Names the last record, or says that it has no name.
    pub fn set_offset(&mut self, offset: Option<&str>) {
        self.offset = offset.map(Into::into);
    }

    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RawRecord<'_>> {
        self.index.iter().map(|entry| self.record(entry))
    }

    /// The last record: what a reader that goes on after the batch remembers.
    #[must_use]
    pub fn last(&self) -> Option<RawRecord<'_>> {
        self.index.last().map(|entry| self.record(entry))
    }

    #[inline]
    fn record(&self, entry: &Entry) -> RawRecord<'_> {
        RawRecord {
            position: entry.position,
            broker_time: (entry.broker_time != NO_TIME).then_some(entry.broker_time),
            key: &self.bytes[entry.key_start..entry.payload_start],
            payload: (entry.kind == Kind::Payload).then(|| &self.bytes[entry.payload_start..entry.end]),
        }
    }

    #[must_use]
    pub fn partition(&self) -> &PartitionId {
        &self.partition
    }

    /// The position after the last record.
    #[must_use]
    pub fn next(&self) -> Position {
        self.next
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Bytes of keys and payloads.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}
