//! What the integration tests share: the services they run against, the built binary, and judges that are not ours.
//!
//! A test starts with `let Some(kafka) = Kafka::for_test() else { return };`: where the service is missing it is skipped
//! with a line on the terminal, where services are promised (`ATALAIA_TEST_REQUIRED=1`, as `make test` does) it fails.

#![allow(dead_code, unused_imports, reason = "each theme uses its share")]

pub(crate) mod binary;
pub(crate) mod blobs;
pub(crate) mod collector;
pub(crate) mod counting;
pub(crate) mod fleet;
pub(crate) mod hook;
pub(crate) mod http;
pub(crate) mod hub;
pub(crate) mod judge;
pub(crate) mod services;
pub(crate) mod topic;
pub(crate) mod wait;

pub(crate) use binary::{Atalaia, Outcome, Running};
pub(crate) use blobs::{Azurite, Container};
pub(crate) use hook::Hook;
pub(crate) use hub::Hub;
pub(crate) use judge::Judge;
pub(crate) use topic::{Kafka, Message, Topic};
