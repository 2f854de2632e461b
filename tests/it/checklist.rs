//! `validate --online` on real services: what it finds, and that it leaves nothing behind.

use crate::golden::{reference, reference_config};
use crate::support::{Atalaia, Azurite, Kafka, Message, wait};

#[test]
fn what_is_there_is_told_and_nothing_is_left_behind() {
    let (Some(kafka), Some(azurite)) = (Kafka::for_test(), Azurite::for_test()) else { return };
    let topic = kafka.topic(3);
    topic.produce((0..5).map(|n| Message::keyed(format!("d{n}"), "{}")));
    let container = azurite.container();
    let validate = || {
        Atalaia::new("validate")
            .arg("-c")
            .arg(reference_config())
            .arg("--online")
            .set_all(topic.settings())
            .set_all(azurite.settings())
            .set("score.models", reference("models").display())
            .set("sink.url", container.url("scored"))
    };
    let text = validate().run().success().stdout;
    for words in [
        "has 3 partitions on 1 broker; it holds 5 records, the newest one seen ",
        ": can list, read and create",
        ": 15 models read, ",
        "is free",
        "can be run; no warnings",
    ] {
        assert!(text.contains(words), "`{words}` is missing in\n{text}");
    }
    assert_eq!(container.list(""), Vec::<String>::new(), "nothing is left behind");
    let said = validate().args(["--format", "json"]).run().success().json_lines().remove(0);
    let findings = said["findings"].as_array().expect("findings");
    let asked: Vec<&str> =
        findings.iter().filter(|f| f["seconds"].is_number()).filter_map(|f| f["about"].as_str()).collect();
    assert_eq!(asked, ["source", "predictions", "late", "quarantine", "runs", "state", "models", "metrics"]);
    assert!(said["ok"] == true && findings.iter().all(|finding| finding["verdict"] == "ok"), "{said}");
}

/// One after the other these would take four times as long as brokers are waited for.
#[test]
fn each_thing_that_is_away_is_told_with_a_remedy() {
    let nowhere = format!("127.0.0.1:{}", wait::free_port());
    let outcome = Atalaia::new("validate")
        .config("[ingest.kafka]\ntopic = \"absent\"\n[storage]\naccount = \"a\"\nkey = \"env:KEY\"\nallow_plaintext = true\n")
        .arg("--online")
        .env("KEY", "a2V5")
        .set("ingest.kafka.brokers", &nowhere)
        .set("storage.endpoint", format!("http://{nowhere}/a"))
        .set("sink.url", "az://results")
        .set("score.models", "absent")
        .run()
        .status_is(1);
    let text = &outcome.stdout;
    for about in ["source", "predictions", "late", "quarantine", "runs", "state", "models"] {
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| line.starts_with(&format!("✗ problem  {about} ")));
        let at = at.unwrap_or_else(|| panic!("nothing of `{about}` in\n{text}"));
        assert!(lines[at + 1].trim_start().starts_with("hint: "), "no remedy for `{about}` in\n{text}");
    }
    assert!(text.ends_with("cannot be run: 7 to change\n"), "{text}");
}
