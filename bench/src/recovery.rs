//! From a kill to the first new commit, with so many series that hold an open window each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ingest::kafka::{self, Outgoing, Producer};
use sink::record::{Header, Record};

const PARTITIONS: u32 = 8;
const TIMEOUT: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Readings after the kill, so that there is something to commit everywhere.
const MORE: u64 = 10_000;
const SENSORS: u64 = 10;

pub(crate) fn all(brokers: &str, series: &[u64]) -> anyhow::Result<()> {
    head();
    series.iter().try_for_each(|series| {
        let folder = tempfile::tempdir().context("make a folder")?;
        measure(brokers, *series, folder.path())
    })
}

/// Prints what it found.
fn measure(brokers: &str, series: u64, folder: &Path) -> anyhow::Result<()> {
    let topic = format!("recovery-{series}-{}", std::process::id());
    let config = configuration(brokers, &topic, folder)?;
    let logs = folder.join("out/state/recovery").join(&topic);
    produce(brokers, &topic, 0..series, true)?;

    let mut first = start(&config)?;
    let begun = Instant::now();
    let heads = wait(&mut first, &logs, "all to be committed", |heads| next(heads) >= series)?;
    let built = begun.elapsed();
    first.kill().context("kill the service")?;
    first.wait().context("wait for the service")?;
    produce(brokers, &topic, 0..MORE.min(series), false)?;

    let mut second = start(&config)?;
    let begun = Instant::now();
    let before: BTreeMap<PathBuf, i64> = heads.iter().map(|(log, head)| (log.clone(), head.resume.next.0)).collect();
    let moved = |heads: &BTreeMap<PathBuf, Header>| {
        heads.iter().filter(|(log, head)| head.resume.next.0 > before.get(*log).copied().unwrap_or(0)).count()
    };
    wait(&mut second, &logs, "the first new commit", |heads| moved(heads) > 0)?;
    let one = begun.elapsed();
    wait(&mut second, &logs, "a new commit in every partition", |heads| moved(heads) == PARTITIONS as usize)?;
    let all = begun.elapsed();
    second.kill().context("kill the service")?;
    second.wait().context("wait for the service")?;

    let (raw, packed) = states(&logs)?;
    println!(
        "| {series} | {:.1} | {:.1} | {:.2} | {:.2} | {:.1} | {:.1} |",
        raw as f64 / series as f64,
        packed as f64 / series as f64,
        raw as f64 / f64::from(1 << 20),
        packed as f64 / f64::from(1 << 20),
        one.as_secs_f64(),
        all.as_secs_f64()
    );
    eprintln!("reading {series} series into the state took {:.1} s", built.as_secs_f64());
    Ok(())
}

fn head() {
    println!(
        "| series | state B a series | packed | state MiB | packed | s to the first new commit | s to one everywhere |"
    );
    println!("|---|---|---|---|---|---|---|");
}

fn configuration(brokers: &str, topic: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    let value = serde_json::json!({
        "pipeline": "recovery",
        "ingest": { "source": "kafka", "kafka": {
            "brokers": brokers, "topic": topic, "group": topic, "instance_id": "one",
        } },
        "aggregate": { "window": "1h" },
        "sink": { "url": folder.join("out"), "commit_interval": "1s" },
        "telemetry": { "metrics": "off", "log": "warn" },
    });
    let path = folder.join("recovery.json");
    std::fs::write(&path, value.to_string()).with_context(|| format!("write `{}`", path.display()))?;
    Ok(path)
}

