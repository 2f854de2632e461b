//! Rules of `[ingest]`: what each source needs, and what the decoder can find in it.

use ingest::decode::{Format, Path, Shape};
use ingest::{Config, SourceKind, Start};

use super::{Verdict, is_name, word};

pub(super) fn source(ingest: &Config, verdict: &mut Verdict) {
    let source = word(&ingest.source);
    match ingest.source {
        SourceKind::Kafka => kafka(&ingest.kafka, verdict),
        SourceKind::Files => verdict.refuse_if(
            ingest.files.path.is_empty(),
            "ingest.files.path",
            "`ingest.source` is `files`, but `ingest.files.path` is empty: name a file, a folder, a glob like `data/*.csv.gz`, or `-` for \
             standard input",
        ),
        SourceKind::Simulated => verdict.refuse_if(
            ingest.simulated.devices == 0,
            "ingest.simulated.devices",
            "`ingest.source` is `simulated`, but `ingest.simulated.devices` is 0",
        ),
    }
    verdict.warn_if(
        ingest.files.assume_sorted && ingest.source != SourceKind::Files,
        &format!("`ingest.files.assume_sorted` has no effect while `ingest.source` is `{source}`"),
    );
    verdict.warn_if(
        ingest.start != Start::default() && ingest.source != SourceKind::Kafka,
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

/// Properties of librdkafka whose values nobody else should see.
fn is_secret(property: &str) -> bool {
    let property = property.to_ascii_lowercase();
    ["password", "secret", "jaas"].iter().any(|part| property.contains(part)) || property == "ssl.key.pem"
}

pub(super) fn decode(ingest: &Config, verdict: &mut Verdict) {
    let decode = &ingest.decode;
    let mut fields = vec![("ingest.decode.device", &decode.device), ("ingest.decode.time", &decode.time)];
    match decode.shape {
        Shape::Long => {
            fields.extend([("ingest.decode.sensor", &decode.sensor), ("ingest.decode.value", &decode.value)]);
            verdict.refuse_if(
                !decode.sensors.is_empty(),
                "ingest.decode.sensors",
                "`ingest.decode.sensors` is set, but `ingest.decode.shape` is `long`: the list belongs to `wide`, where each field is a sensor",
            );
        }
        Shape::Wide => {
            for reserved in [&decode.device, &decode.time] {
                let reserved = show(reserved);
                if decode.sensors.contains(&reserved) {
                    verdict.refuse(
                        "ingest.decode.sensors",
                        format!(
                            "`ingest.decode.sensors` names `{reserved}`, which is the device or the time of the record"
                        ),
                    );
                }
            }
        }
    }
    for (i, (setting, path)) in fields.iter().enumerate() {
        if is_empty(path) {
            verdict.refuse(setting, format!("`{setting}` is empty: name the field of the record"));
        }
        if let Some((other, _)) = fields[..i].iter().find(|(_, other)| other == path) {
            verdict.refuse(setting, format!("`{other}` and `{setting}` both name the field `{}`", show(path)));
        }
    }
    csv(ingest, &fields, verdict);
    limits(decode, verdict);
}

fn csv(ingest: &Config, fields: &[(&str, &Path)], verdict: &mut Verdict) {
    let decode = &ingest.decode;
    if decode.format != Format::Csv {
        return;
    }
    if !decode.columns.is_empty() {
        for (setting, path) in fields {
            let column = show(path);
            if !decode.columns.contains(&column) {
                verdict.refuse(
                    setting,
                    format!(
                        "`{setting}` is `{column}`, but `ingest.decode.columns` has no such column: it has `{}`",
                        decode.columns.join("`, `")
                    ),
                );
            }
        }
    }
    if ingest.source == SourceKind::Kafka && decode.columns.is_empty() {
        verdict.refuse(
            "ingest.decode.columns",
            "`ingest.decode.format` is `csv` and `ingest.source` is `kafka`, where no record is a header line: name the columns in order \
             in `ingest.decode.columns`",
        );
    }
    verdict.refuse_if(
        !decode.delimiter.is_ascii() || matches!(decode.delimiter, '"' | '\n' | '\r' | '\0'),
        "ingest.decode.delimiter",
        "`ingest.decode.delimiter` must be one ASCII character and neither a quote nor the end of a line",
    );
}

fn limits(decode: &ingest::decode::Config, verdict: &mut Verdict) {
    for (name, value, most) in [
        ("record_bytes_max", decode.record_bytes_max, 1 << 30),
        ("depth_max", decode.depth_max, 128),
        ("id_bytes_max", decode.id_bytes_max, 1 << 16),
        ("fields_max", decode.fields_max, 1 << 20),
    ] {
        if value == 0 || value > most {
            let setting = format!("ingest.decode.{name}");
            verdict.refuse(&setting, format!("`{setting}` is {value}, but must be from 1 to {most}"));
        }
    }
}

fn is_empty(path: &Path) -> bool {
    match path {
        Path::Dotted(text) => text.is_empty(),
        Path::Keys(keys) => keys.is_empty() || keys.iter().any(String::is_empty),
    }
}

fn show(path: &Path) -> String {
    match path {
        Path::Dotted(text) => text.clone(),
        Path::Keys(keys) => keys.join("."),
    }
}
