//! What can go wrong in a source, with what to do about it.

use types::{PartitionId, Position};

use crate::decode;

/// A source's failure. `Display` is the error itself; [`Error::hint`] the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("position {position} of `{partition}` has expired: the source begins at {low}")]
    PositionExpired { partition: PartitionId, position: Position, low: Position },
    #[error("position {position} of `{partition}` lies beyond the end of the source, {high}")]
    PositionAhead { partition: PartitionId, position: Position, high: Position },
    #[error(transparent)]
    Decode(#[from] decode::SettingError),
    #[error("partition `{partition}` is not assigned to this worker")]
    NotAssigned { partition: PartitionId },
    #[error("`{setting}` {reason}")]
    Setting { setting: String, reason: String },
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
            Error::PositionExpired { .. } | Error::PositionAhead { .. } => Kind::Corrupt,
            Error::NotAssigned { .. } => Kind::Retry,
            Error::Decode(_) | Error::Setting { .. } => Kind::Input,
        }
    }

    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::PositionExpired { .. } => {
                Some("records were lost before they were read: lengthen the topic's retention".into())
            }
            Error::PositionAhead { .. } => {
                Some("the topic was made anew, or the state belongs to another cluster".into())
            }
            Error::Decode(error) => Some(error.hint()),
            Error::NotAssigned { .. } | Error::Setting { .. } => None,
        }
    }
}
