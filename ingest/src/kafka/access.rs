//! What a program sets beside the configuration: whose settings errors name, and where tokens for OAUTHBEARER come from.

use std::fmt;
use std::sync::Arc;
#[cfg(feature = "kafka")]
use std::time::SystemTime;

#[cfg(feature = "kafka")]
use crate::Error;

/// By which part of the configuration a user knows the brokers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Face {
    /// `[ingest.kafka]`.
    #[default]
    Kafka,
    /// `[ingest.event_hubs]`, whose Kafka endpoint is read.
    EventHubs,
}

impl Face {
    /// The setting behind a field of [`super::Config`].
    pub(crate) fn setting(self, field: &str) -> String {
        match (self, field) {
            (Face::Kafka, _) => format!("ingest.kafka.{field}"),
            (Face::EventHubs, "brokers") => "ingest.event_hubs.namespace".into(),
            (Face::EventHubs, "topic") => "ingest.event_hubs.hub".into(),
            (Face::EventHubs, "group") => "ingest.event_hubs.consumer_group".into(),
            // The only secret there is.
            (Face::EventHubs, secret) if secret.starts_with("secrets") => "ingest.event_hubs.connection_string".into(),
            (Face::EventHubs, _) => format!("ingest.event_hubs.{field}"),
        }
    }

    pub(crate) fn hint_unreachable(self) -> &'static str {
        match self {
            Face::Kafka => {
                "check `ingest.kafka.brokers`, that the brokers run, and that they speak TLS or `ingest.kafka.allow_plaintext` is set \
                 (`security.protocol` in `ingest.kafka.properties` goes first)"
            }
            Face::EventHubs => {
                "check the namespace in `ingest.event_hubs`, that port 9093 is open, and its tier: Basic has no Kafka endpoint"
            }
        }
    }

    pub(crate) fn hint_missing(self) -> &'static str {
        match self {
            Face::Kafka => "check `ingest.kafka.topic`, or create the topic",
            Face::EventHubs => "check `ingest.event_hubs.hub`, or create the event hub",
        }
    }

    pub(crate) fn hint_credentials(self) -> &'static str {
        match self {
            Face::Kafka => {
                "check `sasl.mechanisms` and `sasl.username` in `ingest.kafka.properties`, and `sasl.password` in \
                 `ingest.kafka.secrets`"
            }
            Face::EventHubs => {
                "check policy and key in `ingest.event_hubs.connection_string`; without one, the identity of \
                 `ingest.event_hubs.entra` needs the role Azure Event Hubs Data Receiver"
            }
        }
    }

    pub(crate) fn hint_tls(self) -> &'static str {
        match self {
            Face::Kafka => {
                "set `ssl.ca.location` in `ingest.kafka.properties` to the certificate of the authority that signed the \
                 brokers', use the host names in them, and see that they have not expired"
            }
            Face::EventHubs => {
                "is there a proxy that decrypts? Then set `ingest.event_hubs.ca_file` to the certificate of its authority; and use \
                 the namespace's own host name"
            }
        }
    }
}

/// Gives tokens for OAUTHBEARER. Asked on the thread that polls, so it answers at once, or nearly.
///
/// A trait although there is one who gives them (`event_hubs::bearer`): this client knows nothing of Event Hubs, and either is
/// built without the other.
pub(crate) trait BearerTokens: Send + Sync {
    /// # Errors
    /// Why there is none now.
    #[cfg(feature = "kafka")]
    fn current(&self) -> Result<Bearer, Error>;

    /// Why there is none now, if there is none: without waiting.
    #[cfg(feature = "kafka")]
    fn failure(&self) -> Option<Error>;
}

/// A token and what a Kafka client wants to know of it.
#[cfg(feature = "kafka")]
pub(crate) struct Bearer {
    pub(crate) text: String,
    pub(crate) principal: String,
    pub(crate) expires: SystemTime,
}

/// Where tokens come from, if they are needed. Equal to its clones only.
#[derive(Clone, Default)]
pub struct Tokens(Option<Arc<dyn BearerTokens>>);

impl Tokens {
    #[cfg(all(feature = "kafka", feature = "event-hubs"))]
    pub(crate) fn from(source: Arc<dyn BearerTokens>) -> Self {
        Tokens(Some(source))
    }

    #[cfg(feature = "kafka")]
    pub(super) fn is_given(&self) -> bool {
        self.0.is_some()
    }

    #[cfg(feature = "kafka")]
    pub(super) fn failure(&self) -> Option<Error> {
        self.0.as_ref()?.failure()
    }

    #[cfg(feature = "kafka")]
    pub(super) fn token(&self) -> Result<rdkafka::client::OAuthToken, Box<dyn std::error::Error>> {
        let source = self.0.as_ref().ok_or("tokens are had for Event Hubs only")?;
        let bearer = source.current()?;
        let lifetime = bearer.expires.duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(rdkafka::client::OAuthToken {
            token: bearer.text,
            principal_name: bearer.principal,
            lifetime_ms: i64::try_from(lifetime.as_millis())?,
        })
    }
}

impl PartialEq for Tokens {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "[tokens]" } else { "[no tokens]" })
    }
}
