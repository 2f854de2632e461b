//! Reads a log and writes its outcome in the JSON lines of `tests/timespec/README.md`, so that the specification can judge:
//!
//! `python3 tests/timespec/test_timespec.py --against target/debug/examples/timespec`

use std::io::{self, Read, Write};

#[path = "../tests/it/support/mod.rs"]
#[allow(dead_code, reason = "the tests also stop and restore")]
mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let (config, log) = support::parse(&text)?;
    let outcome = support::run_from(config.settings(), config.begin(), &log, |_, _| support::Pause::None);
    let mut out = io::stdout().lock();
    for line in outcome {
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
