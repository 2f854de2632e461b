//! The listener as browsers and programs meet it, over a socket; documents with hostile names; and docs/api.md's examples.

use std::fs;
use std::path::Path;

use score::TopFeature;
use serde_json::Value;
use types::{PartitionId, Reason};

use super::*;
use crate::http::limits::Limits;
use crate::http::machines::Probe;
use crate::http::testing::{Served, body, head, serve};
use crate::pipeline::{Anomaly, Counts};

/// 2026-02-01T06:00:00Z
const MORNING: Micros = 1_769_925_600_000_000;

fn status() -> Arc<Status> {
    let mut config = Config { pipeline: "plant-7".into(), ..Config::default() };
    config.storage.key = Some(types::Secret::parse("env:STORE_KEY").expect("a reference"));
    config.sink.url = "https://account.blob.core.windows.net/scored?sig=canary".into();
    let mut status =
        Status::new(&config, Arc::default(), Probes { alive: Arc::new(|| Ok(())), ready: Arc::new(|| Ok(())) });
    let fixed = Arc::get_mut(&mut status).expect("nobody else has it yet");
    (fixed.started_at, fixed.instance) = (MORNING - 3600 * 1_000_000, "host-1/4711".into());
    status.progress.recent().keep(ANOMALIES_MAX);
    status
}

fn anomaly(device: &str) -> Anomaly {
    Anomaly {
        partition: PartitionId { topic: "readings".into(), index: 3 },
        device: device.into(),
        sensor: Some("temperature".into()),
        window_start: MORNING - 20_000_000,
        window_end: MORNING - 10_000_000,
        readings: 10,
        decision: Some(-0.31),
        severity: Some(2.75),
        threshold: Some(1.5),
        top_feature: Some(TopFeature {
            name: "std".into(),
            value: 4.2,
            mean: 0.3,
            decision_rise: 0.44,
            severity_fall: Some(3.1),
        }),
        model: Some("pump-7/temperature".into()),
        model_set: "0c5f4e1d2a90".into(),
        scored_at: MORNING - 5_000_000,
    }
}

/// With something in every document.
fn busy() -> Arc<Status> {
    let status = status();
    let counts = Counts {
        records: 120_000,
        readings: 120_000,
        rows: 9000,
        durable_rows: 8990,
        anomalies: 1,
        late: 12,
        quarantined: 7,
        commits: 90,
        files: 95,
        ..Counts::default()
    };
    status.throughput.note(MORNING - 10_000_000, Counts::default());
    status.progress.add(&counts);
    status.throughput.note(MORNING, counts);
    status.progress.refuse(Reason::InvalidJson, 5);
    status.progress.refuse(Reason::Future, 2);
    status.progress.recent().put(anomaly("pump-7"));
    status.serving(Arc::new(score::Models::new(Arc::new(score::ModelSet::empty()))));
    status
}

fn document(status: &Status, name: &str) -> Value {
    let document = api::document(status, name, MORNING).expect("there is such a document");
    serde_json::from_slice(&document).expect("JSON")
}

fn served(status: Arc<Status>, only_local_names: bool) -> Served {
    serve(routes(status, only_local_names), Limits::default())
}

#[test]
fn every_answer_tells_browsers_to_be_strict() {
    let served = served(status(), false);
    let documents = api::DOCUMENTS.map(|(name, _)| format!("/api/v1/{name}"));
    let files = page::FILES.iter().map(|file| file.path.to_owned());
    for path in files.chain(documents).chain(["/nothing".into(), "/api/v1/nothing".into(), "/api/v1/".into()]) {
        let answer = served.get(&path);
        let head = head(&answer);
        let expected = if path.contains("nothing") || path.ends_with("v1/") { "404" } else { "200" };
        assert!(head.starts_with(&format!("HTTP/1.1 {expected}")), "{path}: {head}");
        for line in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; ",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(line), "{path} lacks `{line}`: {head}");
        }
        assert!(!head.contains("access-control-allow"), "no other site may read it: {head}");
    }
    assert!(head(&served.get("/api/v1/status")).contains("cache-control: no-store"));
    let post = served.ask("POST /api/v1/config HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert!(post.starts_with("HTTP/1.1 405"), "{post}");
}

