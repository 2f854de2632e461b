//! The fleet of a seed: devices that send in order, out of order within the bounds, late, or their backlog after a time
//! offline; and, here and there, what nobody can read.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

pub(crate) const SECOND: i64 = 1_000_000;
/// Some morning.
pub(crate) const BASE: i64 = 1_700_000_000 * SECOND;
pub(crate) const WINDOW: i64 = 60 * SECOND;
pub(crate) const OUT_OF_ORDERNESS: i64 = 10 * SECOND;
pub(crate) const CLOSE_AFTER: i64 = 30 * SECOND;
pub(crate) const MAX_FUTURE_SKEW: i64 = 300 * SECOND;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    pub(crate) device: Arc<str>,
    pub(crate) sensor: &'static str,
    pub(crate) time: i64,
    pub(crate) value: f64,
}

/// What a record means, as the oracle takes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Readings; then so many more elements of the array that are refused (`missing_field`).
    Readings(Vec<Reading>, u32),
    Undecodable(&'static str),
    Tombstone,
    /// Kills whoever folds it.
    Killer,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) broker_time: i64,
    pub(crate) key: Vec<u8>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) content: Content,
}

/// A record before it is in the log.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// When the broker takes it, since the beginning.
    pub(crate) at: i64,
    pub(crate) record: Record,
}

/// Everything that one partition is sent within `span`, in order.
pub(crate) fn partition(rng: &mut ChaCha8Rng, index: u32, records: usize, span: i64) -> Vec<Sent> {
    let devices = rng.random_range(2..=5);
    let jitters = rng.random_bool(0.3);
    let each = records / devices;
    let mut sent = Vec::new();
    for device in 0..devices {
        of_device(rng, &format!("d{index}-{device}"), each, span, &mut sent);
    }
    sent.sort_by_key(|sent| sent.at);
    for one in &mut sent {
        one.record.broker_time = BASE + one.at;
        if jitters {
            // Times that producers gave: nearly in order.
            one.record.broker_time -= rng.random_range(0..5 * SECOND);
        }
    }
    sent
}

fn of_device(rng: &mut ChaCha8Rng, name: &str, records: usize, span: i64, sent: &mut Vec<Sent>) {
    let device: Arc<str> = name.into();
    let sensors = ["temp", "flow", "load"];
    let sensors = &sensors[..rng.random_range(1..=3)];
    let habit = rng.random_range(0..5);
    let step = (span / records.max(1) as i64).max(SECOND / 10);
    let offline = rng.random_range(0..span / 2);
    let online = offline + rng.random_range(span / 20..span / 2);
    // Some have a clock that is wrong.
    let skew = if rng.random_bool(0.1) { rng.random_range(-400..400) * SECOND } else { 0 };
    let mut time = rng.random_range(0..step);
    while time < span {
        let delay = match habit {
            1 => rng.random_range(0..9 * SECOND),
            2 if rng.random_bool(0.15) => rng.random_range(30 * SECOND..200 * SECOND),
            3 if (offline..online).contains(&time) => online - time + (time - offline) / 1000,
            // Silent for a while, then back.
            4 if (offline..online).contains(&time) => {
                time = online;
                continue;
            }
            _ => rng.random_range(SECOND / 10..2 * SECOND),
        };
        let record = record(rng, &device, sensors, BASE + time + skew);
        sent.push(Sent { at: time + delay, record });
        // Sometimes a pause that silence notices.
        time += if rng.random_bool(0.01) { 4 * WINDOW } else { rng.random_range(step / 2..step * 3 / 2 + 1) };
    }
}

fn record(rng: &mut ChaCha8Rng, device: &Arc<str>, sensors: &[&'static str], time: i64) -> Record {
    if rng.random_bool(0.01) {
        return poison(rng);
    }
    let count = if rng.random_bool(0.2) { rng.random_range(2..=4) } else { 1 };
    let readings: Vec<Reading> = (0..count)
        .map(|place| Reading {
            device: Arc::clone(device),
            sensor: sensors[rng.random_range(0..sensors.len())],
            time: time - place * SECOND,
            value: f64::from(rng.random_range(-400..400)) / 8.0,
        })
        .collect();
    let bad = u32::from(count > 1 && rng.random_bool(0.05));
    of_readings(readings, bad)
}

pub(crate) fn of_readings(readings: Vec<Reading>, bad: u32) -> Record {
    let object = |reading: &Reading| {
        let Reading { device, sensor, time, value } = reading;
        format!(r#"{{"device":"{device}","sensor":"{sensor}","ts":{time},"value":{value}}}"#)
    };
    let mut parts: Vec<String> = readings.iter().map(object).collect();
    parts.extend((0..bad).map(|_| r#"{"device":"x","value":1}"#.to_owned()));
    let text = if parts.len() == 1 { parts.remove(0) } else { format!("[{}]", parts.join(",")) };
    let key = readings.first().map_or(Vec::new(), |reading| reading.device.as_bytes().to_vec());
    Record { broker_time: 0, key, payload: Some(text.into_bytes()), content: Content::Readings(readings, bad) }
}

/// What nobody can read.
pub(crate) fn poison(rng: &mut ChaCha8Rng) -> Record {
    let (payload, content): (Option<&[u8]>, _) = match rng.random_range(0..5) {
        0 => (Some(b"not json"), Content::Undecodable("invalid_json")),
        1 => (Some(b""), Content::Undecodable("empty")),
        2 => (Some(b"{\"device\":\"d\",\"sensor\":\"s\",\"value\":1}"), Content::Undecodable("missing_field")),
        3 => (Some(b"\xff\xfe{}"), Content::Undecodable("not_utf8")),
        _ => (None, Content::Tombstone),
    };
    Record { broker_time: 0, key: b"poison".to_vec(), payload: payload.map(<[u8]>::to_vec), content }
}

/// The record at which the simulated process dies: it is told by a refusal that nothing else causes.
pub(crate) fn killer() -> Record {
    let payload = format!("{}{}", "[".repeat(60), "]".repeat(60)).into_bytes();
    Record { broker_time: 0, key: b"killer".to_vec(), payload: Some(payload), content: Content::Killer }
}
