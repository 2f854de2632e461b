//! What a configuration makes of the sample: the service's own decoder is the judge. And what its readings tell of rhythm and order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ingest::decode::{Config, Decoded, Decoder, Reject};
use ingest::{Given, Records};
use types::{Micros, PartitionId, Reading};

use super::Sample;
use crate::wall;

/// Readings remembered to tell whether two contradict each other, and how far apart they are.
const READINGS_MAX: usize = 200_000;

/// What became of the sample's records.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) records: usize,
    /// Records of which nothing is refused, and something was read.
    pub(crate) good: usize,
    /// Records of which a part is refused.
    pub(crate) partly: usize,
    pub(crate) readings: usize,
    pub(crate) devices: usize,
    pub(crate) sensors: usize,
    /// Readings and records that are refused, by reason, with the first one of each.
    pub(crate) refused: BTreeMap<&'static str, Refused>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refused {
    pub(crate) count: usize,
    /// Of the first record: its number in the sample, from 1.
    pub(crate) record: usize,
    pub(crate) detail: String,
}

/// How the readings follow each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rhythm {
    /// Usual distance of two readings of a series.
    pub(crate) interval: Option<Micros>,
    /// How far behind its device's newest reading one came, at most: but for those that come days later, and for times that are
    /// still to come, which are refused and put nothing out of order.
    pub(crate) disorder: Micros,
    pub(crate) oldest: Option<Micros>,
    pub(crate) newest: Option<Micros>,
}

/// The verdict on one configuration.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) tally: Tally,
    pub(super) rhythm: Rhythm,
    /// Readings that say something else than another one of the same series and time.
    pub(super) contradictions: usize,
    /// Each device has one sensor, and each sensor one device: one of the two says nothing.
    pub(super) one_to_one: bool,
}

/// What comes later than this is waited for by nobody.
const LATENESS_MAX: Micros = 86_400_000_000;

struct Seen {
    /// Times beyond it are refused.
    horizon: Micros,
    tally: Tally,
    devices: HashMap<String, Micros>,
    series: HashMap<(String, String), Vec<(Micros, u64)>>,
    sensors: std::collections::BTreeSet<String>,
    rhythm: Rhythm,
}

/// Decodes the sample; `header` are the columns that its file names.
pub(super) fn judge(config: &Config, header: Option<&[String]>, samples: &[Sample]) -> Option<Verdict> {
    let mut decoder = Decoder::new(config).ok()?;
    let columns: Option<Arc<[String]>> = header.map(|names| names.to_vec().into());
    decoder.begin(&Records::new(PartitionId { topic: "sample".into(), index: 0 }).with_columns(columns));
    let skew = aggregate::Config::default().max_future_skew.micros();
    let mut seen = Seen {
        horizon: wall::now().saturating_add(skew),
        tally: Tally::default(),
        devices: HashMap::new(),
        series: HashMap::new(),
        sensors: std::collections::BTreeSet::new(),
        rhythm: Rhythm::default(),
    };
    for (at, sample) in samples.iter().enumerate() {
        seen.tally.records += 1;
        let given = Given { device: sample.device.as_deref(), time: sample.time.as_deref() };
        match decoder.decode_given(&sample.payload, given) {
            Decoded::One(reading) => {
                seen.tally.good += 1;
                seen.reading(reading);
            }
            Decoded::Reject(reject) => seen.reject(&reject, at),
            Decoded::Many(many) => {
                many.iter().for_each(|(_, reading)| seen.reading(reading));
                many.rejects().iter().for_each(|(_, reject)| seen.reject(reject, at));
                match (many.is_empty(), many.rejects().is_empty()) {
                    (false, true) => seen.tally.good += 1,
                    (false, false) => seen.tally.partly += 1,
                    // A record of nothing but rejects is refused; an empty one gives nothing.
                    (true, _) => {}
                }
            }
        }
    }
    Some(seen.verdict())
}