/// The policy forbids what would be inline; here it is seen that the page does not rely on it, nor on anything from elsewhere.
#[test]
fn the_page_is_of_one_piece() {
    let names: Vec<&str> = page::FILES.iter().map(|file| file.path.trim_start_matches('/')).collect();
    for file in &page::FILES {
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "style=\"", " onclick="]
        {
            assert!(!file.content.contains(forbidden), "{} has `{forbidden}`", file.path);
        }
        let without_namespaces = file.content.replace("http://www.w3.org/2000/svg", "");
        assert!(!without_namespaces.contains("://"), "{} names another place", file.path);
        for quoted in file.content.split(['"', '\'']).filter(|text| text.ends_with(".js") || text.ends_with(".css")) {
            assert!(names.contains(&quoted.trim_start_matches("./")), "{} names {quoted}", file.path);
        }
    }
    assert!(page::FILES[0].content.contains("<html lang=\"en\">"));
}

#[test]
fn a_file_that_the_browser_has_is_not_sent_again() {
    let served = served(status(), false);
    let first = served.get("/page.js");
    let tag = head(&first).lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag").to_owned();
    let again = |tag: &str| {
        served.ask(&format!("GET /page.js HTTP/1.1\r\nhost: a\r\nif-none-match: {tag}\r\nconnection: close\r\n\r\n"))
    };
    for known in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}")] {
        let answer = again(&known);
        assert!(answer.starts_with("HTTP/1.1 304") && body(&answer).is_empty(), "{known}: {answer}");
    }
    assert!(again("\"other\"").starts_with("HTTP/1.1 200"));
}

#[test]
fn hostile_names_come_out_as_they_are_and_as_json_only() {
    let status = status();
    let hostile = [
        "</script><script>alert(1)</script>".to_owned(),
        "\"'`<img src=x onerror=alert(1)>&amp;\\".to_owned(),
        "\u{202e}gnp.\u{0}\r\n\t\u{2028}".to_owned(),
        "💧".repeat(256),
    ];
    for device in &hostile {
        status.progress.recent().put(Anomaly { sensor: Some(device.clone()), ..anomaly(device) });
    }
    let answer = served(status, false).get("/api/v1/anomalies");
    assert!(head(&answer).contains("content-type: application/json"), "{answer}");
    let found: Value = serde_json::from_str(body(&answer)).expect("JSON");
    let rows = found["anomalies"].as_array().expect("rows");
    let devices: Vec<&str> = rows.iter().rev().filter_map(|row| row["device"].as_str()).collect();
    assert_eq!(devices, hostile);
    assert!(rows.iter().all(|row| row["device"] == row["sensor"]));
}

#[test]
fn numbers_that_are_none_are_null() {
    let status = status();
    status.progress.recent().put(Anomaly { severity: Some(f64::INFINITY), decision: Some(f64::NAN), ..anomaly("d") });
    let row = &document(&status, "anomalies")["anomalies"][0];
    assert_eq!((&row["severity"], &row["decision"]), (&Value::Null, &Value::Null));
}

#[test]
fn no_secret_is_in_any_document() {
    let served = served(busy(), false);
    for (name, _) in api::DOCUMENTS {
        let answer = served.get(&format!("/api/v1/{name}"));
        assert!(!answer.contains("canary"), "{name}: {answer}");
    }
    let config = document(&busy(), "config");
    assert_eq!(config["storage"]["key"], "env:STORE_KEY");
}

