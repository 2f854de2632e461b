//! One case at a time for valgrind, which counts what happens within [`this_is_counted`] and nothing else.

#![allow(clippy::print_stdout, reason = "its output is read by a script")]

use std::hint::black_box;

use microbench::{CASES, Case, Work};

pub(crate) fn list() {
    for Case { name, .. } in CASES.iter().filter(|case| case.is_counted) {
        println!("{name}");
    }
}

/// Prints the unit and how many of them were done.
pub(crate) fn run(name: &str) {
    let case = CASES.iter().find(|case| case.name == name).expect("the script names a case of the list");
    let mut work = (case.make)();
    // Once before: models are resolved, templates learnt, buffers grown.
    work.prepare();
    work.run();
    work.prepare();
    println!("{} {}", this_is_counted(work.as_mut()), case.unit);
}

/// `scripts/instructions` knows it by its name.
#[inline(never)]
fn this_is_counted(work: &mut dyn Work) -> usize {
    work.run();
    // Something is left to do after the run: as a jump at the end it would take the place of this function.
    black_box(work.units())
}
