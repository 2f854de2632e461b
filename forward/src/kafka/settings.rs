//! From the configuration to librdkafka's settings.

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use crate::Error;
use crate::config::{Kafka as Config, OWNED};

/// Suggestions that a user may replace.
const SUGGESTED: [(&str, &str); 5] = [
    ("compression.type", "lz4"),
    ("linger.ms", "5"),
    // Then it is told that nothing gets through; it is sent again all the same.
    ("message.timeout.ms", "30000"),
    // Azure closes connections that are silent for four minutes.
    ("socket.keepalive.enable", "true"),
    ("metadata.max.age.ms", "180000"),
];

/// As in Java's client, which other producers of the topic may be.
const PARTITIONER: (&str, &str) = ("partitioner", "murmur2_random");

pub(super) fn producer(config: &Config, is_local: bool) -> Result<ClientConfig, Error> {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &config.brokers).set("client.id", "atalaia-forward");
    client.set_log_level(RDKafkaLogLevel::Info);
    for (key, value) in SUGGESTED.into_iter().chain([PARTITIONER]) {
        client.set(key, value);
    }
    for key in config.properties.keys().chain(config.secrets.keys()) {
        if let Some(reason) = config.refusal(key) {
            return Err(property(key, reason));
        }
    }
    if let Some((key, reason)) = config.objection(is_local) {
        return Err(property(key, reason));
    }
    for (key, value) in &config.properties {
        client.set(key, value);
    }
    for (key, secret) in &config.secrets {
        let revealed = secret.reveal().map_err(|reason| Error::Setting {
            setting: format!("forward.kafka.secrets.\"{key}\""),
            reason: format!("cannot be read: {reason}"),
        })?;
        client.set(key, revealed);
    }
    protect(config, is_local, &mut client);
    for (key, value) in OWNED {
        client.set(key, value);
    }
    Ok(client)
}

fn protect(config: &Config, is_local: bool, client: &mut ClientConfig) {
    let given = config.properties.get("security.protocol").map(|protocol| protocol.trim().to_ascii_lowercase());
    let usual = || config.usual_protocol(is_local).to_owned();
    let protocol = given.filter(|protocol| !protocol.is_empty()).unwrap_or_else(usual);
    client.set("security.protocol", &protocol);
    let has_ca = ["ssl.ca.location", "ssl.ca.pem"].iter().any(|key| client.get(key).is_some());
    if protocol.ends_with("ssl") && !has_ca {
        // OpenSSL is compiled in and knows no system's certificates: look in the usual places.
        client.set("ssl.ca.location", "probe");
    }
}

fn property(key: &str, reason: String) -> Error {
    Error::Setting { setting: format!("forward.kafka.properties.\"{key}\""), reason }
}

#[cfg(test)]
mod tests {
    use types::Secret;

    use super::*;

    fn with(properties: &[(&str, &str)]) -> Config {
        let properties = properties.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Config { properties, brokers: "kafka:9092".into(), ..Config::default() }
    }

    #[test]
    fn users_replace_suggestions_and_nothing_that_delivery_rests_on() {
        let client = producer(&with(&[("linger.ms", "50")]), false).unwrap();
        assert_eq!(client.get("linger.ms"), Some("50"));
        assert_eq!((client.get("acks"), client.get("enable.idempotence")), (Some("all"), Some("true")));
        assert_eq!((client.get("security.protocol"), client.get("ssl.ca.location")), (Some("ssl"), Some("probe")));
        for owned in ["acks", "enable.idempotence", "bootstrap.servers"] {
            let error = producer(&with(&[(owned, "1")]), false).unwrap_err().to_string();
            assert!(error.contains(owned) && error.contains("leave it out"), "{error}");
        }
        assert!(producer(&with(&[("security.protocol", "PLAINTEXT")]), false).is_err());
        assert!(producer(&with(&[("security.protocol", "PLAINTEXT")]), true).is_ok());
        client.create_native_config().expect("librdkafka knows all of them");
    }

    #[test]
    fn a_secret_comes_from_its_place() {
        let mut config = with(&[]);
        config.secrets.insert("sasl.password".into(), Secret::parse("env:PATH").unwrap());
        assert!(producer(&config, false).unwrap().get("sasl.password").is_some_and(|value| !value.is_empty()));
        config.secrets.insert("sasl.password".into(), Secret::parse("env:ATALAIA_NO_SUCH_VARIABLE").unwrap());
        let error = producer(&config, false).unwrap_err().to_string();
        assert!(error.contains("ATALAIA_NO_SUCH_VARIABLE") && error.contains("sasl.password"), "{error}");
    }
}
