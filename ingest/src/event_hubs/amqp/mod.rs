//! The service over AMQP 1.0.
//!
//! From the outside in: what the pipeline sees ([`source`], [`producer`], [`questions`]); a partition being read ([`reader`]) and
//! what it hands to the polling thread ([`exchange`]); links, requests and the connection under them ([`link`], [`rpc`],
//! [`client`]); events and failures as the service tells them ([`event`], [`failure`]).

mod asking;
mod client;
mod connection;
mod error;
mod event;
mod exchange;
mod facts;
mod failure;
mod filter;
mod link;
mod metrics;
mod probe;
mod producer;
mod questions;
mod reader;
mod rpc;
mod source;
mod text;
mod tls;

pub use error::Error;
#[doc(hidden)]
pub use event::read_message;
pub(super) use metrics::describe as describe_metrics;
pub use producer::{Outgoing, Producer};
pub use questions::{HubInfo, Questions};
pub use source::EventHubsSource;
