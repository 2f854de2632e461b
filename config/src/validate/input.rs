//! Rules of `[ingest]`: what each source needs. The stage's own rules are asked for, not repeated.

use ingest::decode::{Decoder, Format, SettingError};
use ingest::kafka::{Objection, is_secret};
use ingest::{Config, SourceKind, Start};

use super::{Verdict, event_hubs, is_name, sentence};

pub(super) fn source(ingest: &Config, verdict: &mut Verdict) {
    let source = match ingest.source {
        SourceKind::Kafka => "kafka",
        SourceKind::EventHubs => "event-hubs",
        SourceKind::Files => "files",
        SourceKind::Simulated => "simulated",
    };
    match ingest.source {
        SourceKind::Kafka => kafka(&ingest.kafka, verdict),
        SourceKind::EventHubs => event_hubs::check(&ingest.event_hubs, verdict),
        SourceKind::Files if ingest.files.path.starts_with("file://") => verdict.refuse(
            "ingest.files.path",
            "`ingest.files.path` is a URL: write the path alone, without `file://`",
        ),
        SourceKind::Files if ingest.files.path.contains("://") => verdict.refuse(
            "ingest.files.path",
            "`ingest.files.path` is a URL, but files are read from this machine: copy them first, or mount the store; or let its tool write them \
             to standard input and set `-`",
        ),
        SourceKind::Files => verdict.refuse_if(
            ingest.files.path.is_empty(),
            "ingest.files.path",
            "`ingest.source` is `files`, but `ingest.files.path` is empty: name a file, a folder, a glob like `data/*.csv.gz`, or `-` for \
             standard input",
        ),
        SourceKind::Simulated => {
            if let Err(error) = ingest.simulated.validate() {
                let setting = match &error {
                    ingest::Error::Setting { setting, .. } => setting.clone(),
                    _ => "ingest.simulated".into(),
                };
                verdict.refuse(&setting, sentence(&error, error.hint()));
            }
        }
    }
    verdict.warn_if(
        ingest.files.assume_sorted && ingest.source != SourceKind::Files,
        &format!("`ingest.files.assume_sorted` has no effect while `ingest.source` is `{source}`"),
    );
    verdict.warn_if(
        ingest.start != Start::default() && !matches!(ingest.source, SourceKind::Kafka | SourceKind::EventHubs),
        &format!("`ingest.start` has no effect while `ingest.source` is `{source}`: it is read from its beginning"),
    );
}

fn kafka(kafka: &ingest::kafka::Config, verdict: &mut Verdict) {
    if kafka.brokers.split(',').all(|broker| broker.trim().is_empty()) {
        verdict.refuse(
            "ingest.kafka.brokers",
            "`ingest.source` is `kafka`, but `ingest.kafka.brokers` is empty: write `host:port`, more than one with commas between",
        );
    }
    if kafka.brokers.contains("://") {
        verdict.refuse(
            "ingest.kafka.brokers",
            "`ingest.kafka.brokers` holds a URL: write `host:port` alone; how to talk to it is `\"security.protocol\"` in \
             `ingest.kafka.properties`",
        );
    }
    let without_port = |broker: &&str| !broker.is_empty() && !broker.contains("://") && !has_port(broker);
    if let Some(broker) = kafka.brokers.split(',').map(str::trim).find(without_port) {
        // A password may stand before the host.
        let broker = broker.rsplit('@').next().unwrap_or_default();
        let host =
            broker.split(':').next().filter(|host| !host.is_empty() && !broker.starts_with('[')).unwrap_or("HOST");
        verdict.refuse(
            "ingest.kafka.brokers",
            format!("`ingest.kafka.brokers` has `{broker}`, which is no host with a port: write `{host}:9092`, or with TLS mostly `{host}:9093`"),
        );
    }
    if kafka.topic.is_empty() {
        verdict.refuse(
            "ingest.kafka.topic",
            "`ingest.source` is `kafka`, but `ingest.kafka.topic` is empty: name the topic to read",
        );
    } else if !is_name(&kafka.topic, 249) {
        verdict.refuse(
            "ingest.kafka.topic",
            format!(
                "`ingest.kafka.topic` is `{}`, but a topic's name is 1 to 249 letters, digits, `.`, `_` or `-`; one pipeline reads one topic",
                kafka.topic
            ),
        );
    }
    verdict.refuse_if(
        kafka.group.trim().is_empty(),
        "ingest.kafka.group",
        "`ingest.kafka.group` is empty: instances of one pipeline share a consumer group, and it needs a name",
    );
    if let Some(Objection { setting, reason }) = kafka.objection() {
        verdict.refuse(&setting, format!("`{setting}` {reason}"));
    }
    verdict.warnings.extend(kafka.warning());
    for property in kafka.properties.keys() {
        if is_secret(property) {
            verdict.refuse(
                &format!("ingest.kafka.properties.\"{property}\""),
                format!(
                    "`ingest.kafka.properties` holds the secret `{property}`: move it to `ingest.kafka.secrets`, with its place as value, \
                     `env:NAME` or `file:path`"
                ),
            );
        }
        if kafka.secrets.contains_key(property) {
            verdict.refuse(
                &format!("ingest.kafka.properties.\"{property}\""),
                format!("`{property}` stands in `ingest.kafka.properties` and in `ingest.kafka.secrets`: keep one"),
            );
        }
    }
}

/// `host:9092`, `[::1]:9092`.
fn has_port(broker: &str) -> bool {
    let Some((host, port)) = broker.rsplit_once(':') else { return false };
    let is_host = host.starts_with('[') && host.ends_with(']') || !host.is_empty() && !host.contains([':', '/']);
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

pub(super) fn decode(ingest: &Config, verdict: &mut Verdict) {
    if let Err(error) = Decoder::new(&ingest.decode) {
        let setting = match &error {
            ingest::Error::Decode(error) => decode_setting(error),
            _ => "ingest.decode".into(),
        };
        verdict.refuse(&setting, sentence(&error, error.hint()));
    }
    let decode = &ingest.decode;
    for (key, property) in [("device_property", &decode.device_property), ("time_property", &decode.time_property)] {
        verdict.refuse_if(
            property.is_some() && ingest.source == SourceKind::Simulated,
            &format!("ingest.decode.{key}"),
            &format!("`ingest.decode.{key}` is set, but records of `ingest.source = \"simulated\"` have no properties: leave it out"),
        );
    }
    let is_stream = matches!(ingest.source, SourceKind::Kafka | SourceKind::EventHubs);
    if is_stream && ingest.decode.format == Format::Csv && ingest.decode.columns.is_empty() {
        verdict.refuse(
            "ingest.decode.columns",
            "`ingest.decode.format` is `csv` and `ingest.source` is a stream, where no record is a header line: name the columns in order \
             in `ingest.decode.columns`",
        );
    }
}

fn decode_setting(error: &SettingError) -> String {
    let key = match error {
        SettingError::EmptyPath { key }
        | SettingError::NestedColumn { key, .. }
        | SettingError::NoUse { key, .. }
        | SettingError::Twice { key, .. }
        | SettingError::NoColumn { key, .. }
        | SettingError::Range { key, .. }
        | SettingError::Overlap { second: key, .. }
        | SettingError::Both { second: key, .. } => key,
        SettingError::Delimiter { .. } | SettingError::DecimalDelimits { .. } => "delimiter",
        SettingError::Decimal { .. } => "decimal",
        SettingError::TimeFormat { .. } => "time_format",
    };
    format!("ingest.decode.{key}")
}
