//! How long a request and a whole operation may take: what is configured, and more for what is large.
//!
//! A client knows one limit for all of its requests, so it gets that of the largest; a caller who wants a small request to
//! fail as early as it should puts [`crate::Location::within`] around it.

use std::time::Duration;

use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use crate::Config;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// No retry begins later than this after the first try.
const RETRIES: Duration = Duration::from_secs(10);
/// What the waits between all tries come to at most, generously.
const WAITS: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    request_timeout: Duration,
    /// The largest object that is spoken of.
    bytes_max: u64,
}

impl Limits {
    pub(crate) fn new(config: &Config, bytes_max: u64) -> Self {
        Limits { request_timeout: config.request_timeout.duration(), bytes_max }
    }

    /// For one operation on an object of so many bytes, the client's own retries included.
    pub(crate) fn operation(&self, bytes: u64) -> Duration {
        self.request(bytes).saturating_add(self.retries()).saturating_add(WAITS)
    }

    pub(crate) fn client(&self) -> ClientOptions {
        ClientOptions::new()
            .with_timeout(self.request(self.bytes_max))
            .with_connect_timeout(CONNECT_TIMEOUT.min(self.request_timeout))
    }

    /// A few quick tries; whoever can wait longer retries the whole operation, and says so.
    pub(crate) fn retry(&self) -> RetryConfig {
        RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(2),
                base: 2.0,
            },
            max_retries: 3,
            retry_timeout: self.retries(),
        }
    }

    fn retries(&self) -> Duration {
        RETRIES.min(self.request_timeout)
    }

    /// A microsecond for each byte: what passes 1 MiB a second is given the time, and a little more.
    fn request(&self, bytes: u64) -> Duration {
        self.request_timeout.saturating_add(Duration::from_micros(bytes))
    }
}

#[cfg(test)]
mod tests {
    use types::Span;

    use super::*;

    #[test]
    fn limits_grow_with_size_from_what_is_configured() {
        let limits = Limits::new(&Config { request_timeout: Span::from_secs(1), ..Config::default() }, 0);
        assert!(limits.operation(0) <= Duration::from_secs(3));
        let large = limits.operation(256 << 20);
        assert!(large > Duration::from_secs(257) && large < Duration::from_secs(272), "{large:?}");
        assert!(limits.operation(u64::MAX) > large);
    }
}
