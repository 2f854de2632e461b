//! `[ingest.kafka]`: what a user says of the brokers, the topic and the group.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::Secret;

use super::access::{Face, Tokens};

/// Apache Kafka, or any service that speaks its protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bootstrap brokers, `host:port`, comma-separated.
    pub brokers: String,
    /// The topic to read. One pipeline reads one topic.
    pub topic: String,
    /// Consumer group: instances of one pipeline share it, and pipelines do not.
    /// Left out (or empty): the name of the pipeline.
    pub group: String,
    /// Brokers on other machines are talked to with TLS unless this is set; then without, where `security.protocol` says nothing else.
    /// Brokers on this machine need no leave.
    pub allow_plaintext: bool,
    /// Passed to librdkafka as they are (security, timeouts, sizes), except what delivery owns: offsets, commits, resets.
    pub properties: BTreeMap<String, String>,
    /// Properties whose values are secrets, by reference: `{ "sasl.password" = "env:KAFKA_PASSWORD" }`.
    pub secrets: BTreeMap<String, Secret>,
    /// Group instance id for static membership, so that a restart within the session timeout moves no partition.
    /// Each worker appends its number.
    pub instance_id: Option<String>,
    /// Set by what stands before this source, never by a user.
    #[serde(skip)]
    pub face: Face,
    #[serde(skip)]
    pub tokens: Tokens,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            brokers: "localhost:9092".into(),
            topic: String::new(),
            group: String::new(),
            allow_plaintext: false,
            properties: BTreeMap::new(),
            secrets: BTreeMap::new(),
            instance_id: None,
            face: Face::default(),
            tokens: Tokens::default(),
        }
    }
}
