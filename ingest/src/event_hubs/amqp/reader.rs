//! The task that reads one start of a partition: attaches, asks for as many events as there is room for, puts them into their
//! lane, and attaches anew behind the last of them when the link broke.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};
use types::PartitionId;

use super::client::Client;
use super::event::Event;
use super::exchange::{Bell, Cursor, Exchange, Over};
use super::failure::{Class, Failure};
use super::filter::From;
use super::link::{Link, Reading};
use super::metrics;
use super::probe;
use crate::event_hubs::jitter;
use crate::{Error, Held};

/// Waits between attempts to attach: the first, doubled from failure to failure up to the last, each drawn anew.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// A question that has to be asked in the reader's place, since two with its epoch cut each other off.
pub(super) struct Look {
    pub(super) position: i64,
    pub(super) answer: oneshot::Sender<Result<Held, Failure>>,
}

pub(super) struct Reader {
    pub(super) client: Arc<Client>,
    pub(super) exchange: Arc<Exchange>,
    pub(super) id: PartitionId,
    pub(super) generation: u64,
    pub(super) bell: Bell,
    pub(super) looks: mpsc::Receiver<Look>,
}

/// Why a link was left.
enum Left {
    Over,
    Failed(Failure),
    Look(Look),
}

impl std::convert::From<Over> for Left {
    fn from(_: Over) -> Self {
        Left::Over
    }
}

impl std::convert::From<Failure> for Left {
    fn from(failure: Failure) -> Self {
        Left::Failed(failure)
    }
}

impl Reader {
    /// Until the start is over, the partition is another's, or waiting does not help.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        let mut last_next = -1;
        let mut forgets_offset = false;
        loop {
            let Ok(mut cursor) = self.exchange.cursor(self.id.index, self.generation) else { return };
            if forgets_offset {
                cursor.offset = None;
            }
            // What was read since is progress: the next failure is a first one.
            if cursor.next > last_next {
                failures = 0;
            }
            last_next = cursor.next;
            let failure = match self.read_on(&cursor).await {
                Left::Over => return,
                Left::Look(look) => {
                    self.look(look, cursor.epoch).await;
                    continue;
                }
                Left::Failed(failure) => failure,
            };
            match failure.class {
                Class::Stolen => {
                    warn!(partition = %self.id, reason = failure.reason, "another reader took the partition");
                    metrics::stolen();
                    self.exchange.was_stolen(self.id.index, self.generation);
                    return;
                }
                // An offset that is not known: by its number the event may be found, or it is said why not.
                Class::Refused => {
                    if let Ok(Some(error)) = self.misplaced(cursor.next).await {
                        return self.fail(error);
                    }
                    forgets_offset = true;
                }
                _ => {
                    if let Some(error) = self.client.ending("read the partition", &failure) {
                        return self.fail(error.into());
                    }
                }
            }
            metrics::link_failed(&failure.condition);
            let wait = jitter::back_off(failures, RETRY_FIRST, RETRY_MAX) + failure.least_wait();
            failures = failures.saturating_add(1);
            if failures > 3 {
                warn!(partition = %self.id, reason = failure.reason, "partition cannot be read, trying again");
            } else {
                debug!(partition = %self.id, reason = failure.reason, "link lost, attaching anew");
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn fail(&self, error: Error) {
        self.exchange.fail(Some((self.id.index, self.generation)), error);
    }

    /// What is wrong with the position, if the service says that it is not one that the partition has.
    async fn misplaced(&self, next: i64) -> Result<Option<Error>, Failure> {
        let facts = self.client.partition(self.id.index).await?;
        Ok(facts.extent().check(&self.id, types::Position(next)).err())
    }

    async fn read_on(&mut self, cursor: &Cursor) -> Left {
        let reading = Reading { index: self.id.index, epoch: cursor.epoch, from: start_of(cursor) };
        let mut link = match Link::attach(&self.client, &reading).await {
            Ok(link) => link,
            Err(failure) => return failure.into(),
        };
        metrics::link_attached();
        let _gone = Gone;
        // A hub that was made anew has the same numbers. Asked once the link is there: one to a hub that goes away breaks.
        let left = match self.client.hub().await {
            Err(failure) => failure.into(),
            Ok(_) => match self.pump(&mut link, cursor.next).await {
                Ok(never) => match never {},
                Err(left) => left,
            },
        };
        match &left {
            Left::Look(_) => link.close().await,
            Left::Failed(failure) if failure.breaks_connection() => {
                self.client.abandon(link.connection, failure).await;
            }
            Left::Failed(_) | Left::Over => {}
        }
        left
    }

    async fn pump(&mut self, link: &mut Link, mut next: i64) -> Result<std::convert::Infallible, Left> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let room = self.exchange.room(self.id.index, self.generation)?;
            if room.is_stalled {
                return Err(Failure::new(Class::Detached, "stalled", "there are events, and none come").into());
            }
            // In few and large steps: each is a frame.
            if !room.is_paused && (link.credit == 0 || room.events / 4 * 3 >= link.credit) {
                link.ask(room.events).await?;
            }
            tokio::select! {
                look = self.looks.recv() => return Err(look.map_or(Left::Over, Left::Look)),
                () = self.bell.notified() => {}
                read = link.read(next, &mut events) => read?,
            }
            if events.is_empty() {
                continue;
            }
            next = self.hand_on(next, &mut events).await?;
        }
    }