/// One reading of each series in the range.
fn produce(brokers: &str, topic: &str, series: std::ops::Range<u64>, is_new: bool) -> anyhow::Result<()> {
    let config = kafka::Config { brokers: brokers.to_owned(), topic: topic.to_owned(), ..kafka::Config::default() };
    let mut producer = Producer::new(&config)?;
    if is_new {
        producer.create_topic_with(PARTITIONS as usize, &[("retention.ms", "-1")], TIMEOUT)?;
    }
    let time = 1_750_000_000_000_000_i64;
    for number in series {
        let (device, sensor) = (format!("device-{:07}", number / SENSORS), number % SENSORS);
        let payload = format!(
            r#"{{"device":"{device}","sensor":"tag_{sensor}","ts":"2025-06-15T15:06:40Z","value":{number}.5}}"#
        );
        producer.send(Outgoing {
            partition: None,
            key: Some(device.as_bytes()),
            payload: Some(payload.as_bytes()),
            time: Some(time),
        })?;
    }
    producer.flush(TIMEOUT)?;
    Ok(())
}

fn start(config: &Path) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("find this program")?;
    let config = config.display().to_string();
    let mut command = Command::new(program);
    command.args(["atalaia", "--", "run", "-c", &config]).stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().context("start the service")
}

fn next(heads: &BTreeMap<PathBuf, Header>) -> u64 {
    heads.values().map(|head| u64::try_from(head.resume.next.0).unwrap_or(0)).sum()
}

/// Looks at the logs until it is so.
fn wait(
    service: &mut Child,
    logs: &Path,
    what: &str,
    mut is_so: impl FnMut(&BTreeMap<PathBuf, Header>) -> bool,
) -> anyhow::Result<BTreeMap<PathBuf, Header>> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let heads = heads(logs);
        if is_so(&heads) {
            return Ok(heads);
        }
        if let Some(status) = service.try_wait().context("look at the service")? {
            bail!("the service ended ({status}) before {what}");
        }
        if Instant::now() > deadline {
            bail!("waited {} s in vain for {what}", TIMEOUT.as_secs());
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
}

/// The newest record of each partition's log.
fn newest(logs: &Path) -> Vec<(PathBuf, PathBuf)> {
    let folders = std::fs::read_dir(logs).into_iter().flatten().flatten().map(|entry| entry.path().join("log"));
    folders
        .filter_map(|log| {
            let records = std::fs::read_dir(&log).ok()?.flatten().map(|entry| entry.path());
            records.max().map(|newest| (log, newest))
        })
        .collect()
}

fn heads(logs: &Path) -> BTreeMap<PathBuf, Header> {
    let found = newest(logs).into_iter().filter_map(|(log, newest)| {
        let bytes = std::fs::read(newest).ok()?;
        Some((log, sink::record::peek(&bytes).ok()?))
    });
    found.collect()
}

/// Of each partition below the results, the largest state that is there: the last one may hold nothing open any more.
pub(crate) fn largest_states(out: &Path) -> anyhow::Result<(u64, u64)> {
    let (mut raw, mut packed) = (0, 0);
    let below = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let logs = below(&out.join("state")).flat_map(|pipeline| below(&pipeline).collect::<Vec<_>>());
    for log in logs.flat_map(|topic| below(&topic).collect::<Vec<_>>()).map(|partition| partition.join("log")) {
        let states = below(&log).map(|record| state_of(&record)).collect::<anyhow::Result<Vec<_>>>()?;
        let largest = states.into_iter().max().unwrap_or_default();
        (raw, packed) = (raw + largest.0, packed + largest.1);
    }
    Ok((raw, packed))
}

/// Bytes of the newest states, as they are and packed.
fn states(logs: &Path) -> anyhow::Result<(u64, u64)> {
    let (mut raw, mut packed) = (0, 0);
    for (_, newest) in newest(logs) {
        let state = state_of(&newest)?;
        (raw, packed) = (raw + state.0, packed + state.1);
    }
    Ok((raw, packed))
}

/// Bytes of a record's state, as it is and with the header that it is packed beside.
fn state_of(record: &Path) -> anyhow::Result<(u64, u64)> {
    let bytes = std::fs::read(record).with_context(|| format!("read `{}`", record.display()))?;
    let size = bytes.len() as u64;
    let record = Record::open(bytes.into()).with_context(|| format!("read `{}`", record.display()))?;
    let files: u64 = record.header().files.iter().map(|file| file.length).sum();
    Ok((record.header().state.bytes, size - files))
}
