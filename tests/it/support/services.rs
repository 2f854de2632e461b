//! Which services there are: `scripts/services` says so in environment variables.

use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable's value. Without it: a visible skip (`None`), or a failure where services are promised.
pub(crate) fn address(variable: &str, what: &str) -> Option<String> {
    if let Some(value) = std::env::var(variable).ok().filter(|value| !value.is_empty()) {
        return Some(value);
    }
    let promised = std::env::var("ATALAIA_TEST_REQUIRED").is_ok_and(|value| value == "1");
    assert!(!promised, "{what} is promised (ATALAIA_TEST_REQUIRED=1) but {variable} is not set");
    // Straight to the terminal: what goes through `eprintln!` is shown for failed tests only.
    let _ = writeln!(std::io::stderr(), "SKIPPED {}: {what} is missing; `make test` provides it", test_name());
    None
}

/// The running test's path, such as `golden::kafka_to_blobs`.
pub(crate) fn test_name() -> String {
    std::thread::current().name().unwrap_or("test").to_owned()
}

/// A name that no other test, run or process uses; fit for topics, consumer groups and blob containers.
pub(crate) fn unique_name() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let test = test_name();
    let test = test.rsplit("::").next().unwrap_or(&test).to_lowercase().replace('_', "-");
    let test: String = test.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    let name = format!("{test}-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
    // Container names refuse two hyphens in a row.
    name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}
