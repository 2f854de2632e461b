//! The Kafka endpoint of Event Hubs: the Kafka source with other settings, and credentials that Event Hubs understands.
//!
//! A connection string goes over as it is, by SASL PLAIN; an identity of Entra ID shows tokens, by SASL OAUTHBEARER. Shared
//! access signatures are refused here as the service refuses them. All else (the group, positions, proofs) is Kafka's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bearer::Bearers;
use super::connection_string::Credential;
use super::place::{self, PORT_OF_EMULATOR, PORT_OF_TLS, Place};
use super::token::Tokens;
use super::{Config, EntraMethod};
use crate::{Error, kafka};

/// Ports of the two faces: who names the one means the namespace, and reads by the other.
const PORTS: [(u16, u16); 2] = [(PORT_OF_TLS, 9093), (PORT_OF_EMULATOR, 9092)];

/// Follows from other settings here.
const OWNED: [(&str, &str); 8] = [
    ("security.protocol", "connection_string"),
    ("sasl.mechanism", "connection_string"),
    ("sasl.mechanisms", "connection_string"),
    ("sasl.username", "connection_string"),
    ("sasl.password", "connection_string"),
    ("ssl.ca.location", "ca_file"),
    ("ssl.ca.pem", "ca_file"),
    ("sasl.oauthbearer.method", "entra"),
];

/// What the Kafka source wants to know. A thread keeps tokens fresh, where there are any, until the last clone is dropped.
///
/// # Errors
/// If settings are missing, or contradict each other.
pub fn over_kafka(config: &Config) -> Result<kafka::Config, Error> {
    let place = Place::of(config)?;
    if let Some((key, field)) = OWNED.iter().find(|(key, _)| config.properties.contains_key(*key)) {
        let reason = format!("follows from `ingest.event_hubs.{field}`: leave it out");
        return Err(refused(&format!("properties.\"{key}\""), reason));
    }
    let found = place::connection_string(config)?;
    let is_signature = found.as_ref().is_some_and(|found| matches!(found.credential, Credential::Signature(_)));
    if is_signature || config.sas_token.is_some() {
        let field = if is_signature { "connection_string" } else { "sas_token" };
        let reason = "holds a shared access signature, which the Kafka endpoint does not take: give a connection string with a \
                      key, an identity of Entra ID, or `protocol = \"amqp\"`";
        return Err(refused(field, reason.into()));
    }
    let mut kafka = kafka::Config {
        brokers: brokers(&place),
        topic: place.hub.clone(),
        group: config.consumer_group.clone(),
        // An emulator says so itself, in its connection string.
        allow_plaintext: place.is_emulator,
        properties: properties(config, &place),
        face: kafka::Face::EventHubs,
        ..kafka::Config::default()
    };
    match &config.connection_string {
        Some(connection_string) => {
            kafka.properties.insert("sasl.mechanisms".into(), "PLAIN".into());
            kafka.properties.insert("sasl.username".into(), "$ConnectionString".into());
            kafka.secrets.insert("sasl.password".into(), connection_string.clone());
        }
        None => {
            kafka.properties.insert("sasl.mechanisms".into(), "OAUTHBEARER".into());
            let tokens = Tokens::for_kafka(config, &place)?;
            kafka.tokens = kafka::Tokens::from(Arc::new(Bearers::start(tokens, principal(config))?));
        }
    }
    Ok(kafka)
}

fn brokers(place: &Place) -> String {
    let port = PORTS.iter().find(|(amqp, _)| *amqp == place.port).map_or(place.port, |(_, kafka)| *kafka);
    format!("{}:{port}", place.host)
}

fn properties(config: &Config, place: &Place) -> BTreeMap<String, String> {
    let mut properties = config.properties.clone();
    let protocol = if place.is_emulator { "SASL_PLAINTEXT" } else { "SASL_SSL" };
    properties.insert("security.protocol".into(), protocol.into());
    if let Some(file) = &config.ca_file {
        properties.insert("ssl.ca.location".into(), file.clone());
    }
    properties
}

