//! The configuration in effect, without secrets.
//!
//! Settings that are secrets hold references only (`env:NAME`, `file:path`), which are shown. A secret that was written where
//! none belongs (a property of a client, a URL) was refused at the start as far as it can be told; here it is hidden, too, and
//! rather once too often.

use config::Config;
use serde_json::Value;

const HIDDEN: &str = "(not shown)";

/// Parts of names whose values are not for everybody.
const SECRET_NAMES: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "jaas",
    "credential",
    "signature",
    "connection_string",
    "authorization",
    "cookie",
    "api_key",
    "access_key",
    "account_key",
    "private",
    "pem",
    "oauthbearer_config",
];
/// Ends of names that say where a thing is.
const PLACES: [&str; 5] = ["_file", "_location", "_path", "_url", "_endpoint"];
/// Parts of values that are secrets, whatever their name.
const SECRET_VALUES: [&str; 9] =
    ["accesskey", "accountkey", "sharedaccess", "sig=", "password=", "passwd=", "secret=", "token=", "-----begin"];
/// URLs in which a container stands where others have a user.
const WITH_CONTAINER: [&str; 4] = ["abfs", "abfss", "wasb", "wasbs"];

pub(super) fn without_secrets(config: &Config) -> Value {
    // A configuration was read from such a tree: it can be made one.
    let mut tree = serde_json::to_value(config).unwrap_or_default();
    hide(&mut tree, "");
    tree
}

fn hide(value: &mut Value, name: &str) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(inner, value)| match name {
            // Names are anybody's here, and so say nothing.
            "headers" if !is_reference(value) => *value = HIDDEN.into(),
            _ => hide(value, inner),
        }),
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, name)),
        Value::String(text) if is_secret_name(name) && !is_reference_text(text) => *value = HIDDEN.into(),
        Value::String(text) => *text = public(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_reference(value: &Value) -> bool {
    value.as_str().is_some_and(is_reference_text)
}

fn is_reference_text(text: &str) -> bool {
    text.starts_with("env:") || text.starts_with("file:")
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['.', '-'], "_");
    SECRET_NAMES.iter().any(|part| name.contains(part)) && !PLACES.iter().any(|end| name.ends_with(end))
}

/// The text without what is secret in it.
fn public(text: &str) -> String {
    if is_reference_text(text) && !text.contains("://") {
        return text.to_owned();
    }
    // Of a URL what it asks for is left out anyway.
    let told = if text.contains("://") { without_query(text) } else { text.to_owned() };
    let lowered = told.to_ascii_lowercase();
    match SECRET_VALUES.iter().any(|part| lowered.contains(part)) {
        true => HIDDEN.to_owned(),
        false => public_url(text),
    }
}

/// A URL, or a list of them, without password, query and fragment; any other text as it is. A password that was pasted as it is
/// may hold what ends a host elsewhere (`/`, `,`, `?`): all up to the last `@` is taken for it.
fn public_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    match rest.rsplit_once('@') {
        // A password with a question mark, or a query with an `@`.
        Some((before, _)) if before.contains(['?', '#']) => format!("{scheme}://{HIDDEN}"),
        Some((user, place)) if !is_container(scheme, user) => format!("{scheme}://{HIDDEN}@{}", without_query(place)),
        _ => format!("{scheme}://{}", without_query(rest)),
    }
}

fn without_query(place: &str) -> String {
    place.find(['?', '#']).map_or(place.to_owned(), |at| format!("{}{HIDDEN}", &place[..=at]))
}

/// Whether it is the container's name that stands before the host.
fn is_container(scheme: &str, user: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '$';
    WITH_CONTAINER.contains(&scheme) && user.chars().all(is_of_name)
}

#[cfg(test)]
mod tests {
    use rand::distr::{Alphanumeric, SampleString as _};
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;
    use types::Secret;

    use super::*;

    fn shown(config: &Config) -> String {
        without_secrets(config).to_string()
    }

