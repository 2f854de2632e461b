//! The seam between the pipeline and whatever records come from.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use types::{Micros, PartitionId, Position};

use crate::{Error, Extent, Held, Records};

/// Where records come from. One source belongs to one worker thread and is polled by it; membership (which partitions
/// are ours) and fetching (their records) come through the same `poll`, in order.
///
/// The life of a partition: `Gained` -> the pipeline recovers its position -> [`start`](Source::start) -> `Records`… ->
/// `Lost` or `Ended`. No record of a partition comes before `start` or after `Lost`; after [`stop`](Source::stop) it waits
/// for `start` once more.
pub trait Source: Send {
    /// What happened next; waits up to `wait` if nothing has. Must be called often, also while all partitions are
    /// paused: a broker takes a silent member for dead.
    ///
    /// # Errors
    /// Only what cannot heal by waiting: brokers that are away for a while are logged, counted and retried inside. That the
    /// input vanished, or is another one under the same name, is such an error: nobody reads on in it. One that concerns a
    /// partition alone ([`Error::misplaced`]) leaves it waiting for `start`; polling goes on with the others.
    fn poll(&mut self, wait: Duration) -> Result<Polled, Error>;

    /// A claim was made in the partition's log: told before anything else is asked of the partition, and again after each claim.
    /// A service that knows of owners cuts those off that read under an earlier one.
    fn claimed(&mut self, partition: &PartitionId, claim: Claim<'_>) {
        let _ = (partition, claim);
    }

    /// Turns a policy into a number, once in the life of a partition.
    ///
    /// # Errors
    /// If the broker does not answer within the request timeout.
    fn resolve(&mut self, partition: &PartitionId, start: Start) -> Result<Position, Error>;

    /// Begins fetching a gained partition at this position: its first record has this position or a later one.
    ///
    /// # Errors
    /// If the partition is not ours any more, or the position lies outside what the source holds
    /// ([`Error::PositionExpired`], [`Error::PositionAhead`]: never silently moved).
    fn start(&mut self, partition: &PartitionId, position: Position) -> Result<(), Error>;

    /// Stops fetching a started partition without giving it up: it waits for `start` again, at any position, before or
    /// after where it was. Records in flight are dropped, and a pause ends. Nothing happens to one that was not started.
    fn stop(&mut self, partition: &PartitionId);

    /// What a bounded input consists of, where that can change under its name: positions and state made from other
    /// content are worth nothing.
    ///
    /// # Errors
    /// If the input cannot be read.
    fn content(&mut self, partition: &PartitionId) -> Result<Option<String>, Error> {
        let _ = partition;
        Ok(None)
    }

    /// How many partitions the input has now, ours or not, by a fresh answer; `None` if the source cannot know. It may
    /// grow at any time; what is new is gained like any other.
    ///
    /// # Errors
    /// If the answer does not come within the request timeout, or the input is gone.
    fn partitions(&mut self) -> Result<Option<u32>, Error> {
        Ok(None)
    }

    /// How the readers of the input share it at this moment, by a fresh answer. Whoever believes that the others have the
    /// rest asks before relying on it.
    ///
    /// # Errors
    /// If the answer does not come within the request timeout, or is refused.
    fn sharing(&mut self) -> Result<Sharing, Error> {
        Ok(Sharing::Unknown)
    }

    /// What the source holds of a partition of the input, ours or not, by a fresh answer; `None` if it cannot know without
    /// reading it. A position before `low` has expired, one after `high` was never there.
    ///
    /// # Errors
    /// If the answer does not come within the request timeout, or there is no such partition.
    fn extent(&mut self, partition: &PartitionId) -> Result<Option<Extent>, Error> {
        let _ = partition;
        Ok(None)
    }

