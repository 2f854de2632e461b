//! Who is told.

use std::time::Duration;

use crate::Event;

/// Takes events. Sending one again is allowed: it has the same id and the same bytes.
pub trait Receiver {
    /// As metrics and cursors name it.
    fn name(&self) -> &'static str;

    /// The most events that one call of [`send`](Receiver::send) is given.
    fn batch(&self) -> usize;

    /// Sends events in their order. When it returns `Ok`, each is either acknowledged, or one of those that are refused for good.
    ///
    /// # Errors
    /// If some may not be there: all of them are to be sent again.
    fn send(&mut self, events: &[Event]) -> impl Future<Output = Result<Vec<Refusal>, Failure>>;
}

/// An event that the receiver will never take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Among those that were sent.
    pub index: usize,
    pub reason: String,
}

/// Why events are to be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub reason: String,
    /// Waiting alone does not help: somebody has to act.
    pub is_stuck: bool,
    /// What the receiver asks for.
    pub wait: Option<Duration>,
}

impl Failure {
    #[must_use]
    pub fn passing(reason: impl Into<String>) -> Self {
        Failure { reason: reason.into(), is_stuck: false, wait: None }
    }

    #[must_use]
    pub fn stuck(reason: impl Into<String>) -> Self {
        Failure { reason: reason.into(), is_stuck: true, wait: None }
    }
}
