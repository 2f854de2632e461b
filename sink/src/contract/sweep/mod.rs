//! Crash points: a scripted run of hundreds of requests to the store, each of which meets every fault in turn; whatever it
//! was, every row is there once in the end.
//!
//! A sample of it always, over memory 2,000 runs; all of it, over memory, a folder, Azurite and an S3-compatible server,
//! with `ATALAIA_SWEEP=all` (`make sweep`). `ATALAIA_SWEEP=KillAfter:137` runs one case.

mod fault;
mod judge;
mod model;
mod mutants;
mod script;
mod store;
mod witness;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ::store::StoreKind;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use tokio::runtime::Handle;

use super::fixture::Bench;
use crate::Places;
use crate::machine::Guards;
use fault::Fault;
use script::Script;
use store::Vault;

/// Of the runs in memory, in every test.
const SAMPLE_IN_MEMORY: usize = 2000;
const SAMPLE: usize = 60;

/// Where runs go on.
struct Field<'a> {
    name: &'static str,
    bench: &'a Bench,
    threads: usize,
}

/// What one request of the run is to meet.
#[derive(Debug, Clone, Copy)]
struct Case {
    fault: Fault,
    at: usize,
}

#[derive(Debug)]
struct Run {
    operations: usize,
    records: usize,
    removed: usize,
    strays: usize,
    /// The request that met the fault.
    hit: Option<String>,
    wrong: Vec<String>,
}

impl Field<'_> {
    fn run(&self, case: Option<Case>, guards: Guards) -> Run {
        let places = self.bench.anew().places;
        // Memory is forgotten after each run.
        let in_memory = places.state.kind == StoreKind::Memory;
        let inner: Arc<dyn ObjectStore> =
            if in_memory { Arc::new(InMemory::new()) } else { Arc::clone(&places.state.store) };
        let io = (!in_memory).then(|| self.bench.runtime.handle().clone());
        run(&places, inner, io, case, guards)
    }
}

/// On a clock that stands still while anything is to be done, and then runs on at once.
fn run(places: &Places, inner: Arc<dyn ObjectStore>, io: Option<Handle>, case: Option<Case>, guards: Guards) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let vault = Vault::new(inner, io, case.map(|case| (case.at, case.fault)));
        let mut script = Script::new(Arc::clone(&vault), places.clone(), guards, case.map(|case| case.fault));
        let ended = script.run().await;
        let mut wrong = judge::judge(&script, places).await;
        wrong.splice(0..0, ended.err());
        drop(script);
        let book = vault.book();
        let (records, removed, strays) = (book.witness.records(), book.witness.removed, book.witness.strays);
        Run { operations: book.operations, records, removed, strays, hit: book.hit.clone(), wrong }
    })
}

/// Every fault at every request, or so many of these spread over both.
fn cases(operations: usize, sample: Option<usize>) -> Vec<Case> {
    let all = |at: usize| Fault::ALL.into_iter().map(move |fault| Case { fault, at });
    let all: Vec<Case> = (0..operations).flat_map(all).collect();
    match sample {
        None => all,
        // A step that has no divisor in common with the number of faults meets each of them in turn.
        Some(count) => {
            let step = (all.len() / count).max(1);
            let step = if step.is_multiple_of(Fault::ALL.len()) { step + 1 } else { step };
            all.into_iter().step_by(step).take(count).collect()
        }
    }
}

fn sweep(field: &Field<'_>, sample: Option<usize>) {
    let plain = field.run(None, Guards::default());
    assert!(plain.wrong.is_empty(), "{plain:#?}");
    assert!(plain.operations >= 200, "{} requests", plain.operations);
    assert!(plain.removed > 20, "old records are removed on the way: {}", plain.removed);
    let chosen = std::env::var("ATALAIA_SWEEP").ok();
    let cases = match chosen.as_deref().map(parse) {
        Some(Some(case)) => vec![case],
        Some(None) => cases(plain.operations, None),
        None => cases(plain.operations, sample),
    };

    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..field.threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let run = field.run(Some(*case), Guards::default());
                    results.lock().expect("not poisoned").push((*case, run));
                }
            });
        }
    });
    let results = results.into_inner().expect("not poisoned");
    let failed: Vec<_> = results.iter().filter(|(_, run)| !run.wrong.is_empty()).collect();
    for (case, run) in failed.iter().take(5) {
        eprintln!(
            "ATALAIA_SWEEP={:?}:{} at {}: {:#?}",
            case.fault,
            case.at,
            run.hit.as_deref().unwrap_or("-"),
            run.wrong
        );
    }
    let unmet = results.iter().filter(|(_, run)| run.hit.is_none()).count();
    let met: usize = results.iter().map(|(_, run)| run.operations).sum();
    let strays: usize = results.iter().map(|(_, run)| run.strays).sum();
    println_sweep(field, &plain, &results, failed.len(), met, strays);
    assert!(failed.is_empty(), "{} of {} runs are not exactly once", failed.len(), results.len());
    assert_eq!(unmet, 0, "every run has met its fault");
}

fn println_sweep(field: &Field<'_>, plain: &Run, results: &[(Case, Run)], failed: usize, met: usize, strays: usize) {
    let mut by_fault: BTreeMap<String, usize> = BTreeMap::new();
    for (case, _) in results {
        *by_fault.entry(format!("{:?}", case.fault)).or_default() += 1;
    }
    let records: usize = results.iter().map(|(_, run)| run.records).sum();
    eprintln!("{by_fault:?}");
    eprintln!(
        "sweep: store={} operations={} runs={} exactly_once={} requests={met} records={records} strays={strays}",
        field.name,
        plain.operations,
        results.len(),
        results.len() - failed,
    );
}

/// `KillAfter:137`; `all` is none.
fn parse(text: &str) -> Option<Case> {
    let (fault, at) = text.split_once(':')?;
    let fault = Fault::ALL.into_iter().find(|known| format!("{known:?}") == fault)?;
    Some(Case { fault, at: at.parse().ok()? })
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

#[test]
fn faults_at_requests_in_memory() {
    sweep(&Field { name: "memory", bench: &Bench::memory(), threads: threads() }, Some(SAMPLE_IN_MEMORY));
}

#[test]
fn faults_at_requests_to_a_local_folder() {
    let folder = tempfile::tempdir().expect("temp folder");
    let bench = Bench::local(folder.path());
    sweep(&Field { name: "local", bench: &bench, threads: threads() }, Some(SAMPLE));
}

#[test]
fn faults_at_requests_to_azurite() {
    if let Some(bench) = Bench::azurite() {
        sweep(&Field { name: "azurite", bench: &bench, threads: 2 * threads() }, Some(SAMPLE));
    }
}

#[test]
fn faults_at_requests_to_s3() {
    if let Some(bench) = Bench::s3() {
        sweep(&Field { name: "s3", bench: &bench, threads: 2 * threads() }, Some(SAMPLE));
    }
}

/// The same case twice ends in the same way, request by request.
#[test]
fn a_case_can_be_repeated() {
    let bench = Bench::memory();
    let field = Field { name: "memory", bench: &bench, threads: 1 };
    for (fault, at) in [(Fault::KillAfter, 60), (Fault::PausesLong, 90), (Fault::Throttled, 120)] {
        let case = Some(Case { fault, at });
        let ends = [(); 2].map(|()| {
            let run = field.run(case, Guards::default());
            // Each run has a folder of its own.
            let hit = run.hit.and_then(|hit| Some(hit.split_once('/')?.1.to_owned()));
            (run.operations, hit, run.records, run.removed, run.strays)
        });
        assert_eq!(ends[0], ends[1], "{case:?}");
    }
}
