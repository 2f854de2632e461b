//! What can go wrong while making things durable, told by what to do about it.

use types::PartitionId;

use crate::Dataset;

/// A sink's failure. `Display` is the error itself; [`Error::hint`] the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("nothing says where `{what}` goes")]
    NoUrl { what: &'static str },
    #[error("`{inner}` (`{inner_url}`) is the same place as `{outer}` (`{outer_url}`), or inside it")]
    Overlap { outer: &'static str, outer_url: String, inner: &'static str, inner_url: String },
    #[error("`{folder}` and the folder beside it, `{tmp}`, are not on one file system: {reason}")]
    TmpElsewhere { folder: String, tmp: String, reason: String },
    #[error("`{id}` cannot name a pipeline")]
    BadPipeline { id: String },
    #[error("`{topic}` cannot name a topic")]
    BadTopic { topic: String },
    #[error("state `{place}` is corrupt: {reason}")]
    StateCorrupt { place: String, reason: &'static str },
    #[error("state `{place}` has format {version}; this program reads up to {known}")]
    StateTooNew { place: String, version: u32, known: u32 },
    #[error("state `{place}` belongs to `{found}`, not to `{expected}`")]
    StateForeign { place: String, found: String, expected: String },
    #[error(
        "the state of `{partition}` was made under other rules of windows: stored `{stored}`, configured `{configured}`"
    )]
    RulesChanged { partition: PartitionId, stored: String, configured: String },
    #[error("the commit has {bytes} bytes, more than {max}")]
    TooLarge { bytes: u64, max: u64 },
    #[error("cannot encode `{dataset}`: {reason}")]
    Encode { dataset: Dataset, reason: String },
    #[error("the partition was not recovered before its first commit")]
    NotRecovered,
    #[error("a commit was begun that does not follow the last one")]
    OutOfTurn,
    #[error("the storage task ended early")]
    Stopped,
}

/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Wait and try again.
    Retry,
    /// The configuration, the rights or the place must change.
    Input,
    /// What is stored contradicts itself or this pipeline: stop, and look.
    Corrupt,
    /// A mistake in this program.
    Bug,
}

impl Error {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Error::Store(error) => match error.kind() {
                store::Kind::Retry => Kind::Retry,
                store::Kind::Input | store::Kind::NotFound => Kind::Input,
            },
            Error::NoUrl { .. }
            | Error::Overlap { .. }
            | Error::TmpElsewhere { .. }
            | Error::BadPipeline { .. }
            | Error::BadTopic { .. }
            | Error::StateTooNew { .. }
            | Error::RulesChanged { .. }
            | Error::TooLarge { .. } => Kind::Input,
            Error::StateCorrupt { .. } | Error::StateForeign { .. } => Kind::Corrupt,
            Error::Encode { .. } | Error::NotRecovered | Error::OutOfTurn | Error::Stopped => Kind::Bug,
        }
    }

    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Store(error) => return error.hint(),
            Error::NoUrl { what } => return Some(format!("set `sink.url`, or `sink.{what}` by itself")),
            Error::Overlap { .. } => {
                "give each of predictions, late, quarantine and state a place of its own: readers \
                 take everything below a dataset's folder"
                    .to_owned()
            }
            Error::TmpElsewhere { .. } => {
                "mount the folder above the dataset instead of the dataset itself: files are finished beside it and \
                 then moved in"
                    .to_owned()
            }
            Error::BadPipeline { .. } | Error::BadTopic { .. } => {
                "1 to 249 of the characters `A-Z a-z 0-9 . _ -`, and not `.` or `..`".to_owned()
            }
            Error::StateCorrupt { .. } => {
                "nothing was read or written. Keep the object for analysis; a new `pipeline` \
                 id starts afresh"
                    .to_owned()
            }
            Error::StateTooNew { .. } => "run the version of the program that wrote it, or a later one".to_owned(),
            Error::StateForeign { .. } => "check `pipeline`, the topic and `sink.state`".to_owned(),
            Error::RulesChanged { .. } => "windows cannot change their rules midway: set them back, or give the \
                 pipeline a new id (`pipeline`), which starts with a state of its own"
                .to_owned(),
            Error::TooLarge { .. } => "commit more often (`sink.commit_interval`), or add partitions".to_owned(),
            Error::Encode { .. } | Error::NotRecovered | Error::OutOfTurn | Error::Stopped => return None,
        };
        Some(hint)
    }
}
