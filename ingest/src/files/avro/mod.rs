//! Avro object container files: each value becomes the JSON text of a record, or, in a Capture file of Event Hubs, an event.
//!
//! Values are written as JSON while they are read, so that memory does not grow with what a file claims to hold: a block's length
//! and a text's are believed as far as there are bytes, and of a record that is too large only so much is kept that the decoder sees
//! it is. Positions in time, limits and wrong values are the decoder's business, as for any JSON.

mod block;
mod capture;
mod decimal;
mod json;
mod schema;
mod stream;

use std::io::{self, BufRead};

use block::Blocks;
use capture::Capture;
use json::Writer;
use schema::Schema;

use crate::{Given, RawRecord, Wanted};

/// What an Avro file begins with.
pub(super) const MAGIC: &[u8; 4] = b"Obj\x01";

/// An open Avro file.
pub(super) struct AvroFile {
    blocks: Blocks,
    schema: Schema,
    record_bytes_max: usize,
    /// Of the record at hand, where it is no event of a Capture file.
    json: Vec<u8>,
    /// Only in a Capture file: what it holds, and the event at hand.
    capture: Option<Capture>,
}

/// Why a file cannot be read as Avro.
#[derive(Debug)]
pub(super) enum Fault {
    /// What its header says is nothing that could be read.
    Header(String),
    /// It breaks off, or its bytes are no such values.
    Broken(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Broken(error)
    }
}

impl AvroFile {
    /// Reads the header.
    pub(super) fn open(
        reader: Box<dyn BufRead + Send>,
        record_bytes_max: usize,
        wanted: &Wanted,
    ) -> Result<AvroFile, Fault> {
        let (blocks, schema) = Blocks::open(reader)?;
        let schema = Schema::parse(&schema).map_err(Fault::Header)?;
        let capture = Capture::of(&schema, wanted);
        Ok(AvroFile { blocks, schema, record_bytes_max, json: Vec::new(), capture })
    }

    /// Whether records are events with a body of their own format, and not values that become JSON.
    pub(super) fn is_capture(&self) -> bool {
        self.capture.is_some()
    }

    /// Reads the next value; false at the end of the file.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        let AvroFile { blocks, schema, record_bytes_max, json, capture } = self;
        // One byte more proves a record too large.
        let kept_bytes_max = *record_bytes_max + 1;
        blocks.value(|stream| match capture {
            Some(capture) => capture.read(schema, stream, kept_bytes_max),
            None => {
                json.clear();
                Writer::new(schema, stream, json, kept_bytes_max).json(schema.root())
            }
        })
    }

    /// The record that was read last.
    pub(super) fn record(&self, position: i64) -> (RawRecord<'_>, Given<'_>) {
        match &self.capture {
            Some(capture) => capture.record(position),
            None => {
                let payload = Some(self.json.as_slice());
                (RawRecord { position, broker_time: None, key: &[], payload }, Given::default())
            }
        }
    }
}
