//! What one uninterrupted reading of a partition's log must give: the rules of time once more, written from their words and
//! device by device, with nothing in common with the stage that they judge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::datasets::{Late, Row, Run};
use crate::fleet::{CLOSE_AFTER, Content, MAX_FUTURE_SKEW, OUT_OF_ORDERNESS, Reading, Record, WINDOW};

#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) rows: Vec<Row>,
    pub(crate) late: Vec<Late>,
    /// Reason and position, in order.
    pub(crate) refused: Vec<(&'static str, i64)>,
    pub(crate) decoded: u64,
    pub(crate) undecodable: u64,
    pub(crate) tombstones: u64,
    pub(crate) readings: u64,
}

/// The log, the moves of the arrival clock by elapsed time (position and time), and the records that were set aside unread.
pub(crate) struct Log<'a> {
    pub(crate) records: &'a [Arc<Record>],
    pub(crate) steps: &'a [(i64, i64)],
    pub(crate) set_aside: &'a BTreeSet<i64>,
}

/// A reading where it stands in the log.
struct Event<'a> {
    position: i64,
    index: i32,
    reading: &'a Reading,
    /// The arrival clock once the record was in.
    arrival: i64,
}

impl Log<'_> {
    pub(crate) fn outcome(&self) -> Expected {
        let (arrivals, end) = self.arrivals();
        let mut expected = Expected::default();
        let mut devices: BTreeMap<&str, Vec<Event<'_>>> = BTreeMap::new();
        for ((position, record), arrival) in (0..).zip(self.records).zip(arrivals) {
            if self.set_aside.contains(&position) {
                expected.undecodable += 1;
                expected.refused.push(("crash_suspect", position));
                continue;
            }
            match &record.content {
                Content::Tombstone => expected.tombstones += 1,
                Content::Killer => {
                    expected.undecodable += 1;
                    expected.refused.push(("too_deep", position));
                }
                Content::Undecodable(reason) => {
                    expected.undecodable += 1;
                    expected.refused.push((reason, position));
                }
                Content::Readings(readings, bad) => {
                    expected.decoded += 1;
                    expected.readings += readings.len() as u64 + u64::from(*bad);
                    for (index, reading) in (0..).zip(readings) {
                        if reading.time > arrival + MAX_FUTURE_SKEW {
                            expected.refused.push(("future", position));
                        } else {
                            let events = devices.entry(&reading.device).or_default();
                            events.push(Event { position, index, reading, arrival });
                        }
                    }
                    expected.refused.extend((0..*bad).map(|_| ("missing_field", position)));
                }
            }
        }
        for events in devices.values() {
            device(events, end, &mut expected);
        }
        expected
    }

    /// The arrival clock at each record, and at the end.
    fn arrivals(&self) -> (Vec<i64>, i64) {
        let mut clock = i64::MIN;
        let mut steps = self.steps.iter().peekable();
        let mut arrivals = Vec::new();
        for (position, record) in (0..).zip(self.records) {
            while let Some((_, to)) = steps.next_if(|(at, _)| *at <= position) {
                clock = clock.max(*to);
            }
            clock = clock.max(record.broker_time);
            arrivals.push(clock);
        }
        (arrivals, steps.map(|(_, to)| *to).fold(clock, i64::max))
    }
}

fn end_of(time: i64) -> i64 {
    (time.div_euclid(WINDOW) + 1) * WINDOW
}

