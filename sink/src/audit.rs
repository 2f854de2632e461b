//! The invariants of delivery, held against what a store shows: logs, and the files beside them. Pure; written once, for
//! every test and for whoever looks after a store.
//!
//! Logs may be tails (old records are removed): what they say nothing about is not judged.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use types::{Ledger, PartitionId};

use crate::names::{self, Genesis};
use crate::record::{FileEntry, Header, Hex32, Record, RecordKind};
use crate::{Dataset, Identity};

/// What one pipeline has left in its places.
#[derive(Debug, Default)]
pub struct Evidence {
    pub logs: BTreeMap<PartitionId, BTreeMap<u64, Bytes>>,
    /// Everything that lies in datasets, and the markers.
    pub files: BTreeMap<FileName, Content>,
    /// Some owner is between a record and its files just now: those of the newest records may be missing.
    pub is_unsettled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName {
    /// A dataset's name, or `markers`.
    pub dataset: String,
    /// Below the dataset's place.
    pub name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    pub length: u64,
    /// CRC32C, if it was looked at.
    pub crc: Option<u32>,
}

/// An invariant, by its number in `docs/delivery.md`, and how it is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub invariant: &'static str,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// Everything that is wrong; nothing if all is well.
#[must_use]
pub fn check(identity: &Identity, evidence: &Evidence) -> Vec<Violation> {
    let mut auditor = Auditor { evidence, found: Vec::new(), named: BTreeSet::new() };
    // Of records that were removed, files remain that nothing names any more.
    let mut removed = Vec::new();
    for (partition, log) in &evidence.logs {
        let records = auditor.open(identity, partition, log);
        for pair in records.windows(2) {
            if let [before, record] = pair {
                auditor.follows(partition, before, record);
            }
        }
        for record in &records {
            auditor.record(partition, record, &records);
        }
        if let Some(oldest) = records.first() {
            removed.push((partition, oldest.header().genesis, oldest.header().seq));
        }
    }
    for file in evidence.files.keys().filter(|file| !auditor.named.contains(*file)) {
        let is_older = |(partition, genesis, oldest): &(&PartitionId, Genesis, u64)| {
            let seq = names::seq_of_file(&file.name);
            file.dataset == names::MARKERS && file.name == names::marker(partition)
                || seq.is_some_and(|seq| {
                    seq < *oldest && names::is_file_of(&file.name, &file.dataset, partition, *genesis, seq)
                })
        };
        if !removed.iter().any(is_older) {
            let what = format!("`{}` lies in `{}`, and no record names it", file.name, file.dataset);
            auditor.found.push(Violation { invariant: "I4", what });
        }
    }
    auditor.found
}

struct Auditor<'a> {
    evidence: &'a Evidence,
    found: Vec<Violation>,
    named: BTreeSet<FileName>,
}

