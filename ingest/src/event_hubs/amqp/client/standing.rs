//! What the service's refusals mean: a key or a right that was never good ends a service, one that was good before may be again.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A first refusal may be of a token that ran out just then; the next connection shows a new one.
const BELIEVED: u32 = 2;

/// How one kind of request, questions or links, was received.
#[derive(Default)]
pub(super) struct Standing {
    was_admitted: AtomicBool,
    /// Since then, one for each connection.
    refusals: AtomicU32,
}

impl Standing {
    pub(super) fn admitted(&self) {
        self.was_admitted.store(true, Ordering::Relaxed);
        self.refusals.store(0, Ordering::Relaxed);
    }

    /// Gives how many came before it.
    pub(super) fn refused(&self) -> u32 {
        self.refusals.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn was_admitted(&self) -> bool {
        self.was_admitted.load(Ordering::Relaxed)
    }

    /// Whether waiting does not help.
    pub(super) fn is_refused(&self) -> bool {
        !self.was_admitted() && self.refusals.load(Ordering::Relaxed) >= BELIEVED
    }
}
