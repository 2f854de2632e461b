//! `[forward]`: who is told of anomalies, and how.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use types::{Secret, Span};

/// Each anomaly as an event (CloudEvents 1.0, JSON) to a Kafka topic, to a webhook, or to both, at least once. Off until `kafka.topic` or
/// `webhook.url` is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where a receiver begins that is new to a partition. Later starts go on where it was.
    pub from: Begin,
    /// How long jobs (`atalaia score`, `--until-idle`) may take at their end for what is not sent yet. What is left then is sent by the next
    /// run, and the job fails.
    pub finish_within: Span,
    pub kafka: Kafka,
    pub webhook: Webhook,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Begin {
    /// What is committed from now on.
    #[default]
    Latest,
    /// All anomalies of the partition's log, those in the dataset already included.
    Earliest,
}

/// A Kafka topic that anomalies go to, with the device as key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Kafka {
    /// The topic, which must exist; left out or empty: nothing is sent to Kafka.
    #[serde(deserialize_with = "unless_empty")]
    pub topic: Option<String>,
    /// Bootstrap brokers, `host:port`, comma-separated.
    pub brokers: String,
    /// Brokers on other machines are talked to with TLS unless this is set; then without, where `security.protocol` says nothing else.
    pub allow_plaintext: bool,
    /// Passed to librdkafka's producer as they are, except what delivery owns: acknowledgements and idempotence.
    pub properties: BTreeMap<String, String>,
    /// Properties whose values are secrets, by reference: `{ "sasl.password" = "env:KAFKA_PASSWORD" }`.
    pub secrets: BTreeMap<String, Secret>,
}

/// A URL that anomalies are posted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Webhook {
    /// Where events are posted, `https://…`; left out or empty: nothing is posted. Plain http is for this machine, or with
    /// `allow_plaintext`.
    #[serde(deserialize_with = "unless_empty")]
    pub url: Option<String>,
    /// Events in one request. 1: each is a request of its own, `application/cloudevents+json`; more: arrays, `application/cloudevents-batch+json`.
    #[schemars(range(min = 1, max = 1000))]
    pub batch: u32,
    /// How long one request may take.
    pub timeout: Span,
    /// Sent as `Authorization: Bearer …`. Files are read anew for each request.
    pub bearer_token: Option<Secret>,
    /// Signs each request as Standard Webhooks says, in `webhook-signature`: `whsec_` and Base64, or any text.
    pub signing_secret: Option<Secret>,
    /// More headers; the values are secrets: `{ "x-api-key" = "env:API_KEY" }`.
    pub headers: BTreeMap<String, Secret>,
    /// Certificates (PEM) of authorities to trust besides the system's.
    pub ca_file: Option<String>,
    /// Plain http is refused for other machines unless this is set.
    pub allow_plaintext: bool,
}

/// What a file sets can be switched off where it is run: `--set forward.webhook.url=`.
fn unless_empty<'de, D: Deserializer<'de>>(given: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(given)?.filter(|text| !text.is_empty()))
}

impl Config {
    /// Whether anybody is told.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.kafka.topic.is_some() || self.webhook.url.is_some()
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            from: Begin::default(),
            finish_within: Span::from_secs(60),
            kafka: Kafka::default(),
            webhook: Webhook::default(),
        }
    }
}

