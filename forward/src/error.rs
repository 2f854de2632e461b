//! What can go wrong on the way to a receiver, with what to do about it.

/// A failure. `Display` is the error itself; [`Error::hint`] the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The log of commits, or a file of it, cannot be read now.
    #[error("{reason}")]
    Log { reason: String, hint: Option<String> },
    #[error("`{setting}` {reason}")]
    Setting { setting: String, reason: String },
    #[error("the cursor `{place}` cannot be read: {reason}")]
    Cursor { place: String, reason: String },
    #[error("{receiver} cannot be used: {reason}")]
    Receiver { receiver: &'static str, reason: String, hint: String },
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Store(error) => error.hint(),
            Error::Log { hint, .. } => hint.clone(),
            Error::Setting { .. } => None,
            Error::Cursor { .. } => {
                Some("delete it: forwarding to this receiver then begins as `forward.from` says".to_owned())
            }
            Error::Receiver { hint, .. } => Some(hint.clone()),
        }
    }
}
