//! What went wrong on a connection or a link, and what that asks for: waiting, another owner, or a user.
//!
//! The conditions are those of AMQP 1.0 (part 2, 2.8) and of the service (learn.microsoft.com, "AMQP errors in Azure Event Hubs").

use std::time::Duration;

use fe2o3_amqp::connection::{ConnectionStopReason, OpenError};
use fe2o3_amqp::link::{
    DetachError, FlowError, LinkStateError, ReceiverAttachError, RecvError, SendError, SenderAttachError,
    SessionStopReason,
};
use fe2o3_amqp::session::BeginError;
use fe2o3_amqp::transport;
use fe2o3_amqp_types::definitions::{self, ErrorCondition};
use serde_amqp::primitives::Symbol;

use crate::Kind;

/// How long a busy service is left alone.
const BUSY: Duration = Duration::from_secs(4);
const NO_CHANNEL: &str = "channels";
const NO_TOKEN: &str = "token";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    /// The condition's name, or what stands for one: few values, for a metric.
    pub(crate) condition: String,
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The connection is of no use any more.
    Lost,
    /// The link is; what else the connection carries goes on.
    Detached,
    /// As `Detached`, and the service wants to be left alone for so long.
    Busy(Duration),
    /// No answer in time: whoever is silent is taken for gone.
    Silent,
    /// Another reader has the partition.
    Stolen,
    Unauthorized,
    NotFound,
    /// What was asked for makes no sense to the service, such as a position it does not know.
    Refused,
    /// Another hub under the same name.
    Replaced,
    Tls,
}

impl Failure {
    pub(crate) fn new(class: Class, condition: &str, reason: impl Into<String>) -> Self {
        Failure { class, condition: condition.to_owned(), reason: reason.into() }
    }

    pub(crate) fn silent(what: &str, timeout: Duration) -> Self {
        Failure::new(Class::Silent, "no answer", format!("no answer to {what} within {timeout:?}"))
    }

    /// Of what waits on a connection that others found to be of no use.
    pub(crate) fn given_up() -> Self {
        Failure::new(Class::Lost, "given up", "the connection was given up")
    }

    /// Whether the connection has to be made anew.
    pub(crate) fn breaks_connection(&self) -> bool {
        matches!(self.class, Class::Lost | Class::Silent | Class::Tls | Class::Unauthorized)
            && self.condition != NO_TOKEN
    }

    /// Whether the connection, on which no session could be begun, may be of use to others.
    pub(crate) fn is_crowded(&self) -> bool {
        self.condition == NO_CHANNEL
    }

    /// Whether a link was refused, and not a question or the connection itself.
    pub(crate) fn is_of_link(&self) -> bool {
        matches!(self.condition.as_str(), "amqp:unauthorized-access" | "com.microsoft:auth-failed")
    }

    /// There is no token to show; nothing was asked of the service.
    pub(crate) fn no_token(error: &crate::Error) -> Self {
        let class = if error.kind() == Kind::Retry { Class::Detached } else { Class::Unauthorized };
        Failure::new(class, NO_TOKEN, error.to_string())
    }

    /// Whether the links that it came over may be asked again: it is an answer, or was never sent.
    pub(super) fn leaves_links(&self) -> bool {
        self.condition.starts_with("status ") || self.condition == NO_TOKEN
    }

    /// How long the service wants to be left alone.
    pub(crate) fn least_wait(&self) -> Duration {
        if let Class::Busy(least) = self.class { least } else { Duration::ZERO }
    }

    /// Whether waiting heals it.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.class, Class::Lost | Class::Detached | Class::Busy(_) | Class::Silent)
    }

    /// By the status code of an answer over `$cbs` or `$management`: HTTP's.
    pub(crate) fn status(code: i32, description: &str) -> Self {
        let class = match code {
            401 | 403 => Class::Unauthorized,
            404 => Class::NotFound,
            429 | 503 => Class::Busy(BUSY),
            400 | 409 | 410 => Class::Refused,
            _ => Class::Detached,
        };
        Failure::new(class, &format!("status {code}"), format!("status {code}: {description}"))
    }

    fn of(error: &definitions::Error, otherwise: Class) -> Self {
        let condition = match &error.condition {
            ErrorCondition::AmqpError(condition) => Symbol::from(condition),
            ErrorCondition::ConnectionError(condition) => Symbol::from(condition),
            ErrorCondition::SessionError(condition) => Symbol::from(condition),
            ErrorCondition::LinkError(condition) => Symbol::from(condition),
            ErrorCondition::Custom(condition) => condition.clone(),
        };
        let condition = condition.as_str();
        let class = match condition {
            "amqp:link:stolen" => Class::Stolen,
            "amqp:unauthorized-access" | "com.microsoft:auth-failed" => Class::Unauthorized,
            "amqp:not-found" => Class::NotFound,
            // Somebody disabled the hub, and may enable it again.
            "com.microsoft:server-busy" | "com.microsoft:entity-disabled" => Class::Busy(BUSY),
            "com.microsoft:argument-error" | "com.microsoft:argument-out-of-range" | "amqp:invalid-field" => {
                Class::Refused
            }
            _ => otherwise,
        };
        let reason = match &error.description {
            Some(description) => format!("{condition}: {description}"),
            None => condition.to_owned(),
        };
        Failure::new(class, condition, reason)
    }

    fn of_connection(reason: &ConnectionStopReason) -> Self {
        match reason {
            ConnectionStopReason::ClosedWithError(error) | ConnectionStopReason::RemoteClosedWithError(error) => {
                Failure::of(error, Class::Lost)
            }
            ConnectionStopReason::Closed | ConnectionStopReason::RemoteClosed => {
                Failure::new(Class::Lost, "closed", "the connection was closed")
            }
        }
    }

    fn of_session(reason: &SessionStopReason) -> Self {
        match reason {
            SessionStopReason::EndedWithError(error) | SessionStopReason::RemoteEndedWithError(error) => {
                Failure::of(error, Class::Detached)
            }
            SessionStopReason::ConnectionStopped(reason) => Failure::of_connection(reason),
            SessionStopReason::Ended | SessionStopReason::RemoteEnded => {
                Failure::new(Class::Detached, "ended", "the session was ended")
            }
        }
    }

    fn detached(reason: impl std::fmt::Display) -> Self {
        Failure::new(Class::Detached, "detached", reason.to_string())
    }
}

