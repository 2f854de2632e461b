//! Who may listen in on the way to the brokers: nobody, unless they are on this machine or a user says so.
//!
//! Pure, and without the client, so that a configuration is judged by the same rules before anything is opened.

use super::{Config, Face};
use crate::is_loopback;

/// How keys of secrets end, or what is in them. Written out in the configuration they would end in a log or a repository.
const SECRET_ENDINGS: [&str; 5] = ["password", "secret", "passphrase", "key.pem", "sasl.oauthbearer.config"];

const PROTOCOL: &str = "security.protocol";
const MECHANISMS: [&str; 2] = ["sasl.mechanisms", "sasl.mechanism"];

/// Settings that let anybody with any certificate be the broker, and the values, in each spelling that the client knows.
const UNVERIFIED: [(&str, &[&str]); 2] = [
    ("enable.ssl.certificate.verification", &["false", "f", "0"]),
    ("ssl.endpoint.identification.algorithm", &["none"]),
];

/// Whether a property of librdkafka is one whose value nobody else should see.
#[must_use]
pub fn is_secret(property: &str) -> bool {
    let property = property.to_ascii_lowercase();
    property.contains("jaas") || SECRET_ENDINGS.iter().any(|ending| property.ends_with(ending))
}

/// A setting that cannot stand, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    pub setting: String,
    pub reason: String,
}

impl Config {
    /// What `security.protocol` is where no property says so: TLS, except where plain text is allowed anyway. Credentials
    /// are shown where there are any.
    #[must_use]
    pub(crate) fn usual_protocol(&self) -> &'static str {
        let is_given = |key: &str| self.properties.contains_key(key) || self.secrets.contains_key(key);
        let has_credentials = MECHANISMS.iter().any(|key| is_given(key));
        match (self.may_be_plain(), has_credentials) {
            (true, false) => "plaintext",
            (true, true) => "sasl_plaintext",
            (false, false) => "ssl",
            (false, true) => "sasl_ssl",
        }
    }

    /// Whether properties take away what protects the way to brokers elsewhere, without `allow_plaintext`.
    #[must_use]
    pub fn objection(&self) -> Option<Objection> {
        let mut decisive = UNVERIFIED.iter().map(|(key, _)| *key).chain([PROTOCOL]);
        if let Some(key) = decisive.find(|key| self.secrets.contains_key(*key)) {
            let setting = format!("{}.\"{key}\"", self.face.setting("secrets"));
            let reason = "decides how secrets travel, and is none: give it in `ingest.kafka.properties`".into();
            return Some(Objection { setting, reason });
        }
        self.weakness().filter(|_| !self.may_be_plain())
    }

    /// What a user should be told who allowed it.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let allowed = self.face.setting("allow_plaintext");
        match self.weakness() {
            _ if is_local(&self.brokers) || self.face == Face::EventHubs => None,
            Some(Objection { setting, .. }) => {
                Some(format!("`{allowed}` is set, and `{setting}` leaves the way to `{}` open: {OPEN}", self.brokers))
            }
            None if self.usual_protocol().ends_with("plaintext") && self.property(PROTOCOL).is_none() => {
                Some(format!("`{allowed}` is set: the way to `{}` is without TLS, and {OPEN}", self.brokers))
            }
            None => None,
        }
    }

    fn weakness(&self) -> Option<Objection> {
        let is_plain = |protocol: &str| protocol.to_ascii_lowercase().ends_with("plaintext");
        if let Some(protocol) = self.property(PROTOCOL).filter(|protocol| is_plain(protocol)) {
            return Some(self.object(PROTOCOL, &format!("is `{protocol}`, which is without TLS")));
        }
        let mut given = UNVERIFIED.iter().filter_map(|(key, values)| Some((*key, *values, self.property(key)?)));
        let (key, _, value) =
            given.find(|(_, values, given)| values.iter().any(|value| given.eq_ignore_ascii_case(value)))?;
        Some(self.object(key, &format!("is `{value}`, so that anybody can pass for the broker")))
    }

    fn object(&self, key: &str, what: &str) -> Objection {
        let remedy = match self.face {
            Face::Kafka => {
                "use `SSL` or `SASL_SSL`, or set `ingest.kafka.allow_plaintext = true` if the network is trusted"
            }
            Face::EventHubs => "leave it out",
        };
        Objection {
            setting: format!("{}.\"{key}\"", self.face.setting("properties")),
            reason: format!("{what}, and `{}` is not this machine: {remedy}", self.brokers),
        }
    }

    /// As the client reads it: without blanks around it, and nothing but blanks is not given.
    pub(super) fn property(&self, key: &str) -> Option<&str> {
        self.properties.get(key).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn may_be_plain(&self) -> bool {
        self.allow_plaintext || is_local(&self.brokers)
    }
}

