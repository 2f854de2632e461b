//! One record -> readings or a reject. Sync, without I/O and without a clock.
//!
//! The decoder owns all scratch, so that the good path allocates nothing; what it returns borrows from it and from the
//! record. What a reading means in time (late, future) is the next stage's business.

mod config;
mod decoded;
mod fields;
mod json;
mod number;
mod object;
mod outside;
mod plan;
pub(crate) mod row;
mod setting;
mod template;
mod time;
mod time_format;

use std::sync::Arc;

use types::{Micros, Reading, Reason};

use crate::{Error, Given, Records};
pub use config::{Config, Format, Path, Shape, TimeUnit};
use decoded::{Buffers, Text};
pub use decoded::{Decoded, Ignored, Many, Reject};
use object::{Outcome, Scratch};
pub(crate) use plan::Plan;
use row::Columns;
pub use setting::SettingError;
use template::Templates;

/// A time as records hold it: RFC 3339 and its relatives, or an epoch number; UTC where no zone is named.
///
/// # Errors
/// Why the text is no time.
pub fn parse_time(text: &str, unit: TimeUnit) -> Result<Micros, String> {
    time::of_text(text, unit).map_err(|fault| fault.to_string())
}

/// The same as `time_format` has it.
///
/// # Errors
/// Why the format is none, or the text is not written so.
pub fn parse_time_as(text: &str, format: &str) -> Result<Micros, String> {
    time_format::TimeFormat::new(format)?.read(text).map_err(|fault| fault.to_string())
}

/// Turns records of one partition into readings.
#[derive(Debug)]
pub struct Decoder {
    plan: Plan,
    templates: Templates,
    scratch: Scratch,
    cells: Vec<Text>,
    /// From the configuration: they hold for batches that do not know their own.
    fixed: Arc<[String]>,
    columns: Columns,
    /// What `columns` was made from.
    header: Option<Arc<[String]>>,
}

impl Decoder {
    /// # Errors
    /// If settings cannot be or contradict each other: [`SettingError`] says which.
    pub fn new(config: &Config) -> Result<Decoder, Error> {
        let plan = Plan::new(config)?;
        Ok(Decoder {
            columns: Columns::new(&plan, &config.columns),
            fixed: config.columns.clone().into(),
            plan,
            templates: Templates::default(),
            scratch: Scratch::default(),
            cells: Vec::new(),
            header: None,
        })
    }

    /// Takes over the batch's column names, if its source knows them. To be called once for each batch, before its
    /// records are decoded.
    pub fn begin(&mut self, records: &Records) {
        if self.plan.format == Format::Json {
            return;
        }
        let header = records.columns();
        let same = match (&self.header, header) {
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            (ours, theirs) => ours.is_none() && theirs.is_none(),
        };
        if !same {
            self.columns = Columns::new(&self.plan, header.unwrap_or(&self.fixed));
            self.header = header.cloned();
        }
    }

    /// Reads one record whose payload holds all there is. A record without a value (a tombstone) is the caller's to count.
    #[inline]
    pub fn decode<'a>(&'a mut self, payload: &'a [u8]) -> Decoded<'a> {
        self.decode_given(payload, Given::default())
    }

    /// Reads one record, of which some parts stand outside the payload.
    #[inline]
    pub fn decode_given<'a>(&'a mut self, payload: &'a [u8], given: Given<'a>) -> Decoded<'a> {
        if payload.len() > self.plan.record_bytes_max {
            return Decoded::Reject(self.too_large(payload.len()));
        }
        let record = match std::str::from_utf8(payload) {
            Ok(record) => record,
            Err(error) => return Decoded::Reject(not_utf8(error)),
        };
        if self.plan.outside.is_something() {
            return self.decode_outside(record, given);
        }
        if let Some(reading) = self.templates.read::<false>(&self.plan, record, None) {
            return Decoded::One(reading);
        }
        self.decode_fully(record, given, None)
    }

    /// Apart, so that records which hold all their parts do not pay for it.
    #[inline(never)]
    fn decode_outside<'a>(&'a mut self, record: &'a str, given: Given<'a>) -> Decoded<'a> {
        let time = match self.plan.judge(given) {
            Ok(time) => time,
            Err(reject) => return Decoded::Reject(reject),
        };
        match self.templates.read::<true>(&self.plan, record, time) {
            Some(reading) => {
                Decoded::One(Reading { device: self.plan.device_of(given).unwrap_or(reading.device), ..reading })
            }
            None => self.decode_fully(record, given, time),
        }
    }

    /// Without the fast path: what it must agree with. `time` is that of the whole record, if it stands outside.
    fn decode_fully<'a>(&'a mut self, record: &'a str, given: Given<'a>, time: Option<Micros>) -> Decoded<'a> {
        if record.trim_start_matches('\u{feff}').trim_ascii().is_empty() {
            let detail = if record.is_empty() { "no bytes" } else { "only blanks" };
            return Decoded::Reject(Reject::new(Reason::Empty, detail));
        }
        self.scratch.clear();
        let format = self.plan.format_of(record.as_bytes());
        let outcome = match format {
            Format::Json => object::decode(&self.plan, record, time, &mut self.scratch),
            _ if self.columns.names.is_empty() => {
                Err(Reject::new(Reason::InvalidCsv, "the columns' names are not known: set `ingest.decode.columns`"))
            }
            Format::Csv | Format::Auto => {
                row::decode(&self.plan, &self.columns, record, time, &mut self.scratch, &mut self.cells)
            }
        };
        let buffers = Buffers {
            record,
            scratch: &self.scratch.text,
            names: &self.plan.sensors,
            columns: &self.columns.names,
            device: self.plan.device_of(given).unwrap_or_default(),
        };
        match outcome {
            Err(reject) => Decoded::Reject(reject),
            Ok(Outcome::One { item, fields }) => {
                if format == Format::Json {
                    self.templates.learn(&self.plan, record, &fields);
                }
                Decoded::One(item.reading(&buffers))
            }
            Ok(Outcome::Many) => {
                let Scratch { items, rejects, ignored, .. } = &self.scratch;
                Decoded::Many(Many { buffers, items, rejects, ignored })
            }
        }
    }

    fn too_large(&self, length: usize) -> Reject {
        let detail = format!("{length} bytes or more, the most is {}", self.plan.record_bytes_max);
        Reject::new(Reason::TooLarge, detail)
    }
}

fn not_utf8(error: std::str::Utf8Error) -> Reject {
    Reject::new(Reason::NotUtf8, format!("not UTF-8 at byte {}", error.valid_up_to()))
}

#[cfg(test)]
mod tests;