#[test]
fn verdicts_say_why_and_models_what_they_are() {
    let not = |why: &'static str| -> Probe { Arc::new(move || Err(why.into())) };
    let status = Status::new(
        &Config::default(),
        Arc::default(),
        Probes { alive: not("worker 0 stands still"), ready: not("no group") },
    );
    let overview = document(&status, "status");
    assert_eq!(overview["ready"], serde_json::json!({ "ok": false, "why": "no group" }));
    assert_eq!(overview["live"]["why"], "worker 0 stands still");
    assert_eq!(document(&status, "models")["state"], "loading");
    for (set, state) in [(score::ModelSet::empty(), "none"), (score::ModelSet::unavailable(), "unavailable")] {
        let status = self::status();
        status.serving(Arc::new(score::Models::new(Arc::new(set))));
        let models = document(&status, "models");
        assert_eq!((&models["state"], &models["set"]), (&state.into(), &Value::Null));
    }
}

#[test]
fn only_names_of_this_machine_lead_to_what_only_this_machine_may_see() {
    for (address, expected) in [
        ("127.0.0.1:9465", true),
        ("[::1]:9465", true),
        ("localhost:9465", true),
        ("0.0.0.0:9465", false),
        ("[::]:9465", false),
        ("10.1.2.3:9465", false),
    ] {
        assert_eq!(is_loopback(address), expected, "{address}");
    }
    let served = served(status(), true);
    for (host, expected) in [
        ("localhost", 200),
        ("localhost:9465", 200),
        ("LOCALHOST", 200),
        ("atalaia.localhost:9465", 200),
        ("127.0.0.1:9465", 200),
        ("[::1]:9465", 200),
        ("evil.example", 421),
        ("evil.example:9465", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
    ] {
        let answer = served.ask(&format!("GET /api/v1/config HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{host}: {answer}");
    }
}

/// `ATALAIA_BLESS=1 cargo test -p atalaia --lib http` writes them.
#[test]
fn the_examples_in_the_documentation_are_what_is_answered() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    let page = fs::read_to_string(&path).expect("docs/api.md");
    let mut wanted = page.clone();
    for (name, _) in api::DOCUMENTS {
        let text = match name {
            "config" => {
                let example = document(&busy(), name);
                let some = serde_json::json!({ "pipeline": example["pipeline"], "storage": example["storage"] });
                serde_json::to_string_pretty(&some).expect("JSON")
            }
            "partitions" => pretty(&serde_json::to_vec(&partitions::example(MORNING)).expect("JSON")),
            name => pretty(&api::document(&busy(), name, MORNING).expect("a document")),
        };
        let (before, rest) = wanted.split_once(&format!("## `{name}`")).expect("a section for each document");
        let (prose, rest) = rest.split_once("```json\n").expect("an example");
        let (_, after) = rest.split_once("\n```").expect("its end");
        wanted = format!("{before}## `{name}`{prose}```json\n{text}\n```{after}");
    }
    if std::env::var_os("ATALAIA_BLESS").is_some() {
        fs::write(&path, &wanted).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).expect("docs/api.md");
    assert!(found == wanted, "docs/api.md is not current: run `ATALAIA_BLESS=1 cargo test -p atalaia --lib http`");
}

/// Indented, in the order in which it was written; lists of plain values on one line.
fn pretty(document: &[u8]) -> String {
    let text = std::str::from_utf8(document).expect("JSON is UTF-8");
    let (mut out, mut depth, mut is_text, mut escaped) = (String::new(), 0, false, false);
    let mut flat = 0;
    let line = |out: &mut String, depth: usize| out.push_str(&format!("\n{}", "  ".repeat(depth)));
    for (at, c) in text.char_indices() {
        if is_text || flat > 0 {
            let was_text = is_text;
            is_text = is_text && (c != '"' || escaped) || !is_text && c == '"';
            escaped = is_text && was_text && c == '\\' && !escaped;
            flat -= usize::from(flat > 0 && !was_text && c == ']');
            out.push(c);
            out.push_str(if flat > 0 && !was_text && c == ',' { " " } else { "" });
            continue;
        }
        match c {
            '"' => (is_text, _) = (true, out.push(c)),
            '[' if !text[at..].starts_with("[{") => (flat, _) = (1, out.push(c)),
            '{' | '[' => {
                depth += 1;
                out.push(c);
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => out.push(c),
        }
    }
    out
}
