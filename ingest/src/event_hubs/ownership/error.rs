//! What can go wrong with the notes, with what to do about it.

use crate::Kind;

/// A failure of the checkpoint store. `Display` is the error itself; `Error::hint` the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{place}` is no blob container, and cannot hold the notes about partitions")]
    NoContainer { place: String },
    #[error("`{place}` is a place inside a container: the notes about partitions begin at its root")]
    Inside { place: String },
    #[error("partition {partition} has two checkpoints, {left} in `{left_at}` and {right} in `{right_at}`")]
    Forked { partition: u32, left: i64, left_at: String, right: i64, right_at: String },
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    #[must_use]
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Error::NoContainer { .. } | Error::Inside { .. } => Kind::Input,
            Error::Forked { .. } => Kind::Corrupt,
            Error::Store(error) => match error.kind() {
                store::Kind::Retry => Kind::Retry,
                store::Kind::Input | store::Kind::NotFound => Kind::Input,
            },
        }
    }

    #[must_use]
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Error::NoContainer { .. } => Some(
                "set `ingest.event_hubs.ownership.url` to a container, such as `az://checkpoints`: folders and other stores \
                 keep nothing that Microsoft's clients and KEDA could read"
                    .into(),
            ),
            Error::Inside { .. } => Some(
                "leave out what follows the container in `ingest.event_hubs.ownership.url`: Microsoft's clients and KEDA look \
                 nowhere else"
                    .into(),
            ),
            Error::Forked { .. } => Some(
                "programs that spell the namespace, hub or group differently read this group: stop all but one, and \
                 delete the checkpoints of the others"
                    .into(),
            ),
            Error::Store(error) => error.hint(),
        }
    }
}
