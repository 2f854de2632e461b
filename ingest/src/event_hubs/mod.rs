//! Azure Event Hubs as a source.
//!
//! AMQP 1.0 natively (`amqp`), or the service's Kafka endpoint, which is the Kafka source with other settings.

mod config;
#[cfg(feature = "event-hubs")]
mod connection_string;
#[cfg(feature = "event-hubs")]
mod hidden;
#[cfg(feature = "event-hubs")]
mod jitter;
#[cfg(feature = "event-hubs")]
mod membership;
#[cfg(feature = "event-hubs")]
mod place;
#[cfg(feature = "event-hubs")]
mod token;

pub use config::{Config, Entra, EntraMethod, Ownership, Protocol, Strategy};
#[cfg(feature = "event-hubs")]
pub use membership::{Change, Membership, Static, Wake};
#[cfg(feature = "event-hubs")]
pub use token::Error as TokenError;
