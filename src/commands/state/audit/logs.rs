//! The logs: each record whole, a link of a chain, with accounts that add up and a state that is there.

use std::collections::{BTreeMap, HashMap, HashSet};

use sink::Genesis;
use sink::admin::Trace;
use sink::record::{Header, Hex32, Nonce, Record, RecordKind};
use types::PartitionId;

use super::super::Desk;
use super::Verdict;
use crate::commands::progress::{self, Counter, Unit};

/// What the files are compared with.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The newest record of each beginning of which one is kept, with the present one last.
    pub(super) beginnings: Vec<Header>,
    /// By dataset and name, with the record that lists it.
    pub(super) files: BTreeMap<(String, String), Listed>,
    /// The oldest record that is kept: what came before is known by its sums only.
    pub(super) oldest: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    pub(super) seq: u64,
    pub(super) length: u64,
    pub(super) rows: u64,
}

pub(super) fn check(desk: &Desk, verdict: &mut Verdict) -> anyhow::Result<BTreeMap<PartitionId, Log>> {
    let mut logs = BTreeMap::new();
    let meter = progress::count("reading logs", Unit::Of("records"), 0);
    let traces = desk.sinks.survey()?;
    meter.set_total(traces.iter().map(|trace| trace.kept.len() as u64).sum());
    for trace in traces {
        verdict.partitions += 1;
        if trace.kept.is_empty() && trace.has_marker {
            verdict.violation(format!("{}: its log is gone", trace.partition));
        }
        let log = check_one(desk, &trace, &meter, verdict)?;
        logs.insert(trace.partition, log);
    }
    Ok(logs)
}

/// What is known of the records before the one that is looked at.
#[derive(Default)]
struct Before {
    last: Option<(Header, Hex32)>,
    hashes: HashMap<u64, Hex32>,
    nonces: HashSet<Nonce>,
    /// Damaged ones that nothing has answered yet.
    damaged: Vec<String>,
}

fn check_one(desk: &Desk, trace: &Trace, meter: &Counter, verdict: &mut Verdict) -> anyhow::Result<Log> {
    let partition = &trace.partition;
    let mut log = Log::default();
    let mut before = Before::default();
    for kept in &trace.kept {
        meter.add(1);
        let record = match desk.sinks.record(partition, kept.seq)? {
            // Collected meanwhile, with all that came before it.
            None => {
                (log, before) = Default::default();
                continue;
            }
            Some(Ok(record)) => record,
            Some(Err(damage)) => {
                before.damaged.push(format!("{partition}: commit record {} is corrupt: {damage}", kept.seq));
                before.last = None;
                continue;
            }
        };
        verdict.records += 1;
        if let Err(error) = desk.sinks.check_header(partition, record.header()) {
            verdict.violation(format!("{partition}: {error}"));
        }
        for problem in before.problems(&record) {
            verdict.violation(format!("{partition}: commit record {}: {problem}", kept.seq));
        }
        if record.header().kind == RecordKind::Genesis {
            verdict.warnings.extend(before.damaged.drain(..).map(|damage| format!("{damage}; a reset answered it")));
        }
        log.take(record.header());
        before.take(&record);
    }
    verdict.violations.append(&mut before.damaged);
    Ok(log)
}

impl Log {
    fn take(&mut self, header: &Header) {
        if self.beginnings.is_empty() {
            self.oldest = header.seq;
        }
        let goes_on = self.beginnings.last().is_some_and(|last| last.genesis == header.genesis);
        if goes_on {
            self.beginnings.pop();
        }
        self.beginnings.push(header.clone());
        for file in header.files.iter().filter(|file| file.dataset != "markers") {
            let listed = Listed { seq: header.seq, length: file.length, rows: file.rows };
            self.files.insert((file.dataset.clone(), file.name.clone()), listed);
        }
    }

    pub(super) fn head(&self) -> Option<&Header> {
        self.beginnings.last()
    }

    pub(super) fn of(&self, genesis: Genesis) -> Option<&Header> {
        self.beginnings.iter().find(|header| header.genesis == genesis)
    }
}

impl Before {
    fn problems(&self, record: &Record) -> Vec<String> {
        let header = record.header();
        let mut problems = Vec::new();
        if let Err(law) = header.ledger.check() {
            problems.push(format!("its accounts do not add up: {law}"));
        }
        if self.nonces.contains(&header.nonce) {
            problems.push("its nonce was used before".to_owned());
        }
        let state = header.state;
        if state.seq != header.seq && self.hashes.get(&state.seq).copied() != state.hash {
            problems.push(format!("the state that it refers to, in record {}, is not there", state.seq));
        }
        let Some((last, hash)) = &self.last else { return problems };
        let begins_anew = header.kind == RecordKind::Genesis && header.previous.is_none();
        if begins_anew {
            return problems;
        }
        if header.seq != last.seq + 1 {
            problems.push(format!("none between it and {}", last.seq));
        } else if header.previous != Some(*hash) {
            problems.push("it does not follow the record before it".to_owned());
        }
        if header.genesis == last.genesis && header.resume.next < last.resume.next {
            problems.push(format!("it goes back from {} to {}", last.resume.next, header.resume.next));
        }
        problems
    }

    fn take(&mut self, record: &Record) {
        let (header, hash) = (record.header(), Hex32(record.hash()));
        self.hashes.insert(header.seq, hash);
        self.nonces.insert(header.nonce);
        self.last = Some((header.clone(), hash));
    }
}
