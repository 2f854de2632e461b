//! Exhaustive search of the protocol: every order in which writers, the store and their faults can act, with the real
//! machine in each writer.
//!
//! Two writers (or more) own the partition or want to. At any moment any of them may be killed, any number of times, or
//! stand still for any time; answers are lost, requests land late or never, also after their sender died; owners sweep.
//! Whatever takes effect is held against the invariants (`store`), and from a sample of all states each writer, left
//! alone, must get all windows into view (`alone`). States are told apart by all that decides what can follow; writers are
//! alike. Two bounds keep the number of states finite: how long the log may get (`seq_max`), and how many requests without
//! a sender may still land (`adrift_max`). A violation is printed with a shortest way to it.
//!
//! `cargo test -p atalaia-sink --test search` runs the small worlds and all mutants; `make search` larger ones.

mod acting;
mod alone;
mod around;
mod explore;
mod fingerprint;
mod model;
mod mutants;
mod record;
mod step;
mod store;
mod trace;
mod world;
mod writer;

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use explore::{Explored, explore};
use model::Model;

#[test]
fn the_protocol_holds_and_every_mutant_is_found() {
    let begun = Instant::now();
    let Model { writers, windows, commits, .. } = Model::small();
    let delayed = Model { delayed: true, ..Model::small() };
    let sound = [("small", delayed), ("beginning", Model::beginning())].map(|(name, model)| sound(name, model));
    let states: usize = sound.iter().map(|explored| explored.states).sum();

    let mutants = mutants::all();
    let (mut found, mut steps) = (0, String::new());
    for mutant in &mutants {
        let explored = explore(&mutant.model);
        tell(mutant.name, &explored);
        let Some(violation) = explored.violation else { continue };
        found += 1;
        let comma = if steps.is_empty() { "" } else { ", " };
        let _ = write!(steps, "{comma}{}: {} {}", mutant.name, violation.trace.len(), violation.broken.invariant);
    }
    say(&format!(
        "search: writers={writers} windows={windows} commits={commits} states={states} violations=0 \
         mutants={found}/{} ({steps}) seconds={:.0}",
        mutants.len(),
        begun.elapsed().as_secs_f64(),
    ));
    assert_eq!(found, mutants.len(), "a guard that the search does not miss");
}

/// Each larger than the small one in another direction.
const LARGER: [&str; 4] =
    ["writers=3 seq_max=2", "begun=0 seq_max=2 delayed=1", "seq_max=3 kept=2 young=1 sleeps=1", "seq_max=4 commits=4"];

/// One world can be asked for: `make search SEARCH="seq_max=4 commits=4 delayed=1"`.
#[test]
#[ignore = "takes an hour and gigabytes: `make search`"]
fn larger_worlds_are_sound() {
    let asked = std::env::var("SEARCH").unwrap_or_default();
    let worlds = if asked.is_empty() { LARGER.to_vec() } else { vec![asked.as_str()] };
    for words in worlds {
        let begun = Instant::now();
        let explored = sound(words, Model::small().with(words));
        let seconds = begun.elapsed().as_secs();
        say(&format!("search: {words} states={} violations=0 seconds={seconds}", explored.states));
    }
}

fn sound(name: &str, model: Model) -> Explored {
    let explored = explore(&model);
    tell(name, &explored);
    assert!(explored.violation.is_none(), "{name}: a violation, see the trace above");
    assert!(explored.states > 1000 && explored.alone > 0, "{name}: nothing was searched");
    explored
}

fn tell(name: &str, explored: &Explored) {
    let Explored { states, transitions, depth, alone, violation } = explored;
    say(&format!("{name}: states={states} transitions={transitions} depth={depth} alone={alone}"));
    let Some(violation) = violation else { return };
    for (number, line) in (1..).zip(&violation.trace) {
        say(&format!("  {number:2} {line}"));
    }
    say(&format!("  => {}: {}", violation.broken.invariant, violation.broken.what));
}

/// Past the capture of tests' output: the figures are worth a line in every run.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
