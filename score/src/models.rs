//! The newest set, handed from whoever loads models to whoever scores.
//!
//! A scorer asks between two commits whether there is a newer set: one atomic load, and a lock only when there is. Whoever
//! puts a set here keeps the one before until nobody scores by it any more, so that it is not freed on a thread that has
//! windows to fold: a million models are freed in no short time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{ModelSet, metrics};

/// A slot that holds one set at any time.
#[derive(Debug)]
pub struct Models {
    slot: Mutex<Arc<ModelSet>>,
    /// Where the set in the slot lies. Whoever compares it holds his own set, so nothing else can come to lie there.
    address: AtomicUsize,
}

impl Models {
    #[must_use]
    pub fn new(set: Arc<ModelSet>) -> Models {
        metrics::set_in_use(set.id(), None);
        Models { address: AtomicUsize::new(address(&set)), slot: Mutex::new(set) }
    }

    #[must_use]
    pub fn current(&self) -> Arc<ModelSet> {
        Arc::clone(&self.slot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The set in the slot, if it is another than this one.
    #[must_use]
    #[inline]
    pub fn newer_than(&self, set: &Arc<ModelSet>) -> Option<Arc<ModelSet>> {
        (self.address.load(Ordering::Acquire) != address(set)).then(|| self.current())
    }

    /// Puts a set into the slot and returns the one that was there.
    pub fn put(&self, set: Arc<ModelSet>) -> Arc<ModelSet> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        metrics::set_in_use(set.id(), Some(slot.id()));
        self.address.store(address(&set), Ordering::Release);
        std::mem::replace(&mut slot, set)
    }
}

fn address(set: &Arc<ModelSet>) -> usize {
    Arc::as_ptr(set).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_set_is_seen_once() {
        let models = Models::new(Arc::new(ModelSet::empty()));
        let mut held = models.current();
        assert!(models.newer_than(&held).is_none());
        let before = models.put(Arc::new(ModelSet::empty()));
        assert!(Arc::ptr_eq(&before, &held));
        let newer = models.newer_than(&held).expect("another set");
        held = newer;
        assert!(models.newer_than(&held).is_none());
        assert_eq!(Arc::strong_count(&before), 1, "nobody else holds the old one");
    }
}
