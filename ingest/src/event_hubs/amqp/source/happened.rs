//! What happened since the last poll: partitions gained, lost and stolen, failures of tasks, and what the lanes have to tell.

use std::collections::btree_map::Entry;
use std::time::Instant;

use super::{EventHubsSource, Mine};
use crate::event_hubs::amqp::exchange::Lane;
use crate::event_hubs::amqp::metrics;
use crate::event_hubs::membership::Change;
use crate::{Error, Polled, Source};

impl EventHubsSource {
    pub(super) fn serve(&mut self) -> Result<(), Error> {
        let hub = self.exchange.lock().hub.take();
        if let Some(facts) = hub {
            self.membership.hub_has(facts.partitions()?);
        }
        for change in self.membership.changes()? {
            match change {
                Change::Gained(indices) => self.gain(indices),
                Change::Lost(indices) => self.lose(&indices),
            }
        }
        let stolen = std::mem::take(&mut self.exchange.lock().stolen);
        for (index, generation) in stolen {
            if self.is_current(index, generation) {
                self.membership.stolen(index);
                self.lose(&[index]);
            }
        }
        self.judge()
    }

    /// One failure a poll.
    fn judge(&mut self) -> Result<(), Error> {
        loop {
            let Some(failed) = self.exchange.lock().failures.pop_front() else { return Ok(()) };
            if let Some((index, generation)) = failed.lane
                && !self.is_current(index, generation)
            {
                continue;
            }
            return Err(self.set_aside(failed.error));
        }
    }

    /// A partition whose positions mean nothing any more waits for a new start.
    fn set_aside(&mut self, error: Error) -> Error {
        if let Some(partition) = error.misplaced() {
            self.stop(&partition.clone());
        }
        error
    }

    fn is_current(&self, index: u32, generation: u64) -> bool {
        let started = self.partitions.get(&index).and_then(|mine| mine.started.as_ref());
        started.is_some_and(|started| started.generation == generation)
    }

    fn gain(&mut self, indices: Vec<u32>) {
        let mut gained = Vec::with_capacity(indices.len());
        for index in indices {
            let id = self.id(index);
            if let Entry::Vacant(vacant) = self.partitions.entry(index) {
                vacant.insert(Mine::default());
                gained.push(id);
            }
        }
        self.news.gained(gained, self.partitions.is_empty());
        metrics::assigned(self.worker, self.partitions.len());
    }

    fn lose(&mut self, indices: &[u32]) {
        let mut lost = Vec::new();
        for index in indices {
            if self.partitions.remove(index).is_some() {
                self.exchange.lock().lanes.remove(index);
                lost.push(self.id(*index));
            }
        }
        self.news.lost(lost);
        metrics::assigned(self.worker, self.partitions.len());
    }

    /// What the lanes have to tell: ends first, which are few, so that partitions full of records keep no others waiting.
    pub(super) fn take(&mut self) -> Result<Option<Polled>, Error> {
        let mut state = self.exchange.lock();
        if let Some((partition, position)) = state.next_end() {
            return Ok(Some(Polled::Ended { partition, position }));
        }
        let now = Instant::now();
        for lane in state.lanes.values_mut() {
            if let Some(extent) = lane.expired() {
                let error = extent.check(&lane.id, lane.handed());
                drop(state);
                return error.map(|()| None).map_err(|error| self.set_aside(error));
            }
            if let Some(position) = lane.caught_up(now) {
                return Ok(Some(Polled::CaughtUp { partition: lane.id.clone(), position }));
            }
        }
        let Some(records) = state.next_records() else { return Ok(None) };
        let is_read = state.lanes.get(&records.partition().index).is_some_and(Lane::is_read);
        drop(state);
        if is_read {
            self.exchange.idle.notify_one();
        }
        Ok(Some(Polled::Records(records)))
    }
}
