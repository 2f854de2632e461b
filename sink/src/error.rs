//! What can go wrong while making things durable, told by what to do about it.

use types::PartitionId;

use crate::Dataset;
use crate::record::Damage;

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
    #[error("commit record `{place}` is corrupt: {damage}")]
    RecordCorrupt { partition: PartitionId, place: String, damage: Damage },
    #[error("commit record `{place}` has format {version}, which this program cannot read")]
    RecordTooNew { place: String, version: u32 },
    #[error("commit record `{place}` belongs to `{found}`, not to `{expected}`")]
    RecordForeign { place: String, found: String, expected: String },
    #[error("the log of `{partition}` is gone: `{place}` is empty, but existed")]
    LogMissing { partition: PartitionId, place: String },
    #[error(
        "the log of `{partition}` ends at commit {head}, and `{file}` is of a later one: the log was put back to an older state"
    )]
    LogBehind { partition: PartitionId, head: u64, file: String },
    #[error("file {file} of the newest record is there with other contents")]
    FileDiffers { file: usize },
    #[error("the accounts of `{partition}` do not add up: {law}")]
    Unbalanced { partition: PartitionId, law: String },
    #[error("this pipeline was asked to drain until another boundary before ({found} µs since 1970)")]
    DrainsAlready { found: types::Micros },
    #[error("`{place}` does not keep what delivery rests on: {what}")]
    Preflight { place: String, what: &'static str },
    #[error(
        "the state of `{partition}` was made under other rules of windows: stored `{stored}`, configured `{configured}`"
    )]
    RulesChanged { partition: PartitionId, stored: String, configured: String },
    #[error("`{topic}` was scored {} before, and is to be scored {} now", cut(*before), cut(*now))]
    ShardsChanged { topic: String, before: Option<u32>, now: Option<u32> },
    #[error("the commit has {bytes} bytes, more than {max}")]
    TooLarge { bytes: u64, max: u64 },
    #[error("cannot encode `{dataset}`: {reason}")]
    Encode { dataset: Dataset, reason: String },
    #[error("the partition was not claimed before its first commit")]
    NotClaimed,
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
    /// Of a record that cannot be used.
    #[must_use]
    pub(crate) fn of_damage(partition: PartitionId, place: String, damage: Damage) -> Error {
        match damage {
            // A later version knows what is in it: nothing of it is damaged.
            Damage::Version { version } => Error::RecordTooNew { place, version },
            damage => Error::RecordCorrupt { partition, place, damage },
        }
    }

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
            | Error::RecordTooNew { .. }
            | Error::DrainsAlready { .. }
            | Error::Preflight { .. }
            | Error::RulesChanged { .. }
            | Error::ShardsChanged { .. }
            | Error::TooLarge { .. } => Kind::Input,
            Error::RecordCorrupt { .. }
            | Error::RecordForeign { .. }
            | Error::LogMissing { .. }
            | Error::LogBehind { .. }
            | Error::FileDiffers { .. } => Kind::Corrupt,
            Error::Unbalanced { .. } | Error::Encode { .. } | Error::NotClaimed | Error::OutOfTurn | Error::Stopped => {
                Kind::Bug
            }
        }
    }

    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Store(error) => return error.hint(),
            Error::NoUrl { what } => return Some(format!("set `sink.url`, or `sink.{what}` by itself")),
            Error::Overlap { .. } => {
                "give each of predictions, late, quarantine, runs and state a place of its own: readers \
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
            Error::RecordCorrupt { partition, .. } => format!(
                "nothing was read or written. Keep the object for analysis; then \
                 `atalaia state reset -c FILE --partition {} --to TIME` begins anew behind it, and publishes no window twice",
                partition.index
            ),
            Error::LogMissing { partition, .. } => format!(
                "restore the objects if you can; else `atalaia state reset -c FILE --partition {} --to TIME` begins anew, \
                 and publishes no window twice",
                partition.index
            ),
            Error::LogBehind { partition, .. } => format!(
                "going on from it would publish windows again. Bring the newest objects of the log back if you have them; else \
                 `atalaia state reset -c FILE --partition {} --to TIME` begins anew, and publishes no window twice",
                partition.index
            ),
            Error::FileDiffers { .. } => "somebody else writes below the dataset's folder: give each pipeline id one \
                 deployment, and each dataset a folder of its own"
                .to_owned(),
            Error::RecordTooNew { .. } => "run the version of the program that wrote it, or a later one".to_owned(),
            Error::RecordForeign { .. } => "check `pipeline`, the topic and `sink.state`".to_owned(),
            Error::DrainsAlready { .. } => "a pipeline drains once: let that drain end".to_owned(),
            Error::Preflight { .. } => {
                "use a store with atomic create-if-absent and strongly consistent listings: Azure \
                 Blob, S3, or a local file system with hard links"
                    .to_owned()
            }
            Error::RulesChanged { .. } => "windows cannot change their rules midway: set them back, or hand over at a \
                 boundary of windows to a pipeline with a new id: `atalaia state drain -c FILE --until TIME`"
                .to_owned(),
            Error::ShardsChanged { before, .. } => {
                let way =
                    before.map_or("without `--shard`".to_owned(), |count| format!("with `--shard INDEX/{count}`"));
                format!(
                    "cut otherwise, windows that are published would be published again: go on {way}, or score into another place \
                     (`sink.url`), or under another `pipeline` name"
                )
            }
            Error::TooLarge { .. } => "commit more often (`sink.commit_interval`), or add partitions".to_owned(),
            Error::Unbalanced { .. } | Error::Encode { .. } | Error::NotClaimed | Error::OutOfTurn | Error::Stopped => {
                return None;
            }
        };
        Some(hint)
    }
}

/// How an input is cut, in words.
fn cut(shards: Option<u32>) -> String {
    shards.map_or("as a whole".to_owned(), |count| format!("in {count} shards"))
}
