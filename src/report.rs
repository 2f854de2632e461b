//! How an error is shown: what failed, why, and what to do about it.

use std::io::{IsTerminal, Write};

/// Prints `error: what: why: …` and, on lines of their own, the remedies that the errors in the chain know.
pub fn print(error: &anyhow::Error) {
    let mut out = std::io::stderr().lock();
    let (bold, plain) = if out.is_terminal() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    let mut text = format!("{bold}error{plain}: {}", chain(error));
    for hint in hints(error) {
        text.push_str(&format!("\n  hint: {}", hint.replace('\n', "\n        ")));
    }
    // There is nobody left to tell if standard error is closed.
    let _ = writeln!(out, "{text}");
}

/// The error and its causes on one line, each said once.
#[must_use]
pub fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// What the errors in the chain advise.
#[must_use]
pub fn hints(error: &anyhow::Error) -> Vec<String> {
    let mut hints: Vec<String> = Vec::new();
    for cause in error.chain() {
        let hint = None
            .or_else(|| cause.downcast_ref::<config::Error>().and_then(config::Error::hint))
            .or_else(|| cause.downcast_ref::<ingest::Error>().and_then(ingest::Error::hint))
            .or_else(|| cause.downcast_ref::<aggregate::Error>().and_then(aggregate::Error::hint))
            .or_else(|| cause.downcast_ref::<score::Error>().and_then(score::Error::hint))
            .or_else(|| cause.downcast_ref::<store::Error>().and_then(store::Error::hint))
            .or_else(|| cause.downcast_ref::<sink::Error>().and_then(sink::Error::hint));
        if let Some(hint) = hint
            && !hints.contains(&hint)
        {
            hints.push(hint);
        }
    }
    hints
}
