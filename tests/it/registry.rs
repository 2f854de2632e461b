//! Model sets: written by a notebook, published and rolled back by hand, renewed while the service runs.

mod reload;

use std::path::Path;

use serde_json::Value;

use crate::support::{Atalaia, Judge, Outcome};

fn models(action: &str, registry: &Path) -> Atalaia {
    Atalaia::new("models").arg(action).arg("--from").arg(registry)
}

fn json(command: Atalaia) -> Vec<Value> {
    command.args(["--format", "json"]).run().success().json_lines()
}

fn score(readings: &Path, registry: &Path, results: &Path) -> Outcome {
    Atalaia::new("score")
        .config("pipeline = \"sets\"")
        .set("ingest.source", "files")
        .set("ingest.files.path", readings.display())
        .set("ingest.decode.format", "csv")
        .set("aggregate.window", "1h")
        .set("score.models", registry.display())
        .set("sink.url", results.display())
        .run()
}

#[test]
fn a_notebooks_set_scores_as_scikit_learn_does() {
    let Some(judge) = Judge::for_test() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (registry, readings) = (folder.path().join("registry"), folder.path().join("readings.csv"));
    let set = judge.run("judges/model_set.py", ["make".as_ref(), registry.as_os_str(), readings.as_os_str()]);
    let verified = json(models("verify", &registry));
    assert_eq!((verified[0]["set"].as_str(), verified[0]["models"].as_u64()), (Some(set.trim()), Some(8)));
    assert_eq!(json(models("history", &registry))[0]["note"], "a test");
    let results = folder.path().join("scored");
    score(&readings, &registry, &results).success();
    println!("{}", judge.run("judges/model_set.py", ["check".as_ref(), results.join("predictions").as_os_str()]));
}

/// The newcomer's and the operator's way: publish, publish worse, go back.
#[test]
fn sets_are_published_compared_and_rolled_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = folder.path().join("registry");
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/reference/models");
    let publish = |from: &Path, note: &str| {
        let command = Atalaia::new("models").args(["publish", "--to"]).arg(&registry).arg("--from").arg(from);
        json(command.args(["--note", note]))[0].clone()
    };
    let first = publish(&reference, "all");
    assert_eq!(
        (first["number"].as_u64(), first["models"].as_u64(), &first["parent"]),
        (Some(1), Some(15), &Value::Null)
    );
    let fewer = folder.path().join("fewer");
    std::fs::create_dir(&fewer).expect("ours");
    std::fs::copy(reference.join("model_1_1"), fewer.join("model_1_1")).expect("ours");
    std::fs::copy(reference.join("model_1_1"), fewer.join("model_1_2")).expect("ours");
    let second = publish(&fewer, "two");
    assert_eq!((second["number"].as_u64(), &second["parent"]), (Some(2), &first["set"]));

    let difference = &json(models("diff", &registry).args(["previous", "current"]))[0];
    let count = |what: &str| difference[what].as_array().map(Vec::len);
    assert_eq!((count("added"), count("removed"), count("changed")), (Some(0), Some(13), Some(1)), "{difference}");
    assert_eq!(difference["unchanged"].as_u64(), Some(1), "{difference}");

    let back = &json(models("rollback", &registry))[0];
    assert_eq!((&back["set"], back["number"].as_u64()), (&first["set"], Some(3)));
    models("rollback", &registry).run().status_is(1);
    let history: Vec<_> = json(models("history", &registry)).iter().map(|entry| entry["set"].clone()).collect();
    assert_eq!(history, [first["set"].clone(), second["set"].clone(), first["set"].clone()]);
    assert_eq!(json(models("list", &registry)).len(), 15);
    let shown = &json(models("show", &registry).args(["1", "4"]))[0];
    assert!(
        shown["source"].as_str().is_some_and(|source| source.contains(first["set"].as_str().expect("text"))),
        "{shown}"
    );

    let file = registry.join("sets").join(first["set"].as_str().expect("text")).join("models-00000.parquet");
    let mut bytes = std::fs::read(&file).expect("it was written");
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&file, bytes).expect("ours");
    let damaged = models("verify", &registry).run().status_is(1);
    assert!(
        damaged.stdout.contains("the manifest says") && damaged.stdout.contains("is NOT sound"),
        "{}",
        damaged.stdout
    );
    let bad = models("list", &registry).run().status_is(1);
    assert!(bad.stderr.contains("models-00000.parquet") && bad.stderr.contains("the manifest says"), "{}", bad.stderr);
}

/// Before there is a registry: each file is read, and what a template without a sensor names are devices.
#[test]
fn files_of_scikit_learn_are_verified_one_by_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = folder.path().join("files");
    std::fs::create_dir(&files).expect("ours");
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/reference/models");
    for device in 1..=3 {
        std::fs::copy(reference.join("model_1_1"), files.join(format!("model_{device}.pkl"))).expect("ours");
    }
    let of_devices = |action: &str| models(action, &files).args(["--template", "model_{device}"]);
    let listed = json(of_devices("list"));
    assert_eq!((listed.len(), &listed[2]["device"], &listed[2]["sensor"]), (3, &"3".into(), &Value::Null));
    let sound = &json(of_devices("verify"))[0];
    assert_eq!((&sound["ok"], &sound["models"], &sound["files"]), (&true.into(), &3.into(), &3.into()), "{sound}");
    for (device, bytes) in [(1, &b"no model"[..]), (3, b"\x80\x02}.")] {
        std::fs::write(files.join(format!("model_{device}.pkl")), bytes).expect("ours");
    }
    let unsound = of_devices("verify").run().status_is(1);
    assert!(unsound.stdout.contains("NOT sound: 1 models, 3 files"), "{}", unsound.stdout);
    for name in ["model_1.pkl: ", "model_3.pkl: "] {
        assert!(unsound.stdout.contains(name), "{}", unsound.stdout);
    }
    let by_series = of_devices("list").set("score.key", "series").run().status_is(1);
    assert!(by_series.stderr.contains("--set score.key=device"), "{}", by_series.stderr);
}
