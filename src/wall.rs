//! The one place that reads the wall clock, and how times are told. Stages are told the time; they never ask.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use types::Micros;

/// Now, in microseconds since 1970.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}

/// As in RFC 3339.
pub(crate) fn text(micros: Micros) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| format!("{micros} µs"), |time| time.to_string())
}
