//! The protocol without one of its guards: each must be caught by some case of the sweep, else the sweep proves nothing.

use super::fault::Fault;
use super::{Case, Field};
use crate::contract::fixture::Bench;
use crate::machine::{Guard, Guards};

/// Faults that a guard is there for, the likeliest first; none: an undisturbed run will do.
fn faults(guard: Guard) -> &'static [Option<Fault>] {
    match guard {
        Guard::ListAfterCreate => &[Some(Fault::PausesLong)],
        // Of two owners that write the same record number, which every take-over has, the second believes that it won.
        Guard::ReadBack | Guard::PublishBeforeNext | Guard::KeepReferents => &[None],
        Guard::RedoBeforeClaim => &[Some(Fault::KillAfter)],
        Guard::MeasureAfterExists => &[Some(Fault::Conflict)],
        // A stale record and a claimant that stops in the middle: two faults at once, which the search goes through.
        Guard::ListAfterLoad => &[],
        // Power that fails is not part of these runs; the store's own tests look at the order of calls.
        Guard::Fsync => &[],
    }
}

fn caught(field: &Field<'_>, guard: Guard) -> Option<String> {
    let guards = Guards::default().without(guard);
    for fault in faults(guard) {
        let Some(fault) = *fault else {
            let run = field.run(None, guards);
            let told = run.wrong.first().map(|wrong| format!("an undisturbed run: {wrong}"));
            if told.is_some() {
                return told;
            }
            continue;
        };
        for at in 0.. {
            let run = field.run(Some(Case { fault, at }), guards);
            let Some(hit) = run.hit else { break };
            if let Some(wrong) = run.wrong.first() {
                return Some(format!("{fault:?} at request {at} ({hit}): {wrong}"));
            }
        }
    }
    None
}

#[test]
fn every_guard_is_missed() {
    let bench = Bench::memory();
    let field = Field { name: "memory", bench: &bench, threads: 1 };
    for guard in Guard::ALL.into_iter().filter(|guard| !faults(*guard).is_empty()) {
        let caught = caught(&field, guard);
        eprintln!("mutant without {}: {}", guard.as_str(), caught.as_deref().unwrap_or("not caught"));
        assert!(caught.is_some(), "nothing goes wrong without {}", guard.as_str());
    }
}
