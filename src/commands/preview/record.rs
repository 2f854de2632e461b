//! What becomes of one record: its readings, each with its window and what the rules of time say of it, or why it is refused.
//! Plain data, which is also what scripts get; decoding and judging by the rules is the business of `stages`.

use serde::Serialize;
use types::{Micros, Reason};

/// One record. Its fields are what `--format json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) partition: u32,
    pub(super) position: i64,
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

    /// Where it is: partition and position.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.partition, self.position)
    }
}

/// The reason of that name.
pub(super) fn reason(word: &str) -> Option<Reason> {
    Reason::ALL.into_iter().find(|reason| reason.as_str() == word)
}
