//! The windows against the executable specification: its cases by hand, and random logs that Python judges.
//!
//! Equal means equal to the bit, for floats too, however often rows are drained and wherever the windows are stopped.

use std::path::{Path, PathBuf};
use std::process::Command;

use aggregate::TakeLimit;
use serde::Deserialize;

use crate::support;
use crate::support::{Entry, Line, Pause, SpecConfig};

#[derive(Deserialize)]
struct Case {
    name: String,
    config: SpecConfig,
    log: Vec<Entry>,
    outcome: Vec<Line>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/timespec")
}

/// Batches of 1, 7, 4096 entries and the whole; rows taken a few at a time; then stops at every entry and at scattered ones.
fn check(case: &Case) {
    let run = |pause: &dyn Fn(usize) -> Pause| {
        support::run_from(case.config.settings(), case.config.begin(), &case.log, |number, _| pause(number))
    };
    for size in [1, 7, 4096, usize::MAX] {
        let drained = |number: usize| if (number + 1).is_multiple_of(size) { Pause::Drain } else { Pause::None };
        assert_outcome(case, &run(&drained), &format!("batches of {size}"));
    }
    assert_outcome(case, &run(&|_| Pause::Take(TakeLimit { rows: 1, dates: 1 })), "rows taken one by one");
    assert_outcome(case, &run(&|_| Pause::Restore), "restored after each entry");
    let scattered = |number: usize| match number.wrapping_mul(2_654_435_761) >> 7 & 7 {
        0 => Pause::Restore,
        1 => Pause::Drain,
        2 => Pause::Take(TakeLimit { rows: 2, dates: 1 }),
        _ => Pause::None,
    };
    assert_outcome(case, &run(&scattered), "drained and restored here and there");
}

fn assert_outcome(case: &Case, got: &[Line], how: &str) {
    for (number, (got, want)) in got.iter().zip(&case.outcome).enumerate() {
        assert_eq!(got, want, "`{}`, {how}, line {number}", case.name);
    }
    assert_eq!(got.len(), case.outcome.len(), "`{}`, {how}: number of lines", case.name);
}

#[test]
fn every_case_of_the_specification_comes_out_as_reasoned_by_hand() {
    let text = std::fs::read_to_string(folder().join("cases.json")).expect("cases.json");
    let cases: Vec<Case> = serde_json::from_str(&text).expect("cases");
    assert!(cases.len() >= 79);
    cases.iter().for_each(check);
}

#[test]
fn random_logs_come_out_as_the_specification_says() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: random logs need `python3`, which is not installed");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/random_logs.py");
    let done = Command::new("python3").arg(script).arg(folder()).args(["1000", "120"]).output().expect("python3");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).expect("UTF-8");
    let cases: Vec<Case> = text.lines().map(|line| serde_json::from_str(line).expect("case")).collect();
    assert_eq!(cases.len(), 120);
    cases.iter().for_each(check);
}
