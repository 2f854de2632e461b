//! How a position is recognised when it is come back to: what the source holds, and the record that was read last.
//!
//! A position is a number, and a topic that was made anew has the same numbers. So a reader remembers the record before
//! its position, and looks at it again before it goes on; what to do about a difference is the caller's business.

use types::{Micros, PartitionId, Position};

use crate::{Error, RawRecord};

/// What a source holds of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first position held: what came before has expired.
    pub low: Position,
    /// The one after the last.
    pub high: Position,
}

impl Extent {
    /// Whether reading can go on at a position: it lies between the first record held and the end. Nothing is ever moved
    /// silently.
    ///
    /// # Errors
    /// [`Error::PositionExpired`] or [`Error::PositionAhead`].
    pub fn check(self, partition: &PartitionId, position: Position) -> Result<(), Error> {
        let (partition, Extent { low, high }) = (partition.clone(), self);
        if position < low {
            return Err(Error::PositionExpired { partition, position, low });
        }
        if position > high {
            return Err(Error::PositionAhead { partition, position, high });
        }
        Ok(())
    }
}

/// One record, recognisable: the same position with another content is another topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The record's own position (not the next one).
    pub position: i64,
    pub broker_time: Option<Micros>,
    /// CRC32C of the key's bytes followed by the payload's.
    pub crc: u32,
}

/// What a source has at one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    Record(Anchor),
    /// No record has this position (any more): it expired, was compacted away, was never a reader's (a transaction's
    /// marker), or lies beyond the end. [`Source::extent`](crate::Source::extent) tells these apart.
    Nothing,
    /// This source cannot look at one record: that proves nothing, neither way.
    Unknown,
}

impl Anchor {
    #[must_use]
    pub fn of(record: &RawRecord<'_>) -> Self {
        let crc = crc32c::crc32c_append(crc32c::crc32c(record.key), record.payload.unwrap_or_default());
        Anchor { position: record.position, broker_time: record.broker_time, crc }
    }

    /// The position after this record.
    #[must_use]
    pub fn next(&self) -> Position {
        Position(self.position + 1)
    }
}

impl Held {
    /// Another record where this one was read: proof that the topic is not the one it was. Nothing held proves nothing.
    #[must_use]
    pub fn contradicts(&self, anchor: &Anchor) -> bool {
        matches!(self, Held::Record(found) if found != anchor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: RawRecord<'static> =
        RawRecord { position: 7, broker_time: Some(3), key: b"1234", payload: Some(b"56789") };

    #[test]
    fn the_check_sum_is_crc32c_of_key_and_payload() {
        // The check value that the definition of CRC-32C gives for these nine digits.
        assert_eq!(Anchor::of(&RECORD), Anchor { position: 7, broker_time: Some(3), crc: 0xe306_9283 });
        assert_eq!(Anchor::of(&RawRecord { key: &[], payload: None, ..RECORD }).crc, 0);
    }

    #[test]
    fn only_another_record_contradicts() {
        let anchor = Anchor::of(&RECORD);
        for same in [Held::Record(anchor), Held::Nothing, Held::Unknown] {
            assert!(!same.contradicts(&anchor), "{same:?}");
        }
        for other in [RawRecord { broker_time: Some(4), ..RECORD }, RawRecord { payload: Some(b"5678"), ..RECORD }] {
            assert!(Held::Record(Anchor::of(&other)).contradicts(&anchor), "{other:?}");
        }
    }
}
