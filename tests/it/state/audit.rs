//! An audit finds what was done to a dataset behind the pipeline's back.

use serde_json::Value;

use crate::support::fleet::{self, MINUTE, SECOND, start};
use crate::support::{Kafka, Message};

use super::{FLEET, Pipeline, files};

fn seasoned(kafka: &Kafka) -> Pipeline {
    let pipeline = Pipeline::new(kafka.topic(2));
    let topic = &pipeline.topic;
    topic.produce(FLEET.records(start(), start() + 2 * MINUTE));
    topic.produce([
        Message::keyed("d0", "{"),
        Message::keyed("d0", "").at(start() + MINUTE),
        fleet::record("d0", "s0", start()).at(start() + MINUTE),
    ]);
    topic.produce(FLEET.records(start() + 2 * MINUTE, start() + 3 * MINUTE));
    pipeline.catch_up().success();
    pipeline
}

fn holds(found: &Value, list: &str, words: &str) {
    let texts = found[list].as_array().expect("a list");
    assert!(texts.iter().filter_map(Value::as_str).any(|text| text.contains(words)), "`{words}`: {found:#}");
}

#[test]
fn finds_what_is_there_twice_and_what_is_gone() {
    let Some(kafka) = Kafka::for_test() else { return };
    let pipeline = seasoned(&kafka);
    let good = pipeline.audit(0);
    assert_eq!((good["late"].as_u64(), good["quarantined"].as_u64()), (Some(1), Some(2)), "{good:#}");
    assert_eq!(good["devices"], 12);
    assert!(good["warnings"].as_array().is_some_and(Vec::is_empty), "{good:#}");
    let few = pipeline.state("audit").args(["--memory", "0", "--format", "json"]).run().success();
    let few = few.json_lines().remove(0);
    assert!(few["passes"].as_u64() > Some(1) && few["duplicates"] == 0, "in as little memory as there is: {few:#}");

    // The same rows under another name that a commit could have; the one that began the log has no files.
    let data = files(&pipeline.predictions());
    let first = &data[0];
    let name = first.file_name().and_then(|name| name.to_str()).expect("a name");
    let seq = name.rsplit('-').next().expect("a seq");
    let twin = first.with_file_name(name.replace(seq, "0000000000.parquet"));
    assert!(!twin.exists(), "{}", twin.display());
    std::fs::copy(first, &twin).expect("the folder is ours");
    let found = pipeline.audit(1);
    assert!(found["duplicates"].as_u64() > Some(0), "{found:#}");
    holds(&found, "violations", "rows for the window at");
    let text = pipeline.state("audit").run().status_is(1).stdout;
    assert!(text.lines().last().is_some_and(|line| line.contains(" violations")), "{text}");
    std::fs::remove_file(&twin).expect("the folder is ours");
    pipeline.audit(0);

    // Something else that a reader would read.
    let foreign = pipeline.predictions().join("compacted.parquet");
    std::fs::copy(first, &foreign).expect("the folder is ours");
    holds(&pipeline.audit(1), "violations", "`compacted.parquet` in `predictions`");
    std::fs::remove_file(&foreign).expect("the folder is ours");

    for dataset in ["predictions", "late", "quarantine"] {
        let gone = files(&pipeline.folder.path().join(dataset)).remove(0);
        let aside = pipeline.folder.path().join("aside");
        std::fs::rename(&gone, &aside).expect("the folder is ours");
        let found = pipeline.audit(1);
        holds(&found, "violations", "in files, the ledger says");
        std::fs::rename(&aside, &gone).expect("the folder is ours");
    }
    pipeline.audit(0);

    let record = files(&pipeline.log(0)).remove(0);
    let mut bytes = std::fs::read(&record).expect("the record is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&record, &bytes).expect("the folder is ours");
    holds(&pipeline.audit(1), "violations", "is corrupt");
}

#[test]
fn warns_of_a_device_in_two_partitions() {
    let Some(kafka) = Kafka::for_test() else { return };
    let pipeline = Pipeline::new(kafka.topic(2));
    for partition in [0, 1] {
        let records = (0..60).map(|second| fleet::record("wanderer", "s0", start() + second * SECOND));
        pipeline.topic.produce(records.map(|record| record.at(start()).in_partition(partition)));
    }
    pipeline.service().args(["--until-idle", "--close", "all"]).run().success();
    let found = pipeline.audit(1);
    holds(&found, "warnings", "\"wanderer\" in 0 and 1");
    assert_eq!(found["duplicates"], 6, "each of its windows has a row of both");
}
