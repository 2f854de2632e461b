//! Azure Event Hubs as a source.
//!
//! AMQP 1.0 natively ([`EventHubsSource`]), or the service's Kafka endpoint, which is the Kafka source with other settings
//! ([`over_kafka`]). Which hub it is (`place`), who we are to it (`token`) and which partitions are ours (`membership`,
//! [`ownership`]) stand apart from how events are fetched (`amqp`).

mod config;

#[cfg(feature = "event-hubs")]
mod amqp;
#[cfg(all(feature = "event-hubs", feature = "kafka"))]
mod bearer;
#[cfg(feature = "event-hubs")]
mod connection_string;
#[cfg(feature = "event-hubs")]
mod hidden;
#[cfg(feature = "event-hubs")]
mod jitter;
#[cfg(feature = "event-hubs")]
mod joining;
#[cfg(all(feature = "event-hubs", feature = "kafka"))]
mod kafka;
#[cfg(feature = "event-hubs")]
mod membership;
#[cfg(feature = "event-hubs")]
pub mod ownership;
#[cfg(feature = "event-hubs")]
mod place;
#[cfg(feature = "event-hubs")]
mod token;

#[cfg(feature = "event-hubs")]
pub use amqp::{Error, EventHubsSource, HubInfo, Outgoing, Producer, Questions, read_message};
pub use config::{Config, Entra, EntraMethod, Ownership, Protocol, Strategy};
#[cfg(feature = "event-hubs")]
pub use joining::{hub, membership, notes};
#[cfg(all(feature = "event-hubs", feature = "kafka"))]
pub use kafka::over_kafka;
#[cfg(feature = "event-hubs")]
pub use membership::{Change, Membership, Static, Wake};
#[cfg(feature = "event-hubs")]
pub use token::Error as TokenError;

#[cfg(feature = "event-hubs")]
pub(crate) fn describe_metrics() {
    amqp::describe_metrics();
    ownership::describe_metrics();
}
