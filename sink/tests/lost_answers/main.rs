//! The one hard step against a real blob service: creating an object when the answer may be lost. A proxy stands between
//! the sink and Azurite and swallows answers, invents errors, hangs and refuses; each commit arrives once.
//!
//! Needs `ATALAIA_TEST_AZURITE` and `ATALAIA_TEST_PYTHON`; without them it is skipped in sight.

#![allow(clippy::print_stderr, reason = "a skipped test must be seen")]

mod proxy;
mod stage;

use std::time::{Duration, Instant};

use sink::{Outcome, Sink};

use proxy::Proxy;
use stage::{Stage, begin, claim};

/// What is created: the record, and one of its files.
const OBJECTS: [(&str, &str); 2] = [("log", "PUT .*/log/"), ("file", "PUT .*/predictions/date=")];

/// What the create meets, and how often in a row.
const FAULTS: [&str; 8] = [
    "next 1 drop-answer",
    "next 2 drop-answer",
    "next 1 500-after",
    "next 5 500-after",
    "next 1 503",
    "next 9 503",
    "next 1 hang",
    "next 1 refuse",
];

fn proxied() -> Option<Proxy> {
    let (azurite, python) = (wanted("ATALAIA_TEST_AZURITE")?, wanted("ATALAIA_TEST_PYTHON")?);
    Some(Proxy::start(&python, &azurite))
}

/// The variable, or a skip that is seen, or a failure where services are promised.
fn wanted(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        assert!(std::env::var_os("ATALAIA_TEST_REQUIRED").is_none(), "{variable} is not set");
        eprintln!("SKIPPED: {variable} is not set");
    }
    value
}

#[test]
fn each_create_arrives_once_whatever_its_answer_met() {
    let Some(mut proxy) = proxied() else { return };
    let mut met = 0;
    for (what, pattern) in OBJECTS {
        for fault in FAULTS {
            let stage = Stage::new(&proxy);
            let mut owner = stage.through_proxy();
            begin(&mut owner);
            proxy.tell(&format!("{fault} {pattern}"));
            for next in [10, 20] {
                let outcome = stage.commit(&mut owner, next);
                assert!(matches!(outcome, Outcome::Done(_)), "{what}, {fault}: {outcome:?}");
            }
            assert_eq!(proxy.tell("left"), "ok 0", "{what}, {fault}: the fault was met");
            stage.holds(2, &[10, 20], &format!("{what}, {fault}"));
            met += 1;
        }
    }
    eprintln!("lost answers: objects={} faults={} exactly_once={met}", OBJECTS.len(), FAULTS.len());
}

#[test]
fn an_outage_is_waited_out() {
    let Some(mut proxy) = proxied() else { return };
    for fault in ["refuse", "503", "hang", "drop-answer"] {
        let stage = Stage::new(&proxy);
        let mut owner = stage.through_proxy();
        begin(&mut owner);
        proxy.tell(fault);
        stage.start(&mut owner, 10);
        let began = Instant::now();
        while stage.proxied.health().troubles.is_empty() || began.elapsed() < Duration::from_secs(2) {
            let outcome = owner.sink.wait(Duration::from_millis(200));
            assert!(matches!(outcome, Outcome::Pending), "{fault}: {outcome:?}");
            assert!(began.elapsed() < stage::WAIT, "{fault}: nobody is told");
        }
        proxy.tell("pass");
        let outcome = owner.sink.wait(stage::WAIT);
        assert!(matches!(outcome, Outcome::Done(_)), "{fault}: {outcome:?}");
        assert!(stage.proxied.health().troubles.is_empty(), "{fault}: and healed");
        stage.holds(1, &[10], fault);
    }
}

/// The answer to the record is lost, and another owner comes before it can be asked for again: the record counts, its
/// files are published once, by the other, and its author is told that it was fenced.
#[test]
fn another_owner_finishes_what_the_first_has_no_answer_for() {
    let Some(mut proxy) = proxied() else { return };
    for (lost, what) in [("drop-answer", "log"), ("500-after", "log"), ("drop-answer", "file"), ("hang", "file")] {
        let pattern = OBJECTS.iter().find(|(name, _)| *name == what).expect("known").1;
        let stage = Stage::new(&proxy);
        let mut old = stage.through_proxy();
        begin(&mut old);
        // All that follows hangs, so that the other has time.
        proxy.tell(&format!("next 1 {lost} {pattern}"));
        let follows = if what == "log" { "hang .*" } else { "hang (PUT|HEAD) .*/predictions/" };
        proxy.tell(follows);
        stage.start(&mut old, 10);
        let told = proxy.until(|proxy| proxy.tell("left") == "ok 0");
        assert!(told, "{lost} of {what}: the record was sent");
        // The proxy counts a request before it is applied.
        let landed = proxy.until(|_| stage.has_record(1));
        assert!(landed, "{lost} of {what}: and has landed");

        let mut new = stage.direct();
        assert_eq!(claim(&mut new), Some(10), "{lost} of {what}: it counts");
        let outcome = stage.commit(&mut new, 30);
        assert!(matches!(outcome, Outcome::Done(_)), "{lost} of {what}: {outcome:?}");
        proxy.tell("pass");
        match old.sink.wait(stage::WAIT) {
            Outcome::Fenced => assert_eq!(what, "log", "{lost}"),
            // It had seen that nothing followed its record, and put files that were there already.
            Outcome::Done(committed) => assert_eq!((what, committed.seq), ("file", 1), "{lost}"),
            other => panic!("{lost} of {what}: {other:?}"),
        }
        if what == "file" {
            let outcome = stage.commit(&mut old, 40);
            assert!(matches!(outcome, Outcome::Fenced), "{lost} of {what}: {outcome:?}");
        }
        stage.holds(3, &[10, 30], &format!("{lost} of {what}"));
    }
}

/// The record never reached the store, and another owner took its place: the one that comes too late publishes nothing.
#[test]
fn a_create_that_comes_too_late_loses() {
    let Some(mut proxy) = proxied() else { return };
    for fault in ["hang", "503", "refuse"] {
        let stage = Stage::new(&proxy);
        let mut old = stage.through_proxy();
        begin(&mut old);
        let before = proxy.tell("hits");
        proxy.tell(&format!("{fault} PUT .*/log/"));
        stage.start(&mut old, 10);
        assert!(proxy.until(|proxy| proxy.tell("hits") != before), "{fault}: it was tried");
        let mut new = stage.direct();
        assert_eq!(claim(&mut new), Some(0), "{fault}: nothing has landed");
        let outcome = stage.commit(&mut new, 30);
        assert!(matches!(outcome, Outcome::Done(_)), "{fault}: {outcome:?}");
        proxy.tell("pass");
        let outcome = old.sink.wait(stage::WAIT);
        assert!(matches!(outcome, Outcome::Fenced), "{fault}: {outcome:?}");
        stage.holds(2, &[30], fault);
    }
}
