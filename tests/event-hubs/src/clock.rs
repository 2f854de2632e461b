//! The wall clock: the one place that asks it.

use std::time::{Duration, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    since_epoch().as_millis() as i64
}

pub(crate) fn now_seconds() -> u64 {
    since_epoch().as_secs()
}

fn since_epoch() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a server stamps what it receives and checks expiry")]
    let now = std::time::SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}
