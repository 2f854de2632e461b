//! Reads a log and writes its outcome in the JSON lines of `tests/timespec/README.md`, so that the specification can judge:
//!
//! `python3 tests/timespec/test_timespec.py --against target/debug/examples/timespec`

use std::io::{self, Read, Write};

use serde::Deserialize;

#[path = "../tests/it/support/mod.rs"]
#[allow(dead_code, reason = "the tests also stop and restore")]
mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let (config, log) = parse(&text)?;
    let outcome = support::run_from(config.settings(), config.begin(), &log, |_, _| support::Pause::None);
    let mut out = io::stdout().lock();
    for line in outcome {
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// `{"config": …}`, then the log, a line each.
fn parse(text: &str) -> Result<(support::SpecConfig, Vec<support::Entry>), serde_json::Error> {
    #[derive(Deserialize)]
    struct Head {
        config: support::SpecConfig,
    }
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let head: Head = serde_json::from_str(lines.next().unwrap_or_default())?;
    let log = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok((head.config, log))
}
