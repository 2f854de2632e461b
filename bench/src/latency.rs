//! From the record that closes a window to the durable row, while a live fleet sends.
//!
//! Event times are the moments of sending. A device's window is closed by its first record at or after the window's end and
//! the out-of-orderness; its row is there when its file gets its name, which the file system notes (`ctime`).

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use ingest::kafka::{Outgoing, Producer};
use types::Micros;

use crate::contender::metric;
use crate::speed::{free_address, python};
use crate::workload::producer;

const PARTITIONS: usize = 8;
const TIMEOUT: Duration = Duration::from_secs(60);
const WINDOW: Micros = 10_000_000;
const OUT_OF_ORDERNESS: Micros = 2_000_000;
/// Sent in one go, so that a second has a hundred of them.
const SLICE: Duration = Duration::from_millis(10);

/// A fleet that sends now.
#[derive(Clone, Copy)]
struct Fleet {
    devices: usize,
    sensors: usize,
    /// Records a second; as fast as it goes if infinite.
    rate: f64,
}

const FLEET_10K: Fleet = Fleet { devices: 2000, sensors: 5, rate: f64::INFINITY };

pub(crate) fn measure(brokers: &str) -> anyhow::Result<()> {
    let most = most(brokers)?;
    eprintln!("the fleet, the broker and the service together manage {most:.0} records a second here");
    println!("| load | records/s | commit interval | rows | p50 s | p99 s | worst s |");
    println!("|---|---|---|---|---|---|---|");
    let slow = Fleet { devices: 8, sensors: 1, rate: 8.0 };
    let at = |share: f64| Fleet { rate: most * share, ..FLEET_10K };
    for (name, fleet) in [("1 record/s a partition", slow), ("10 %", at(0.1)), ("80 %", at(0.8))] {
        // What waits for its interval must come round once at least.
        for (interval, seconds) in [(1, 40), (60, 100)] {
            one(brokers, name, fleet, interval, Duration::from_secs(seconds))?;
        }
    }
    Ok(())
}

/// What can be sent while the service keeps up: half of the time is for it to catch up.
fn most(brokers: &str) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let (topic, mut producer) = topic(brokers, "most")?;
    let address = free_address()?;
    let mut service = start(brokers, &topic, 60, &address, folder.path())?;
    let begun = Instant::now();
    let (_, sent) = send(&mut producer, FLEET_10K, Duration::from_secs(15))?;
    while metric(&address, "atalaia_ingest_records_total").unwrap_or(0.0) < sent as f64 {
        if begun.elapsed() > Duration::from_secs(120) {
            bail!("the service did not read what was sent");
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let rate = sent as f64 / begun.elapsed().as_secs_f64();
    stop(&mut service)?;
    Ok(rate)
}

fn one(brokers: &str, name: &str, fleet: Fleet, interval_s: u64, time: Duration) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (topic, mut producer) = topic(brokers, &format!("latency-{interval_s}"))?;
    let mut service = start(brokers, &topic, interval_s, &free_address()?, folder.path())?;
    let (closed, sent) = send(&mut producer, fleet, time)?;
    // What was closed last is durable after one more interval.
    std::thread::park_timeout(Duration::from_secs(interval_s + 3));
    stop(&mut service)?;
    let list = folder.path().join("closed.csv");
    write(&closed, &list)?;
    let args = [list.display().to_string(), folder.path().join("out").display().to_string()];
    let told = python("bench/latency.py", &args.each_ref().map(String::as_str))?;
    let rate = sent as f64 / time.as_secs_f64();
    println!("| {name} | {rate:.0} | {interval_s} s | {} |", told.trim());
    Ok(())
}

fn topic(brokers: &str, what: &str) -> anyhow::Result<(String, Producer)> {
    let topic = format!("{what}-{}", now());
    let producer = producer(brokers, &topic)?;
    producer.create_topic(PARTITIONS, TIMEOUT)?;
    Ok((topic, producer))
}

