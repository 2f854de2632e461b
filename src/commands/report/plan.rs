//! What of a dataset is shown closely: the worst devices, their worst sensors, the worst alarms, and the axes they are drawn on.

use std::cmp::Reverse;
use std::collections::HashMap;

use types::Micros;

use super::bins::Axis;
use super::census::{Census, Tally, place};
use super::sketch::Histogram;
use crate::commands::ranking::Score;

/// Devices in the overview.
pub(super) const DEVICES_MAX: usize = 60;
/// Devices whose sensors are drawn over time, and how many of their sensors.
const DRAWN_DEVICES_MAX: usize = 6;
const DRAWN_SENSORS_MAX: usize = 3;
/// Sensors whose worst alarm is told.
const ALARMS_MAX: usize = 25;
const ALARMS_OF_DEVICE_MAX: usize = 2;
const OVERVIEW_BINS_MAX: usize = 100;
const DRAWN_BINS_MAX: usize = 320;
const SCORE_BINS: usize = 60;

/// What the second look is about. Places in lists, the worst first.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) score: Score,
    pub(super) overview: Axis,
    pub(super) fine: Axis,
    pub(super) devices: HashMap<u64, usize>,
    pub(super) drawn: HashMap<u64, usize>,
    /// With the score by which the alarm is recognised.
    pub(super) alarms: HashMap<u64, (usize, f64)>,
    /// Empty, with its bounds.
    pub(super) scores: Histogram,
    pub(super) device_count: u64,
    pub(super) series_count: u64,
    /// How many devices had an anomaly.
    pub(super) anomalous_devices: u64,
}

#[derive(Debug, Clone, Copy)]
struct Sum {
    windows: u64,
    anomalies: u64,
    worst: f64,
}

/// The most alarms first, then the worst score.
fn order(anomalies: u64, worst: f64, windows: u64, hash: u64) -> impl Ord {
    // Of floats as bits whose order is theirs.
    let bits = worst.to_bits().cast_signed();
    let ordered = bits ^ (((bits >> 63).cast_unsigned()) >> 1).cast_signed();
    (Reverse(anomalies), Reverse(ordered), Reverse(windows), hash)
}

impl Plan {
    pub(super) fn of(census: &Census) -> Plan {
        let score = census.score();
        let by = place(score);
        let mut sums: HashMap<u64, Sum> = HashMap::new();
        for tally in census.series.values() {
            let sum = sums.entry(tally.device).or_insert(Sum { windows: 0, anomalies: 0, worst: f64::NEG_INFINITY });
            sum.windows += u64::from(tally.windows);
            sum.anomalies += u64::from(tally.anomalies);
            sum.worst = sum.worst.max(tally.worst[by]);
        }
        let mut ranked: Vec<(u64, Sum)> = sums.into_iter().collect();
        ranked.sort_unstable_by_key(|(hash, sum)| order(sum.anomalies, sum.worst, sum.windows, *hash));
        let anomalous_devices = ranked.iter().filter(|(_, sum)| sum.anomalies > 0).count() as u64;
        let device_count = ranked.len() as u64;
        let devices: HashMap<u64, usize> =
            ranked.iter().take(DEVICES_MAX).enumerate().map(|(rank, (hash, _))| (*hash, rank)).collect();

        let (from, to) = census.spread.shown(census.first, census.end);
        let window = census.window();
        Plan {
            score,
            overview: Axis::over(from, to, OVERVIEW_BINS_MAX, window),
            fine: Axis::over(from, to, DRAWN_BINS_MAX, window),
            drawn: drawn(census, &devices, by),
            alarms: alarms(census, by),
            devices,
            scores: bounds(census, by),
            device_count,
            series_count: census.series.len() as u64,
            anomalous_devices,
        }
    }

    /// What the axes leave out of the whole span.
    pub(super) fn left_out(&self, census: &Census) -> Option<(Micros, Micros)> {
        let is_whole = self.overview.begin <= census.first && self.overview.end() >= census.end;
        (!is_whole).then_some((census.first, census.end))
    }
}

/// The worst sensors of the worst devices, in the order of the devices.
fn drawn(census: &Census, devices: &HashMap<u64, usize>, by: usize) -> HashMap<u64, usize> {
    let rank = |tally: &Tally| devices.get(&tally.device).copied().filter(|rank| *rank < DRAWN_DEVICES_MAX);
    let mut series: Vec<(usize, u64, &Tally)> =
        census.series.iter().filter_map(|(hash, tally)| Some((rank(tally)?, *hash, tally))).collect();
    let key = |&(rank, hash, tally): &(usize, u64, &Tally)| {
        (rank, order(tally.anomalies.into(), tally.worst[by], tally.windows.into(), hash))
    };
    series.sort_unstable_by_key(key);
    let worst = series.chunk_by(|a, b| a.0 == b.0).flat_map(|own| own.iter().take(DRAWN_SENSORS_MAX));
    worst.enumerate().map(|(place, (_, hash, _))| (*hash, place)).collect()
}

/// The series with the worst alarms. What befell a whole device does not take all places, as long as others have alarms, too.
fn alarms(census: &Census, by: usize) -> HashMap<u64, (usize, f64)> {
    let mut worst: Vec<(u64, &Tally)> =
        census.series.iter().filter(|(_, tally)| tally.anomalies > 0).map(|(hash, tally)| (*hash, tally)).collect();
    worst.sort_unstable_by_key(|(hash, tally)| order(0, tally.worst[by], tally.anomalies.into(), *hash));
    let mut of_device: HashMap<u64, usize> = HashMap::new();
    let (mut chosen, mut rest) = (Vec::new(), Vec::new());
    for (rank, (hash, tally)) in worst.into_iter().enumerate() {
        let count = of_device.entry(tally.device).or_default();
        *count += 1;
        let list = if *count <= ALARMS_OF_DEVICE_MAX { &mut chosen } else { &mut rest };
        if list.len() < ALARMS_MAX {
            list.push((rank, hash, tally.worst[by]));
        }
    }
    chosen.extend(rest);
    chosen.truncate(ALARMS_MAX);
    chosen.sort_unstable_by_key(|(rank, ..)| *rank);
    chosen.into_iter().enumerate().map(|(place, (_, hash, worst))| (hash, (place, worst))).collect()
}

/// From the lowest of nearly all to as far above the threshold that the rest still has room; what is beyond has the last bin.
fn bounds(census: &Census, by: usize) -> Histogram {
    let sketch = &census.sketches[by];
    let quantile = |share| sketch.quantile(share).unwrap_or_default();
    let low = quantile(0.001);
    let high = match low < 0.0 {
        true => (-2.5 * low).max(quantile(0.9)).min(sketch.high.max(-0.2 * low)),
        false => quantile(0.99),
    };
    let margin = if high > low { 0.0 } else { 0.5_f64.max(low.abs() * 0.1) };
    Histogram::new(low - margin, high + margin, SCORE_BINS)
}
