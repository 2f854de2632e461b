//! How an error is shown: what failed, why, and what to do about it.

use std::io::Write;

use crate::paint::Paint;

/// Prints `error: what: why: …` and, on lines of their own, the remedies that the errors in the chain know.
pub fn print(error: &anyhow::Error) {
    let mut out = std::io::stderr().lock();
    let paint = Paint::of_errors();
    let mut text = format!("{}: {}", paint.bad("error"), chain(error));
    let mark = paint.hint("hint");
    for hint in hints(error) {
        text.push_str(&format!("\n  {mark}: {}", hint.replace('\n', "\n        ")));
    }
    // There is nobody left to tell if standard error is closed.
    let _ = writeln!(out, "{text}");
}

/// The error and its causes on one line, each said once.
#[must_use]
pub fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let (cause, _) = parts(cause);
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// The error itself, and what it advises where that stands on lines of its own below it: the pipeline's own errors have no
/// type that knows a remedy. The lines of a configuration's error are its problems.
fn parts(cause: &(dyn std::error::Error + 'static)) -> (String, Option<String>) {
    let text = cause.to_string();
    match text.split_once('\n') {
        Some((what, advice)) if !cause.is::<config::Error>() => (what.to_owned(), Some(advice.to_owned())),
        _ => (text, None),
    }
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
            .or_else(|| cause.downcast_ref::<sink::Error>().and_then(sink::Error::hint))
            .or_else(|| cause.downcast_ref::<forward::Error>().and_then(forward::Error::hint))
            .or_else(|| parts(cause).1);
        if let Some(hint) = hint
            && !hints.contains(&hint)
        {
            hints.push(hint);
        }
    }
    hints
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn advice_below_an_error_is_shown_as_a_hint_behind_all_causes() {
        let error = anyhow!("the input has changed\nscore it elsewhere").context("take over partition `x`");
        assert_eq!(chain(&error), "take over partition `x`: the input has changed");
        assert_eq!(hints(&error), ["score it elsewhere"]);
    }

    #[test]
    fn a_cause_that_its_effect_repeats_is_said_once() {
        let error = Err::<(), _>(anyhow!("disk full")).context("cannot write: disk full").unwrap_err();
        assert_eq!(chain(&error), "cannot write: disk full");
        assert!(hints(&error).is_empty());
    }
}
