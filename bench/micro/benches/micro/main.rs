//! `make microbench`: how many events, windows, rows or series a second each stage of the hot path takes.
//!
//! `make instructions` (`scripts/instructions`) runs the same cases under valgrind, one a process: see `counted`.

mod counted;

use divan::Bencher;
use divan::counter::ItemsCount;
use microbench::{CASES, Case};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--counted-cases"] => counted::list(),
        ["--count", name] => counted::run(name),
        _ => divan::main(),
    }
}

/// One run a sample: a run is thousands of events, and brings the state on.
#[divan::bench(args = CASES, sample_size = 1)]
fn hot_path(bencher: Bencher, case: &Case) {
    let work = std::cell::RefCell::new((case.make)());
    let units = work.borrow().units();
    bencher
        .counter(ItemsCount::new(units))
        .with_inputs(|| work.borrow_mut().prepare())
        .bench_local_values(|()| work.borrow_mut().run());
}