impl Tally {
    /// Which part of what the sample holds is read: of its records, and within arrays and wide rows of their readings.
    pub(crate) fn share(&self) -> f64 {
        let refused: usize = self.refused.values().map(|refused| refused.count).sum();
        let of_readings = super::fields::share(self.readings, self.readings + refused);
        let of_records = super::fields::share(self.good + self.partly, self.records);
        of_readings.min(of_records)
    }
}

impl Seen {
    fn reject(&mut self, reject: &Reject, at: usize) {
        let first = Refused { count: 0, record: at + 1, detail: reject.detail.clone() };
        self.tally.refused.entry(reject.reason.as_str()).or_insert(first).count += 1;
    }

    fn reading(&mut self, reading: Reading<'_>) {
        self.tally.readings += 1;
        if self.tally.readings > READINGS_MAX {
            return;
        }
        let time = reading.time;
        let rhythm = &mut self.rhythm;
        rhythm.oldest = Some(rhythm.oldest.map_or(time, |oldest| oldest.min(time)));
        rhythm.newest = Some(rhythm.newest.map_or(time, |newest| newest.max(time)));
        let counts = time <= self.horizon;
        match self.devices.get_mut(reading.device) {
            Some(newest) if counts => {
                let lateness = newest.saturating_sub(time);
                if lateness <= LATENESS_MAX {
                    rhythm.disorder = rhythm.disorder.max(lateness);
                }
                *newest = (*newest).max(time);
            }
            Some(_) => {}
            None => {
                let newest = if counts { time } else { Micros::MIN };
                self.devices.insert(reading.device.to_owned(), newest);
            }
        }
        if !self.sensors.contains(reading.sensor) {
            self.sensors.insert(reading.sensor.to_owned());
        }
        let series = (reading.device.to_owned(), reading.sensor.to_owned());
        self.series.entry(series).or_default().push((time, reading.value.to_bits()));
    }

    fn verdict(mut self) -> Verdict {
        self.tally.devices = self.devices.len();
        self.tally.sensors = self.sensors.len();
        let count = self.series.len();
        let one_to_one = count > 1 && count == self.devices.len() && count == self.sensors.len();
        let mut contradictions = 0;
        let mut intervals = Vec::new();
        for readings in self.series.values_mut() {
            readings.sort_unstable();
            let mut of_series = Vec::new();
            for pair in readings.windows(2) {
                let [(before, one), (after, other)] = [pair[0], pair[1]];
                contradictions += usize::from(before == after && one != other);
                if after > before {
                    of_series.push(after - before);
                }
            }
            intervals.extend(median(of_series));
        }
        self.rhythm.interval = median(intervals);
        Verdict { tally: self.tally, rhythm: self.rhythm, contradictions, one_to_one }
    }
}

fn median(mut numbers: Vec<Micros>) -> Option<Micros> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_wrong_make_nothing_out_of_order() {
        let sample = |time: i64| Sample {
            payload: format!(r#"{{"device":"d","sensor":"s","ts":{time},"value":1}}"#).into_bytes(),
            key: Vec::new(),
            device: None,
            time: None,
        };
        let disorder = |times: &[i64]| {
            let samples: Vec<Sample> = times.iter().map(|time| sample(*time)).collect();
            judge(&Config::default(), None, &samples).expect("it decodes").rhythm.disorder / 1_000_000
        };
        const YEAR_2100: i64 = 4_102_444_800;
        assert_eq!(disorder(&[1_700_000_000, 1_700_000_060, 1_700_000_020]), 40);
        assert_eq!(disorder(&[1_700_000_000, YEAR_2100, 1_700_000_060, 1_700_000_120]), 0, "the future is refused");
        assert_eq!(disorder(&[YEAR_2100, 1_700_000_060, 1_700_000_050]), 10);
        assert_eq!(disorder(&[1_700_000_000, 1_500_000_000, 1_700_000_060]), 0, "years later");
    }
}
