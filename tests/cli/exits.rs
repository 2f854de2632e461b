//! Exit statuses, and which stream says what. Those of runs and services are in `tests/it/exits.rs`.

use std::fs;
use std::process::Stdio;

use crate::support::{atalaia, root, run, sections};

/// The status, and whether something was said on standard output and on standard error.
fn outcome(arguments: &[&str]) -> (Option<i32>, bool, bool) {
    let done = run(arguments);
    (done.status.code(), !done.stdout.is_empty(), !done.stderr.is_empty())
}

#[test]
fn each_kind_of_end_has_its_status_and_its_stream() {
    let cases: [(&[&str], i32, bool, bool); 14] = [
        // Asked for: standard output.
        (&["--help"], 0, true, false),
        (&["-h"], 0, true, false),
        (&["--version"], 0, true, false),
        (&["help", "models", "list"], 0, true, false),
        (&["estimate", "--devices", "10", "--format", "json"], 0, true, false),
        // Mistakes: standard error, and nothing for who reads the output.
        (&[], 2, false, true),
        (&["rum"], 2, false, true),
        (&["run"], 2, false, true),
        (&["run", "--for-ever"], 2, false, true),
        (&["--color", "sometimes", "top"], 2, false, true),
        // Failures.
        (&["run", "-c", "nowhere.toml"], 1, false, true),
        (&["score", "-c", "nowhere.toml", "--quiet"], 1, false, true),
        (&["top", "--format", "json", "--url", "http://127.0.0.1:9"], 1, false, true),
        (&["health", "--url", "http://127.0.0.1:9/livez"], 1, false, true),
    ];
    for (arguments, status, output, error) in cases {
        assert_eq!(outcome(arguments), (Some(status), output, error), "{arguments:?}");
    }
    // The answer is no: a verdict is data.
    let json = run(&["validate", "-c", "nowhere.toml", "--format", "json"]);
    let verdict: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json.status.code(), &verdict["ok"]), (Some(1), &false.into()));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for arguments in [&["--help"][..], &["completions", "bash"], &["man"], &["estimate", "--devices", "10"]] {
        let mut left = atalaia(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(left.stdout.take());
        let done = left.wait_with_output().unwrap();
        assert_eq!((done.status.code(), done.stderr.len()), (Some(0), 0), "{arguments:?}");
    }
}

#[test]
fn what_was_mistyped_is_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("pipeline.toml");
    fs::write(&config, "").unwrap();
    let config = config.to_str().unwrap();
    for (arguments, guess) in [
        (&["modles"][..], "models"),
        (&["models", "rolback"], "rollback"),
        (&["run", "--until-idel"], "--until-idle"),
        (&["score", "-c", "x", "--close", "al"], "all"),
        (&["validate", "-c", config, "--set", "agregate.window=1m"], "aggregate"),
    ] {
        let done = run(arguments);
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(said.contains(guess), "{arguments:?}: {said}");
    }
}

#[test]
fn the_statuses_of_help_are_those_of_the_page() {
    let sections = sections(&atalaia::cli::command());
    let told = &sections.iter().find(|(heading, _)| heading == "Exit status").expect("a table").1;
    let statuses: Vec<&str> =
        told.iter().filter_map(|line| line.split(' ').next().filter(|word| !word.is_empty())).collect();
    assert_eq!(statuses, ["0", "1", "2", "3", "130"]);
    let page = fs::read_to_string(root().join("docs/running.md")).unwrap();
    for status in statuses {
        assert!(page.contains(&format!("\n| {status} |")), "docs/running.md lacks {status}");
    }
}
