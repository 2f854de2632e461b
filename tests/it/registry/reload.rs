//! Sets that come while windows close: each commit is judged by one set, and by the one that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use score::registry::{self, Note, Published};
use score::{Kernel, Model, ModelKey};

use crate::support::{Atalaia, Running, http};

const SETS: u32 = 12;
const DEVICES: u32 = 200;

/// Sets in which every decision is the set's number: from the output alone it is seen which set has judged a row.
fn numbered(number: u32) -> Vec<Model> {
    let model = |key| Model {
        key,
        features: None,
        steps: Vec::new(),
        kernel: Kernel::Linear,
        support_vectors: vec![0.0],
        coefficients: vec![1.0],
        intercept: f64::from(number),
        threshold: None,
        version: format!("v{number}"),
        source: "a test".into(),
        trained_at: None,
        rows: None,
    };
    let own = |device: u32| model(ModelKey::series(format!("device-{device:04}"), "temperature"));
    // Every second series takes the default: it must be of the same set.
    (0..DEVICES).step_by(2).map(own).chain([model(ModelKey { device: None, sensor: None })]).collect()
}

fn publish(registry: &Path, number: u32) -> Published {
    let location = store::open(&registry.display().to_string(), &store::Config::default()).expect("a folder");
    let store: Arc<dyn ObjectStore> = location.store;
    let note = Note { text: String::new(), at: format!("2026-01-01T00:00:{number:02}Z"), by: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(registry::publish(&numbered(number), &store, &location.prefix, &note)).expect("published")
}

fn service(models: &Path, results: &Path) -> Atalaia {
    Atalaia::new("run")
        .config("pipeline = \"reload\"")
        .set("ingest.source", "simulated")
        .set("ingest.simulated.devices", DEVICES)
        .set("ingest.simulated.sensors", "temperature")
        .set("ingest.simulated.interval", "1s")
        .set("ingest.simulated.duration", "0s")
        .set("ingest.simulated.rate", 20_000)
        .set("aggregate.window", "10s")
        .set("score.models", models.display())
        .set("score.poll_interval", "50ms")
        .set("sink.min_rows", 1)
        .set("sink.max_delay", "0s")
        .set("sink.commit_interval", "50ms")
        .set("sink.url", results.display())
}

fn counted(service: &mut Running, address: &str, name: &str, at_least: f64) {
    service.wait_until(&format!("{name} to be {at_least}"), Duration::from_secs(60), |_| {
        let metrics = http::get(address, "/metrics")?.body;
        (http::metric(&metrics, name, "")? >= at_least).then_some(())
    });
}

#[test]
fn who_never_looks_for_models_does_when_told_to() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (registry, results) = (folder.path().join("registry"), folder.path().join("scored"));
    std::fs::create_dir(&registry).expect("ours");
    publish(&registry, 1);
    let mut service = service(&registry, &results).set("score.poll_interval", "0s").start();
    let address = service.telemetry_address();
    counted(&mut service, &address, "atalaia_score_models", 101.0);
    publish(&registry, 2);
    service.signal("HUP");
    counted(&mut service, &address, "atalaia_score_reloads_total", 1.0);
    let log = service.terminate(Duration::from_secs(30)).success().stderr;
    assert!(log.contains("SIGHUP: the configuration was read again, and newer models are looked for"), "{log}");
}

