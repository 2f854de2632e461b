//! Azure Event Hubs as a source.
//!
//! AMQP 1.0 natively (`amqp`), or the service's Kafka endpoint, which is the Kafka source with other settings.

mod config;

pub use config::{Config, Entra, EntraMethod, Ownership, Protocol, Strategy};
