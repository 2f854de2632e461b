//! `atalaia health`: asks a running service how it is. The health check of an image that has no shell and no curl.
//!
//! One request over plain HTTP: the answer's status decides, and its text is shown.
//! It reads no configuration: a container's health check has no arguments to find it by.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use super::output::Output;
use super::progress;
use crate::http;

/// The probes answer with a line or two.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Asks a running service how it is
///
/// It prints what the service says. The probes are described in docs/running.md.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia health                                       # alive?
  atalaia health --url http://127.0.0.1:9464/readyz    # ready?

Exit status:
  0  it is well
  1  it is not, or nobody answers")]
pub(crate) struct Args {
    /// What to ask: `/livez` or `/readyz` of the listener that `telemetry.metrics` names
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464/livez")]
    url: String,

    /// How long it may take in all
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout_seconds: u64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let meter = progress::wait("asking");
    let answer = http::ask(&args.url, Duration::from_secs(args.timeout_seconds), ANSWER_BYTES_MAX)
        .with_context(|| format!("ask `{}` how the service is", args.url))?;
    drop(meter);
    if answer.status == 404 {
        bail!("there is nothing at `{}`\n{}", args.url, advice(&args.url));
    }
    let mut output = Output::new();
    output.line(answer.first_line());
    output.finish()?;
    Ok(if answer.status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn advice(url: &str) -> String {
    const PROBES: [&str; 3] = ["livez", "readyz", "healthz"];
    let (before, path) = url.rsplit_once('/').unwrap_or_default();
    match config::nearest(path, PROBES.into_iter()) {
        Some(near) if near != path => format!("did you mean `{before}/{near}`?"),
        _ => "ask `/livez` or `/readyz` of the listener that `telemetry.metrics` names".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_mistyped_is_named() {
        assert_eq!(advice("http://h:9464/redyz"), "did you mean `http://h:9464/readyz`?");
        for url in ["http://h:9464/api/v1/status", "http://h:9464/", "http://h:9465/livez"] {
            assert!(advice(url).contains("`telemetry.metrics`"), "{url}");
        }
    }
}
