//! Each exit status of `atalaia run`, as `docs/running.md` lists them: by a run that ends with it.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Atalaia, Running, http};

const PROMPT: Duration = Duration::from_secs(30);

fn run(input: &Path, results: &Path) -> Atalaia {
    of_files("run", input, results)
}

fn of_files(command: &str, input: &Path, results: &Path) -> Atalaia {
    Atalaia::new(command)
        .config("[ingest]\nsource = \"files\"\n[aggregate]\nwindow = \"1m\"\n")
        .set("ingest.files.path", input.display())
        .set("sink.url", results.display())
}

#[test]
fn a_job_that_has_read_everything_is_done_and_one_that_was_stopped_before_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (results, file) = (folder.path().join("results"), folder.path().join("readings.jsonl"));
    std::fs::write(&file, "{\"device\":\"d\",\"sensor\":\"s\",\"ts\":1700000000,\"value\":1}\n").unwrap();
    run(&file, &results).arg("--until-idle").run().status_is(0);

    // A pipe that nobody writes to has no end; the status says whether to run the job again.
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    for (until_idle, status) in [(true, 130), (false, 0)] {
        let results = folder.path().join(format!("results-{status}"));
        let command = run(&pipe, &results);
        let command = if until_idle { command.arg("--until-idle") } else { command };
        let mut service = command.start();
        let writer = OpenOptions::new().write(true).open(&pipe).expect("it opens when it is read");
        service.wait_for_log("partition begun", PROMPT);
        service.terminate(PROMPT).status_is(status);
        drop(writer);
    }
}

#[test]
fn what_cannot_be_run_fails_and_a_mistake_on_the_command_line_is_told_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere.jsonl");
    let outcome = run(&nowhere, folder.path()).set("aggregate.window", "0s").run().status_is(1);
    assert!(outcome.stderr.contains("aggregate.window"), "{}", outcome.stderr);
    run(&nowhere, folder.path()).arg("--until-idle").run().status_is(1);
    run(&nowhere, folder.path()).arg("--for-ever").run().status_is(2);
    Atalaia::new("run").run().status_is(2);
}

/// With models in a store that takes connections and never answers.
fn waiting_for_models(command: Atalaia, silent: &TcpListener) -> Running {
    let address = silent.local_addr().expect("it is bound");
    command
        .set("score.models", "az://models/sets")
        .set("models.storage.account", "devstoreaccount1")
        .set("models.storage.endpoint", format!("http://{address}/devstoreaccount1"))
        .set("models.storage.allow_plaintext", true)
        .set("models.storage.key", "env:MODELS_KEY")
        .env("MODELS_KEY", "a2V5")
        .start()
}

#[test]
fn what_is_stopped_before_it_had_begun_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (readings, results) = (folder.path().join("readings.jsonl"), folder.path().join("results"));
    let mut service = waiting_for_models(run(&readings, &results), &silent);
    let listener = service.telemetry_address();
    let answer = http::get(&listener, "/livez").expect("it answers while it starts");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    let answer = http::get(&listener, "/readyz").expect("it answers while it starts");
    assert!(answer.status == 503 && answer.body.starts_with("not ready: starting"), "{}", answer.body);
    service.terminate(PROMPT).status_is(130);

    // A job is told as little by a store that hangs, and ends as promptly.
    std::fs::write(&readings, "").unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let mut job = waiting_for_models(of_files("score", &readings, &results), &silent);
    let _asked = job.wait_until("it to ask for its models", PROMPT, |_| silent.accept().ok());
    let left = job.terminate(PROMPT).status_is(130);
    assert!(left.stderr.contains("stopped: nothing had begun"), "{}", left.stderr);
}