impl From<&transport::Error> for Failure {
    fn from(error: &transport::Error) -> Self {
        let (condition, reason) = match error {
            transport::Error::Io(error) => ("i/o", error.to_string()),
            transport::Error::IdleTimeoutElapsed => ("idle", "nothing was heard for the idle time-out".into()),
            transport::Error::DecodeError(reason) => ("framing", format!("a frame cannot be read: {reason}")),
            other => ("framing", other.to_string()),
        };
        Failure::new(Class::Lost, condition, reason)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Io(error) => Failure::new(Class::Lost, "i/o", error.to_string()),
            OpenError::TransportError(error) => Failure::from(&error),
            OpenError::RemoteClosedWithError(error) => Failure::of(&error, Class::Lost),
            OpenError::SaslError { code, .. } => {
                Failure::new(Class::Unauthorized, "sasl", format!("the SASL exchange failed: {code:?}"))
            }
            other => Failure::new(Class::Lost, "open", other.to_string()),
        }
    }
}

impl From<BeginError> for Failure {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::RemoteEndedWithError(error) => Failure::of(&error, Class::Detached),
            BeginError::ConnectionStopped(reason) => Failure::of_connection(&reason),
            // The connection has its hands full: whoever has a session keeps it.
            BeginError::LocalChannelMaxReached => Failure::new(Class::Detached, NO_CHANNEL, error.to_string()),
            other => Failure::new(Class::Lost, "begin", other.to_string()),
        }
    }
}

impl From<ReceiverAttachError> for Failure {
    fn from(error: ReceiverAttachError) -> Self {
        match error {
            ReceiverAttachError::RemoteClosedWithError(error) => Failure::of(&error, Class::Detached),
            ReceiverAttachError::SessionStopped(reason) => Failure::of_session(&reason),
            other => Failure::detached(other),
        }
    }
}

impl From<SenderAttachError> for Failure {
    fn from(error: SenderAttachError) -> Self {
        match error {
            SenderAttachError::RemoteClosedWithError(error) => Failure::of(&error, Class::Detached),
            SenderAttachError::SessionStopped(reason) => Failure::of_session(&reason),
            other => Failure::detached(other),
        }
    }
}

impl From<LinkStateError> for Failure {
    fn from(error: LinkStateError) -> Self {
        match error {
            LinkStateError::RemoteDetachedWithError(error) | LinkStateError::RemoteClosedWithError(error) => {
                Failure::of(&error, Class::Detached)
            }
            LinkStateError::SessionStopped(reason) => Failure::of_session(&reason),
            other => Failure::detached(other),
        }
    }
}

impl From<RecvError> for Failure {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::LinkStateError(error) => error.into(),
            RecvError::MessageDecode(error) => Failure::detached(format!("a message cannot be read: {error:?}")),
            other => Failure::detached(other),
        }
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        match error {
            SendError::LinkStateError(error) => error.into(),
            SendError::Detached(error) => error.into(),
            SendError::MessageSizeExceeded(error) => Failure::new(Class::Refused, "size", error.to_string()),
            other => Failure::detached(other),
        }
    }
}

impl From<DetachError> for Failure {
    fn from(error: DetachError) -> Self {
        match error {
            DetachError::RemoteDetachedWithError(error) | DetachError::RemoteClosedWithError(error) => {
                Failure::of(&error, Class::Detached)
            }
            DetachError::SessionStopped(reason) => Failure::of_session(&reason),
            other => Failure::detached(other),
        }
    }
}

impl From<FlowError> for Failure {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::SessionStopped(reason) => Failure::of_session(&reason),
            other @ FlowError::IllegalState => Failure::detached(other),
        }
    }
}

/// By what the peer says of a delivery that it did not accept.
pub(super) fn of_rejection(error: Option<&definitions::Error>) -> Failure {
    match error {
        Some(error) => Failure::of(error, Class::Detached),
        None => Failure::detached("the delivery was not accepted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_say_what_is_to_be_done() {
        for (condition, class) in [
            ("amqp:not-found", Class::NotFound),
            ("amqp:link:stolen", Class::Stolen),
            ("com.microsoft:auth-failed", Class::Unauthorized),
            ("com.microsoft:server-busy", Class::Busy(BUSY)),
            ("com.microsoft:entity-disabled", Class::Busy(BUSY)),
            ("com.microsoft:argument-error", Class::Refused),
            ("com.microsoft:timeout", Class::Detached),
        ] {
            let condition = ErrorCondition::Custom(Symbol::from(condition));
            let error = definitions::Error::new(condition, None, None);
            assert_eq!(Failure::of(&error, Class::Detached).class, class, "{error:?}");
        }
    }
}
