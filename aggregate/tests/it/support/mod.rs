//! The specification's JSON lines: a log in, its outcome out; in between the windows may be drained, or stopped and restored.

use aggregate::{Arrival, Clock, Close, Error, Refusal, Refused, Settings, TakeLimit, Windows};
use serde::{Deserialize, Serialize};
use types::{ClosedBy, Micros, Reading, Reason, SeriesNames, WindowRows};

#[cfg(test)]
pub(crate) mod random;

/// What happens between two entries of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    None,
    /// Settle, and hand on the closed rows.
    Drain,
    /// Hand on some of the closed rows.
    Take(TakeLimit),
    /// Stop, and go on from the snapshot.
    Restore,
}

/// One line of the log.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Entry {
    Tick {
        tick: Micros,
    },
    End {
        end: End,
    },
    Drain {
        drain: Micros,
    },
    Record {
        position: i64,
        broker_time: Option<Micros>,
        wall: Option<Micros>,
        readings: Option<Vec<(String, String, Micros, f64)>>,
        undecodable: Option<String>,
        #[serde(default)]
        tombstone: bool,
        /// Readings that the decoder refused.
        #[serde(default)]
        refused: u64,
    },
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum End {
    Due,
    All,
}

/// One line of the outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Line {
    Row(Row),
    Late(Late),
    Rejected { position: i64, index: u32, device: String, sensor: String, t: Micros, value: f64, reason: Reason },
    Undecodable { position: i64, reason: String },
    DrainRefused { until: Micros, least: Micros },
    Tally(Tally),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) device: String,
    pub(crate) sensor: String,
    pub(crate) start: Micros,
    pub(crate) end: Micros,
    pub(crate) closed_by: ClosedBy,
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) mean: f64,
    pub(crate) m2: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) std: Option<f64>,
    pub(crate) std_pop: f64,
    pub(crate) delta: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Late {
    pub(crate) position: i64,
    pub(crate) index: u32,
    pub(crate) device: String,
    pub(crate) sensor: String,
    pub(crate) t: Micros,
    pub(crate) value: f64,
    pub(crate) window_end: Micros,
    pub(crate) closed_to: Micros,
    pub(crate) closed_by: ClosedBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) records: u64,
    pub(crate) decoded: u64,
    pub(crate) undecodable: u64,
    pub(crate) tombstones: u64,
    pub(crate) left_records: u64,
    pub(crate) readings: u64,
    pub(crate) late: u64,
    pub(crate) rejected: u64,
    pub(crate) refused: u64,
    pub(crate) left: u64,
    pub(crate) rows: u64,
    pub(crate) counted: u64,
    pub(crate) open: u64,
    pub(crate) drained: bool,
}

/// The specification's configuration, with its defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpecConfig {
    window: Micros,
    #[serde(default)]
    offset: Micros,
    #[serde(default)]
    out_of_orderness: Micros,
    #[serde(default)]
    close_after: Micros,
    #[serde(default)]
    max_future_skew: Micros,
    #[serde(default)]
    max_past: Option<Micros>,
    #[serde(default)]
    device_ttl: Option<Micros>,
    #[serde(default)]
    clock: Clock,
    #[serde(default)]
    files: bool,
    #[serde(default)]
    assume_sorted: bool,
    #[serde(default)]
    not_before: Option<Micros>,
    #[serde(default)]
    floor: Option<Micros>,
}

impl SpecConfig {
    /// The fresh state that it describes.
    pub(crate) fn begin(&self) -> Windows {
        let settings = self.settings();
        let mut windows = match self.floor {
            Some(floor) => Windows::with_floor(settings, floor),
            None => Windows::new(settings),
        };
        if let Some(not_before) = self.not_before {
            windows.set_not_before(not_before).expect("a boundary of windows");
        }
        windows
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            window: self.window,
            offset: self.offset,
            clock: self.clock,
            out_of_orderness: self.out_of_orderness,
            close_after: self.close_after,
            max_future_skew: self.max_future_skew,
            max_past: self.max_past,
            device_ttl: self.device_ttl,
            series_max: u32::MAX,
            files: self.files,
            assume_sorted: self.assume_sorted,
        }
    }
}

/// The log's outcome in canonical order. `pause` says what to do after the entry of a number, given the windows.
pub(crate) fn run(settings: Settings, log: &[Entry], pause: impl FnMut(usize, &Windows) -> Pause) -> Vec<Line> {
    run_from(settings, Windows::new(settings), log, pause)
}

