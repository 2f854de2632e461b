//! Jobs and services as parts of a shell's pipe: input that comes when it likes, output that cannot always be written.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::support::Atalaia;

const PROMPT: Duration = Duration::from_secs(20);

fn readings(times: std::ops::Range<i64>) -> String {
    times.map(|n| format!("{{\"device\":\"d\",\"sensor\":\"s\",\"ts\":{},\"value\":1}}\n", 1_700_000_000 + n)).collect()
}

fn atalaia(subcommand: &str, input: &Path, results: &Path) -> Atalaia {
    Atalaia::new(subcommand)
        .config("[ingest]\nsource = \"files\"\n[aggregate]\nwindow = \"1m\"\n")
        .set("ingest.files.path", input.display())
        .set("sink.url", results.display())
}

fn fifo(folder: &Path) -> PathBuf {
    let path = folder.join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    path
}

#[test]
fn each_job_reads_all_that_is_piped_into_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("readings.jsonl");
    // More than a sample of the input, and than a pipe takes at once.
    fs::write(&file, readings(0..5000)).unwrap();
    let results = folder.path().join("results");
    for _ in 0..2 {
        let job = atalaia("score", Path::new("-"), &results).stdin(&file).args(["--format", "json"]).run().success();
        assert_eq!(job.json_lines()[0]["counts"]["readings"], 5000);
    }
    let fifo = fifo(folder.path());
    let job = atalaia("score", &fifo, &results).args(["--format", "json"]).start();
    OpenOptions::new().write(true).open(&fifo).unwrap().write_all(readings(0..5000).as_bytes()).unwrap();
    let job = job.wait(PROMPT).success();
    assert_eq!(job.json_lines()[0]["counts"]["readings"], 5000);
}

#[test]
fn what_is_piped_shows_at_once_and_a_service_that_waits_for_a_pipe_hears_a_request_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    let fifo = fifo(folder.path());

    let mut preview = atalaia("preview", &fifo, &results).args(["--format", "json"]).start();
    let mut pipe = OpenOptions::new().write(true).open(&fifo).unwrap();
    for n in 0..2 {
        pipe.write_all(readings(n..n + 1).as_bytes()).unwrap();
        preview.wait_until("the record", PROMPT, |preview| {
            (preview.stdout().lines().count() as i64 == n + 1).then_some(())
        });
    }
    drop(pipe);
    preview.wait(PROMPT).success();

    let mut service = atalaia("run", &fifo, &results).start();
    let mut pipe = OpenOptions::new().write(true).open(&fifo).unwrap();
    pipe.write_all(readings(0..10).as_bytes()).unwrap();
    service.wait_for_log("partition begun", PROMPT);
    service.terminate(PROMPT).success();
    drop(pipe);
}

#[test]
fn a_job_of_which_nothing_is_usable_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.jsonl");
    let line = "{\"device\":\"d\",\"sensor\":\"s\",\"ts\":\"noon\",\"value\":1}\n";
    fs::write(&file, line.repeat(5000) + "no\n").unwrap();
    let results = folder.path().join("results");
    let job = atalaia("score", &file, &results).args(["--format", "json"]).run().status_is(1);
    let shown = &job.json_lines()[0];
    assert_eq!(shown["refused"], json!({ "bad_time": 5000, "invalid_json": 1 }));
    assert!(shown["hint"].as_str().expect("a hint").contains("`atalaia preview`"), "{shown}");
    assert_eq!(job.stderr.matches("are refused").count(), 1, "said once: {}", job.stderr);
    assert!(job.stderr.contains("noon"), "{}", job.stderr);

    let job = atalaia("score", &file, &folder.path().join("others")).run().status_is(1);
    assert!(job.stdout.contains("5,001: 5,000 bad_time, 1 invalid_json"), "{}", job.stdout);
    assert!(job.stdout.lines().last().expect("lines").starts_with("nothing was usable"), "{}", job.stdout);
}

#[test]
#[cfg(target_os = "linux")]
fn output_that_cannot_be_written_is_a_failure_and_a_reader_that_left_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("readings.jsonl");
    fs::write(&file, readings(0..5000)).unwrap();
    let config = folder.path().join("pipeline.toml");
    fs::write(&config, format!("[ingest]\nsource = \"files\"\nfiles.path = {file:?}\n[sink]\nurl = \"results\"\n"))
        .unwrap();
    let command = |subcommand: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atalaia"));
        command.arg(subcommand).arg("-c").arg(&config).current_dir(folder.path()).stderr(Stdio::piped());
        command
    };
    for subcommand in ["preview", "score", "validate"] {
        for format in ["text", "json"] {
            let full = File::create("/dev/full").unwrap();
            let outcome = command(subcommand).args(["--format", format]).stdout(full).output().unwrap();
            let said = String::from_utf8_lossy(&outcome.stderr);
            assert_eq!(outcome.status.code(), Some(1), "{subcommand} {format}: {said}");
            assert!(said.contains("write to standard output"), "{subcommand} {format}: {said}");
        }
    }
    let mut left = command("preview").args(["--format", "json"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(left.stdout.take());
    assert!(left.wait().unwrap().success());
}

#[test]
fn simulated_records_are_piped_as_they_are_written_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let simulate = |out: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atalaia"));
        command.args(["simulate", "--devices", "3", "--duration", "30min", "--format", "csv", "--out", out]);
        command.current_dir(folder.path());
        command
    };
    let piped = simulate("-").output().unwrap();
    let told = String::from_utf8_lossy(&piped.stderr);
    assert!(piped.status.success() && told.contains("standard output"), "{told}");
    assert!(simulate("readings.csv").output().unwrap().status.success());
    let written = fs::read(folder.path().join("readings.csv")).unwrap();
    assert!(written.len() > 1000 && written == piped.stdout, "{} and {} bytes", written.len(), piped.stdout.len());
    let mut left = simulate("-").stdout(Stdio::piped()).spawn().unwrap();
    drop(left.stdout.take());
    assert!(left.wait().unwrap().success(), "whoever reads may stop early");
}