impl Auditor<'_> {
    fn demand(&mut self, holds: bool, invariant: &'static str, what: impl FnOnce() -> String) {
        if !holds {
            self.found.push(Violation { invariant, what: what() });
        }
    }

    fn open(&mut self, identity: &Identity, partition: &PartitionId, log: &BTreeMap<u64, Bytes>) -> Vec<Record> {
        let mut records = Vec::new();
        for (seq, bytes) in log {
            match Record::open(bytes.clone()) {
                Ok(record) => {
                    let place = || names::record(&names::partition(&identity.pipeline, partition), *seq);
                    let checked = identity.check(partition, record.header(), *seq, place);
                    self.demand(checked.is_ok(), "I1", || format!("{partition} at {seq}: {checked:?}"));
                    records.push(record);
                }
                Err(damage) => self.demand(false, "I1", || format!("{partition} at {seq}: {damage}")),
            }
        }
        records
    }

    fn follows(&mut self, partition: &PartitionId, before: &Record, record: &Record) {
        let (old, new) = (before.header(), record.header());
        let seq = new.seq;
        let at = |what: &str| format!("{partition} at {seq}: {what}");
        self.demand(new.nonce != old.nonce, "I1", || at("its random number was used before"));
        // A new beginning takes nothing over, and the record right before it may be lost or damaged.
        if new.kind == RecordKind::Genesis {
            return;
        }
        self.demand(new.seq == old.seq + 1, "I1", || at("the record before it is missing"));
        self.demand(new.previous == Some(Hex32(before.hash())), "I1", || at("it follows another record"));
        self.demand(new.genesis == old.genesis, "I1", || at("it is of another log"));
        self.demand(new.resume.next >= old.resume.next, "I2", || at("its position is behind"));
        self.demand(new.kind != RecordKind::Claim || is_taken_over(old, new), "I2", || {
            at("the claim changes something")
        });
        self.demand(has_grown(&old.ledger, &new.ledger), "I8", || at("its accounts have shrunk"));
        for (dataset, rows) in [
            (Dataset::Predictions, in_files(old, new, |l| l.rows_in_files)),
            (Dataset::Late, in_files(old, new, |l| l.late_in_files)),
        ] {
            let found: u64 = files_of(new, dataset).map(|file| file.rows).sum();
            self.demand(rows == found, "I8", || at(&format!("{found} rows of {dataset}, and accounts of {rows}")));
        }
    }

    fn record(&mut self, partition: &PartitionId, record: &Record, all: &[Record]) {
        let header = record.header();
        let at = |what: &str| format!("{partition} at {}: {what}", header.seq);
        let is_first = header.seq == 0;
        self.demand(!is_first || header.kind == RecordKind::Genesis, "I1", || at("the first record is no genesis"));
        self.demand(!is_first || header.previous.is_none(), "I1", || at("the first record follows another"));
        let balance = header.ledger.check();
        self.demand(balance.is_ok(), "I8", || at(&format!("{balance:?}")));
        self.state(partition, record, all);
        let head = all.last().map_or(0, |head| head.header().seq);
        let may_lack = header.seq == head && self.evidence.is_unsettled;
        for file in &header.files {
            self.file(&at, file, may_lack);
        }
    }

    fn state(&mut self, partition: &PartitionId, record: &Record, all: &[Record]) {
        let (seq, state) = (record.header().seq, record.header().state);
        let at = |what: &str| format!("{partition} at {seq}: {what}");
        self.demand(state.seq <= seq, "I2", || at("its state is of a later record"));
        match all.iter().find(|other| other.header().seq == state.seq) {
            // Only what nobody goes on from any more may have lost it.
            None => {
                let is_head = all.last().is_some_and(|head| head.header().seq == seq);
                self.demand(!is_head, "I6", || at("the record that holds its state is gone"));
            }
            Some(holder) => {
                let is_it = seq == state.seq || state.hash == Some(Hex32(holder.hash()));
                self.demand(is_it, "I2", || at("its state is another"));
                let unpacked = holder.state();
                let holds = matches!(&unpacked, Ok(Some(bytes)) if bytes.len() as u64 == state.bytes);
                self.demand(holds, "I2", || at("its state cannot be unpacked"));
            }
        }
    }

    fn file(&mut self, at: &dyn Fn(&str) -> String, file: &FileEntry, may_lack: bool) {
        let key = FileName { dataset: file.dataset.clone(), name: file.name.clone() };
        match self.evidence.files.get(&key) {
            None => self.demand(may_lack, "I3", || at(&format!("`{}` is not visible", file.name))),
            Some(content) => {
                let same = content.length == file.length && content.crc.is_none_or(|crc| crc == file.crc);
                // Of several logs after one another, the first made the marker.
                self.demand(same || file.dataset == names::MARKERS, "I4", || {
                    at(&format!("`{}` is another", file.name))
                });
            }
        }
        let is_new = self.named.insert(key) || file.dataset == names::MARKERS;
        self.demand(is_new, "I4", || at(&format!("`{}` is of two records", file.name)));
    }
}

/// A claim leaves all as it was.
fn is_taken_over(old: &Header, new: &Header) -> bool {
    let same_state = new.state.seq == old.state.seq && new.state.bytes == old.state.bytes;
    new.resume.next == old.resume.next && new.ledger == old.ledger && new.files.is_empty() && same_state
}

fn files_of(header: &Header, dataset: Dataset) -> impl Iterator<Item = &FileEntry> {
    header.files.iter().filter(move |file| file.dataset == dataset.as_str())
}

fn in_files(old: &Header, new: &Header, rows: impl Fn(&Ledger) -> u64) -> u64 {
    rows(&new.ledger).wrapping_sub(rows(&old.ledger))
}

/// What has happened stays so.
fn has_grown(old: &Ledger, new: &Ledger) -> bool {
    let settled = |l: &Ledger| {
        [
            l.records,
            l.decoded,
            l.undecodable,
            l.tombstones,
            l.left_records,
            l.readings,
            l.emitted,
            l.late,
            l.rejected,
            l.left,
            l.rows_in_files,
            l.late_in_files,
            l.quarantined_in_files,
        ]
    };
    settled(old).iter().zip(settled(new)).all(|(old, new)| *old <= new)
}
