//! Waiting for something with an end to it, and free ports.

use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Between two looks; short enough not to be felt, long enough to leave the cores to what is waited for.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until there is an answer; `None` when the time is over.
pub(crate) fn poll<T>(within: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::park_timeout(PAUSE);
    }
}

/// A port of 127.0.0.1 that was free a moment ago. Where the product can bind port 0 itself, let it.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port can be bound");
    listener.local_addr().expect("a bound socket has an address").port()
}
