//! Rules of `[telemetry]`: addresses, levels, the place of log files, and what may go to a collector.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Verdict, output, secret_in_url};
use crate::Config;

/// A shorter stand-still says nothing.
const STUCK_AFTER_MIN: Duration = Duration::from_secs(10);

pub(super) fn rules(config: &Config, verdict: &mut Verdict) {
    let telemetry = &config.telemetry;
    verdict.refuse_if(
        telemetry.stuck_after.duration() < STUCK_AFTER_MIN,
        "telemetry.stuck_after",
        "`telemetry.stuck_after` is below 10s: a worker may take so long for one large commit",
    );
    let metrics = listener("telemetry.metrics", &telemetry.metrics, "127.0.0.1:9464", verdict);
    let status = listener("telemetry.status", &telemetry.status, "127.0.0.1:9465", verdict);
    verdict.refuse_if(
        metrics.is_some() && metrics == status && metrics.is_some_and(|address| address.port() != 0),
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

fn listener(setting: &str, text: &str, example: &str, verdict: &mut Verdict) -> Option<SocketAddr> {
    let address = text.parse().ok();
    if address.is_none() && text != "off" {
        verdict.refuse(setting, format!("`{setting}` is `{text}`, but must be an address like `{example}`, or `off`"));
    }
    address
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
        let plain = endpoint.strip_prefix("http://");
        let encrypted = endpoint.strip_prefix("https://");
        match plain.or(encrypted).map(host) {
            None | Some("") => verdict.refuse(
                "telemetry.otlp.endpoint",
                "`telemetry.otlp.endpoint` must be a URL like `https://collector.example:4317` (or `http://localhost:4317`)",
            ),
            Some(host) if plain.is_some() && !otlp.allow_plaintext && !is_this_machine(host) => verdict.refuse(
                "telemetry.otlp.endpoint",
                "`telemetry.otlp.endpoint` is plain http to another machine: use https, or set `telemetry.otlp.allow_plaintext` if the network is trusted",
            ),
            Some(_) => {}
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

/// The host of what comes after `://`.
fn host(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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
            ("https://collector.example", true),
            ("http://collector:4317", false),
            ("http://127.0.0.1.example:4317", false),
            ("http://localhost@collector:4317", false),
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
