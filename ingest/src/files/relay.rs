//! Reads what cannot be read twice, or not without waiting (standard input, pipes), on a thread of its own.
//!
//! A pipe is silent for as long as it likes, and whoever polls must not be: a request to stop would not be heard, and
//! records that came would wait for those that did not. So the thread puts one record after the other into a batch that
//! the poller takes as it is. There is one such batch: a poller that does not come holds the pipe's writer up.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use types::{PartitionId, Position};

use super::error::Error;
use super::reading::{Reading, Step, same};
use super::{BATCH_BYTES, Files};
use crate::{Polled, Records};

/// The poller's end. Dropping it lets the thread go, as soon as the pipe lets it.
pub(super) struct Relay {
    shared: Arc<Shared>,
}

struct Shared {
    slot: Mutex<Slot>,
    /// A record or the end was put into an empty slot.
    filled: Condvar,
    /// There is room again, or nobody takes any more.
    emptied: Condvar,
}

struct Slot {
    records: Records,
    /// Where the input ended, or why it could not be read on; comes after the records.
    end: Option<Result<Position, crate::Error>>,
    /// Nobody takes any more.
    closed: bool,
}

/// The thread's end.
struct Feed {
    shared: Arc<Shared>,
    partition: PartitionId,
    batch_records: usize,
}

// === impl Relay ===

impl Relay {
    /// Opens the input and reads it from this position on; errors of either come through `poll`.
    pub(super) fn start(
        files: Arc<Files>,
        partition: &PartitionId,
        position: Position,
        batch_records: usize,
    ) -> io::Result<Relay> {
        let slot = Slot { records: Records::new(partition.clone()), end: None, closed: false };
        let shared = Arc::new(Shared { slot: Mutex::new(slot), filled: Condvar::new(), emptied: Condvar::new() });
        let feed = Feed { shared: Arc::clone(&shared), partition: partition.clone(), batch_records };
        thread::Builder::new().name("pipe".into()).spawn(move || {
            let end = feed.read(&files, position);
            feed.end(end);
        })?;
        Ok(Relay { shared })
    }

    /// What has come, be it one record; waits for it.
    pub(super) fn poll(&mut self, partition: &PartitionId, wait: Duration) -> Result<Polled, crate::Error> {
        let slot = self.shared.lock();
        let nothing = |slot: &mut Slot| slot.records.is_empty() && slot.end.is_none();
        let mut slot =
            self.shared.filled.wait_timeout_while(slot, wait, nothing).unwrap_or_else(PoisonError::into_inner).0;
        if !slot.records.is_empty() {
            let records = std::mem::replace(&mut slot.records, Records::new(partition.clone()));
            drop(slot);
            self.shared.emptied.notify_one();
            return Ok(Polled::Records(records));
        }
        match slot.end.take() {
            None => Ok(Polled::Idle),
            Some(end) => Ok(Polled::Ended { partition: partition.clone(), position: end? }),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.emptied.notify_one();
    }
}

// === impl Feed ===

impl Feed {
    /// Reads to the end, or until nobody takes any more.
    fn read(&self, files: &Files, position: Position) -> Result<Position, crate::Error> {
        let mut reading = Reading::new(&files.plan);
        reading.skip_to(files, &self.partition, position)?;
        loop {
            match reading.step(files)? {
                Step::Record if self.put(&reading, files) => reading.position += 1,
                Step::Record | Step::End => return Ok(Position(reading.position)),
                Step::Between => {}
            }
        }
    }

    /// Puts the record at hand behind the others; false if nobody takes it.
    fn put(&self, reading: &Reading, files: &Files) -> bool {
        let full = |slot: &mut Slot| {
            let records = &slot.records;
            let fits = records.is_empty()
                || (records.len() < self.batch_records
                    && records.bytes() < BATCH_BYTES
                    // A batch has one header.
                    && same(records.columns(), reading.columns.as_ref()));
            !fits && !slot.closed
        };
        let slot = self.shared.lock();
        let mut slot = self.shared.emptied.wait_while(slot, full).unwrap_or_else(PoisonError::into_inner);
        if slot.closed {
            return false;
        }
        let first = slot.records.is_empty();
        if first {
            slot.records = Records::new(self.partition.clone()).with_columns(reading.columns.clone());
        }
        reading.push_to(&mut slot.records, files);
        drop(slot);
        // Each notification costs a call of the system, and only an empty slot is waited at.
        if first {
            self.shared.filled.notify_one();
        }
        true
    }

    fn end(&self, end: Result<Position, crate::Error>) {
        self.shared.lock().end.get_or_insert(end);
        self.shared.filled.notify_one();
    }
}

/// The poller must not wait for ever for a thread that broke off, whatever the reason.
impl Drop for Feed {
    fn drop(&mut self) {
        if thread::panicking() {
            let source = io::Error::other("the thread that reads it broke off");
            self.end(Err(Error::Unreadable { path: Path::new(&*self.partition.topic).to_owned(), source }.into()));
        }
    }
}

// === impl Shared ===

impl Shared {
    /// Each change of a slot is whole before anything can fail: a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
