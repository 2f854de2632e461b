//! Records that nobody can use, among good ones: each is counted with its reason, and the good ones count as ever.

use std::time::Duration;

use crate::support::fleet::{self, Fleet, HOUR, SECOND, start};
use crate::support::{Judge, Kafka, Message, http};

const FLEET: Fleet = Fleet { devices: 10, sensors: 2, every: SECOND };
const BAD: usize = 1000;

/// The `n`-th bad record, sent at that time, and the reason it must be refused for. The kinds take turns.
fn bad(n: usize, time: i64) -> (&'static str, Message) {
    let ts = time / 1000;
    let json = |text: String| text.into_bytes();
    let (reason, payload) = match n % 10 {
        0 => ("invalid_json", json(format!(r#"{{"device":"d1","sensor":"s0","ts":{ts},"val"#))),
        1 => ("invalid_json", b"temperature=21.5;unit=C".to_vec()),
        2 => ("missing_field", json(format!(r#"{{"device":"d2","ts":{ts},"value":1.5}}"#))),
        3 => ("bad_time", json(r#"{"device":"d3","sensor":"s0","ts":"yesterday, at noon","value":1.5}"#.to_owned())),
        4 => ("bad_value", json(format!(r#"{{"device":"d4","sensor":"s0","ts":{ts},"value":"n/a"}}"#))),
        5 => ("wrong_type", json(format!(r#"{{"device":{{"id":5}},"sensor":"s0","ts":{ts},"value":1.5}}"#))),
        6 => {
            let id = "x".repeat(1025);
            ("id_too_long", json(format!(r#"{{"device":"{id}","sensor":"s0","ts":{ts},"value":1.5}}"#)))
        }
        7 => {
            let (open, close) = ("[".repeat(40), "]".repeat(40));
            ("too_deep", json(format!(r#"{{"device":"d7","sensor":"s0","ts":{ts},"value":1.5,"x":{open}{close}}}"#)))
        }
        8 => {
            ("not_utf8", [br#"{"device":"d"#.as_slice(), b"\xff\xfe", br#"","sensor":"s0","ts":1,"value":1}"#].concat())
        }
        _ => {
            let padding = "y".repeat(5000);
            ("too_large", json(format!(r#"{{"device":"d9","sensor":"s0","ts":{ts},"value":1.5,"x":"{padding}"}}"#)))
        }
    };
    (reason, Message::keyed(format!("d{}", n % FLEET.devices), payload).at(time))
}

#[test]
fn a_thousand_malformed_records_among_good_ones() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let topic = kafka.topic(4);
    let results = tempfile::tempdir().expect("a temporary folder");
    let mut service = fleet::eager("run")
        .set_all(topic.settings())
        .set("sink.url", results.path().display())
        .set("ingest.decode.record_bytes_max", 4096)
        // With two workers partitions move once at the start, and what is read again is counted again.
        .set("run.workers", 1)
        .set("sink.min_rows", 200)
        .set("sink.max_delay", "500ms")
        .start();
    let address = fleet::listener(&mut service);

    // Ten portions, a bad record after every tenth good one; two bad ones in a row here and there.
    let (mut sent, mut worst) = (0, 0);
    for portion in 0..10 {
        let from = start() + portion * 50 * SECOND;
        let mut messages = Vec::new();
        for (i, good) in FLEET.records(from, from + 50 * SECOND).enumerate() {
            let time = good.time.expect("given");
            messages.push(good);
            if i % 10 == 9 || i % 1000 == 0 {
                while sent < BAD && (worst == 0 || !messages.len().is_multiple_of(11)) {
                    messages.push(bad(sent, time).1);
                    (sent, worst) = (sent + 1, 1);
                }
                worst = 0;
            }
        }
        topic.produce(messages);
        let alive = http::get(&address, "/livez").expect("the service answers");
        assert_eq!((alive.status, alive.body.as_str()), (200, "ok\n"));
    }
    assert_eq!(sent, BAD);
    let good = FLEET.count(start(), start() + 500 * SECOND);
    let all = (good + BAD as u64) as f64;
    let metrics = service.wait_until("all records to be read", Duration::from_secs(60), |_| {
        let metrics = http::get(&address, "/metrics")?.body;
        (http::metric(&metrics, "atalaia_ingest_records_total", "")? >= all).then_some(metrics)
    });
    let counted =
        |reason: &str| http::metric(&metrics, "atalaia_ingest_rejects_total", &format!("reason=\"{reason}\""));
    for n in 0..10 {
        let (reason, _) = bad(n, start());
        let expected = if reason == "invalid_json" { 200.0 } else { 100.0 };
        assert_eq!(counted(reason), Some(expected), "{reason}");
    }
    assert_eq!(http::metric(&metrics, "atalaia_ingest_rejects_total", ""), Some(BAD as f64));
    service.terminate(Duration::from_secs(10)).success();

    // The judge reads the topic by itself and finds what may be scored.
    let config = serde_json::json!({
        "window": 10 * SECOND, "close_after": HOUR / 4, "max_future_skew": 300 * SECOND, "close": "due",
        "duplicates": false, "record_bytes_max": 4096,
    });
    let found = judge.run(
        "judges/topic.py",
        [&topic.brokers, &topic.name, &results.path().display().to_string(), &config.to_string()],
    );
    println!("{found}");
    let found: serde_json::Value = serde_json::from_str(&found).expect("the judge speaks JSON");
    let expected = serde_json::json!({
        "bad_time": 100, "bad_value": 100, "id_too_long": 100, "invalid_json": 200, "missing_field": 100,
        "not_utf8": 100, "too_deep": 100, "too_large": 100, "wrong_type": 100,
    });
    assert_eq!(found["refused"], expected);
    assert_eq!(found["late"], 0);
}
