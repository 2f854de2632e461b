//! From the configuration to librdkafka's settings: what we own, what we suggest, what is passed through.

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use super::{Config, Face, Objection, is_secret};
use crate::Error;

/// Set by us and by nobody else: exactly-once rests on them.
const OWNED: [(&str, &str); 6] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    ("check.crcs", "true"),
    ("enable.partition.eof", "true"),
];

/// Owned too, with the field of the configuration that sets them.
const FIELDS: [(&str, &str); 4] = [
    ("bootstrap.servers", "brokers"),
    ("metadata.broker.list", "brokers"),
    ("group.id", "group"),
    ("group.instance.id", "instance_id"),
];

/// Suggestions that a user may replace. Records wait in one queue per consumer, whatever the number of partitions: until it
/// holds this many records or bytes, more is fetched, at most 1 MiB at a time from each broker (compressed; a record takes
/// some 400 bytes of the client besides its own).
pub const SUGGESTED: [(&str, &str); 12] = [
    ("queued.max.messages.kbytes", "16384"),
    (QUEUED, "20000"),
    ("fetch.max.bytes", "1048576"),
    ("max.partition.fetch.bytes", "524288"),
    // What a batch may unpack to, as far as the client looks at that: with zstd.
    ("receive.message.max.bytes", "67108864"),
    // A full queue is looked at again soon: after the customary second, a quick consumer has long run dry.
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.min.bytes", "65536"),
    ("fetch.wait.max.ms", "100"),
    // Azure closes connections that are silent for four minutes.
    ("socket.keepalive.enable", "true"),
    ("metadata.max.age.ms", "180000"),
    // How soon partitions that were added are noticed.
    ("topic.metadata.refresh.interval.ms", "60000"),
    // For the lag; it costs one small document each time.
    ("statistics.interval.ms", "5000"),
];

const QUEUED: &str = "queued.min.messages";

/// What Microsoft recommends for Event Hubs, where our own differ or librdkafka's are others: the service is slower to tell
/// members of a group apart, closes connections that are silent for four minutes, and has no batch above a megabyte.
/// (Azure/azure-event-hubs-for-kafka, CONFIGURATION.md.)
const OF_EVENT_HUBS: [(&str, &str); 4] = [
    ("session.timeout.ms", "30000"),
    (HEARTBEAT, "3000"),
    ("connections.max.idle.ms", "180000"),
    ("max.partition.fetch.bytes", "1048576"),
];

const HEARTBEAT: &str = "heartbeat.interval.ms";

/// For one record, whatever a user tunes for throughput. A broker sends at least one batch, however small this is.
const ONE_RECORD: [(&str, &str); 5] = [
    ("queued.min.messages", "1"),
    ("fetch.min.bytes", "1"),
    ("fetch.wait.max.ms", "100"),
    ("max.partition.fetch.bytes", "65536"),
    ("fetch.error.backoff.ms", "100"),
];

/// Settings of worker `worker`'s consumer: one member of the group.
pub(super) fn consumer(config: &Config, worker: usize) -> Result<ClientConfig, Error> {
    if config.group.trim().is_empty() {
        return Err(setting(config, "group", "is empty"));
    }
    let mut client = common(config)?;
    client.set("client.id", format!("atalaia-{worker}")).set("group.id", &config.group);
    for (key, value) in SUGGESTED {
        client.set(key, value);
    }
    let new_protocol = config.properties.get("group.protocol").is_some_and(|protocol| protocol == "consumer");
    if !new_protocol {
        // Partitions that stay keep flowing while others move.
        client.set("partition.assignment.strategy", "cooperative-sticky");
        // Members hear of a rebalance with their next heartbeat. The new protocol leaves this to the broker.
        client.set(HEARTBEAT, "1000");
    }
    if config.face == Face::EventHubs {
        for (key, value) in OF_EVENT_HUBS {
            client.set(key, value);
        }
    }
    if let Some(instance) = &config.instance_id {
        client.set("group.instance.id", format!("{instance}-{worker}"));
    }
    pass_through(config, &mut client)?;
    for (key, value) in OWNED {
        client.set(key, value);
    }
    Ok(client)
}

/// A queue that is longer than this was fetched beyond what was asked for.
pub(super) fn queue_length_max(client: &ClientConfig) -> usize {
    client.get(QUEUED).and_then(|records| records.parse::<usize>().ok()).unwrap_or(0).saturating_mul(2)
}

