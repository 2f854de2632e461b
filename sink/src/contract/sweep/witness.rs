//! Sees everything that lands in the store, in its order, and says at once what must not happen. It keeps what sweeps
//! remove, so that in the end the whole log can be judged.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use object_store::path::Path;
use types::PartitionId;

use crate::audit::{Content, Evidence, FileName};
use crate::names;
use crate::record::Record;

#[derive(Debug, Default)]
pub(super) struct Witness {
    /// Every record that was ever the first under its seq.
    logs: BTreeMap<PartitionId, BTreeMap<u64, Record>>,
    /// The seqs that are there now.
    present: BTreeMap<PartitionId, BTreeSet<u64>>,
    files: BTreeMap<FileName, Content>,
    /// Records that came under a seq whose own was removed long ago: nothing of theirs may be published.
    pub(super) strays: usize,
    pub(super) removed: usize,
    pub(super) violations: Vec<String>,
}

/// What a name is for.
enum Meaning {
    Record(PartitionId, u64),
    File(FileName),
    /// May be overwritten.
    CompleteTo,
    Unknown,
}

impl Witness {
    pub(super) fn created(&mut self, path: &Path, bytes: &Bytes) {
        match meaning(path) {
            Meaning::Record(partition, seq) => self.record(partition, seq, bytes),
            Meaning::File(file) => self.file(file, bytes),
            Meaning::CompleteTo => {}
            Meaning::Unknown => self.object(format!("`{path}` has a name that was never agreed")),
        }
    }

    pub(super) fn deleted(&mut self, path: &Path) {
        let Meaning::Record(partition, seq) = meaning(path) else {
            return self.object(format!("`{path}` was deleted"));
        };
        let present = self.present.entry(partition).or_default();
        let head = present.last().copied();
        self.removed += usize::from(present.remove(&seq));
        if head.is_none_or(|head| head <= seq) {
            self.object(format!("I6: `{path}` was deleted, and nothing is above it"));
        }
    }

    pub(super) fn evidence(&self) -> Evidence {
        let bytes = |log: &BTreeMap<u64, Record>| log.iter().map(|(seq, r)| (*seq, r.bytes().clone())).collect();
        Evidence {
            logs: self.logs.iter().map(|(partition, log)| (partition.clone(), bytes(log))).collect(),
            files: self.files.clone(),
            is_unsettled: false,
        }
    }

    pub(super) fn heads(&self) -> impl Iterator<Item = (&PartitionId, &Record)> {
        self.logs.iter().filter_map(|(partition, log)| Some((partition, log.last_key_value()?.1)))
    }

    pub(super) fn records(&self) -> usize {
        self.logs.values().map(BTreeMap::len).sum()
    }

    fn record(&mut self, partition: PartitionId, seq: u64, bytes: &Bytes) {
        let record = match Record::open(bytes.clone()) {
            Ok(record) => record,
            Err(damage) => return self.object(format!("I1: {partition} at {seq}: {damage}")),
        };
        self.present.entry(partition.clone()).or_default().insert(seq);
        let log = self.logs.entry(partition.clone()).or_default();
        if log.contains_key(&seq) {
            self.strays += 1;
            if log.last_key_value().is_some_and(|(head, _)| *head == seq) {
                self.object(format!("I1: {partition} at {seq}: the head was written twice"));
            }
            return;
        }
        let before = seq.checked_sub(1).and_then(|before| log.get(&before)).cloned();
        log.insert(seq, record);
        for file in before.iter().flat_map(|before| &before.header().files) {
            let name = FileName { dataset: file.dataset.clone(), name: file.name.clone() };
            if !self.files.contains_key(&name) {
                self.object(format!("I3: {partition} at {seq}: `{}` of the record before is not visible", name.name));
            }
        }
    }

    fn file(&mut self, file: FileName, bytes: &Bytes) {
        let content = Content { length: bytes.len() as u64, crc: Some(crc32c::crc32c(bytes)) };
        let is_listed =
            self.logs.values().flat_map(BTreeMap::values).flat_map(|record| &record.header().files).any(|entry| {
                entry.dataset == file.dataset && entry.name == file.name && Some(entry.crc) == content.crc
            });
        if !is_listed {
            self.object(format!("I4: `{}` in `{}` is of no record", file.name, file.dataset));
        }
        if self.files.insert(file.clone(), content).is_some_and(|before| before != content) {
            self.object(format!("I4: `{}` has changed", file.name));
        }
    }

    pub(super) fn object(&mut self, what: String) {
        self.violations.push(what);
    }
}

fn meaning(path: &Path) -> Meaning {
    let parts: Vec<String> = path.parts().map(|part| part.as_ref().to_owned()).collect();
    let file = |dataset: &str, name: String| Meaning::File(FileName { dataset: dataset.to_owned(), name });
    let words: Vec<&str> = parts.iter().map(String::as_str).collect();
    match words.as_slice() {
        [.., "state", _, "markers", name] => file(names::MARKERS, (*name).to_owned()),
        [.., "state", _, _, _, "complete_to"] => Meaning::CompleteTo,
        [.., "state", _, topic, index, "log", _] => match (index.parse(), names::seq_of(path)) {
            (Ok(index), Some(seq)) => Meaning::Record(PartitionId { topic: (*topic).into(), index }, seq),
            _ => Meaning::Unknown,
        },
        [.., dataset @ ("predictions" | "late" | "quarantine" | "runs"), date, name] if date.starts_with("date=") => {
            file(dataset, format!("{date}/{name}"))
        }
        _ => Meaning::Unknown,
    }
}
