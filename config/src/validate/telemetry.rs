//! Rules of `[telemetry]`: addresses, levels, the place of log files, and what may go to a collector.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Verdict, output, secret_in_url};
use crate::Config;
use crate::otlp::authority;

/// A shorter stand-still says nothing: twice what a source's answer may take.
const STUCK_AFTER_MIN: Duration = Duration::from_secs(60);

pub(super) fn rules(config: &Config, verdict: &mut Verdict) {
    let telemetry = &config.telemetry;
    verdict.refuse_if(
        telemetry.stuck_after.duration() < STUCK_AFTER_MIN,
        "telemetry.stuck_after",
        "`telemetry.stuck_after` is below 1m: a worker may wait so long for the answers of a broker that is away",
    );
    if telemetry.metrics != "off" && telemetry.metrics.parse::<SocketAddr>().is_err() {
        verdict.refuse(
            "telemetry.metrics",
            format!(
                "`telemetry.metrics` is `{}`, but must be an address like `127.0.0.1:9464`, or `off`",
                telemetry.metrics
            ),
        );
    }
    if telemetry.status != "off" && !is_address(&telemetry.status) {
        verdict.refuse(
            "telemetry.status",
            format!(
                "`telemetry.status` is `{}`, but must be an address like `127.0.0.1:9465`, or `off`",
                telemetry.status
            ),
        );
    }
    verdict.refuse_if(
        telemetry.status == telemetry.metrics && is_address(&telemetry.status) && !telemetry.status.ends_with(":0"),
        "telemetry.status",
        "`telemetry.status` and `telemetry.metrics` are the same address: each needs a port of its own",
    );
    levels(&telemetry.log, verdict);
    if let Some(place) = &telemetry.logs {
        log_files(place, config, verdict);
    }
    verdict.refuse_if(
        telemetry.logs_interval.duration() < Duration::from_secs(1),
        "telemetry.logs_interval",
        "`telemetry.logs_interval` is below 1s: each time is an object of its own; `60s` is usual",
    );
    exports(&telemetry.otlp, verdict);
}

/// A host by its name, or by its number, and a port.
fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn levels(log: &str, verdict: &mut Verdict) {
    for directive in log.split(',') {
        let level = directive.rsplit('=').next().unwrap_or_default().trim();
        let known = ["off", "error", "warn", "info", "debug", "trace"];
        if !known.contains(&level.to_ascii_lowercase().as_str()) {
            verdict.refuse(
                "telemetry.log",
                format!(
                    "`telemetry.log` is `{log}`, and `{level}` is no level: write `error`, `warn`, `info`, `debug`, `trace` or `off`, or levels \
                     by part, like `info,ingest=debug`"
                ),
            );
        }
    }
}

/// Readers list datasets whole, so nothing else may lie in one.
fn log_files(place: &str, config: &Config, verdict: &mut Verdict) {
    secret_in_url("telemetry.logs", place, verdict);
    verdict.refuse_if(
        place.is_empty(),
        "telemetry.logs",
        "`telemetry.logs` is empty: leave it out to keep no log files",
    );
    let sink = &config.sink;
    let url = sink.url.trim_end_matches('/');
    let below = |name: &str| (!url.is_empty()).then(|| format!("{url}/{name}"));
    let places = [
        ("predictions", sink.predictions.clone().or_else(|| below("predictions"))),
        ("late", sink.late.clone().or_else(|| below("late"))),
        ("quarantine", sink.quarantine.clone().or_else(|| below("quarantine"))),
        ("runs", sink.runs.clone().or_else(|| below("runs"))),
        ("state", sink.state.clone().or_else(|| below("state"))),
    ];
    let place = place.trim_end_matches('/');
    for (name, dataset) in places {
        if dataset.is_some_and(|dataset| output::within(place, dataset.trim_end_matches('/'))) {
            verdict.refuse(
                "telemetry.logs",
                format!("`telemetry.logs` lies in `{name}`: its readers list that whole folder; name another one"),
            );
        }
    }
}

fn exports(otlp: &crate::otlp::Config, verdict: &mut Verdict) {
    if let Some(endpoint) = &otlp.endpoint {
        secret_in_url("telemetry.otlp.endpoint", endpoint, verdict);
        let is_plain = endpoint.starts_with("http://");
        if !(is_plain || endpoint.starts_with("https://")) || authority(endpoint).is_none() {
            verdict.refuse(
                "telemetry.otlp.endpoint",
                "`telemetry.otlp.endpoint` must be a URL like `https://collector.example:4317` (or `http://localhost:4317`): host, port and path, and nothing else",
            );
        } else if is_plain && !otlp.allow_plaintext && !otlp.is_local() {
            verdict.refuse(
                "telemetry.otlp.endpoint",
                "`telemetry.otlp.endpoint` is plain http to another machine: use https, or set `telemetry.otlp.allow_plaintext` if the network is trusted",
            );
        }
    }
    verdict.refuse_if(
        !(0.0..=1.0).contains(&otlp.sampling_ratio),
        "telemetry.otlp.sampling_ratio",
        "`telemetry.otlp.sampling_ratio` must be from 0 to 1",
    );
    let second = Duration::from_secs(1);
    verdict.refuse_if(
        otlp.metrics_interval.duration() < second,
        "telemetry.otlp.metrics_interval",
        "`telemetry.otlp.metrics_interval` is below 1s: `30s` is usual",
    );
    verdict.refuse_if(
        otlp.timeout.duration().is_zero(),
        "telemetry.otlp.timeout",
        "`telemetry.otlp.timeout` is 0: no request could be answered; `10s` is usual",
    );
    let is_token = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    if let Some(name) = otlp.headers.keys().find(|name| !is_token(name)) {
        verdict.refuse(
            "telemetry.otlp.headers",
            format!(
                "`telemetry.otlp.headers` has `{name}`, which is no header's name: letters, digits, `-`, `_` and `.`"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_plain() {
        let cases = [
            ("http://localhost:4317", true),
            ("http://127.0.0.1:4318/x", true),
            ("http://[::1]:4317", true),
            ("http://LOCALHOST", true),
            ("https://collector.example", true),
            ("http://collector:4317", false),
            ("http://127.0.0.1.example:4317", false),
            ("http://localhost.example:4317", false),
            ("http://localhost@collector:4317", false),
            // A URL's reader goes to `collector`.
            ("http://collector\\@localhost:4317", false),
            ("https://collector.example/?key=1", false),
            ("https://:4317", false),
            ("grpc://localhost:4317", false),
            ("https://", false),
        ];
        for (endpoint, good) in cases {
            let mut verdict = Verdict::default();
            exports(&crate::otlp::Config { endpoint: Some(endpoint.into()), ..Default::default() }, &mut verdict);
            assert_eq!(verdict.problems.is_empty(), good, "{endpoint}: {:?}", verdict.problems);
        }
    }

    #[test]
    fn log_files_lie_in_no_dataset() {
        let mut config = Config::default();
        config.sink.url = "az://results".into();
        for (place, good) in [
            ("az://results/logs", true),
            ("az://logs", true),
            ("az://results/state", false),
            ("az://results/predictions/x/", false),
            ("az://results/runs", false),
        ] {
            let mut verdict = Verdict::default();
            log_files(place, &config, &mut verdict);
            assert_eq!(verdict.problems.is_empty(), good, "{place}: {:?}", verdict.problems);
        }
    }
}
