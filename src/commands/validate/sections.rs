//! What the settings amount to, told without opening or asking anything.

use anyhow::Context;
use config::Config;
use ingest::SourceKind;

use super::Finding;
use crate::commands::input;
use crate::commands::output::grouped;
use crate::terminal::words::plural;

pub(super) fn sections(config: &Config) -> Vec<Finding> {
    vec![
        Finding::ok("pipeline", format!("`{}`", config.pipeline)),
        Finding::ok("ingest", input::described(&config.ingest)),
        Finding::ok("decode", decoding(&config.ingest.decode)),
        Finding::of("aggregate", windows(config)),
        Finding::ok("score", models(&config.score)),
        Finding::ok("sink", results(&config.sink)),
        Finding::ok("forward", receivers(&config.forward)),
        Finding::ok("telemetry", listeners(&config.telemetry)),
        Finding::ok("run", process(&config.run)),
    ]
}

fn receivers(forward: &forward::Config) -> String {
    let kafka = forward.kafka.topic.as_ref().map(|topic| format!("topic `{topic}` on `{}`", forward.kafka.brokers));
    // Without a query, which may be secret.
    let webhook = forward.webhook.url.as_deref().and_then(|url| url.split('?').next()).map(|url| format!("`{url}`"));
    let named: Vec<String> = kafka.into_iter().chain(webhook).collect();
    if named.is_empty() {
        "off: nobody is told of anomalies".into()
    } else {
        format!("anomalies to {}", named.join(" and "))
    }
}

fn decoding(decode: &ingest::decode::Config) -> String {
    use ingest::decode::{Path, Shape};
    let field = |path: &Path| match path {
        Path::Dotted(text) => text.clone(),
        Path::Keys(keys) => keys.join("."),
    };
    let format = format!("{:?}", decode.format).to_lowercase();
    let property = |name: &Option<String>, path: &Path| {
        name.as_ref().map_or_else(|| format!("`{}`", field(path)), |name| format!("property `{name}`"))
    };
    let time = property(&decode.time_property, &decode.time);
    let device = match &decode.device_name {
        Some(name) => format!("always `{name}`"),
        None => property(&decode.device_property, &decode.device),
    };
    match decode.shape {
        Shape::Long => format!(
            "{format}, one reading a record: device {device}, sensor `{}`, time {time}, value `{}`",
            field(&decode.sensor),
            field(&decode.value)
        ),
        Shape::Wide if decode.sensors.is_empty() => {
            let but = match decode.ignore.as_slice() {
                [] => String::new(),
                ignore => format!(" but `{}`", ignore.join("`, `")),
            };
            format!("{format}, device {device}, time {time}, every other field a sensor{but}")
        }
        Shape::Wide => format!("{format}, device {device}, time {time}, sensors `{}`", decode.sensors.join("`, `")),
    }
}

fn windows(config: &Config) -> anyhow::Result<String> {
    let aggregate = &config.aggregate;
    let is_files = config.ingest.source == SourceKind::Files;
    let settings = aggregate.settings(is_files, config.ingest.files.assume_sorted).context("read `aggregate`")?;
    let whose = match aggregate.clock {
        aggregate::Clock::Device => "each device's own clock",
        aggregate::Clock::Partition => "the partition's clock",
    };
    let close_after = types::Span::from_millis(u64::try_from(settings.close_after / 1000).unwrap_or_default());
    Ok(format!(
        "windows of {} by {whose}; readings may come {} out of order; {close_after} of silence close a window",
        aggregate.window, aggregate.out_of_orderness
    ))
}

fn models(score: &score::Config) -> String {
    let features: Vec<String> = score.features.iter().map(ToString::to_string).collect();
    let features = features.join(", ");
    match score.models.as_str() {
        "" => format!("no models; features {features}"),
        place => format!("models in `{place}`; features {features} where a model names none"),
    }
}

fn results(sink: &sink::Config) -> String {
    let place = |own: &Option<String>, name: &str| {
        own.clone().unwrap_or_else(|| format!("{}/{name}", sink.url.trim_end_matches('/')))
    };
    format!(
        "predictions `{}`, late `{}`, quarantine `{}`, runs `{}`, state `{}`; a commit every {}, files of {} rows or after {}",
        place(&sink.predictions, "predictions"),
        place(&sink.late, "late"),
        place(&sink.quarantine, "quarantine"),
        place(&sink.runs, "runs"),
        place(&sink.state, "state"),
        sink.commit_interval,
        grouped(sink.min_rows as u64),
        sink.max_delay
    )
}

fn listeners(telemetry: &config::telemetry::Config) -> String {
    let at = |what: &str, address: &str| match address {
        "off" => format!("no {what}"),
        address => format!("{what} at {address}"),
    };
    format!("{}; {}", at("metrics and probes", &telemetry.metrics), at("status page", &telemetry.status))
}

fn process(run: &config::run::Config) -> String {
    match run.workers {
        Some(workers) => format!("{}; {} for an orderly end", plural(workers as u64, "worker"), run.shutdown_grace),
        None => format!("one worker a core; {} for an orderly end", run.shutdown_grace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_show_the_values_that_result() {
        let mut config = Config::default();
        config.ingest.kafka.topic = "readings".into();
        config.sink.url = "out/".into();
        config.sink.state = Some("elsewhere".into());
        let texts: Vec<String> = sections(&config).into_iter().map(|finding| finding.text).collect();
        let all = texts.join("\n");
        for part in [
            "topic `readings` at `localhost:9092`",
            "windows of 1h by each device's own clock; readings may come 30s out of order; 15m of silence",
            "predictions `out/predictions`",
            "state `elsewhere`",
            "files of 10,000 rows or after 5m",
        ] {
            assert!(all.contains(part), "{part}\n{all}");
        }
    }
}