/// From a state on.
pub(crate) fn run_from(
    settings: Settings,
    mut windows: Windows,
    log: &[Entry],
    mut pause: impl FnMut(usize, &Windows) -> Pause,
) -> Vec<Line> {
    let (mut rows, mut rest) = (Vec::new(), Vec::new());
    for (number, entry) in log.iter().enumerate() {
        step(&mut windows, entry, &mut rest);
        assert!(windows.tally().is_conserved(), "conservation after entry {number}: {:?}", windows.tally());
        match pause(number, &windows) {
            Pause::None => {}
            Pause::Drain => drain(&mut windows, &mut rows),
            Pause::Take(limit) => take(&mut windows, limit, &mut rows),
            Pause::Restore => windows = restored(settings, &windows),
        }
    }
    drain(&mut windows, &mut rows);
    rows.sort_by(|a, b| (&a.device, &a.sensor, a.start).cmp(&(&b.device, &b.sensor, b.start)));
    let mut lines: Vec<Line> = rows.into_iter().map(Line::Row).collect();
    lines.append(&mut rest);
    lines.push(Line::Tally(tally(&windows)));
    lines
}

/// Through the snapshot and back, which must say the same again.
pub(crate) fn restored(settings: Settings, windows: &Windows) -> Windows {
    let mut bytes = Vec::new();
    windows.snapshot(&mut bytes);
    let restored = Windows::restore(settings, &bytes).expect("our own snapshot");
    let mut again = Vec::new();
    restored.snapshot(&mut again);
    assert_eq!(bytes, again, "a snapshot of what was restored is the same snapshot");
    restored
}

pub(crate) fn step(windows: &mut Windows, entry: &Entry, lines: &mut Vec<Line>) {
    match entry {
        Entry::Tick { tick } => windows.tick(*tick),
        Entry::End { end: End::Due } => windows.end(Close::Due),
        Entry::End { end: End::All } => windows.end(Close::All),
        Entry::Drain { drain } => match windows.drain_until(*drain) {
            Ok(()) => {}
            Err(Error::DrainTooEarly { boundary, least }) => lines.push(Line::DrainRefused { until: boundary, least }),
            Err(error) => panic!("{error}"),
        },
        Entry::Record { position, broker_time, wall, readings, undecodable, tombstone, refused } => {
            let arrival = Arrival { position: *position, broker_time: *broker_time, wall: *wall };
            let drains = windows.boundaries().until.is_some();
            if undecodable.is_some() && drains {
                windows.leave(arrival);
            } else if let Some(reason) = undecodable {
                windows.undecodable(arrival);
                lines.push(Line::Undecodable { position: *position, reason: reason.clone() });
            } else if *tombstone {
                windows.tombstone(arrival);
            } else {
                observe(windows, arrival, readings.as_deref().unwrap_or_default(), lines);
                if drains {
                    windows.leave_readings(*refused);
                } else {
                    windows.refuse_readings(*refused);
                }
            }
        }
    }
}

fn observe(windows: &mut Windows, arrival: Arrival, readings: &[(String, String, Micros, f64)], lines: &mut Vec<Line>) {
    let mut refused = Vec::new();
    let borrowed =
        readings.iter().map(|(device, sensor, time, value)| Reading { device, sensor, time: *time, value: *value });
    windows.observe(arrival, borrowed, &mut refused);
    for Refused { index, what } in refused {
        let (device, sensor, t, value) = readings[index as usize].clone();
        let position = arrival.position;
        lines.push(match what {
            Refusal::Rejected(reason) => Line::Rejected { position, index, device, sensor, t, value, reason },
            Refusal::Late { window_start, closed_to, closed_by } => {
                let window_end = window_start + windows.closed().width;
                Line::Late(Late { position, index, device, sensor, t, value, window_end, closed_to, closed_by })
            }
        });
    }
}

pub(crate) fn drain(windows: &mut Windows, out: &mut Vec<Row>) {
    windows.settle();
    take(windows, TakeLimit::ALL, out);
}

pub(crate) fn take(windows: &mut Windows, limit: TakeLimit, out: &mut Vec<Row>) {
    let rows = windows.take_closed(limit);
    out.extend((0..rows.len()).map(|row| row_of(&rows, windows.names(), row)));
    windows.recycle(rows);
}

fn row_of(rows: &WindowRows, names: &impl SeriesNames, row: usize) -> Row {
    let series = rows.series[row];
    Row {
        device: names.device(series).to_owned(),
        sensor: names.sensor(series).to_owned(),
        start: rows.start[row],
        end: rows.end(row),
        closed_by: rows.closed_by[row],
        count: rows.count[row],
        sum: rows.sum[row],
        mean: rows.mean[row],
        m2: rows.m2[row],
        min: rows.min[row],
        max: rows.max[row],
        first: rows.first[row],
        last: rows.last[row],
        std: rows.std(row),
        std_pop: rows.std_pop(row),
        delta: rows.delta[row],
    }
}

fn tally(windows: &Windows) -> Tally {
    let aggregate::Tally { records, decoded, undecodable, tombstones, left_records, .. } = windows.tally();
    let aggregate::Tally { readings, late, rejected, refused, left, rows, counted, open, .. } = windows.tally();
    let drained = windows.is_drained();
    Tally {
        records,
        decoded,
        undecodable,
        tombstones,
        left_records,
        readings,
        late,
        rejected,
        refused,
        left,
        rows,
        counted,
        open,
        drained,
    }
}
