//! Whether the topic is still the one that was read: now and then, and seldom enough to cost nothing.
//!
//! The client itself does not tell: a topic that was made anew under its name, and holds enough records already, is read on
//! from the old positions as if nothing had happened (up to librdkafka 2.12 at least). So a record that was read is looked at
//! again, as is the topic itself. One answer is weather; what is told was seen twice, or for some time.
//!
//! The record to look at next is always one that had been read when the last look found everything in order, so that no
//! record of a new topic ever vouches for it.

use std::thread;
use std::time::{Duration, Instant};

use types::{PartitionId, Position};

use super::inquirer::Inquirer;
use crate::{Anchor, Error};

/// How often each partition is looked at: sooner than anybody commits what was read in the meantime.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often the topic is asked for.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// The same while it seems to be gone.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// How long a topic has to be away: a cluster that starts knows nothing of it for a moment.
const GONE_AFTER: Duration = Duration::from_secs(20);
/// Between two looks at what seems to be different.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What was read of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Past {
    pub partition: i32,
    pub generation: u64,
    /// What is looked at.
    pub read: Anchor,
    /// What will be, if that is in order: read before the question was put.
    pub then: Anchor,
}

/// How the topic contradicts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    /// It ends before.
    Shorter { high: i64 },
    /// Another record has the position.
    Record(Anchor),
}

impl Past {
    /// What contradicts, seen twice; none also if nobody answers. Takes a while.
    pub(super) fn contradiction(&self, inquirer: &mut Inquirer) -> Option<Difference> {
        self.difference(inquirer)?;
        thread::park_timeout(LOOK_AGAIN);
        self.difference(inquirer)
    }

    fn difference(&self, inquirer: &mut Inquirer) -> Option<Difference> {
        let high = inquirer.extent(self.partition).ok()?.high.0;
        if high < self.read.next().0 {
            return Some(Difference::Shorter { high });
        }
        match inquirer.record_at(self.partition, self.read.position).ok()? {
            crate::Held::Record(found) if found != self.read => Some(Difference::Record(found)),
            _ => None,
        }
    }
}

impl Difference {
    pub(super) fn error(self, partition: PartitionId, read: Anchor) -> Error {
        match self {
            Difference::Shorter { high } => {
                Error::PositionAhead { partition, position: read.next(), high: Position(high) }
            }
            Difference::Record(found) => Error::Rewritten { partition, read, found },
        }
    }
}

/// When a partition's last record is due to be looked at.
#[derive(Debug, Default)]
pub(super) struct Looks {
    last: Option<Instant>,
}

impl Looks {
    /// Not at once: whoever starts looks at the record before.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        now.duration_since(*self.last.get_or_insert(now)) >= LOOK_EVERY
    }

    pub(super) fn done(&mut self, now: Instant) {
        self.last = Some(now);
    }
}

/// Since when the topic is away.
#[derive(Debug, Default)]
pub(super) struct Absence {
    since: Option<Instant>,
    asked: Option<Instant>,
}

impl Absence {
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let every = if self.since.is_some() { ASK_AGAIN } else { ASK_EVERY };
        self.asked.is_none_or(|asked| now.duration_since(asked) >= every)
    }

    pub(super) fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    /// Takes an answer; whether the topic is gone for good.
    pub(super) fn answered(&mut self, is_missing: bool, now: Instant) -> bool {
        if !is_missing {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert(now);
        now.duration_since(since) >= GONE_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_gone_when_it_was_away_for_long_without_a_break() {
        let begin = Instant::now();
        let mut absence = Absence::default();
        assert!(!absence.answered(true, begin));
        assert!(!absence.answered(true, begin + GONE_AFTER / 2));
        assert!(!absence.answered(false, begin + GONE_AFTER));
        assert!(!absence.answered(true, begin + GONE_AFTER));
        assert!(!absence.answered(true, begin + 2 * GONE_AFTER - ASK_AGAIN));
        assert!(absence.answered(true, begin + 2 * GONE_AFTER));
    }

    #[test]
    fn a_topic_that_seems_away_is_asked_for_more_often() {
        let begin = Instant::now();
        let mut absence = Absence::default();
        assert!(absence.is_due(begin));
        absence.asked(begin);
        assert!(!absence.is_due(begin + ASK_AGAIN) && absence.is_due(begin + ASK_EVERY));
        absence.answered(true, begin);
        assert!(absence.is_due(begin + ASK_AGAIN));
    }

    #[test]
    fn records_are_looked_at_from_time_to_time_and_not_at_first() {
        let begin = Instant::now();
        let mut looks = Looks::default();
        assert!(!looks.is_due(begin) && !looks.is_due(begin + LOOK_EVERY / 2));
        assert!(looks.is_due(begin + LOOK_EVERY));
        looks.done(begin + LOOK_EVERY);
        assert!(!looks.is_due(begin + LOOK_EVERY));
    }
}