fn start(brokers: &str, topic: &str, interval_s: u64, metrics: &str, folder: &Path) -> anyhow::Result<Child> {
    let value = serde_json::json!({
        "pipeline": "latency",
        "ingest": { "source": "kafka", "kafka": { "brokers": brokers, "topic": topic, "group": topic } },
        "aggregate": { "window": "10s", "out_of_orderness": "2s" },
        "sink": {
            "url": folder.join("out"), "commit_interval": format!("{interval_s}s"), "max_delay": "0s",
        },
        "telemetry": { "metrics": metrics, "log": "error" },
        "run": { "workers": 2 },
    });
    let config = folder.join("latency.json");
    std::fs::write(&config, value.to_string()).context("write the configuration")?;
    let program = std::env::current_exe().context("find this program")?;
    let config = config.display().to_string();
    let mut command = Command::new(program);
    command.args(["atalaia", "--", "run", "-c", &config]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut service = command.spawn().context("start the service")?;
    let begun = Instant::now();
    while metric(metrics, "atalaia_ingest_partitions_assigned").unwrap_or(0.0) < PARTITIONS as f64 {
        if let Some(status) = service.try_wait()? {
            bail!("the service ended: {status}");
        }
        if begun.elapsed() > TIMEOUT {
            bail!("the service was given no partitions");
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    Ok(service)
}

fn stop(service: &mut Child) -> anyhow::Result<()> {
    service.kill().context("stop the service")?;
    service.wait().context("wait for the service")?;
    Ok(())
}

/// When a device's window was closed: device, start of the window, moment of sending.
type Closed = Vec<(usize, Micros, Micros)>;

/// Sends for so long; all series take turns. Returns what closed which window, and how many records were sent.
fn send(producer: &mut Producer, fleet: Fleet, time: Duration) -> anyhow::Result<(Closed, u64)> {
    let (begun, first) = (Instant::now(), now());
    let mut closed = Closed::new();
    // The first window is one that was begun in the middle.
    let mut due = vec![first.div_euclid(WINDOW) * WINDOW + WINDOW + OUT_OF_ORDERNESS; fleet.devices];
    let names: Vec<String> = (0..fleet.devices).map(|device| format!("device-{device:04}")).collect();
    let (mut sent, mut turn, mut payload) = (0_u64, 0_usize, Vec::new());
    while begun.elapsed() < time {
        let goal = (begun.elapsed().as_secs_f64() * fleet.rate).min(sent as f64 + 20_000.0) as u64;
        let stamp = now();
        while sent < goal {
            let (device, sensor) = (turn / fleet.sensors, turn % fleet.sensors);
            payload.clear();
            write!(
                payload,
                r#"{{"device":"{}","sensor":"s{sensor}","ts":{},"value":{}.5}}"#,
                names[device],
                stamp / 1000,
                sent % 100
            )?;
            let record = Outgoing {
                partition: None,
                key: Some(names[device].as_bytes()),
                payload: Some(&payload),
                time: Some(stamp),
            };
            producer.send(record)?;
            if stamp / 1000 * 1000 >= due[device] {
                closed.push((device, due[device] - OUT_OF_ORDERNESS - WINDOW, stamp));
                due[device] += WINDOW;
            }
            sent += 1;
            turn = (turn + 1) % (fleet.devices * fleet.sensors);
        }
        if fleet.rate.is_finite() {
            std::thread::park_timeout(SLICE);
        }
    }
    producer.flush(TIMEOUT)?;
    Ok((closed, sent))
}

fn write(closed: &Closed, path: &Path) -> anyhow::Result<()> {
    let mut text = String::from("device,start,sent\n");
    for (device, start, sent) in closed {
        text.push_str(&format!("device-{device:04},{start},{sent}\n"));
    }
    std::fs::write(path, text).context("write what was closed")
}

#[allow(clippy::disallowed_methods, reason = "a program, not a stage")]
fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(0)
}
