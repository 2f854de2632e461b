//! What becomes of one record: its readings, each with its window and what the rules of time say of it, or why it is refused.
//! Plain data, which is also what scripts get; decoding and judging by the rules is the business of `stages`.

use ingest::decode::Ignored;
use serde::Serialize;
use types::{Micros, Reason};

use crate::commands::output::escaped;

/// One record. Its fields are what `--format json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) partition: u32,
    pub(super) position: i64,
    /// Of files: where the record begins, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) tombstone: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) broker_time_us: Option<i64>,
    pub(super) events: Vec<Event>,
    /// Why the record is refused; of a record with several readings, the first one refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reject: Option<Reject>,
    /// Refused readings of a record whose others are good.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rejects: Vec<Reject>,
    /// Cells that are neither readings nor refused.
    #[serde(skip)]
    pub(super) ignored: Vec<(String, Ignored)>,
    /// Of a record of which something is refused: what it says, or the beginning of it.
    #[serde(skip)]
    pub(super) payload: Option<Vec<u8>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Event {
    pub(super) device: String,
    pub(super) sensor: String,
    pub(super) time_us: Micros,
    pub(super) value: f64,
    pub(super) window_start_us: Micros,
    /// Why it is in no window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<Refused>,
}

/// Refused by the decoder.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Reject {
    pub(super) reason: &'static str,
    pub(super) detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
}

/// Refused by the rules of time, though it was understood.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Refused {
    pub(super) reason: &'static str,
    pub(super) detail: String,
}

/// What is said of a record without a value.
pub(super) const TOMBSTONE: &str = "tombstone";
/// What is said of a reading whose window is closed.
pub(super) const LATE: &str = "late";

impl Shown {
    /// Refused by the decoder, each once.
    pub(super) fn rejects(&self) -> &[Reject] {
        if self.rejects.is_empty() { self.reject.as_slice() } else { &self.rejects }
    }

    /// Where it is: file and line as compilers write them, else partition and offset.
    pub(super) fn place(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{}:{line}", short(file)),
            _ => format!("{}:{}", self.partition, self.position),
        }
    }
}

/// The last part of a path, and of a long one its end: the beginning is what the names of many files share.
fn short(path: &str) -> String {
    const CHARS_MAX: usize = 18;
    let name = if path == "-" { "stdin" } else { path.rsplit('/').next().unwrap_or(path) };
    let skipped = name.chars().count().saturating_sub(CHARS_MAX);
    let end: String = name.chars().skip(if skipped > 0 { skipped + 1 } else { 0 }).collect();
    escaped(&if skipped > 0 { format!("…{end}") } else { end })
}

/// The reason of that name.
pub(super) fn reason(word: &str) -> Option<Reason> {
    Reason::ALL.into_iter().find(|reason| reason.as_str() == word)
}
