//! Rules of `[forward]`: who is told of anomalies, and that the way there is safe.

use forward::config::{Kafka, Webhook};
use ingest::SourceKind;
use ingest::kafka::is_secret;

use super::{Verdict, is_name};
use crate::Config;
use crate::forwarding::{brokers_are_local, host_and_port, webhook_is_local};

pub(super) fn rules(config: &Config, verdict: &mut Verdict) {
    if let Some(topic) = &config.forward.kafka.topic {
        kafka(&config.forward.kafka, topic, verdict);
        let ingest = &config.ingest;
        let is_input = ingest.source == SourceKind::Kafka
            && ingest.kafka.topic == *topic
            && ingest.kafka.brokers == config.forward.kafka.brokers;
        verdict.refuse_if(
            is_input,
            "forward.kafka.topic",
            "`forward.kafka.topic` is `ingest.kafka.topic`: anomalies would be read as readings; give them a topic of their own",
        );
    }
    if let Some(url) = &config.forward.webhook.url {
        webhook(&config.forward.webhook, url, verdict);
    }
}

fn kafka(kafka: &Kafka, topic: &str, verdict: &mut Verdict) {
    if !is_name(topic, 249) {
        verdict.refuse(
            "forward.kafka.topic",
            format!("`forward.kafka.topic` is `{topic}`, but a topic's name is 1 to 249 letters, digits, `.`, `_` or `-`; leave it out to send nothing"),
        );
    }
    verdict.refuse_if(
        kafka.brokers.split(',').all(|broker| broker.trim().is_empty()),
        "forward.kafka.brokers",
        "`forward.kafka.brokers` is empty: write `host:port`, more than one with commas between",
    );
    verdict.refuse_if(
        kafka.brokers.contains("://"),
        "forward.kafka.brokers",
        "`forward.kafka.brokers` holds a URL: write `host:port` alone; how to talk to it is `\"security.protocol\"` in `forward.kafka.properties`",
    );
    for property in kafka.properties.keys().chain(kafka.secrets.keys()) {
        if let Some(reason) = kafka.refusal(property) {
            verdict.refuse(&format!("forward.kafka.properties.\"{property}\""), format!("`{property}` {reason}"));
        }
    }
    for property in kafka.properties.keys() {
        let setting = format!("forward.kafka.properties.\"{property}\"");
        if is_secret(property) {
            verdict.refuse(
                &setting,
                format!("`forward.kafka.properties` holds the secret `{property}`: move it to `forward.kafka.secrets`, with its place as value, `env:NAME` or `file:path`"),
            );
        }
        if kafka.secrets.contains_key(property) {
            verdict.refuse(
                &setting,
                format!("`{property}` stands in `forward.kafka.properties` and in `forward.kafka.secrets`: keep one"),
            );
        }
    }
    let is_local = brokers_are_local(kafka);
    if let Some((property, reason)) = kafka.objection(is_local) {
        verdict.refuse(
            &format!("forward.kafka.properties.\"{property}\""),
            format!(
                "`{property}` in `forward.kafka.properties` {reason}, and `{}` is not this machine: use `SSL` or `SASL_SSL`, or set \
                 `forward.kafka.allow_plaintext = true` if the network is trusted",
                kafka.brokers
            ),
        );
    }
    let is_open = kafka.allow_plaintext && !is_local && kafka.usual_protocol(is_local).ends_with("plaintext");
    verdict.warn_if(
        is_open && !kafka.properties.contains_key("security.protocol"),
        "`forward.kafka.allow_plaintext` is set: the way to the brokers is without TLS, and anomalies and credentials can be read and changed there",
    );
}

fn webhook(webhook: &Webhook, url: &str, verdict: &mut Verdict) {
    let is_plain = url.starts_with("http://");
    let is_web = is_plain || url.starts_with("https://");
    if !is_web || host_and_port(url).is_none() {
        verdict.refuse(
            "forward.webhook.url",
            "`forward.webhook.url` must be `https://host/path` (or `http://`), without a user before the host: secrets go into \
             `forward.webhook.bearer_token`, `signing_secret` or `headers`",
        );
    }
    let is_local = webhook_is_local(webhook);
    verdict.refuse_if(
        is_plain && !is_local && !webhook.allow_plaintext,
        "forward.webhook.url",
        "`forward.webhook.url` is plain http, and not on this machine: use https, or set `forward.webhook.allow_plaintext = true` if the network \
         is trusted",
    );
    verdict.warn_if(
        is_plain && !is_local && webhook.allow_plaintext,
        "`forward.webhook.allow_plaintext` is set: without TLS, anomalies and secrets can be read and changed on the way",
    );
    verdict.refuse_if(
        !(1..=1000).contains(&webhook.batch),
        "forward.webhook.batch",
        "`forward.webhook.batch` must be from 1, each event by itself, to 1000",
    );
    verdict.refuse_if(
        webhook.timeout.duration().is_zero(),
        "forward.webhook.timeout",
        "`forward.webhook.timeout` is 0: no request could be answered; `10s` is usual",
    );
    let is_twice =
        webhook.bearer_token.is_some() && webhook.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
    verdict.refuse_if(
        is_twice,
        "forward.webhook.headers",
        "`forward.webhook.bearer_token` and `authorization` in `forward.webhook.headers` are both set: keep one",
    );
}