#[test]
fn every_commit_is_judged_by_the_set_that_it_names() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (registry, results) = (folder.path().join("registry"), folder.path().join("scored"));
    std::fs::create_dir(&registry).expect("ours");
    let mut sets = BTreeMap::from([(publish(&registry, 1).set, 1)]);
    let mut service = service(&registry, &results).start();
    let address = service.telemetry_address();
    counted(&mut service, &address, "atalaia_score_models", 101.0);
    for number in 2..=SETS {
        sets.insert(publish(&registry, number).set, number);
        counted(&mut service, &address, "atalaia_score_reloads_total", f64::from(number - 1));
        thread::sleep(Duration::from_millis(300));
    }
    // A set that cannot be used changes nothing.
    std::fs::write(registry.join("current/00000000000000000099"), r#"{"set": "absent"}"#).expect("ours");
    counted(&mut service, &address, "atalaia_score_reload_failures_total", 1.0);
    counted(&mut service, &address, "atalaia_score_reload_failing", 1.0);
    thread::sleep(Duration::from_millis(300));
    // Somebody goes back to the set in use: there is nothing to load, and nothing fails any more.
    let in_use = sets.iter().find(|(_, number)| **number == SETS).expect("it was published").0;
    let pointer = format!(r#"{{"set": "{in_use}"}}"#);
    std::fs::write(registry.join("current/00000000000000000100"), pointer).expect("ours");
    service.wait_until("atalaia_score_reload_failing to be 0", Duration::from_secs(60), |_| {
        let metrics = http::get(&address, "/metrics")?.body;
        (http::metric(&metrics, "atalaia_score_reload_failing", "")? == 0.0).then_some(())
    });
    let log = service.terminate(Duration::from_secs(30)).success().stderr;
    assert!(log.contains("newer models cannot be used: those in use stay"), "{log}");

    let (mut rows, mut seen) = (0, BTreeSet::new());
    let mut newest: BTreeMap<String, (u64, u32)> = BTreeMap::new();
    let mut files = files_below(&results.join("predictions"));
    files.sort_by_key(|path| sequence(path));
    for file in files {
        let mut of_file = BTreeSet::new();
        for batch in read(&file) {
            rows += batch.num_rows();
            let column = |name: &str| batch.column_by_name(name).expect("in the schema").clone();
            let (set, status, decision) = (column("model_set"), column("status"), column("decision"));
            for row in 0..batch.num_rows() {
                let named = sets.get(set.as_string::<i32>().value(row)).copied();
                let judged = decision.as_primitive::<Float64Type>().value(row);
                assert_eq!(status.as_string::<i32>().value(row), "scored");
                assert_eq!(named.map(f64::from), Some(judged), "row {row} of {}", file.display());
                of_file.extend(named);
            }
        }
        assert_eq!(of_file.len(), 1, "{} names the sets {of_file:?}", file.display());
        let (partition, sequence) = sequence(&file);
        let number = of_file.first().copied().expect("one");
        let (earlier, before) = newest.insert(partition, (sequence, number)).unwrap_or_default();
        // A commit with rows of two dates has two files.
        assert!(
            number == before || earlier < sequence,
            "{}: {number} and {before} in commit {sequence}",
            file.display()
        );
        assert!(number >= before, "{}: set {number} after {before} of commit {earlier}", file.display());
        seen.insert(number);
    }
    println!("{rows} rows, judged by the sets {seen:?}");
    assert!(rows > 1000 && seen.len() > SETS as usize / 2 && seen.contains(&SETS), "{rows} rows, {seen:?}");
}

/// The store answers only after a while: rows say that there are no models yet, and then there are.
#[test]
fn a_store_that_does_not_answer_is_waited_for_and_then_done_without() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (registry, results) = (folder.path().join("registry"), folder.path().join("scored"));
    std::fs::create_dir(&registry).expect("ours");
    let set = publish(&registry, 7).set;
    // Nobody listens there: the store is away, not empty.
    let closed = format!("http://127.0.0.1:{}/devstoreaccount1", crate::support::wait::free_port());
    let away = |command: Atalaia| {
        command
            .set("score.models", "az://models/registry")
            .set("storage.emulator", "true")
            .set("storage.endpoint", &closed)
            .set("storage.request_timeout", "1s")
    };
    let mut waiting = away(service(&registry, &results)).set("score.model_wait", "1s").start();
    let address = waiting.telemetry_address();
    waiting.wait_for_log("rows get the status `model_unavailable`", Duration::from_secs(60));
    counted(&mut waiting, &address, "atalaia_score_models_unavailable", 1.0);
    waiting.wait_until("rows without models", Duration::from_secs(60), |_| {
        let metrics = http::get(&address, "/metrics")?.body;
        http::metric(&metrics, "atalaia_score_rows_total", "status=\"model_unavailable\"").filter(|rows| *rows > 0.0)
    });
    waiting.terminate(Duration::from_secs(30)).success();
    let statuses = statuses(&results);
    assert_eq!(statuses.keys().collect::<Vec<_>>(), ["model_unavailable"], "{statuses:?}");

    let mut again = service(&registry, &results).start();
    let address = again.telemetry_address();
    again.wait_until("scored rows", Duration::from_secs(60), |_| {
        let metrics = http::get(&address, "/metrics")?.body;
        http::metric(&metrics, "atalaia_score_rows_total", "status=\"scored\"").filter(|rows| *rows > 0.0)
    });
    let log = again.terminate(Duration::from_secs(30)).success().stderr;
    assert!(log.contains(&set), "{log}");
    let statuses = self::statuses(&results);
    assert_eq!(statuses.keys().collect::<Vec<_>>(), ["model_unavailable", "scored"], "{statuses:?}");

    // A job has no time to wait for.
    let job = away(Atalaia::new("score").config("pipeline = \"job\"").set("ingest.source", "simulated"));
    let job = job.set("ingest.simulated.duration", "1h").set("sink.url", folder.path().join("job").display()).run();
    let job = job.status_is(1);
    assert!(job.stderr.contains("cannot be reached"), "{}", job.stderr);
}

fn statuses(results: &Path) -> BTreeMap<String, usize> {
    let mut statuses = BTreeMap::new();
    for batch in files_below(&results.join("predictions")).iter().flat_map(|file| read(file)) {
        let column = batch.column_by_name("status").expect("in the schema").clone();
        for status in column.as_string::<i32>().iter().flatten() {
            *statuses.entry(status.to_owned()).or_insert(0) += 1;
        }
    }
    statuses
}

fn read(file: &Path) -> Vec<RecordBatch> {
    let file = File::open(file).expect("it is listed");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("Parquet");
    reader.collect::<Result<_, _>>().expect("Parquet")
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => files.extend(files_below(&path)),
            path => files.push(path),
        }
    }
    files
}

/// Partition and commit of a file: `<topic>-<partition>-<genesis>-<seq>.parquet`.
fn sequence(file: &Path) -> (String, u64) {
    let name = file.file_stem().and_then(|name| name.to_str()).expect("a name");
    let (partition, sequence) = name.rsplit_once('-').expect("a commit's number");
    (partition.to_owned(), sequence.parse().unwrap_or_else(|_| panic!("no number in {name}")))
}
