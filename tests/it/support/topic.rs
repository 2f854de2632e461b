//! Topics on the test broker: made for one test, filled through the product's own producer.

use std::time::Duration;

use ingest::kafka::{Config, Outgoing, Producer};
use types::{Micros, Secret};

use super::services;

const PATIENCE: Duration = Duration::from_secs(60);

/// The broker that `scripts/services` started.
#[derive(Debug, Clone)]
pub(crate) struct Kafka {
    pub(crate) brokers: String,
}

/// The broker's second listener: TLS, and SASL PLAIN with a connection string, as Event Hubs has it.
#[derive(Debug, Clone)]
pub(crate) struct SaslListener {
    brokers: String,
    username: String,
    authority: String,
}

/// One topic.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) brokers: String,
    pub(crate) partitions: usize,
}

/// A record to produce; the default is a tombstone without a key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    /// Otherwise the key decides.
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    /// The record's own time; otherwise now.
    pub(crate) time: Option<Micros>,
}

// === impl Kafka ===

impl Kafka {
    pub(crate) fn for_test() -> Option<Self> {
        services::address("ATALAIA_TEST_KAFKA", "Kafka").map(|brokers| Kafka { brokers })
    }

    /// A fresh topic that no other test knows.
    pub(crate) fn topic(&self, partitions: usize) -> Topic {
        let topic = Topic { name: services::unique_name(), brokers: self.brokers.clone(), partitions };
        let made = topic.producer().create_topic(partitions, PATIENCE);
        assert!(made.expect("the topic can be made"), "the topic `{}` was there before", topic.name);
        topic
    }
}

impl SaslListener {
    /// The password stays in `ATALAIA_TEST_KAFKA_PASSWORD`: secrets are given by reference.
    pub(crate) fn for_test() -> Option<Self> {
        let read = |variable: &str| services::address(variable, "Kafka with TLS and SASL");
        read("ATALAIA_TEST_KAFKA_PASSWORD")?;
        Some(SaslListener {
            brokers: read("ATALAIA_TEST_KAFKA_SASL")?,
            username: read("ATALAIA_TEST_KAFKA_USERNAME")?,
            authority: read("ATALAIA_TEST_KAFKA_CA")?,
        })
    }

    pub(crate) fn config(&self, topic: &str) -> Config {
        let properties = self.properties().map(|(key, value)| (key.to_owned(), value.to_owned()));
        let password = Secret::parse("env:ATALAIA_TEST_KAFKA_PASSWORD").expect("a reference");
        Config {
            brokers: self.brokers.clone(),
            topic: topic.to_owned(),
            properties: properties.into(),
            secrets: [("sasl.password".to_owned(), password)].into(),
            ..Config::default()
        }
    }

    /// The same as a section of a configuration file.
    pub(crate) fn toml(&self, topic: &str) -> String {
        let properties = self.properties().map(|(key, value)| format!("\"{key}\" = '{value}'")).join(", ");
        format!(
            "[ingest.kafka]\nbrokers = \"{}\"\ntopic = \"{topic}\"\nproperties = {{ {properties} }}\n\
             secrets = {{ \"sasl.password\" = \"env:ATALAIA_TEST_KAFKA_PASSWORD\" }}\n",
            self.brokers
        )
    }

    fn properties(&self) -> [(&'static str, &str); 4] {
        [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", &self.username),
            ("ssl.ca.location", &self.authority),
        ]
    }
}

// === impl Topic ===

impl Topic {
    pub(crate) fn config(&self) -> Config {
        Config { brokers: self.brokers.clone(), topic: self.name.clone(), ..Config::default() }
    }

    pub(crate) fn producer(&self) -> Producer {
        Producer::new(&self.config()).expect("a producer needs no broker to start")
    }

    /// Returns once all are in the topic, with their number.
    pub(crate) fn produce(&self, messages: impl IntoIterator<Item = Message>) -> u64 {
        let mut producer = self.producer();
        for message in messages {
            let record = Outgoing {
                partition: message.partition,
                key: message.key.as_deref(),
                payload: message.payload.as_deref(),
                time: message.time,
            };
            producer.send(record).expect("the record is accepted");
        }
        producer.flush(PATIENCE).expect("every record is delivered")
    }

    /// `--set` for reading this topic.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ingest.source", "kafka".to_owned()),
            ("ingest.kafka.brokers", self.brokers.clone()),
            ("ingest.kafka.topic", self.name.clone()),
            ("ingest.kafka.group", format!("{}-group", self.name)),
        ]
    }
}

// === impl Message ===

impl Message {
    /// A record with a key, as a device sends it.
    pub(crate) fn keyed(key: impl Into<Vec<u8>>, payload: impl Into<Vec<u8>>) -> Self {
        Message { key: Some(key.into()), payload: Some(payload.into()), ..Message::default() }
    }

    pub(crate) fn at(self, time: Micros) -> Self {
        Message { time: Some(time), ..self }
    }

    pub(crate) fn in_partition(self, partition: i32) -> Self {
        Message { partition: Some(partition), ..self }
    }
}
