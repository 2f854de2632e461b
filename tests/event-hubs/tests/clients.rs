//! Microsoft's own clients judge the emulator: each operation of each client is a line, and every line has to be there.
//!
//! The scripts in `judges/` use the clients as they are published; what an operation means is written there.
//! `scripts/services run --azurite --python --event-hubs-js -- cargo test -p atalaia-event-hubs-emulator` runs them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use emulator::{Emulator, HubOptions, Options};
use tokio::runtime::Runtime;

/// What both clients are asked to do.
const OPERATIONS: [&str; 23] = [
    "properties-hub",
    "properties-partition",
    "send-single",
    "send-batch",
    "send-large",
    "send-to-partition",
    "send-with-partition-key",
    "bodies",
    "properties-kept",
    "receive-from-positions",
    "receive-latest",
    "last-enqueued",
    "epoch-steal",
    "processor",
    "wrong-key-refused",
    "unknown-hub-refused",
    "unknown-partition-refused",
    "reconnect",
    "closed-by-force",
    "token-expiry",
    "detached-as-busy",
    "throttled",
    "add-partitions",
];
/// The JavaScript client renews tokens two minutes before they end, and takes a credential over TLS alone; the last two need
/// an emulator of their own, once.
const PYTHON_ONLY: [&str; 4] = ["token-renewal", "web-tokens", "kill-and-restart", "encrypted"];

/// What a script said, by operation.
type Verdicts = BTreeMap<String, String>;

#[test]
fn python() {
    let Some(python) = service("ATALAIA_TEST_PYTHON", "Python with judges") else { return };
    judge("python", Command::new(python), "python/judge.py", OPERATIONS.iter().chain(&PYTHON_ONLY));
}

#[test]
fn javascript() {
    if service("ATALAIA_TEST_EVENT_HUBS_JS", "Microsoft's JavaScript client").is_some() {
        judge("javascript", Command::new("node"), "javascript/judge.mjs", OPERATIONS.iter());
    }
}

/// The variable's value. Without it: a visible skip, or a failure where services are promised.
fn service(variable: &str, what: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        let promised = std::env::var("ATALAIA_TEST_REQUIRED").is_ok_and(|value| value == "1");
        assert!(!promised, "{what} is promised (ATALAIA_TEST_REQUIRED=1) but {variable} is not set");
        show(&format!("SKIPPED clients: {what} is missing; `make test` provides it"));
    }
    value
}

/// Straight to the terminal: what goes through `eprintln!` is shown for failed tests only.
fn show(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn judge<'a>(client: &str, command: Command, script: &str, operations: impl Iterator<Item = &'a &'a str>) {
    let Some(blobs) = service("ATALAIA_TEST_AZURITE", "Azurite") else { return };
    let verdicts = run(client, command, script, &blobs);
    let mut wrong = Vec::new();
    for operation in operations {
        let verdict = verdicts.get(*operation).map_or("MISSING", String::as_str);
        show(&format!("{client:<11}{operation:<27}{verdict}"));
        if verdict != "ok" {
            wrong.push(format!("{operation} {verdict}"));
        }
    }
    assert!(wrong.is_empty(), "{client}:\n{}", wrong.join("\n"));
}

/// Each script has an emulator to itself, since some operations disturb every connection.
fn run(client: &str, mut command: Command, script: &str, blobs: &str) -> Verdicts {
    let runtime = Runtime::new().expect("a runtime");
    let emulator = runtime.block_on(Emulator::start(options())).expect("the emulator starts");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("judges").join(script);
    command.arg(path).arg(emulator.connection_string("hub")).arg(emulator.control_address().to_string()).arg(blobs);
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(env!("CARGO_BIN_EXE_event-hubs-emulator"));
    let done = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("the script runs");
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{script} ended with {}:\n{text}", done.status);
    let lines = text.lines().filter_map(|line| line.strip_prefix(client)?.trim_start().split_once(' '));
    lines.map(|(operation, verdict)| (operation.to_owned(), verdict.to_owned())).collect()
}

fn options() -> Options {
    let hubs = [("hub", 4), ("processor", 4), ("growing", 1)];
    Options {
        hubs: hubs.map(|(name, partitions)| HubOptions { name: name.to_owned(), partitions }).to_vec(),
        consumer_groups: ["latest", "epochs", "renewal", "disturbed"].map(str::to_owned).to_vec(),
        accept_jwt: Some("https://eventhubs.azure.net".to_owned()),
        ..Options::default()
    }
}
