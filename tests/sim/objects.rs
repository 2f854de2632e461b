//! The store that all processes share, and what must be true of it at every moment: each object is judged as it comes in.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sink::record::{Header, Hex32, Record, RecordKind};

use crate::datasets::Datasets;
use crate::faults::Step;

/// As delivery keeps them: `<state>/<pipeline>/<topic>/<partition>/log/<seq>`.
pub(crate) const TOPIC: &str = "t";
pub(crate) const PIPELINE: &str = "p";
pub(crate) const DATASETS: [&str; 4] = ["predictions", "late", "quarantine", "runs"];

pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) modified: i64,
}

/// One partition's log, as it grew.
#[derive(Default)]
pub(crate) struct Chain {
    pub(crate) headers: Vec<Header>,
    hash: Option<[u8; 32]>,
    /// Of the newest record: they must be visible before the next.
    files: Vec<String>,
    /// Moves of the arrival clock by elapsed time, in order.
    pub(crate) wall_steps: Vec<(i64, i64)>,
    /// Records that landed below the head: nobody may act on them.
    pub(crate) stale: u32,
}

#[derive(Default)]
pub(crate) struct Objects {
    pub(crate) all: BTreeMap<String, Object>,
    pub(crate) chains: BTreeMap<u32, Chain>,
    /// What the winning records say shall become visible.
    promised: BTreeMap<String, Bytes>,
    pub(crate) datasets: Datasets,
    /// What the last record was, for the trace.
    pub(crate) news: Option<String>,
}

/// What a name is, and what is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    Record { partition: u32, seq: u64 },
    Log { partition: u32 },
    CompleteTo { partition: u32 },
    Marker,
    Markers,
    File(&'a str),
}

pub(crate) fn name(path: &str) -> Option<Name<'_>> {
    if DATASETS.iter().any(|dataset| path.strip_prefix(dataset).is_some_and(|rest| rest.starts_with('/'))) {
        return Some(Name::File(path));
    }
    let rest = path.strip_prefix("state/p/")?;
    match rest.split('/').collect::<Vec<_>>()[..] {
        ["markers"] => Some(Name::Markers),
        ["markers", _] => Some(Name::Marker),
        [TOPIC, partition, "log"] => Some(Name::Log { partition: partition.parse().ok()? }),
        [TOPIC, partition, "complete_to"] => Some(Name::CompleteTo { partition: partition.parse().ok()? }),
        [TOPIC, partition, "log", seq] => {
            Some(Name::Record { partition: partition.parse().ok()?, seq: seq.parse().ok()? })
        }
        _ => None,
    }
}

impl Objects {
    /// False if the name is taken.
    pub(crate) fn create(&mut self, path: &str, bytes: &Bytes, now: i64) -> Result<bool, String> {
        if self.all.contains_key(path) {
            return Ok(false);
        }
        match name(path) {
            Some(Name::Record { partition, seq }) => self.record(partition, seq, bytes)?,
            Some(Name::File(_) | Name::Marker) => match self.promised.get(path) {
                None => return Err(format!("I4: `{path}` is visible, and no record that counts names it")),
                Some(promised) if promised != bytes => {
                    return Err(format!("I4: `{path}` has other bytes than its record"));
                }
                Some(_) => {}
            },
            _ => return Err(format!("`{path}` is no agreed name")),
        }
        self.put(path, bytes.clone(), now);
        Ok(true)
    }

    pub(crate) fn replace(&mut self, path: &str, bytes: &Bytes, now: i64) -> Result<(), String> {
        if !matches!(name(path), Some(Name::CompleteTo { .. })) {
            return Err(format!("`{path}` is replaced"));
        }
        self.put(path, bytes.clone(), now);
        Ok(())
    }

    fn put(&mut self, path: &str, bytes: Bytes, modified: i64) {
        self.all.insert(path.to_owned(), Object { bytes, modified });
    }

    pub(crate) fn delete(&mut self, path: &str) -> Result<bool, String> {
        let Some(Name::Record { partition, seq }) = name(path) else { return Err(format!("`{path}` is deleted")) };
        let present = self.all.contains_key(path);
        let held: BTreeSet<u64> = self.seqs(partition);
        let chain = self.chains.get(&partition).ok_or("a record of no log is deleted")?;
        let head = chain.headers.last().map_or(0, |header| header.seq);
        if present && seq >= head {
            return Err(format!("I6: the head of partition {partition}, {seq}, is deleted"));
        }
        let newest = held.iter().rev().take(4);
        let needed = newest.map(|kept| chain.headers.get(*kept as usize).map_or(0, |header| header.state.seq)).min();
        if present && needed.is_some_and(|needed| needed == seq) {
            return Err(format!("partition {partition}: {seq} is deleted, and a kept record goes on from its state"));
        }
        self.all.remove(path);
        Ok(present)
    }

    fn seqs(&self, partition: u32) -> BTreeSet<u64> {
        let prefix = format!("state/{PIPELINE}/{TOPIC}/{partition}/log/");
        let held = self.all.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        held.filter_map(|(path, _)| path[prefix.len()..].parse().ok()).collect()
    }