impl Default for Kafka {
    fn default() -> Self {
        Kafka {
            topic: None,
            brokers: "localhost:9092".into(),
            allow_plaintext: false,
            properties: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }
}

impl Default for Webhook {
    fn default() -> Self {
        Webhook {
            url: None,
            batch: 1,
            timeout: Span::from_secs(10),
            bearer_token: None,
            signing_secret: None,
            headers: BTreeMap::new(),
            ca_file: None,
            allow_plaintext: false,
        }
    }
}

/// Set by us: nothing would be acknowledged, or order lost, otherwise.
pub const OWNED: [(&str, &str); 2] = [("enable.idempotence", "true"), ("acks", "all")];

/// Owned too, by a setting of their own.
pub const FIELDS: [(&str, &str); 2] = [("bootstrap.servers", "brokers"), ("metadata.broker.list", "brokers")];

/// Other names of what is owned.
const ALIASES: [&str; 1] = ["request.required.acks"];

/// Settings that let anybody with any certificate be the broker, and the values, in each spelling that the client knows.
const UNVERIFIED: [(&str, &[&str]); 2] = [
    ("enable.ssl.certificate.verification", &["false", "f", "0"]),
    ("ssl.endpoint.identification.algorithm", &["none"]),
];

impl Kafka {
    /// Why a property cannot be passed on; none if it can.
    #[must_use]
    pub fn refusal(&self, property: &str) -> Option<String> {
        if let Some((_, field)) = FIELDS.iter().find(|(name, _)| *name == property) {
            return Some(format!("is set by `forward.kafka.{field}`: leave it out"));
        }
        let is_owned = OWNED.iter().any(|(name, _)| *name == property) || ALIASES.contains(&property);
        is_owned.then(|| "is set by the program, since at-least-once rests on it: leave it out".to_owned())
    }

    /// What properties say of the way to the brokers that cannot stand unless plain text is allowed: the property, and why.
    #[must_use]
    pub fn objection(&self, is_local: bool) -> Option<(&'static str, String)> {
        let value = |key: &str| self.properties.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        const PROTOCOL: &str = "security.protocol";
        if let Some(protocol) = value(PROTOCOL).filter(|value| value.to_ascii_lowercase().ends_with("plaintext"))
            && !is_local
            && !self.allow_plaintext
        {
            return Some((PROTOCOL, format!("is `{protocol}`, which is without TLS")));
        }
        let open = UNVERIFIED.iter().find_map(|(key, values)| {
            let given = value(key)?;
            values.iter().any(|value| given.eq_ignore_ascii_case(value)).then_some((*key, given))
        });
        let (key, given) = open.filter(|_| !is_local && !self.allow_plaintext)?;
        Some((key, format!("is `{given}`, so that anybody can pass for the broker")))
    }

    /// What `security.protocol` is where no property says so.
    #[must_use]
    pub fn usual_protocol(&self, is_local: bool) -> &'static str {
        let is_given = |key: &str| self.properties.contains_key(key) || self.secrets.contains_key(key);
        let has_credentials = is_given("sasl.mechanisms") || is_given("sasl.mechanism");
        match (is_local || self.allow_plaintext, has_credentials) {
            (true, false) => "plaintext",
            (true, true) => "sasl_plaintext",
            (false, false) => "ssl",
            (false, true) => "sasl_ssl",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(properties: &[(&str, &str)]) -> Kafka {
        let properties = properties.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Kafka { properties, ..Kafka::default() }
    }

    #[test]
    fn nobody_is_told_unless_asked_for() {
        let mut config = Config::default();
        assert!(!config.is_on());
        config.webhook.url = Some("https://example.org".into());
        assert!(config.is_on());
    }

    #[test]
    fn what_delivery_rests_on_is_not_for_users() {
        for owned in ["acks", "request.required.acks", "enable.idempotence", "bootstrap.servers"] {
            assert!(Kafka::default().refusal(owned).is_some(), "{owned}");
        }
        assert_eq!(Kafka::default().refusal("linger.ms"), None);
    }

    #[test]
    fn the_way_to_other_machines_is_with_tls() {
        assert_eq!(Kafka::default().usual_protocol(false), "ssl");
        assert_eq!(Kafka::default().usual_protocol(true), "plaintext");
        assert_eq!(with(&[("sasl.mechanisms", "PLAIN")]).usual_protocol(false), "sasl_ssl");
        for (key, value) in [
            ("security.protocol", " PLAINTEXT"),
            ("enable.ssl.certificate.verification", "F"),
            ("ssl.endpoint.identification.algorithm", "None"),
        ] {
            let kafka = with(&[(key, value)]);
            assert!(kafka.objection(false).is_some_and(|(named, _)| named == key), "{key}");
            assert_eq!(kafka.objection(true), None);
            assert_eq!(Kafka { allow_plaintext: true, ..kafka }.objection(false), None);
        }
    }
}
