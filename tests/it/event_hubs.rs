//! Event Hubs through the program: what Microsoft's client sent becomes rows, instances share partitions, and what is wrong
//! is said.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::golden::{records, reference, reference_config};
use crate::support::{Atalaia, Azurite, Hub, Judge, Running};

const WITHIN: Duration = Duration::from_secs(90);

/// The reference's readings as JSON lines, in the order of its file.
fn lines() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    for record in records() {
        file.write_all(&record.payload.expect("each has a payload")).expect("it takes bytes");
        file.write_all(b"\n").expect("it takes bytes");
    }
    file
}

#[test]
fn the_reference_sent_by_microsofts_client() {
    let (Some(azurite), Some(judge)) = (Azurite::for_test(), Judge::for_test()) else { return };
    let hub = Hub::start("Readings", 8);
    assert_eq!(hub.send(&judge, lines().path(), "Device"), 17_768);
    let (container, checkpoints) = (azurite.container(), azurite.container());

    let outcome = hub
        .read_by(Atalaia::new("run").arg("-c").arg(reference_config()))
        .args(["--until-idle", "--close", "all"])
        .set_all(azurite.settings())
        .set("ingest.event_hubs.ownership.url", format!("az://{}", checkpoints.name))
        .set("score.models", reference("models").display())
        .set("sink.url", container.url("scored"))
        .run()
        .success();
    assert!(outcome.stderr.contains("rows=17768 anomalies=6757 late=0"), "{}", outcome.stderr);

    let folder = tempfile::tempdir().expect("a temporary folder");
    container.download("scored/predictions/", folder.path());
    let golden = reference("golden_predictions.csv");
    println!("{}", judge.run("judges/golden.py", [folder.path().join("scored/predictions").as_path(), &golden]));

    // How far reading got, as Microsoft's checkpoint store reads it, and KEDA.
    let group = [azurite.url.as_str(), checkpoints.name.as_str(), "127.0.0.1", "readings", "$Default"];
    let listed = judge.run("judges/checkpoints.py", group.into_iter().chain(["list"]));
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    for (partition, last) in hub.last().iter().enumerate().filter(|(_, last)| **last >= 0) {
        assert_eq!(listed["checkpoints"][partition.to_string()][0], *last, "{listed}");
    }
    assert!(listed["ownership"].as_object().is_some_and(|all| all.values().all(|owner| owner == "")), "{listed}");
}

