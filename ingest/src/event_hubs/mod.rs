//! Azure Event Hubs as a source.
//!
//! AMQP 1.0 natively (`amqp`), or the service's Kafka endpoint, which is the Kafka source with other settings.

#[cfg(all(feature = "event-hubs", feature = "kafka"))]
mod bearer;
mod config;

#[cfg(feature = "event-hubs")]
mod asking;
#[cfg(feature = "event-hubs")]
mod client;
#[cfg(feature = "event-hubs")]
mod connection;
#[cfg(feature = "event-hubs")]
mod connection_string;
#[cfg(feature = "event-hubs")]
mod error;
#[cfg(feature = "event-hubs")]
mod event;
#[cfg(feature = "event-hubs")]
mod exchange;
#[cfg(feature = "event-hubs")]
mod facts;
#[cfg(feature = "event-hubs")]
mod failure;
#[cfg(feature = "event-hubs")]
mod filter;
#[cfg(feature = "event-hubs")]
mod hidden;
#[cfg(feature = "event-hubs")]
mod jitter;
#[cfg(feature = "event-hubs")]
mod joining;
#[cfg(all(feature = "event-hubs", feature = "kafka"))]
mod kafka;
#[cfg(feature = "event-hubs")]
mod link;
#[cfg(feature = "event-hubs")]
mod membership;
#[cfg(feature = "event-hubs")]
mod metrics;
#[cfg(feature = "event-hubs")]
pub mod ownership;
#[cfg(feature = "event-hubs")]
mod place;
#[cfg(feature = "event-hubs")]
mod probe;
#[cfg(feature = "event-hubs")]
mod producer;
#[cfg(feature = "event-hubs")]
mod questions;
#[cfg(feature = "event-hubs")]
mod reader;
#[cfg(feature = "event-hubs")]
mod rpc;
#[cfg(feature = "event-hubs")]
mod source;
#[cfg(feature = "event-hubs")]
mod text;
#[cfg(feature = "event-hubs")]
mod tls;
#[cfg(feature = "event-hubs")]
mod token;

pub use config::{Config, Entra, EntraMethod, Ownership, Protocol, Strategy};
#[cfg(feature = "event-hubs")]
pub use error::Error;
#[cfg(feature = "event-hubs")]
pub use joining::{hub, membership, notes};
#[cfg(all(feature = "event-hubs", feature = "kafka"))]
pub use kafka::over_kafka;
#[cfg(feature = "event-hubs")]
pub use membership::{Change, Membership, Static, Wake};
#[cfg(feature = "event-hubs")]
pub use metrics::describe as describe_metrics;
#[cfg(feature = "event-hubs")]
pub use producer::{Outgoing, Producer};
#[cfg(feature = "event-hubs")]
pub use questions::{HubInfo, Questions};
#[cfg(feature = "event-hubs")]
pub use source::EventHubsSource;
#[cfg(feature = "event-hubs")]
pub use token::Error as TokenError;
