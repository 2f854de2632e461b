//! Random waits: members that failed together must not come back together.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A number that no one else is likely to draw: each state has keys of its own, which the process drew at random.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

/// Anything between the two, each as likely.
pub(crate) fn between(min: Duration, max: Duration) -> Duration {
    let share = (random() >> 11) as f64 / (1_u64 << 53) as f64;
    min + max.saturating_sub(min).mul_f64(share)
}

/// Waits that double from attempt to attempt (from 0), each drawn anew between nothing and its bound.
pub(crate) fn back_off(attempt: u32, first: Duration, max: Duration) -> Duration {
    between(Duration::ZERO, first.saturating_mul(1 << attempt.min(16)).min(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_within_their_bounds_and_differ() {
        let (first, max) = (Duration::from_millis(100), Duration::from_secs(30));
        for (attempt, bound) in [(0, first), (1, first * 2), (5, first * 32), (30, max), (u32::MAX, max)] {
            let waits: Vec<Duration> = (0..50).map(|_| back_off(attempt, first, max)).collect();
            assert!(waits.iter().all(|wait| *wait <= bound), "{attempt}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait > bound / 2) && waits.iter().any(|wait| *wait < bound / 2));
        }
        let some = between(max, max);
        assert_eq!(some, max);
    }
}
