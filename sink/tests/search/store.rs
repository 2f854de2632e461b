//! The store: the log, the visible files, and requests whose sender no longer waits. Here the invariants are checked, at
//! the moment when a request takes effect.

use std::hash::{Hash, Hasher};

use crate::record::{FILES, Kind, MARKER, Record, bits, genesis};

/// More than any search or lone writer needs.
pub(crate) const SEQS: usize = 16;

#[derive(Debug, Clone)]
pub(crate) struct Broken {
    pub(crate) invariant: &'static str,
    pub(crate) what: String,
}

pub(crate) fn broken<T>(invariant: &'static str, what: impl Into<String>) -> Result<T, Broken> {
    Err(Broken { invariant, what: what.into() })
}

/// What a visible file holds: the rows of one record, which its digest tells from others of the same seq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Content {
    pub(crate) seq: u8,
    pub(crate) digest: u32,
}

impl Content {
    pub(crate) fn of(record: &Record) -> Self {
        Content { seq: record.seq, digest: record.digest() }
    }
}

/// A request that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Write {
    Create(Record),
    PutFile(Record, u8),
    Delete(u8),
}

#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) log: [Option<Record>; SEQS],
    /// By window. One is enough to remember: a second would be a violation.
    pub(crate) files: [Option<Content>; FILES],
    /// Requests that may still land, in order, each once.
    pub(crate) adrift: Vec<Write>,
}

impl Hash for Store {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let present = self.log.iter().rev().fold(0, |mask, record| mask << 1 | u64::from(record.is_some()));
        hasher.write_u64(present | (self.adrift.len() as u64) << 32);
        self.log.iter().flatten().for_each(|record| record.hash(hasher));
        self.adrift.iter().for_each(|write| write.hash(hasher));
        for content in self.files {
            hasher.write_u64(content.map_or(0, |content| u64::from(content.digest) << 32 | u64::from(content.seq)));
        }
    }
}

/// What a fold of the input from its beginning gives, which no record may contradict.
pub(crate) struct Truth {
    /// When each window is closed.
    pub(crate) closes_at: [u8; FILES],
    pub(crate) kept: u8,
}

impl Truth {
    /// The windows that are closed when all before `next` is folded.
    pub(crate) fn closed(&self, next: u8) -> u8 {
        (0..MARKER).filter(|window| self.closes_at[usize::from(*window)] <= next).fold(0, |mask, bit| mask | 1 << bit)
    }
}

impl Store {
    pub(crate) fn new() -> Self {
        Store { log: [None; SEQS], files: [None; FILES], adrift: Vec::new() }
    }

    /// A log that was begun a while ago.
    pub(crate) fn begun() -> Self {
        let first = genesis(0);
        let mut store = Store::new();
        store.log[0] = Some(first);
        store.files[usize::from(MARKER)] = Some(Content::of(&first));
        store
    }

    pub(crate) fn get(&self, seq: u8) -> Option<&Record> {
        self.log[usize::from(seq)].as_ref()
    }

    pub(crate) fn newest(&self) -> Option<u8> {
        self.log.iter().rposition(Option::is_some).map(|seq| seq as u8)
    }

    pub(crate) fn head(&self) -> Option<&Record> {
        self.newest().and_then(|seq| self.get(seq))
    }

    pub(crate) fn seqs(&self) -> impl Iterator<Item = u8> {
        self.log.iter().flatten().map(|record| record.seq)
    }

    pub(crate) fn visible(&self) -> u8 {
        (0..MARKER).filter(|window| self.files[usize::from(*window)].is_some()).fold(0, |mask, bit| mask | 1 << bit)
    }

    /// What is there under the name of the record's file.
    pub(crate) fn named(&self, record: &Record, file: u8) -> Option<Content> {
        self.files[usize::from(file)].filter(|content| file == MARKER || content.seq == record.seq)
    }

    pub(crate) fn apply(&mut self, truth: &Truth, write: Write) -> Result<bool, Broken> {
        match write {
            Write::Create(record) => self.create(truth, record),
            Write::PutFile(record, file) => self.put_file(record, file),
            Write::Delete(seq) => self.delete(truth, seq).map(|()| true),
        }
    }

    /// Whether it was created. A seq below the newest may be free because it was collected: what lands there is no part
    /// of the chain.
    pub(crate) fn create(&mut self, truth: &Truth, record: Record) -> Result<bool, Broken> {
        if self.get(record.seq).is_some() {
            return Ok(false);
        }
        match self.head().copied() {
            Some(head) if record.seq <= head.seq => {}
            head => self.check_follows(truth, head, record)?,
        }
        self.log[usize::from(record.seq)] = Some(record);
        Ok(true)
    }