/// One device: nobody else's readings matter to it but through the arrival clock.
fn device(events: &[Event<'_>], arrival_at_end: i64, expected: &mut Expected) {
    let mut accepted: BTreeMap<i64, Vec<&Reading>> = BTreeMap::new();
    let mut closed: BTreeMap<i64, &'static str> = BTreeMap::new();
    let (mut newest, mut moved_at) = (i64::MIN, i64::MIN);
    let (mut closed_to, mut closed_by) = (i64::MIN, "");
    // By its own clock, then by silence: only ever forward.
    let mut settle = |accepted: &BTreeMap<i64, Vec<&Reading>>,
                      newest: i64,
                      moved_at: i64,
                      arrival: i64,
                      closed_to: &mut i64,
                      closed_by: &mut &'static str| {
        if newest == i64::MIN {
            return;
        }
        let own = (newest - OUT_OF_ORDERNESS).div_euclid(WINDOW) * WINDOW;
        let silent_to = newest + (arrival - moved_at) - CLOSE_AFTER;
        let mut raise = |to: i64, by: &'static str| {
            if to > *closed_to {
                accepted.range(..=to).filter(|(end, _)| **end > *closed_to).for_each(|(end, _)| {
                    closed.entry(*end).or_insert(by);
                });
                (*closed_to, *closed_by) = (to, by);
            }
        };
        raise(own, "device");
        if let Some((end, _)) = accepted.range(..=silent_to).next_back() {
            raise(*end, "silence");
        }
    };
    for record in events.chunk_by(|a, b| a.position == b.position) {
        let arrival = record[0].arrival;
        settle(&accepted, newest, moved_at, arrival, &mut closed_to, &mut closed_by);
        let mut newest_here = i64::MIN;
        for event in record {
            let Reading { device, sensor, time, value } = event.reading;
            let end = end_of(*time);
            if end <= closed_to {
                expected.late.push(Late {
                    position: event.position,
                    index: event.index,
                    device: device.to_string(),
                    sensor: (*sensor).to_owned(),
                    time: *time,
                    value: *value,
                    start: end - WINDOW,
                    late_by: closed_to - time,
                    closed_by: closed_by.to_owned(),
                });
            } else {
                accepted.entry(end).or_default().push(event.reading);
                newest_here = newest_here.max(*time);
            }
        }
        if newest_here > newest {
            (newest, moved_at) = (newest_here, arrival);
        }
        settle(&accepted, newest, moved_at, arrival, &mut closed_to, &mut closed_by);
    }
    settle(&accepted, newest, moved_at, arrival_at_end, &mut closed_to, &mut closed_by);
    for (end, readings) in &accepted {
        let by = closed.get(end).copied().unwrap_or("drain");
        let sensors: BTreeSet<&str> = readings.iter().map(|reading| reading.sensor).collect();
        for sensor in sensors {
            let of = |end: &i64| -> Vec<f64> {
                let readings = accepted.get(end).into_iter().flatten();
                readings.filter(|reading| reading.sensor == sensor).map(|reading| reading.value).collect()
            };
            let before = of(&(end - WINDOW));
            expected.rows.push(row(&readings[0].device, sensor, end - WINDOW, &of(end), &before, by));
        }
    }
}

fn row(device: &str, sensor: &str, start: i64, values: &[f64], before: &[f64], closed_by: &str) -> Row {
    let mean_of = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let mean = mean_of(values);
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    Row {
        device: device.to_owned(),
        sensor: sensor.to_owned(),
        start,
        count: values.len() as i64,
        sum: values.iter().sum(),
        mean,
        std: (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt()),
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        first: values[0],
        last: values[values.len() - 1],
        delta: (!before.is_empty()).then(|| mean - mean_of(before)),
        closed_by: closed_by.to_owned(),
        severity: None,
    }
}

// === Comparing ===

pub(crate) fn compare(
    expected: &mut Expected,
    mut rows: Vec<Row>,
    mut late: Vec<Late>,
    runs: &[Run],
) -> Result<(), String> {
    let key = |row: &Row| (row.device.clone(), row.sensor.clone(), row.start);
    rows.sort_by_key(key);
    expected.rows.sort_by_key(key);
    pairs("row", &expected.rows, &rows, same_row)?;
    let key = |late: &Late| (late.position, late.index);
    late.sort_by_key(key);
    expected.late.sort_by_key(key);
    pairs("late reading", &expected.late, &late, |a, b| a == b)?;
    let mut refused = expected.refused.iter();
    for run in runs {
        let items: Vec<_> = refused.by_ref().take(run.count as usize).collect();
        let fits = items.len() as i64 == run.count
            && items.iter().all(|(reason, _)| *reason == run.reason)
            && items.first().map(|(_, at)| *at) == Some(run.first)
            && items.last().map(|(_, at)| *at) == Some(run.last);
        if !fits {
            return Err(format!("quarantine has {run:?}, expected {items:?}"));
        }
    }
    match refused.next() {
        None => Ok(()),
        Some(missing) => Err(format!("quarantine lacks {missing:?}")),
    }
}

fn pairs<T: std::fmt::Debug>(what: &str, expected: &[T], found: &[T], same: fn(&T, &T) -> bool) -> Result<(), String> {
    let differs = expected.iter().zip(found).position(|(expected, found)| !same(expected, found));
    let at = differs.or_else(|| (expected.len() != found.len()).then(|| expected.len().min(found.len())));
    match at {
        None => Ok(()),
        Some(at) => Err(format!(
            "{what} {at} of {} (expected) and {} (found): expected {:?}, found {:?}",
            expected.len(),
            found.len(),
            expected.get(at),
            found.get(at)
        )),
    }
}

fn same_row(expected: &Row, found: &Row) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()));
    let near_or_none = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => near(a, b),
        (a, b) => a == b,
    };
    let key = |row: &Row| (row.device.clone(), row.sensor.clone(), row.start, row.count, row.closed_by.clone());
    key(expected) == key(found)
        && [expected.min, expected.max, expected.first, expected.last]
            == [found.min, found.max, found.first, found.last]
        && near(expected.sum, found.sum)
        && near(expected.mean, found.mean)
        && near_or_none(expected.std, found.std)
        && near_or_none(expected.delta, found.delta)
        && near_or_none(expected.severity, found.severity)
}