    /// A record of the log: the next one, or one that comes too late to count.
    fn record(&mut self, partition: u32, seq: u64, bytes: &Bytes) -> Result<(), String> {
        let record = Record::open(bytes.clone()).map_err(|damage| format!("a damaged record is written: {damage}"))?;
        let header = record.header().clone();
        let at = |what: &str| format!("partition {partition}, record {seq}: {what}");
        if (header.seq, header.partition) != (seq, partition) {
            return Err(at("its header says otherwise"));
        }
        header.ledger.check().map_err(|law| at(&format!("I8: {law}")))?;
        let chain = self.chains.entry(partition).or_default();
        if seq < chain.headers.len() as u64 {
            chain.stale += 1;
            return Ok(());
        }
        if seq > chain.headers.len() as u64 {
            return Err(at(&format!("I1: it does not follow {}", chain.headers.len())));
        }
        if header.previous.map(|Hex32(hash)| hash) != chain.hash {
            return Err(at("I1: it names another record before it"));
        }
        if let Some(before) = chain.headers.last() {
            if header.resume.next < before.resume.next {
                return Err(at(&format!("I2: next goes back from {} to {}", before.resume.next, header.resume.next)));
            }
            if header.genesis != before.genesis || header.kind == RecordKind::Genesis {
                return Err(at("I1: it begins anew"));
            }
            if header.ledger.records < before.ledger.records {
                return Err(at("I8: records are forgotten"));
            }
        } else if header.kind != RecordKind::Genesis {
            return Err(at("I1: the first record is no genesis"));
        }
        if let Some(missing) = chain.files.iter().find(|file| !self.all.contains_key(*file)) {
            return Err(at(&format!("I3: `{missing}` of the record before is not visible yet")));
        }
        if header.state.seq > seq {
            return Err(at("I2: its state is of the future"));
        }
        chain.hash = Some(record.hash());
        chain.wall_steps.extend(header.resume.wall_steps.iter().copied());
        chain.files.clear();
        for (file, entry) in header.files.iter().enumerate() {
            let place = match &*entry.dataset {
                "markers" => format!("state/{PIPELINE}/markers"),
                dataset if DATASETS.contains(&dataset) => dataset.to_owned(),
                dataset => return Err(at(&format!("there is no dataset `{dataset}`"))),
            };
            let path = format!("{place}/{}", entry.name);
            if self.promised.insert(path.clone(), record.file(file)).is_some() {
                return Err(at(&format!("I4: `{path}` belongs to two records")));
            }
            chain.files.push(path);
        }
        let resume = &header.resume;
        self.news = Some(format!(
            "{partition} has {:?} {seq} at {}, claims {}, careful {:?}, steps {:?}",
            header.kind, resume.next, header.claims, resume.careful, resume.wall_steps
        ));
        chain.headers.push(header);
        Ok(())
    }

    /// Everything that any record promised is there, at the end.
    pub(crate) fn check_published(&self) -> Result<(), String> {
        match self.promised.keys().find(|path| !self.all.contains_key(*path)) {
            None => Ok(()),
            Some(path) => Err(format!("`{path}` was never published")),
        }
    }

    pub(crate) fn list(&self, prefix: &str, after: Option<&str>) -> Vec<(String, u64, i64)> {
        let below = format!("{prefix}/");
        let held = self.all.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below));
        held.filter(|(path, _)| after.is_none_or(|after| path.as_str() > after))
            .map(|(path, object)| (path.clone(), object.bytes.len() as u64, object.modified))
            .collect()
    }

    /// A reader that lists the datasets now.
    pub(crate) fn look(&mut self) -> Result<(), String> {
        let Objects { all, datasets, .. } = self;
        let files = all.iter().filter(|(path, _)| matches!(name(path), Some(Name::File(_))));
        datasets.look(files.map(|(path, object)| (path.as_str(), &object.bytes)))
    }
}

/// What one process does with one partition, by which the purpose of a request is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Doing {
    #[default]
    Claiming,
    /// A claim record was sent.
    Taking,
    /// Any other record was sent.
    Committing,
    /// Its place in the log is confirmed.
    Confirmed { is_claim: bool },
}

pub(crate) enum Verb {
    Create,
    Replace,
    Get { is_part: bool },
    Head,
    Delete,
    List,
}

impl Doing {
    /// What the request is for.
    pub(crate) fn step(self, verb: &Verb, name: Name<'_>) -> Step {
        let claims = matches!(self, Doing::Claiming);
        match (verb, name) {
            (Verb::Create, Name::Record { .. }) if matches!(self, Doing::Taking) => Step::ClaimCreate,
            (Verb::Create, Name::Record { .. }) => Step::CommitCreate,
            (Verb::Create, _) if claims => Step::ClaimPublish,
            (Verb::Create, _) => Step::CommitPublish,
            (Verb::Replace, _) => Step::CompleteTo,
            (Verb::Delete, _) => Step::SweepDelete,
            (Verb::List, Name::Markers) => Step::ClaimVacant,
            (Verb::List, _) => match self {
                Doing::Claiming => Step::ClaimList,
                Doing::Taking => Step::ClaimConfirm,
                Doing::Committing => Step::CommitConfirm,
                Doing::Confirmed { .. } => Step::SweepList,
            },
            (Verb::Get { .. } | Verb::Head, Name::Marker) if claims && !matches!(verb, Verb::Head) => Step::ClaimVacant,
            (Verb::Get { is_part: false }, _) => Step::ClaimLoad,
            (Verb::Get { is_part: true }, _) => match self {
                Doing::Claiming => Step::ClaimLoad,
                Doing::Taking => Step::ClaimReadBack,
                Doing::Committing => Step::CommitReadBack,
                Doing::Confirmed { is_claim: true } => Step::ClaimHeaders,
                Doing::Confirmed { is_claim: false } => Step::SweepState,
            },
            (Verb::Head, _) if claims => Step::ClaimMeasure,
            (Verb::Head, _) => Step::CommitMeasure,
        }
    }
}