/// Settings of a client that only asks: no group, no queues.
pub(super) fn inquirer(config: &Config) -> Result<ClientConfig, Error> {
    let mut client = common(config)?;
    client.set("client.id", "atalaia-check");
    pass_through(config, &mut client)?;
    for (key, value) in OWNED {
        client.set(key, value);
    }
    Ok(client)
}

/// Settings of a client that looks at one record at a time: the same view of the log as the consumer's, small fetches.
pub(super) fn reader(config: &Config) -> Result<ClientConfig, Error> {
    let mut client = inquirer(config)?;
    client.set("group.id", &config.group);
    for (key, value) in ONE_RECORD {
        client.set(key, value);
    }
    Ok(client)
}

/// Settings of a producer: nothing lost, nothing twice, order kept.
pub(super) fn producer(config: &Config) -> Result<ClientConfig, Error> {
    let mut client = common(config)?;
    client
        .set("client.id", "atalaia-producer")
        .set("enable.idempotence", "true")
        // Event Hubs knows none but gzip, and that in its dearer tiers only.
        .set("compression.type", if config.face == Face::EventHubs { "none" } else { "lz4" })
        .set("linger.ms", "20")
        .set("batch.num.messages", "10000")
        .set("queue.buffering.max.messages", "200000")
        .set("queue.buffering.max.kbytes", "65536");
    pass_through(config, &mut client)?;
    Ok(client)
}

fn common(config: &Config) -> Result<ClientConfig, Error> {
    if config.brokers.trim().is_empty() {
        return Err(setting(config, "brokers", "is empty"));
    }
    if config.topic.trim().is_empty() {
        return Err(setting(config, "topic", "is empty"));
    }
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &config.brokers);
    client.set_log_level(RDKafkaLogLevel::Info);
    Ok(client)
}

fn pass_through(config: &Config, client: &mut ClientConfig) -> Result<(), Error> {
    for key in config.properties.keys().chain(config.secrets.keys()) {
        refuse_owned(config, key)?;
    }
    for (key, value) in &config.properties {
        if is_secret(key) {
            let remedy = match config.face {
                Face::Kafka => "give its place in `ingest.kafka.secrets`, as `env:NAME` or `file:path`",
                Face::EventHubs => "`ingest.event_hubs` has settings of its own for those",
            };
            return Err(property(config, key, &format!("is a secret: {remedy}")));
        }
        client.set(key, value);
    }
    for (key, secret) in &config.secrets {
        let value = secret
            .reveal()
            .map_err(|reason| setting(config, &format!("secrets.\"{key}\""), &format!("cannot be read: {reason}")))?;
        client.set(key, value);
    }
    check_security(config, client)
}

fn refuse_owned(config: &Config, key: &str) -> Result<(), Error> {
    if config.face == Face::EventHubs && key == "group.instance.id" {
        return Err(property(config, key, "is not known to work with Event Hubs: leave it out"));
    }
    let owner = match FIELDS.iter().find(|(owned, _)| *owned == key) {
        Some((_, field)) => Some(config.face.setting(field)),
        None => (key == "auto.commit.interval.ms").then(|| "sink.commit_interval".to_owned()),
    };
    if let Some(owner) = owner {
        return Err(property(config, key, &format!("is set by `{owner}`: leave it out")));
    }
    if let Some((_, value)) = OWNED.iter().find(|(owned, _)| *owned == key) {
        return Err(property(config, key, &format!("is always `{value}`, since delivery rests on it: leave it out")));
    }
    Ok(())
}

fn check_security(config: &Config, client: &mut ClientConfig) -> Result<(), Error> {
    if let Some(Objection { setting, reason }) = config.objection() {
        return Err(Error::Setting { setting, reason });
    }
    let protocol = match config.property("security.protocol") {
        Some(protocol) => protocol.to_ascii_lowercase(),
        None => config.usual_protocol().to_owned(),
    };
    client.set("security.protocol", &protocol);
    let mechanism = client.get("sasl.mechanisms").or(client.get("sasl.mechanism"));
    if protocol.starts_with("sasl") && mechanism.is_none() {
        return Err(property(
            config,
            "sasl.mechanisms",
            "is needed with a SASL `security.protocol`: `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`",
        ));
    }
    let has_ca = ["ssl.ca.location", "ssl.ca.pem"].iter().any(|key| client.get(key).is_some());
    if protocol.ends_with("ssl") && !has_ca {
        // OpenSSL is compiled in and knows no system's certificates: look in the usual places.
        client.set("ssl.ca.location", "probe");
    }
    Ok(())
}

fn setting(config: &Config, field: &str, reason: &str) -> Error {
    Error::Setting { setting: config.face.setting(field), reason: reason.into() }
}