    /// Where somebody may write a secret that does not belong there, as an operator's editor allows it.
    fn leak(config: &mut Config, way: usize, secret: &str) {
        let kafka = &mut config.ingest.kafka;
        let property = |kafka: &mut ingest::kafka::Config, name: &str| {
            kafka.properties.insert(name.into(), secret.into());
        };
        match way {
            0 => property(kafka, "sasl.password"),
            1 => property(kafka, "ssl.key.pem"),
            2 => property(kafka, "sasl.jaas.config"),
            3 => property(kafka, "sasl.oauthbearer.config"),
            4 => property(kafka, "SSL.Keystore.Password"),
            5 => property(kafka, "sasl.oauthbearer.assertion.private.key.passphrase"),
            6 => config.sink.url = format!("https://user:{secret}@account.blob.core.windows.net/results"),
            7 => config.sink.url = format!("https://{secret}@host/results"),
            8 => config.score.models = format!("https://account.blob.core.windows.net/models?sv=1&sig={secret}"),
            9 => config.score.models = format!("az://models#{secret}"),
            10 => config.storage.endpoint = Some(format!("http://key:{secret}@127.0.0.1:10000")),
            11 => config.storage.account = Some(format!("AccountName=a;AccountKey={secret}")),
            12 => {
                let text = format!("Endpoint=sb://a/;SharedAccessKeyName=k;SharedAccessKey={secret}");
                config.ingest.event_hubs.namespace = Some(text);
            }
            13 => kafka.brokers = format!("a:9092,https://u:{secret}@b:9092"),
            14 => drop(config.ingest.event_hubs.properties.insert("sasl.password".into(), secret.into())),
            _ => config.ingest.event_hubs.ownership.url = Some(format!("abfss://c:{secret}@account/checkpoints")),
        }
    }

    #[test]
    fn no_literal_secret_is_shown_wherever_it_was_written() {
        let mut random = ChaCha8Rng::seed_from_u64(20);
        for round in 0..2000 {
            let mut config = Config::default();
            let length = random.random_range(16..64);
            // As people make them, and as they paste them: not encoded for a URL.
            let halves = [length / 2, length - length / 2].map(|part| Alphanumeric.sample_string(&mut random, part));
            let secret = halves.join([",", "/", "?", "#", "@", "+", "", "="][random.random_range(0..8)]);
            // One way alone first, then several at once.
            let ways =
                if round < 160 { vec![round % 16] } else { (0..3).map(|_| random.random_range(0..16)).collect() };
            for &way in &ways {
                leak(&mut config, way, &secret);
            }
            assert!(serde_json::to_string(&config).expect("a tree").contains(&secret), "{ways:?} writes nothing");
            let shown = shown(&config);
            assert!(!halves.iter().any(|half| shown.contains(half)), "{ways:?}, `{secret}`: {shown}");
            assert!(shown.contains(HIDDEN));
        }
    }

    #[test]
    fn references_are_shown_as_they_are() {
        let mut config = Config::default();
        let secret = |place: &str| Secret::parse(place).expect("a reference");
        config.storage.key = Some(secret("env:STORE_KEY"));
        config.storage.secret_access_key = Some(secret("file:/run/secrets/s3"));
        config.ingest.event_hubs.connection_string = Some(secret("file:/run/secrets/hub"));
        config.ingest.kafka.secrets.insert("sasl.password".into(), secret("env:KAFKA_PASSWORD"));
        let shown = shown(&config);
        for reference in ["env:STORE_KEY", "file:/run/secrets/s3", "file:/run/secrets/hub", "env:KAFKA_PASSWORD"] {
            assert!(shown.contains(reference), "{shown}");
        }
        assert!(!shown.contains(HIDDEN), "{shown}");
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        let mut config = Config::default();
        config.sink.url = "abfss://results@account.dfs.core.windows.net/plant".into();
        config.ingest.kafka.brokers = "a:9092,b:9092".into();
        let properties =
            [("security.protocol", "sasl_ssl"), ("sasl.oauthbearer.token.endpoint.url", "https://login/t")];
        config.ingest.kafka.properties.extend(properties.map(|(name, value)| (name.into(), value.into())));
        let tree = without_secrets(&config);
        assert_eq!(tree, serde_json::to_value(&config).expect("a tree"));
        for (text, expected) in [
            ("https://h/p?a=b#c", "https://h/p?(not shown)"),
            ("https://u:p@h/p", "https://(not shown)@h/p"),
            ("account?sig=abc", HIDDEN),
            ("SSL://a:9093,SSL://b:9093", "SSL://a:9093,SSL://b:9093"),
        ] {
            assert_eq!(public(text), expected);
        }
        let mut headers = serde_json::json!({ "headers": { "x-team": "abc", "x-key": "env:KEY" } });
        hide(&mut headers, "");
        assert_eq!(headers, serde_json::json!({ "headers": { "x-team": HIDDEN, "x-key": "env:KEY" } }));
    }
}
