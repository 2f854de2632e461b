//! `atalaia estimate` against a real run of what it estimates: rows, files, bytes, and each request to the store.

use std::time::Duration;

use serde_json::Value;

use crate::support::counting::Counting;
use crate::support::{Atalaia, Azurite, fleet};

/// A live fleet of 200 devices with 2 sensors, two readings a second each: a day in small.
const LIVE: &str = r#"
        pipeline = "small"
        [ingest]
        source = "simulated"
        [ingest.simulated]
        devices = 200
        sensors = ["temperature", "pressure"]
        partitions = 4
        interval = "500ms"
        speed = 1
        duration = "0s"
        faulty = 0
        [ingest.simulated.habits]
        offline = 0
        bursts = 0
        slow_clock = 0
        fast_clock = 0
        [aggregate]
        window = "4s"
        out_of_orderness = "500ms"
        [sink]
        commit_interval = "1s"
        max_delay = "1s"
        [run]
        workers = 2
        "#;
const SECONDS: u64 = 32;

/// What the estimate says of so many seconds.
struct Expected {
    estimate: Value,
}

impl Expected {
    fn a_day(&self, path: &str) -> f64 {
        self.estimate
            .pointer(path)
            .and_then(Value::as_f64)
            .unwrap_or_else(|| panic!("no {path} in {:#}", self.estimate))
    }

    fn near(&self, what: &str, path: &str, found: f64, besides: f64, percent: f64) {
        let expected = self.a_day(path) * SECONDS as f64 / 86_400.0 + besides;
        println!("{what}: {found}, estimated {expected:.1}");
        let off = (found - expected).abs() / expected * 100.0;
        assert!(off <= percent, "{what}: {found}, estimated {expected:.1}: {off:.0} % off");
    }
}

#[test]
fn an_estimate_is_near_a_real_run() {
    let Some(azurite) = Azurite::for_test() else { return };
    let container = azurite.container();
    let (scheme, rest) = azurite.url.split_once("://").expect("a URL");
    let (upstream, path) = rest.split_once('/').unwrap_or((rest, ""));
    let proxy = Counting::before(upstream);
    let endpoint = format!("{scheme}://{}/{path}", proxy.address);

    let estimate = Atalaia::new("estimate").config(LIVE).args(["--models", "0", "--format", "json"]).run().success();
    let expected = Expected { estimate: estimate.json_lines().remove(0) };

    let run = Atalaia::new("run").config(LIVE).set("telemetry.metrics", "127.0.0.1:0");
    let run = run.set("storage.emulator", true).set("storage.endpoint", endpoint.trim_end_matches('/'));
    let mut service = run.set("sink.url", container.url("")).start();
    service.wait_for_log("partition begun", Duration::from_secs(60));
    std::thread::sleep(Duration::from_secs(SECONDS));
    let counts = proxy.counts();
    println!("{counts:?}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let downloaded = container.download("", folder.path());
    let ended = service.terminate(Duration::from_secs(20)).success();
    let rows = fleet::figure(&ended.stderr, "rows") as f64;
    let seconds = ended.elapsed.as_secs_f64();
    expected.near("rows", "/commits/rows", rows * SECONDS as f64 / seconds, 0.0, 20.0);

    // Besides what a day takes there was one start.
    let start = |kind: &str| expected.a_day(&format!("/requests/start/{kind}"));
    let of = |kind: &str| counts.get(kind).copied().unwrap_or_default() as f64;
    expected.near("puts", "/requests/all/puts", of("create") + of("replace"), start("puts"), 30.0);
    expected.near("gets", "/requests/all/gets", of("get") + of("head"), start("gets"), 40.0);
    expected.near("lists", "/requests/all/lists", of("list"), start("lists"), 30.0);
    assert!(!counts.contains_key("other"), "{counts:?}");

    let sizes = |dataset: &str, ending: &str| -> Vec<u64> {
        let ours = downloaded.iter().filter(|name| name.starts_with(dataset) && name.ends_with(ending));
        ours.map(|name| std::fs::metadata(folder.path().join(name)).expect("downloaded").len()).collect()
    };
    let files = sizes("predictions", ".parquet");
    expected.near("files", "/files/predictions", files.len() as f64, 0.0, 30.0);
    expected.near("bytes of predictions", "/stored/predictions", files.iter().sum::<u64>() as f64, 0.0, 40.0);
    let runs = sizes("runs", ".parquet");
    expected.near("bytes of runs", "/stored/runs", runs.iter().sum::<u64>() as f64, 0.0, 40.0);
}

#[test]
fn a_fleet_is_to_be_named() {
    let refused = Atalaia::new("estimate").run().status_is(1);
    assert!(refused.stderr.contains("--devices"), "{}", refused.stderr);
    let text = Atalaia::new("estimate").args(["--devices", "1000", "--partitions", "4"]).run().success().stdout;
    for part in ["a second", "1,440", "puts", "aggregate.series_max", "run.memory_bytes_max", "--prices FILE"] {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
}