#[test]
fn three_instances_share_32_partitions_and_take_over_from_one_that_is_killed() {
    let (Some(azurite), Some(judge)) = (Azurite::for_test(), Judge::for_test()) else { return };
    const PARTITIONS: usize = 32;
    let hub = Hub::start("readings", PARTITIONS);
    let (container, checkpoints) = (azurite.container(), azurite.container());
    let fleet = ["--endless", "--rate", "400", "--devices", "64", "--habits", "offline=0"];
    let simulator = hub.simulate().args(fleet).start();
    let service = || {
        hub.read_by(Atalaia::new("run").config("pipeline = \"shared\"\n"))
            .set_all(azurite.settings())
            .set("ingest.event_hubs.ownership.url", format!("az://{}", checkpoints.name))
            .set("ingest.event_hubs.ownership.renew_interval", "1s")
            // Long enough for a machine that does other things too: who is late with a claim loses it.
            .set("ingest.event_hubs.ownership.expiry", "8s")
            .set("aggregate.window", "2s")
            .set("aggregate.out_of_orderness", "1s")
            .set("score.models", "")
            .set("sink.url", container.url(""))
            .set("sink.commit_interval", "1s")
            .set("sink.max_delay", "1s")
            .set("run.workers", "1")
    };
    let begun = Instant::now();
    let mut instances: Vec<Running> = (0..3).map(|_| service().start()).collect();
    // A share of 32 among three is 10 or 11.
    wait_for_shares(&hub, 3, 10..=11);
    println!("32 partitions on three instances: balanced after {:.1} s", begun.elapsed().as_secs_f64());

    instances.pop().expect("there are three").kill();
    let begun = Instant::now();
    wait_for_shares(&hub, 2, 16..=16);
    println!(
        "one of three killed, claims of 8 s: its partitions taken over after {:.1} s",
        begun.elapsed().as_secs_f64()
    );

    simulator.terminate(WITHIN).success();
    for instance in instances {
        instance.terminate(WITHIN).success();
    }
    service().args(["--until-idle", "--close", "all"]).timeout(WITHIN).run().success();

    // Each partition's log is one chain, every record of the hub is in it, and no window has two rows.
    let audit = service_audit(&azurite, &container.url(""), &hub);
    println!("{audit}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    container.download("predictions/", folder.path());
    println!("{}", judge.run("judges/unique.py", [folder.path().join("predictions")]));
}

/// Waits until all partitions are read, each by one of so many connections with such shares.
fn wait_for_shares(hub: &Hub, instances: usize, share: std::ops::RangeInclusive<usize>) {
    let deadline = Instant::now() + WITHIN;
    loop {
        let readers = hub.readers();
        let connections: BTreeSet<u64> = readers.iter().flatten().copied().collect();
        let shares: Vec<usize> =
            connections.iter().map(|one| readers.iter().filter(|readers| readers.contains(one)).count()).collect();
        let is_read = readers.iter().all(|readers| readers.len() == 1);
        if is_read && connections.len() == instances && shares.iter().all(|found| share.contains(found)) {
            return;
        }
        assert!(Instant::now() < deadline, "shares of {shares:?}, read by {readers:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn service_audit(azurite: &Azurite, url: &str, hub: &Hub) -> String {
    let outcome = hub
        .read_by(Atalaia::new("state").arg("audit").config("pipeline = \"shared\"\n"))
        .set_all(azurite.settings())
        .set("aggregate.window", "2s")
        .set("aggregate.out_of_orderness", "1s")
        .set("score.models", "")
        .set("sink.url", url)
        .run()
        .success();
    outcome.stdout
}

#[test]
fn what_is_wrong_is_said() {
    let hub = Hub::start("readings", 2);
    let right = hub.connection_string();
    let nobody =
        "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=a;SharedAccessKey=b;EntityPath=h;UseDevelopmentEmulator=true";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let validate = |connection: &str| {
        Atalaia::new("validate")
            .config("[ingest.event_hubs]\nconnection_string = \"env:EVENT_HUBS_CONNECTION\"\n")
            .arg("--online")
            .env("EVENT_HUBS_CONNECTION", connection)
            .set("ingest.source", "event-hubs")
            .set("sink.url", folder.path().display())
            .set("score.models", "")
            .run()
    };
    let fine = validate(&right);
    assert!(fine.stdout.contains("event hub `readings` has 2 partitions"), "{}", fine.stdout);
    assert!(fine.status.success());
    for (connection, what) in [
        (right.replace("SAS_KEY_VALUE", "hunter2"), "credentials"),
        (right.replace("EntityPath=readings", "EntityPath=writings"), "there is no event hub `writings`"),
        (right.replace("EntityPath=readings;", ""), "ingest.event_hubs.hub"),
        (nobody.to_owned(), "cannot reach `127.0.0.1:9`"),
        ("hunter2".to_owned(), "connection_string"),
    ] {
        let outcome = validate(&connection);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!outcome.status.success() && said.contains(what) && !said.contains("hunter2"), "{what}: {said}");
    }
    let group = hub
        .read_by(Atalaia::new("validate").config(""))
        .arg("--online")
        .set("ingest.event_hubs.consumer_group", "missing")
        .set("sink.url", folder.path().display())
        .set("score.models", "")
        .run();
    assert!(!group.status.success() && group.stdout.contains("no consumer group `missing`"), "{}", group.stdout);
}

#[test]
fn first_records_are_shown() {
    let hub = Hub::start("readings", 4);
    hub.simulate().args(["--devices", "3", "--duration", "10m"]).run().success();
    let held: i64 = hub.last().iter().map(|last| last + 1).sum();
    let shown =
        hub.read_by(Atalaia::new("preview").config("sink.url = \"out\"\n")).args(["--format", "json"]).run().success();
    let records = shown.json_lines().iter().filter(|line| line["position"].is_i64()).count() as u64;
    assert!(held > 0 && records >= held as u64, "{records} lines of {held} records");
    let bounded = hub
        .read_by(Atalaia::new("score").config("sink.url = \"out\"\n"))
        .args(["--format", "json", "--close", "all"])
        .set("score.models", "")
        .run()
        .success();
    assert_eq!(bounded.json_lines()[0]["counts"]["records"].as_i64(), Some(held));
}