fn property(config: &Config, key: &str, reason: &str) -> Error {
    setting(config, &format!("properties.\"{key}\""), reason)
}

#[cfg(test)]
mod tests {
    use types::Secret;

    use super::*;

    fn config(properties: &[(&str, &str)]) -> Config {
        Config {
            topic: "t".into(),
            group: "g".into(),
            properties: properties.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            ..Config::default()
        }
    }

    #[test]
    fn properties_pass_through_and_replace_suggestions() {
        let client = consumer(&config(&[("fetch.wait.max.ms", "7"), ("debug", "cgrp")]), 3).unwrap();
        assert_eq!(client.get("fetch.wait.max.ms"), Some("7"));
        assert_eq!(client.get("debug"), Some("cgrp"));
        assert_eq!(client.get("client.id"), Some("atalaia-3"));
        assert_eq!(client.get("partition.assignment.strategy"), Some("cooperative-sticky"));
    }

    #[test]
    fn the_new_group_protocol_assigns_on_the_server() {
        let client = consumer(&config(&[("group.protocol", "consumer")]), 0).unwrap();
        assert_eq!(client.get("partition.assignment.strategy"), None);
    }

    #[test]
    fn settings_that_cannot_stand_are_refused_by_name() {
        for (key, value, word) in [
            ("enable.auto.commit", "true", "always `false`"),
            ("auto.offset.reset", "earliest", "always `error`"),
            ("group.id", "x", "ingest.kafka.group"),
            ("bootstrap.servers", "x", "ingest.kafka.brokers"),
            ("sasl.password", "hunter2", "ingest.kafka.secrets"),
            ("security.protocol", "SASL_SSL", "sasl.mechanisms"),
        ] {
            let message = consumer(&config(&[(key, value)]), 0).unwrap_err().to_string();
            assert!(message.contains(word), "{key}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn secrets_are_refused_in_plain_and_taken_from_their_place() {
        for key in [
            "sasl.password",
            "ssl.key.password",
            "ssl.keystore.password",
            "ssl.key.pem",
            "sasl.oauthbearer.config",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.client.credentials.client.secret",
            "sasl.oauthbearer.assertion.private.key.passphrase",
            "sasl.oauthbearer.assertion.private.key.pem",
        ] {
            let plain = config(&[(key, "hunter2")]);
            for client in [consumer(&plain, 0), inquirer(&plain), producer(&plain)] {
                let message = client.unwrap_err().to_string();
                assert!(message.contains(key) && message.contains("ingest.kafka.secrets"), "{key}: {message}");
                assert!(!message.contains("hunter2"), "{message}");
            }
            let mut config = config(&[]);
            config.secrets.insert(key.into(), Secret::parse("env:PATH").unwrap());
            assert!(consumer(&config, 0).unwrap().get(key).is_some_and(|value| !value.is_empty()), "{key}");
        }
        for key in ["ssl.key.location", "ssl.certificate.pem", "ssl.ca.pem", "sasl.username"] {
            assert!(consumer(&config(&[(key, "x")]), 0).is_ok(), "{key}");
        }
    }

    #[test]
    fn a_secret_that_is_not_there_names_its_place() {
        let mut config = config(&[]);
        config.secrets.insert("sasl.password".into(), Secret::parse("env:ATALAIA_NO_SUCH_VARIABLE").unwrap());
        let message = consumer(&config, 0).unwrap_err().to_string();
        assert!(message.contains("ATALAIA_NO_SUCH_VARIABLE") && message.contains("sasl.password"), "{message}");
    }

    #[test]
    fn the_client_reads_the_protocol_that_was_judged() {
        for (given, expected) in [(" ", "ssl"), ("", "ssl"), (" ssl ", "ssl"), ("SSL", "ssl")] {
            let remote = Config { brokers: "kafka:9092".into(), ..config(&[("security.protocol", given)]) };
            let native = consumer(&remote, 0).unwrap().create_native_config().unwrap();
            assert_eq!(native.get("security.protocol").unwrap(), expected, "{given:?}");
        }
    }

    #[test]
    fn tls_looks_for_certificates_unless_told() {
        let sasl = [("security.protocol", "SASL_SSL"), ("sasl.mechanisms", "PLAIN")];
        assert_eq!(consumer(&config(&sasl), 0).unwrap().get("ssl.ca.location"), Some("probe"));
        let told = [sasl[0], sasl[1], ("ssl.ca.location", "/ca.pem")];
        assert_eq!(consumer(&config(&told), 0).unwrap().get("ssl.ca.location"), Some("/ca.pem"));
    }
}