    /// Puts events into the lane, and gives the number after them. Where numbers are missing, it is looked why: the service goes
    /// on at the first event that it holds, silently, when those before have expired; also in the middle of a link. Those of a
    /// compacted hub are many: what is held from the first of them on answers for the rest that came with it.
    async fn hand_on(&self, mut next: i64, events: &mut Vec<Event>) -> Result<i64, Left> {
        if let Some(gap) = gap(next, events) {
            let rest = events.split_off(gap);
            next = after(next, events);
            self.exchange.offer(self.id.index, self.generation, events)?;
            // Without an answer nothing is decided: the link is attached anew at this very place.
            if let Some(error) = self.misplaced(next).await? {
                self.fail(error);
                return Err(Left::Over);
            }
            *events = rest;
        }
        next = after(next, events);
        self.exchange.offer(self.id.index, self.generation, events)?;
        Ok(next)
    }

    /// Looks at one event in our own place, and goes on after it.
    async fn look(&self, look: Look, epoch: Option<u64>) {
        let held = probe::record_at(&self.client, self.id.index, look.position, epoch).await;
        // Nobody waits for it any more, perhaps.
        let _ = look.answer.send(held);
    }
}

/// The place of the first event before which numbers are missing.
fn gap(mut next: i64, events: &[Event]) -> Option<usize> {
    events.iter().position(|event| {
        let is_gap = event.sequence_number > next;
        next = next.max(event.sequence_number + 1);
        is_gap
    })
}

fn after(next: i64, events: &[Event]) -> i64 {
    events.last().map_or(next, |event| next.max(event.sequence_number + 1))
}

/// Counts a link that is there no more, however its task ended.
struct Gone;

impl Drop for Gone {
    fn drop(&mut self) {
        metrics::link_gone();
    }
}

fn start_of(cursor: &Cursor) -> From {
    match (&cursor.offset, cursor.next) {
        (Some(offset), _) => From::AfterOffset(offset.clone()),
        // A number that is not held, or was never there, may mean nothing to the service.
        (None, next) if next <= cursor.low => From::Earliest,
        (None, next) => From::AfterSequenceNumber(next - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_numbers_are_found_wherever_they_are() {
        for (next, numbers, expected) in [
            (5, &[5, 6, 7][..], None),
            (5, &[6, 7], Some(0)),
            (5, &[5, 6, 9, 10], Some(2)),
            (5, &[3, 4, 5, 6], None),
            (5, &[3, 4, 7], Some(2)),
            (5, &[], None),
        ] {
            let events: Vec<Event> = numbers.iter().map(|number| Event::test(*number, b"")).collect();
            assert_eq!(gap(next, &events), expected, "{next} {numbers:?}");
        }
        assert_eq!(after(5, &[Event::test(3, b"")]), 5);
        assert_eq!(after(5, &[Event::test(7, b"")]), 8);
    }

    #[test]
    fn reading_goes_on_after_what_is_known() {
        let from = |next, offset: Option<&str>| {
            start_of(&Cursor { next, offset: offset.map(str::to_owned), low: 3, epoch: Some(1) })
        };
        assert_eq!(from(3, None), From::Earliest);
        assert_eq!(from(3, Some("x")), From::AfterOffset("x".into()));
        assert_eq!(from(7, None), From::AfterSequenceNumber(6));
        assert_eq!(from(7, Some("x")), From::AfterOffset("x".into()));
    }
}