#[cfg(test)]
mod tests {
    use types::Secret;

    use super::*;

    fn told(change: impl FnOnce(&mut Config)) -> Verdict {
        let mut config = Config::default();
        change(&mut config);
        let mut verdict = Verdict::default();
        rules(&config, &mut verdict);
        verdict
    }

    #[test]
    fn a_url_has_a_scheme_and_protects_what_is_sent() {
        for (url, problems, warnings) in [
            ("https://example.org/in", 0, 0),
            ("https://example.org:8443/in?key=1", 0, 0),
            ("http://localhost:8080/in", 0, 0),
            ("http://[::1]/in", 0, 0),
            ("http://example.org/in", 1, 0),
            ("http://localhost.example.org/in", 1, 0),
            ("https://user:password@example.org/in", 1, 0),
            ("ftp://example.org/in", 1, 0),
            ("example.org/in", 1, 0),
            ("https://", 1, 0),
            ("", 1, 0),
        ] {
            let verdict = told(|config| config.forward.webhook.url = Some(url.into()));
            assert_eq!((verdict.problems.len(), verdict.warnings.len()), (problems, warnings), "{url}: {verdict:?}");
        }
        let allowed = told(|config| {
            config.forward.webhook.url = Some("http://example.org/in".into());
            config.forward.webhook.allow_plaintext = true;
        });
        assert_eq!((allowed.problems.len(), allowed.warnings.len()), (0, 1), "{allowed:?}");
        let odd = told(|config| {
            let secret = Secret::parse("env:X").unwrap();
            let webhook = &mut config.forward.webhook;
            webhook.url = Some("https://example.org".into());
            (webhook.batch, webhook.timeout) = (0, types::Span::from_secs(0));
            webhook.bearer_token = Some(secret.clone());
            webhook.headers.insert("Authorization".into(), secret);
        });
        let settings: Vec<&str> = odd.problems.iter().map(|problem| problem.setting.as_str()).collect();
        assert_eq!(settings, ["forward.webhook.batch", "forward.webhook.timeout", "forward.webhook.headers"]);
    }

    #[test]
    fn a_topic_is_another_one_than_the_readings() {
        let topic = |name: &str, brokers: &str| {
            told(|config| {
                config.ingest.source = SourceKind::Kafka;
                config.ingest.kafka.topic = "readings".into();
                (config.forward.kafka.topic, config.forward.kafka.brokers) = (Some(name.into()), brokers.into());
            })
        };
        assert_eq!(topic("anomalies", "localhost:9092"), Verdict::default());
        assert_eq!(topic("readings", "localhost:9092").problems.len(), 1);
        assert_eq!(topic("readings", "elsewhere:9092"), Verdict::default());
        assert_eq!(topic("a b", "localhost:9092").problems.len(), 1);
        assert_eq!(topic("", "localhost:9092").problems.len(), 1);
        assert_eq!(topic("anomalies", "kafka://localhost").problems.len(), 1);
    }

    #[test]
    fn properties_hold_no_secret_and_nothing_that_delivery_rests_on() {
        let with = |property: &str, value: &str| {
            told(|config| {
                config.forward.kafka.topic = Some("anomalies".into());
                config.forward.kafka.brokers = "kafka:9092".into();
                config.forward.kafka.properties.insert(property.into(), value.into());
            })
        };
        assert_eq!(with("linger.ms", "50"), Verdict::default());
        for (property, value) in [("acks", "0"), ("sasl.password", "x"), ("security.protocol", "PLAINTEXT")] {
            let verdict = with(property, value);
            assert!(verdict.problems.len() == 1 && verdict.problems[0].setting.contains(property), "{verdict:?}");
        }
    }
}
