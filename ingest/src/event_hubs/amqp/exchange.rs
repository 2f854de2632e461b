//! Between the tasks that read partitions and the thread that polls: a lane for each started partition, and news.
//!
//! A lane belongs to one start of its partition, known by its generation: whatever comes from an earlier one is dropped here, so
//! that nothing of it can come after `stop` or `Lost`. Tasks wait for room in their lane, the thread for anything at all.

mod lane;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use types::{PartitionId, Position};

pub(super) use self::lane::{Lane, Question, Room};
use super::event::Event;
use super::facts::HubFacts;
use crate::{Error, Records, Wanted};

/// What all lanes of a member may hold together, about: each has its share, and at least `LANE_BYTES_MIN`.
const BYTES_MAX: usize = 64 * 1024 * 1024;
const LANE_BYTES_MIN: usize = 2 * 1024 * 1024;

pub(super) struct Exchange {
    state: Mutex<State>,
    something: Condvar,
    /// There may be work for the task that proves ends.
    pub(super) idle: Notify,
    batch_records: usize,
    pub(super) wanted: Wanted,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) lanes: BTreeMap<u32, Lane>,
    /// Failures that waiting does not heal, in the order they came.
    pub(super) failures: VecDeque<Failed>,
    /// Another reader took these, of these generations.
    pub(super) stolen: VecDeque<(u32, u64)>,
    /// News of the hub.
    pub(super) hub: Option<HubFacts>,
    /// Whose turn it is: the lane after this one.
    turn: u32,
    /// Somebody woke the thread, which may not have been waiting.
    is_woken: bool,
}

/// A failure, of one start of a partition or of all.
pub(super) struct Failed {
    pub(super) lane: Option<(u32, u64)>,
    pub(super) error: Error,
}

/// The start that something came from is over.
pub(super) struct Over;

impl Exchange {
    pub(super) fn new(batch_records: usize, wanted: Wanted) -> Self {
        Exchange {
            state: Mutex::default(),
            something: Condvar::new(),
            idle: Notify::new(),
            batch_records: batch_records.max(1),
            wanted,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No code under the lock leaves it in a state that others could not go on from.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake(&self) {
        self.lock().is_woken = true;
        self.something.notify_one();
    }

    /// Waits until there may be something to tell.
    pub(super) fn wait(&self, timeout: Duration) {
        let state = self.lock();
        let waiting = self.something.wait_timeout_while(state, timeout, |state| {
            !state.is_woken && state.failures.is_empty() && state.stolen.is_empty() && !state.has_records()
        });
        let (mut state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        state.is_woken = false;
    }

    // === From the tasks ===

    /// Events as they came, in order.
    pub(super) fn offer(&self, index: u32, generation: u64, events: &mut Vec<Event>) -> Result<(), Over> {
        let mut state = self.lock();
        let lane = state.lane(index, generation).ok_or(Over)?;
        lane.take(events, self.batch_records, &self.wanted);
        let is_idle = lane.is_read();
        drop(state);
        self.something.notify_one();
        if is_idle {
            self.idle.notify_one();
        }
        Ok(())
    }

    /// How much more a task may ask for.
    pub(super) fn room(&self, index: u32, generation: u64) -> Result<Room, Over> {
        let mut state = self.lock();
        let share = (BYTES_MAX / state.lanes.len().max(1)).max(LANE_BYTES_MIN);
        Ok(state.lane(index, generation).ok_or(Over)?.room(share))
    }

    /// Where to go on: after the last event that was put into the lane.
    pub(super) fn cursor(&self, index: u32, generation: u64) -> Result<Cursor, Over> {
        let mut state = self.lock();
        let lane = state.lane(index, generation).ok_or(Over)?;
        lane.attached();
        Ok(Cursor { next: lane.next, offset: lane.offset.clone(), low: lane.low, epoch: lane.epoch })
    }

    pub(super) fn fail(&self, lane: Option<(u32, u64)>, error: Error) {
        self.lock().failures.push_back(Failed { lane, error });
        self.something.notify_one();
    }

    pub(super) fn was_stolen(&self, index: u32, generation: u64) {
        self.lock().stolen.push_back((index, generation));
        self.something.notify_one();
    }

    pub(super) fn set_hub(&self, facts: HubFacts) {
        self.lock().hub = Some(facts);
        self.wake();
    }
}

/// Where a task goes on.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    pub(super) next: i64,
    /// Of the event before, where it is known.
    pub(super) offset: Option<String>,
    /// The first event held when the start was made.
    pub(super) low: i64,
    pub(super) epoch: Option<u64>,
}

impl State {
    /// The lane, if it is still this start's.
    pub(super) fn lane(&mut self, index: u32, generation: u64) -> Option<&mut Lane> {
        self.lanes.get_mut(&index).filter(|lane| lane.generation == generation)
    }

    fn has_records(&self) -> bool {
        self.lanes.values().any(Lane::has_news)
    }

    /// The next batch: lanes take turns.
    pub(super) fn next_records(&mut self) -> Option<Records> {
        let turn = self.turn;
        let after = self.lanes.range(turn.saturating_add(1)..).chain(self.lanes.range(..=turn));
        let index = after.into_iter().find(|(_, lane)| lane.has_records()).map(|(index, _)| *index)?;
        self.turn = index;
        self.lanes.get_mut(&index)?.hand_over()
    }

    /// A bounded read that is at its end, told once.
    pub(super) fn next_end(&mut self) -> Option<(PartitionId, Position)> {
        self.lanes.values_mut().find_map(Lane::end)
    }
}

/// Wakes a task when its lane has room.
pub(super) type Bell = Arc<Notify>;

#[cfg(test)]
mod tests;
