//! Apache Kafka as a source, and the producer that simulations and tests write with.
//!
//! Membership and fetching are kept apart: the group says which partitions are ours (`context`), and records come
//! through a queue of their own (`fetch`), so that either half can be replaced. Positions are always explicit; what the
//! broker remembers of them is for lag displays only.

mod access;
mod config;
mod transport;

#[cfg(feature = "kafka")]
mod check;
#[cfg(feature = "kafka")]
mod context;
#[cfg(feature = "kafka")]
mod errors;
#[cfg(feature = "kafka")]
mod fetch;
#[cfg(feature = "kafka")]
mod header;
#[cfg(feature = "kafka")]
mod inquirer;
#[cfg(feature = "kafka")]
mod metrics;
#[cfg(feature = "kafka")]
mod partition;
#[cfg(feature = "kafka")]
mod producer;
#[cfg(feature = "kafka")]
mod questions;
#[cfg(feature = "kafka")]
mod quiet;
#[cfg(feature = "kafka")]
mod settings;
#[cfg(feature = "kafka")]
mod sharing;
#[cfg(feature = "kafka")]
mod source;
#[cfg(feature = "kafka")]
mod watch;
#[cfg(feature = "kafka")]
mod watermarks;

#[cfg(all(feature = "kafka", feature = "event-hubs"))]
pub(crate) use access::{Bearer, BearerTokens};
pub use access::{Face, Tokens};
pub use config::Config;
pub use transport::{Objection, is_secret};

#[cfg(feature = "kafka")]
pub use check::TopicInfo;
#[cfg(feature = "kafka")]
pub(crate) use metrics::describe as describe_metrics;
#[cfg(feature = "kafka")]
pub use producer::{Outgoing, Producer};
#[cfg(feature = "kafka")]
pub use questions::Questions;
#[cfg(feature = "kafka")]
pub use settings::SUGGESTED;
#[cfg(feature = "kafka")]
pub use source::KafkaSource;

/// The version of the client library, as it says itself.
#[cfg(feature = "kafka")]
#[must_use]
pub fn client_version() -> String {
    rdkafka::util::get_rdkafka_version().1
}