const OPEN: &str = "readings and credentials can be read and changed there";

/// Whether all brokers are on this machine, by their addresses.
fn is_local(brokers: &str) -> bool {
    let mut named = brokers.split(',').map(str::trim).filter(|broker| !broker.is_empty()).peekable();
    named.peek().is_some() && named.all(is_loopback)
}

#[cfg(test)]
mod tests {
    use types::Secret;

    use super::*;

    fn config(brokers: &str, allow_plaintext: bool, properties: &[(&str, &str)]) -> Config {
        Config {
            brokers: brokers.into(),
            allow_plaintext,
            properties: properties.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            ..Config::default()
        }
    }

    #[test]
    fn tls_is_usual_except_on_this_machine() {
        const SASL: &[(&str, &str)] = &[("sasl.mechanisms", "PLAIN")];
        for (brokers, allow, properties, expected) in [
            ("localhost:9092", false, &[][..], "plaintext"),
            ("127.0.0.1:1, [::1]:2,LOCALHOST", false, &[], "plaintext"),
            ("127.0.0.1:1", false, SASL, "sasl_plaintext"),
            ("kafka:9092", false, &[], "ssl"),
            ("kafka:9092", false, SASL, "sasl_ssl"),
            ("kafka:9092", true, &[], "plaintext"),
            ("localhost:1,kafka:2", false, &[], "ssl"),
            ("localhost.example:1", false, &[], "ssl"),
            ("127.0.0.1.example", false, &[], "ssl"),
            ("PLAINTEXT://localhost:1", false, &[], "ssl"),
            ("", false, &[], "ssl"),
        ] {
            assert_eq!(config(brokers, allow, properties).usual_protocol(), expected, "{brokers} {properties:?}");
        }
    }

    #[test]
    fn what_takes_protection_away_needs_leave_and_is_told() {
        for (key, value) in [
            ("security.protocol", "PLAINTEXT"),
            ("security.protocol", "sasl_plaintext"),
            // As librdkafka reads them: cut of blanks, and a switch in three spellings.
            ("security.protocol", " plaintext\t"),
            ("security.protocol", "SASL_PLAINTEXT "),
            ("enable.ssl.certificate.verification", "false"),
            ("enable.ssl.certificate.verification", "F"),
            ("enable.ssl.certificate.verification", "0"),
            ("ssl.endpoint.identification.algorithm", "none"),
            ("ssl.endpoint.identification.algorithm", " None "),
        ] {
            let remote = config("kafka:9092", false, &[(key, value)]);
            let objection = remote.objection().expect(key);
            assert_eq!(objection.setting, format!("ingest.kafka.properties.\"{key}\""));
            assert!(
                objection.reason.contains("kafka:9092") && objection.reason.contains("allow_plaintext"),
                "{objection:?}"
            );
            let allowed = config("kafka:9092", true, &[(key, value)]);
            assert_eq!(allowed.objection(), None, "{key}");
            assert!(allowed.warning().is_some_and(|told| told.contains("kafka:9092")), "{key}");
            let local = config("localhost:9092", false, &[(key, value)]);
            assert_eq!((local.objection(), local.warning()), (None, None), "{key}");
        }
        let safe = config("kafka:9092", true, &[("security.protocol", "SASL_SSL"), ("sasl.mechanisms", "PLAIN")]);
        assert_eq!((safe.objection(), safe.warning()), (None, None));
        assert!(config("kafka:9092", true, &[]).warning().is_some(), "plain by default once allowed");
        assert_eq!(config("kafka:9092", false, &[]).warning(), None);
        let mut hidden = config("kafka:9092", false, &[]);
        hidden.secrets.insert("security.protocol".into(), Secret::parse("env:X").unwrap());
        assert!(hidden.objection().is_some_and(|objection| objection.setting.contains("secrets")));
    }
}