/// The client wants a name for whom the token speaks; the service goes by the token.
fn principal(config: &Config) -> String {
    let kind = match config.entra.method {
        EntraMethod::ManagedIdentity => "managed-identity",
        _ => "application",
    };
    config.entra.client_id.clone().unwrap_or_else(|| kind.into())
}

fn refused(field: &str, reason: String) -> Error {
    Error::Setting { setting: format!("ingest.event_hubs.{field}"), reason }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use types::Secret;

    use super::*;

    fn config(folder: &tempfile::TempDir, connection_string: &str) -> Config {
        let file = folder.path().join("connection");
        fs::write(&file, connection_string).unwrap();
        Config {
            connection_string: Some(Secret::parse(&format!("file:{}", file.display())).unwrap()),
            ..Config::default()
        }
    }

    #[test]
    fn a_connection_string_becomes_brokers_topic_and_credentials() {
        let folder = tempfile::tempdir().unwrap();
        for (endpoint, brokers, protocol) in [
            ("sb://plant.servicebus.windows.net/", "plant.servicebus.windows.net:9093", "SASL_SSL"),
            ("sb://plant.servicebus.windows.net:5671", "plant.servicebus.windows.net:9093", "SASL_SSL"),
            ("sb://127.0.0.1:19093", "127.0.0.1:19093", "SASL_SSL"),
            ("sb://localhost/;UseDevelopmentEmulator=true", "localhost:9092", "SASL_PLAINTEXT"),
            ("sb://localhost:5672;UseDevelopmentEmulator=true", "localhost:9092", "SASL_PLAINTEXT"),
            ("sb://emulator:29092;UseDevelopmentEmulator=true", "emulator:29092", "SASL_PLAINTEXT"),
        ] {
            let text = format!("Endpoint={endpoint};SharedAccessKeyName=n;SharedAccessKey=hunter2;EntityPath=readings");
            let given = Config {
                consumer_group: "plant".into(),
                ca_file: Some("/ca.pem".into()),
                properties: [("debug".to_owned(), "cgrp".to_owned())].into(),
                ..config(&folder, &text)
            };
            let kafka = over_kafka(&given).unwrap();
            assert_eq!(
                (kafka.brokers.as_str(), kafka.topic.as_str(), kafka.group.as_str()),
                (brokers, "readings", "plant")
            );
            let expected = [
                ("debug", "cgrp"),
                ("sasl.mechanisms", "PLAIN"),
                ("sasl.username", "$ConnectionString"),
                ("security.protocol", protocol),
                ("ssl.ca.location", "/ca.pem"),
            ];
            let properties: Vec<_> =
                kafka.properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(properties, expected, "{endpoint}");
            assert_eq!(kafka.secrets["sasl.password"].reveal(), Ok(text));
            assert!(!format!("{kafka:?}").contains("hunter2"));
        }
    }

    #[test]
    fn what_the_endpoint_does_not_take_is_refused_by_the_users_own_names() {
        let folder = tempfile::tempdir().unwrap();
        let key = config(&folder, "Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=k;EntityPath=hub");
        let signed = tempfile::tempdir().unwrap();
        let signed =
            config(&signed, "Endpoint=sb://h/;SharedAccessSignature=SharedAccessSignature sr=x;EntityPath=hub");
        let with = |name: &str, value: &str| Config {
            properties: [(name.to_owned(), value.to_owned())].into(),
            ..key.clone()
        };
        let sas = Config {
            sas_token: key.connection_string.clone(),
            connection_string: None,
            namespace: Some("h".into()),
            hub: Some("hub".into()),
            ..Config::default()
        };
        for (config, setting, word) in [
            (signed, "connection_string", "shared access signature"),
            (sas, "sas_token", "shared access signature"),
            (with("sasl.mechanism", "PLAIN"), "properties.\"sasl.mechanism\"", "connection_string"),
            (with("ssl.ca.location", "x"), "properties.\"ssl.ca.location\"", "ca_file"),
        ] {
            let Err(Error::Setting { setting: told, reason }) = over_kafka(&config) else { panic!("{setting}") };
            assert_eq!(told, format!("ingest.event_hubs.{setting}"));
            assert!(reason.contains(word), "{reason}");
        }
    }
}
