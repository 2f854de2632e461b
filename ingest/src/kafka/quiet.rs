//! One line per kind and span of time: a broker that is away repeats itself twenty times a second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a kind of line stays silent after it was written.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// Decides which lines are written; those left out are counted.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    kinds: Mutex<HashMap<String, Kind>>,
}

#[derive(Debug)]
struct Kind {
    written: Instant,
    suppressed: u64,
}

impl Quiet {
    /// The number of lines of this kind left out since the last one, if this one is to be written.
    ///
    /// Kinds are few and fixed (names of errors and of librdkafka's facilities), so the map stays small.
    pub(super) fn admit(&self, kind: &str, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        match kinds.get_mut(kind) {
            Some(seen) if now.duration_since(seen.written) < EVERY => {
                seen.suppressed += 1;
                None
            }
            Some(seen) => {
                seen.written = now;
                Some(std::mem::take(&mut seen.suppressed))
            }
            None => {
                kinds.insert(kind.to_owned(), Kind { written: now, suppressed: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_speaks_once_in_a_span_and_counts_what_it_left_out() {
        let quiet = Quiet::default();
        let start = Instant::now();
        assert_eq!(quiet.admit("a", start), Some(0));
        assert_eq!(quiet.admit("b", start), Some(0), "kinds are independent");
        assert_eq!(quiet.admit("a", start + EVERY / 2), None);
        assert_eq!(quiet.admit("a", start + EVERY / 2), None);
        assert_eq!(quiet.admit("a", start + EVERY), Some(2));
        assert_eq!(quiet.admit("a", start + EVERY * 2), Some(0));
    }
}
