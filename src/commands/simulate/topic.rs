//! A topic of a simulated fleet: each record in its device's partition, with its device as key and its time of arrival.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use ingest::kafka::{Config, Outgoing, Producer};
use ingest::simulated::Fleet;
use types::{Micros, Secret};

use super::Whereabouts;
use super::stream::Outlet;
use crate::commands::input::BROKER_TIMEOUT;
use crate::commands::output::shell_word;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Kafka")]
#[group(skip)]
pub(super) struct Options {
    /// The topic to write to; made if it is not there
    #[arg(long, conflicts_with_all = ["out", "event_hubs"])]
    topic: Option<String>,

    /// Brokers on other machines are talked to without TLS
    #[arg(long, conflicts_with_all = ["out", "event_hubs"])]
    allow_plaintext: bool,

    /// A property of the Kafka client, such as security.protocol=SASL_SSL; may be given several times
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = pair, conflicts_with_all = ["out", "event_hubs"])]
    properties: Vec<(String, String)>,

    /// A property whose value is secret, by its place: sasl.password=env:KAFKA_PASSWORD, or file:PATH
    #[arg(long = "secret", value_name = "NAME=PLACE", conflicts_with_all = ["out", "event_hubs"])]
    secrets: Vec<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or(format!("`{text}` is not a name and a value: write `name=value`"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Not a parser of arguments: those repeat what they refuse, and the text may hold a secret by mistake.
fn secret(text: &str) -> anyhow::Result<(String, Secret)> {
    let (name, place) = text.split_once('=').context("`--secret`: write `name=env:NAME` or `name=file:path`")?;
    let place = Secret::parse(place).map_err(|reason| anyhow::anyhow!("`--secret {name}=…`: {reason}"))?;
    Ok((name.to_owned(), place))
}

/// The topic being written.
pub(super) struct Topic {
    config: Config,
    producer: Producer,
}

impl Topic {
    pub(super) fn open(brokers: &str, options: &Options, fleet: &Fleet) -> anyhow::Result<Self> {
        let config = Config {
            brokers: brokers.to_owned(),
            topic: options.topic.clone().unwrap_or_default(),
            allow_plaintext: options.allow_plaintext,
            properties: options.properties.iter().cloned().collect(),
            secrets: options.secrets.iter().map(|text| secret(text)).collect::<anyhow::Result<BTreeMap<_, _>>>()?,
            ..Config::default()
        };
        let producer = Producer::new(&config)?;
        let partitions = fleet.config().partitions;
        // A run begins at a fixed date, and a broker would soon delete records whose time is past its retention. A live
        // fleet's records are of now, and without retention it would fill the disk.
        let kept: &[(&str, &str)] = if fleet.config().endless() { &[] } else { &[("retention.ms", "-1")] };
        let is_new = producer
            .create_topic_with(partitions as usize, kept, BROKER_TIMEOUT)
            .with_context(|| format!("make the topic `{}`", config.topic))?;
        if !is_new {
            tracing::info!(topic = config.topic, "the topic is there already: records are added to it");
        }
        Ok(Topic { producer, config })
    }
}

impl Outlet for Topic {
    fn send(&mut self, key: &[u8], payload: &[u8], time: Micros) -> Result<(), ingest::Error> {
        // The key decides, also in a topic that has been there with another number of partitions.
        self.producer.send(Outgoing { partition: None, key: Some(key), payload: Some(payload), time: Some(time) })
    }

    fn flush(&mut self, timeout: Duration) -> Result<(), ingest::Error> {
        self.producer.flush(timeout).map(drop)
    }

    fn name(&self) -> String {
        format!("the topic `{}`", self.config.topic)
    }

    fn whereabouts(&self) -> Whereabouts {
        let Config { brokers, topic, allow_plaintext, properties, secrets, .. } = &self.config;
        let mut next = format!("atalaia init --sample {} --brokers {}", shell_word(topic), shell_word(brokers));
        if *allow_plaintext {
            next.push_str(" --set ingest.kafka.allow_plaintext=true");
        }
        for (name, value) in properties {
            next.push_str(&format!(" --set {}", shell_word(&format!("ingest.kafka.properties.{name}={value}"))));
        }
        for (name, place) in secrets {
            let setting = format!("ingest.kafka.secrets.{name}={}", place.reference());
            next.push_str(&format!(" --set {}", shell_word(&setting)));
        }
        Whereabouts { place: format!("topic {topic} on {brokers}"), next: Some(next) }
    }
}
