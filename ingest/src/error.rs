//! What can go wrong in a source, with what to do about it.

use types::{PartitionId, Position};

#[cfg(feature = "event-hubs")]
use crate::event_hubs;
use crate::kafka::Face;
use crate::{Anchor, decode, files};

/// A source's failure. `Display` is the error itself; [`Error::hint`] the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("position {position} of `{partition}` has expired: the source begins at {low}")]
    PositionExpired { partition: PartitionId, position: Position, low: Position },
    #[error("position {position} of `{partition}` lies beyond the end of the source, {high}")]
    PositionAhead { partition: PartitionId, position: Position, high: Position },
    #[error("the record at position {} of `{partition}` is another one than was read there", read.position)]
    Rewritten { partition: PartitionId, read: Anchor, found: Anchor },
    #[error("reading of `{partition}` was interrupted: {reason}")]
    Interrupted { partition: PartitionId, reason: String },
    #[error("there is no partition `{partition}`")]
    NoPartition { partition: PartitionId },
    #[error("topic `{topic}` is gone from `{brokers}`: it was there, and was read")]
    TopicGone { topic: String, brokers: String },
    #[error(transparent)]
    Decode(#[from] decode::SettingError),
    #[error("partition `{partition}` is not assigned to this worker")]
    NotAssigned { partition: PartitionId },
    #[error("cannot reach any broker of `{brokers}`: {reason}")]
    Unreachable { brokers: String, reason: String, face: Face },
    #[error("topic `{topic}` does not exist on `{brokers}`")]
    TopicMissing { topic: String, brokers: String, face: Face },
    #[error("brokers of `{brokers}` refuse the credentials: {reason}")]
    Authentication { brokers: String, reason: String, face: Face },
    #[error("no trusted TLS connection to `{brokers}`: {reason}")]
    Tls { brokers: String, reason: String, face: Face },
    #[error("no permission for {what}: {reason}")]
    NotAllowed { what: String, reason: String },
    #[error("another member of the group took the instance id `{instance}`")]
    InstanceTaken { instance: String },
    #[error("`{setting}` {reason}")]
    Setting { setting: String, reason: String },
    #[error("the Kafka client could not {action}: {reason}")]
    Kafka { action: &'static str, reason: String },
    #[error("{failed} of {sent} records were not delivered; the first failure: {reason}")]
    Undelivered { failed: u64, sent: u64, reason: String },
    #[error(transparent)]
    Files(#[from] files::Error),
    #[cfg(feature = "event-hubs")]
    #[error(transparent)]
    Token(#[from] event_hubs::TokenError),
    #[cfg(feature = "event-hubs")]
    #[error(transparent)]
    Ownership(#[from] event_hubs::ownership::Error),
    #[cfg(feature = "event-hubs")]
    #[error(transparent)]
    EventHubs(#[from] event_hubs::Error),
}

/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Wait and try again.
    Retry,
    /// The configuration or the input must change.
    Input,
    /// The data contradict each other: stop, and look.
    Corrupt,
    /// A mistake in this program.
    Bug,
}

impl Error {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Error::PositionExpired { .. } | Error::PositionAhead { .. } | Error::Rewritten { .. } => Kind::Corrupt,
            Error::Decode(_) => Kind::Input,
            Error::Interrupted { .. }
            | Error::NotAssigned { .. }
            | Error::Unreachable { .. }
            | Error::Kafka { .. }
            | Error::Undelivered { .. } => Kind::Retry,
            Error::TopicMissing { .. }
            | Error::NoPartition { .. }
            | Error::TopicGone { .. }
            | Error::Authentication { .. }
            | Error::Tls { .. }
            | Error::NotAllowed { .. }
            | Error::InstanceTaken { .. }
            | Error::Setting { .. } => Kind::Input,
            Error::Files(error) => error.kind(),
            #[cfg(feature = "event-hubs")]
            Error::Token(error) => error.kind(),
            #[cfg(feature = "event-hubs")]
            Error::Ownership(error) => error.kind(),
            #[cfg(feature = "event-hubs")]
            Error::EventHubs(error) => error.kind(),
        }
    }

    /// The one partition whose positions do not fit what the source holds, or that cannot be read on from where it is, where that is
    /// what went wrong: others go on, and it waits for a new start.
    #[must_use]
    pub fn misplaced(&self) -> Option<&PartitionId> {
        match self {
            Error::PositionExpired { partition, .. }
            | Error::PositionAhead { partition, .. }
            | Error::Rewritten { partition, .. }
            | Error::Interrupted { partition, .. } => Some(partition),
            _ => None,
        }
    }

    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::PositionExpired { partition, .. } => Some(format!(
                "records were lost before they were read: lengthen the topic's retention; \
                 `atalaia state accept-gap -c FILE --partition {}` gives them up and goes on behind them, and \
                 `ingest.on_gap = \"continue\"` always does",
                partition.index
            )),
            Error::PositionAhead { partition, .. } => Some(format!(
                "it was made anew, or the state belongs to another: check `ingest.kafka.brokers` or `ingest.event_hubs`; if it was made \
                 anew, `atalaia state reset -c FILE --partition {} --to earliest` begins anew",
                partition.index
            )),
            Error::Rewritten { partition, .. } => Some(format!(
                "the topic was made anew or lost records in an unclean election, or the brokers are another cluster's: what \
                 was counted does not belong to what it holds now; `atalaia state reset -c FILE --partition {} --to TIME` begins \
                 anew, and publishes no window twice",
                partition.index
            )),
            Error::TopicGone { .. } => Some(
                "if it is made anew, `atalaia state reset -c FILE --all --to earliest` begins anew in it, and publishes no window \
                 twice"
                    .into(),
            ),
            Error::Decode(error) => Some(error.hint()),
            Error::Unreachable { face, .. } => Some(face.hint_unreachable().into()),
            Error::TopicMissing { face, .. } => Some(face.hint_missing().into()),
            Error::Authentication { face, .. } => Some(face.hint_credentials().into()),
            Error::Tls { face, .. } => Some(face.hint_tls().into()),
            Error::NotAllowed { .. } => {
                Some("the credentials need to read and describe the topic, and to read the group".into())
            }
            Error::InstanceTaken { .. } => {
                Some("give every running instance an `ingest.kafka.instance_id` of its own".into())
            }
            Error::Interrupted { .. } => Some(
                "it is read again from what is committed; if it stays like this, look at the topic's disks and brokers, and at what \
                 writes to it"
                    .into(),
            ),
            Error::Undelivered { .. } => Some("the records that failed are not in the topic: send them again".into()),
            Error::NotAssigned { .. } | Error::NoPartition { .. } | Error::Setting { .. } | Error::Kafka { .. } => None,
            Error::Files(error) => error.hint(),
            #[cfg(feature = "event-hubs")]
            Error::Token(error) => error.hint(),
            #[cfg(feature = "event-hubs")]
            Error::Ownership(error) => error.hint(),
            #[cfg(feature = "event-hubs")]
            Error::EventHubs(error) => error.hint(),
        }
    }
}
