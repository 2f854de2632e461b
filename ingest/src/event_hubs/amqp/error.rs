//! What cannot be healed by waiting, told apart by what a user has to do about it.

use crate::Kind;

/// A failure of the native source. `Display` is the error itself; `Error::hint` the remedy.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("cannot reach `{address}`: {reason}")]
    Unreachable { address: String, reason: String },
    #[error("no trusted TLS connection to `{address}`: {reason}")]
    Tls { address: String, reason: String },
    #[error("`{address}` refuses the credentials: {reason}")]
    Authentication { address: String, reason: String },
    #[error("there is no event hub `{hub}` at `{address}`: {reason}")]
    HubMissing { hub: String, address: String, reason: String },
    #[error("event hub `{hub}` at `{address}` is not the one that was read: it was made anew, at {created}")]
    HubReplaced { hub: String, address: String, created: String },
    #[error("event hub `{hub}` has no consumer group `{group}`: {reason}")]
    GroupMissing { hub: String, group: String, reason: String },
    #[error("no permission to {action} event hub `{hub}`: {reason}")]
    NotAllowed { action: &'static str, hub: String, reason: String },
    #[error("event hub `{hub}` has a partition `{id}`, which is not a number")]
    PartitionName { hub: String, id: String },
    #[error("could not {action}: {reason}")]
    Failed { action: &'static str, reason: String },
}

impl Error {
    #[must_use]
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Error::Unreachable { .. } | Error::Failed { .. } => Kind::Retry,
            Error::HubReplaced { .. } => Kind::Corrupt,
            Error::Tls { .. }
            | Error::Authentication { .. }
            | Error::HubMissing { .. }
            | Error::GroupMissing { .. }
            | Error::NotAllowed { .. }
            | Error::PartitionName { .. } => Kind::Input,
        }
    }

    #[must_use]
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Unreachable { .. } => {
                "check the namespace's name, and that this port can be reached from here; where only port 443 can, \
                 `ingest.event_hubs.protocol = \"amqp-websockets\"` serves"
            }
            Error::Tls { .. } => {
                "set `ingest.event_hubs.ca_file` to the certificate of the authority that signed the server's, such as a proxy's; an \
                 emulator that speaks no TLS needs `UseDevelopmentEmulator=true` in the connection string"
            }
            Error::Authentication { .. } => {
                "check the policy's name and key in the connection string, the signature, or the identity; and that this machine's clock \
                 is right"
            }
            Error::HubMissing { .. } => "check `ingest.event_hubs.hub`, or the `EntityPath` of the connection string",
            Error::HubReplaced { .. } => {
                "`atalaia state reset -c FILE --all --to earliest` begins anew in it, and publishes no window twice"
            }
            Error::GroupMissing { .. } => "create the consumer group, or check `ingest.event_hubs.consumer_group`",
            Error::NotAllowed { .. } => {
                "the policy needs the right to listen (to send, for `simulate`); an identity needs the role `Azure Event Hubs Data \
                 Receiver` (`Data Sender`)"
            }
            Error::PartitionName { .. } | Error::Failed { .. } => return None,
        };
        Some(hint.into())
    }
}
