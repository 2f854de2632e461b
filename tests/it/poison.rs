//! Twelve thousand records, two in three of them what no producer should send: none does harm, and each is accounted for.
//!
//! `judges/poison.py` makes them from a seed, `judges/accounts.py` reads the topic again and says what must have become of them;
//! only numbers and paths pass through here. `cargo test --test it -- poison --nocapture` prints the accounts.

use crate::support::fleet::{self, HOUR, SECOND};
use crate::support::{Judge, Kafka, Topic, services};

const SEED: u64 = 128;
const RECORDS: u64 = 12_000;

#[test]
fn every_record_is_accounted_for() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    // Made by the judge: it must take records of 10 MiB.
    let topic = Topic { name: services::unique_name(), brokers: kafka.brokers, partitions: 4 };
    println!("{}", judge.run("judges/poison.py", [&topic.brokers, &topic.name, &SEED.to_string()]));
    let results = tempfile::tempdir().expect("a temporary folder");
    let outcome = fleet::eager("run")
        .set_all(topic.settings())
        .set("sink.url", results.path().display())
        .args(["--until-idle", "--close", "all"])
        .run()
        .success();
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    println!("read and written in {:?}", outcome.elapsed);

    let config = serde_json::json!({
        "pipeline": "fleet", "window": 10 * SECOND, "close_after": HOUR / 4, "max_future_skew": 300 * SECOND,
    });
    let results = results.path().display().to_string();
    let found = judge.run("judges/accounts.py", [&topic.brokers, &topic.name, &results, &config.to_string()]);
    println!("{found}");
    let found: serde_json::Value = serde_json::from_str(&found).expect("the judge speaks JSON");
    let count = |name: &str| found[name].as_u64().unwrap_or_else(|| panic!("no `{name}` in {found}"));
    let refused: u64 = found["refused"].as_object().expect("reasons").values().filter_map(|n| n.as_u64()).sum();
    assert_eq!(count("records"), RECORDS);
    // What the process says of itself agrees with what it wrote.
    for (figure, right) in
        [("records", RECORDS), ("rows", count("rows")), ("late", count("late")), ("quarantined", refused)]
    {
        assert_eq!(fleet::figure(&outcome.stderr, figure), right, "{figure}");
    }
}