    fn check_follows(&self, truth: &Truth, head: Option<Record>, record: Record) -> Result<(), Broken> {
        if record.seq != head.map_or(0, |head| head.seq + 1) {
            return broken("I1", format!("record {} leaves a gap", record.seq));
        }
        if record.previous != head.map_or(0, |head| head.digest()) {
            return broken("I1", format!("record {} does not follow the one before", record.seq));
        }
        if let Some(head) = head {
            let missing = bits(head.files).find(|file| self.named(&head, *file) != Some(Content::of(&head)));
            if let Some(file) = missing {
                return broken("I3", format!("record {} exists, file {file} of {} does not", record.seq, head.seq));
            }
        }
        self.check_state(truth, head, record)
    }

    /// All that was emitted before is visible, as I3 holds: the rest of what is closed is in the record or its state.
    fn check_state(&self, truth: &Truth, head: Option<Record>, record: Record) -> Result<(), Broken> {
        let before = head.map_or(0, |head| head.next);
        let rows = record.files & !(1 << MARKER);
        let open = truth.closed(record.next) & !self.visible();
        if record.next < before {
            return broken("I2", format!("record {} goes back from {before} to {}", record.seq, record.next));
        }
        if rows & !open != 0 {
            return broken("I2", format!("record {} has rows of windows that are open or emitted", record.seq));
        }
        let holder = if record.holds_state() { Some(&record) } else { self.get(record.state_seq) };
        let Some(holder) = holder.filter(|holder| holder.holds_state()) else {
            return broken("I6", format!("record {} refers to a state that is not there", record.seq));
        };
        if !record.holds_state() && (holder.digest() != record.state_of || rows != 0 || record.kind != Kind::Claim) {
            return broken("I2", format!("record {} refers to another state than its own", record.seq));
        }
        if holder.next != record.next || holder.held != open & !rows {
            return broken("I2", format!("the state of record {} is not the fold of its input", record.seq));
        }
        Ok(())
    }

    /// Whether it was created. As files of all records but the head are visible before it exists, only the head's can
    /// become visible.
    pub(crate) fn put_file(&mut self, record: Record, file: u8) -> Result<bool, Broken> {
        if let Some(there) = self.named(&record, file) {
            if there != Content::of(&record) {
                return broken("I4", format!("file {file} of record {} has two contents", record.seq));
            }
            return Ok(false);
        }
        if let Some(there) = self.files[usize::from(file)] {
            let seqs = (there.seq, record.seq);
            return broken("I7", format!("window {file} is in two files: of records {} and {}", seqs.0, seqs.1));
        }
        let Some(head) = self.head() else {
            return broken("I4", format!("file {file} of record {}, without any record", record.seq));
        };
        if head.seq > record.seq {
            return broken("I5", format!("file {file} of record {}, which is stale or lost", record.seq));
        }
        if *head != record || record.files & (1 << file) == 0 {
            return broken("I4", format!("file {file} of a record {} that never won", record.seq));
        }
        self.files[usize::from(file)] = Some(Content::of(&record));
        Ok(true)
    }

    pub(crate) fn delete(&mut self, truth: &Truth, seq: u8) -> Result<(), Broken> {
        if self.log[usize::from(seq)].take().is_none() {
            return Ok(());
        }
        let newest = self.newest().unwrap_or_default();
        if seq >= newest || newest - seq < truth.kept {
            return broken("I6", format!("record {seq} was deleted, one of the newest"));
        }
        for kept in (newest + 1).saturating_sub(truth.kept)..=newest {
            let state = self.get(kept).map(|kept| (kept, self.get(kept.state_seq)));
            let is_there = state.is_some_and(|(kept, state)| {
                state.is_some_and(|state| kept.holds_state() || state.digest() == kept.state_of)
            });
            if !is_there {
                return broken("I6", format!("record {seq} was deleted, which holds the state of {kept}"));
            }
        }
        Ok(())
    }

    /// Nobody waits for the answer any more. If too much is adrift already, it never lands.
    pub(crate) fn set_adrift(&mut self, write: Write, at_most: usize) {
        if let Err(place) = self.adrift.binary_search(&write)
            && self.adrift.len() < at_most
        {
            self.adrift.insert(place, write);
        }
    }

    /// What cannot change anything any more, now or later: visible files stay.
    pub(crate) fn forget_inert(&mut self) {
        let files = self.files;
        self.adrift.retain(|write| match write {
            Write::PutFile(record, file) => files[usize::from(*file)] != Some(Content::of(record)),
            Write::Create(_) | Write::Delete(_) => true,
        });
    }
}