    /// The record at exactly this position of a partition of the input, ours or not. It disturbs no reading, and the record
    /// is not handed over. Whoever goes on at a position looks at the record before it: see [`Held::contradicts`].
    ///
    /// # Errors
    /// If the answer does not come within the request timeout, or there is no such partition.
    fn record_at(&mut self, partition: &PartitionId, position: Position) -> Result<Held, Error> {
        let _ = (partition, position);
        Ok(Held::Unknown)
    }

    /// Why nothing can be read at present, if it is so: that nobody answers is waited out inside, and told here for those who
    /// look on. Asks nobody.
    fn trouble(&self) -> Option<Trouble> {
        None
    }

    /// How many records of a started partition were not handed over yet, as far as is known without asking. For displays.
    fn lag(&self, partition: &PartitionId) -> Option<u64> {
        let _ = partition;
        None
    }

    /// Stops (and resumes) fetching for back-pressure; polling goes on.
    fn pause(&mut self, partition: &PartitionId);
    fn resume(&mut self, partition: &PartitionId);

    /// Tells the broker how far the durable state reaches; `offset` is the last record's [`Records::offset`], if known. Advisory,
    /// for lag displays: never read back by us.
    fn acknowledge(&mut self, partition: &PartitionId, position: Position, offset: Option<&str>);

    /// Leaves the group in good order. Polling afterwards is a bug.
    fn leave(&mut self);
}

/// What a claim in a partition's log found, as far as a source has a use for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Grows with every claim: whoever reads under a smaller one was fenced in the log. 0 where the log is still to begin.
    pub number: u64,
    /// Where the owner before stood.
    pub next: Position,
    /// What the source called the last record before `next`, where it has names besides numbers ([`Records::offset`]).
    pub offset: Option<&'a str>,
}

/// How a group of readers shares an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharing {
    /// The source has no group, or does not see into it.
    Unknown,
    /// It is being shared out anew.
    Unsettled,
    /// The partitions of each member, of members without any, too.
    Settled(Vec<BTreeSet<u32>>),
}

/// A source that cannot reach what it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub since: Instant,
    pub reason: String,
}

/// What a poll brings. Closed on purpose: a new source brings no new variant.
#[derive(Debug)]
pub enum Polled {
    /// Nothing within the wait.
    Idle,
    /// These partitions are ours from now on; they wait for `start`. May be empty: the group gave us nothing (yet), and a
    /// job that waits for its share has to know.
    Gained(Vec<PartitionId>),
    /// These are no longer ours: drop their state without flushing.
    Lost(Vec<PartitionId>),
    /// Records of one started partition, in log order. Never empty.
    Records(Records),
    /// Everything up to the high watermark *of a fresh broker answer* has been handed over, and the partition was not
    /// paused. Repeated, at most once a second, while that stays true. Unbounded sources only.
    CaughtUp { partition: PartitionId, position: Position },
    /// A bounded source handed over the partition's last record.
    Ended { partition: PartitionId, position: Position },
}

/// Where a partition that has no state yet begins: `earliest`, `latest`, or a time (RFC 3339).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    #[default]
    Earliest,
    Latest,
    /// The first record whose broker time is not before this.
    Time(Micros),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => Ok(Start::Earliest),
            "latest" => Ok(Start::Latest),
            time => time.parse::<Timestamp>().map(|t| Start::Time(t.as_microsecond())).map_err(|_| {
                format!("`{time}` is not a start: write `earliest`, `latest` or a time like `2026-01-31T06:00:00Z`")
            }),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Start::Earliest => f.write_str("earliest"),
            Start::Latest => f.write_str("latest"),
            Start::Time(time) => match Timestamp::from_microsecond(*time) {
                Ok(time) => time.fmt(f),
                Err(_) => time.fmt(f),
            },
        }
    }
}

impl Serialize for Start {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Start {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Start".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["earliest", "latest", "2026-01-31T06:00:00Z"] })
    }
}

/// Whether a source goes on for ever, or stops where the input ended when the partition was gained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    Unbounded,
    PresentEnd,
}
