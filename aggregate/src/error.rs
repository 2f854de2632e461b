//! What can go wrong here: settings that contradict each other, and snapshots that are not ours or not of these settings.
//!
//! Readings are never an error: a refused one is data.

use types::Span;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("`aggregate.window` is {window}, below 1s")]
    WindowTooShort { window: Span },
    #[error("`aggregate.close_after` ({close_after}) is below `aggregate.out_of_orderness` ({out_of_orderness})")]
    CloseAfterTooShort { close_after: Span, out_of_orderness: Span },
    #[error(
        "`aggregate.device_ttl` ({device_ttl}) is below `window` + `close_after` + `out_of_orderness` + \
         `max_future_skew`, which is {least}"
    )]
    DeviceTtlTooShort { device_ttl: Span, least: Span },
    #[error("not a snapshot of windows: {found}")]
    NotASnapshot { found: &'static str },
    #[error("the snapshot has format version {found}; this program reads version {known}")]
    SnapshotVersion { found: u16, known: u16 },
    #[error("the snapshot was made with `aggregate.{setting}` = {snapshot}, the configuration says {configured}")]
    SnapshotSettings { setting: &'static str, snapshot: String, configured: String },
    #[error("the snapshot of windows is damaged at byte {at}: {what}")]
    SnapshotDamaged { at: usize, what: &'static str },
}

/// What the caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The configuration must change.
    Configuration,
    /// Stored bytes cannot be trusted.
    Corrupt,
}

impl Error {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Error::WindowTooShort { .. }
            | Error::CloseAfterTooShort { .. }
            | Error::DeviceTtlTooShort { .. }
            | Error::SnapshotVersion { .. }
            | Error::SnapshotSettings { .. } => Kind::Configuration,
            Error::NotASnapshot { .. } | Error::SnapshotDamaged { .. } => Kind::Corrupt,
        }
    }

    /// What to do about it, for people.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::WindowTooShort { .. } => "set `aggregate.window` to `1s` or more".into(),
            Error::CloseAfterTooShort { out_of_orderness, .. } => {
                format!("set `aggregate.close_after` to `{out_of_orderness}` or more, or leave it out")
            }
            Error::DeviceTtlTooShort { least, .. } => {
                format!("set `aggregate.device_ttl` to `{least}` or more, or to `0` to keep devices for ever")
            }
            Error::SnapshotVersion { .. } => "run the version that wrote the state, or start with a new state".into(),
            Error::SnapshotSettings { setting, snapshot, .. } => {
                format!("set `aggregate.{setting}` back to {snapshot}, or start a new pipeline with its own state")
            }
            Error::NotASnapshot { .. } | Error::SnapshotDamaged { .. } => {
                "restore the state from a copy, or start with a new state".into()
            }
        })
    }
}
