//! How long to wait after failures in a row.

use std::time::Duration;

/// The first wait, at most.
const FIRST: Duration = Duration::from_millis(100);
/// The longest, and the steady one where somebody has to act.
const LONGEST: Duration = Duration::from_secs(30);
/// A receiver may ask for more than that, but not for ever.
const ASKED_MAX: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Until it may be tried again. `share`: by chance from 0.5 to 1, so that partitions and instances that failed together do not come back
    /// together. `asked`: what the other side asks for.
    pub(crate) fn failed(&mut self, is_stuck: bool, share: f64, asked: Option<Duration>) -> Duration {
        let own = self.step(is_stuck, share);
        asked.map_or(own, |asked| asked.clamp(own.min(FIRST), ASKED_MAX))
    }

    fn step(&mut self, is_stuck: bool, share: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if is_stuck {
            return LONGEST.mul_f64(share);
        }
        let ceiling = FIRST.saturating_mul(1 << (self.failures - 1).min(16)).min(LONGEST);
        ceiling.mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_bound() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..10).map(|_| backoff.step(false, 1.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
        assert_eq!(backoff.failed(false, 0.5, None), LONGEST / 2);
        let mut anew = Backoff::default();
        assert_eq!(anew.step(true, 1.0), LONGEST, "where waiting does not help it is tried seldom");
    }

    #[test]
    fn what_the_receiver_asks_for_is_heeded_within_reason() {
        let asked = |seconds| Backoff::default().failed(false, 0.5, Some(Duration::from_secs(seconds)));
        assert_eq!(asked(7), Duration::from_secs(7));
        assert_eq!(asked(1_000_000), ASKED_MAX);
        assert!(asked(0) >= FIRST / 2, "never at once");
    }
}
