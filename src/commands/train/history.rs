//! What is trained on: the statistics of closed windows, series by series, and from them the rows of one key.
//!
//! A series keeps but the statistics that some feature is made of, as plain columns; rows are put together for one key at a time and
//! given back when its model is made, so that the history is held once.

use std::collections::btree_map::IntoIter;
use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::sync::Arc;

use aggregate::Windows;
use score::{Feature, Key, MissingFeature, ModelKey, Statistic, TrainingRows};
use types::{ClosedBy, Micros, SeriesNames, WindowRows};

/// What a model of several sensors looks at of each, unless it is told.
const OF_A_SENSOR: [Statistic; 5] =
    [Statistic::Mean, Statistic::StdPop, Statistic::Min, Statistic::Max, Statistic::Delta];

/// Closed windows of all keys.
#[derive(Debug)]
pub(crate) struct History {
    width: Micros,
    key: Key,
    missing: MissingFeature,
    readings_min: u64,
    /// None: all sensors that a device mostly has.
    features: Option<Vec<Feature>>,
    statistics: Vec<Statistic>,
    /// In order of the device, so that its sensors lie side by side.
    series: BTreeMap<SeriesKey, Column>,
    /// Windows left out because they may lack readings: the series fell silent, or the input ended.
    pub(crate) partial: u64,
    /// Windows left out because the service would not judge them: they have too few readings.
    pub(crate) too_few: u64,
    pub(crate) windows: u64,
}

/// Device and sensor.
type SeriesKey = (Arc<str>, Arc<str>);

/// The windows of one series.
#[derive(Debug, Default)]
struct Column {
    starts: Vec<Micros>,
    /// As many for each window as there are statistics; NaN for one that it does not have.
    numbers: Vec<f64>,
    /// Windows that have too few readings. A device is not judged then.
    too_few: Vec<Micros>,
}

/// One key's part of the history.
#[derive(Debug)]
pub(crate) struct KeyHistory {
    pub(crate) key: ModelKey,
    width: Micros,
    missing: MissingFeature,
    statistics: Arc<[Statistic]>,
    features: Option<Arc<[Feature]>>,
    sensors: Vec<(Arc<str>, Column)>,
}

/// Rows of one key, with what they are made of.
#[derive(Debug)]
pub(crate) struct KeyRows {
    pub(crate) features: Vec<Feature>,
    pub(crate) rows: TrainingRows,
    /// Windows that lack a feature.
    pub(crate) incomplete: u64,
    /// Windows in which one of the sensors has too few readings.
    pub(crate) too_few: u64,
}

// === impl History ===

impl History {
    /// `score` says what a model belongs to, and what becomes of windows that lack a feature.
    pub(crate) fn new(width: Micros, score: &score::Config, features: Option<Vec<Feature>>) -> History {
        let mut statistics: Vec<Statistic> = match &features {
            Some(features) => features.iter().map(|feature| feature.statistic).collect(),
            None => OF_A_SENSOR.to_vec(),
        };
        statistics.sort_unstable();
        statistics.dedup();
        History {
            width,
            key: score.key,
            missing: score.missing_feature(),
            readings_min: score.min_readings,
            features,
            statistics,
            series: BTreeMap::new(),
            partial: 0,
            too_few: 0,
            windows: 0,
        }
    }

    /// Takes the rows that `windows` have closed so far. `wanted` says which of them count.
    pub(crate) fn take(&mut self, windows: &mut Windows, wanted: &dyn Fn(&str, Micros, Micros) -> bool) {
        let rows = windows.take_closed(aggregate::TakeLimit::ALL);
        let names = windows.names();
        // At the end of the input all open windows close; those of a device that are not its newest had ended before.
        let mut newest: BTreeMap<&str, Micros> = BTreeMap::new();
        for row in (0..rows.len()).filter(|&row| rows.closed_by[row] == ClosedBy::Drain) {
            let newest = newest.entry(names.device(rows.series[row])).or_insert(Micros::MIN);
            *newest = rows.start[row].max(*newest);
        }
        for row in 0..rows.len() {
            let (device, sensor) = (names.device(rows.series[row]), names.sensor(rows.series[row]));
            let (start, end) = (rows.start[row], rows.end(row));
            if !wanted(device, start, end) {
                continue;
            }
            let is_partial = match rows.closed_by[row] {
                ClosedBy::Silence => true,
                ClosedBy::Drain => newest.get(device).is_some_and(|&newest| end > newest),
                ClosedBy::Device | ClosedBy::Partition | ClosedBy::Floor => false,
            };
            if is_partial { self.partial += 1 } else { self.add(device, sensor, &rows, row) }
        }
        windows.recycle(rows);
    }

    fn add(&mut self, device: &str, sensor: &str, rows: &WindowRows, row: usize) {
        if self.is_too_few(rows.count[row]) {
            self.push_too_few(device, sensor, rows.start[row]);
            return;
        }
        let numbers = self.statistics.iter().map(|statistic| statistic.of(rows, row)).collect::<Vec<_>>();
        self.push(device, sensor, rows.start[row], &numbers);
    }

    /// One window: as many numbers as [`History::statistics`].
    pub(crate) fn push(&mut self, device: &str, sensor: &str, start: Micros, numbers: &[Option<f64>]) {
        if self.is_unused(sensor) {
            return;
        }
        self.windows += 1;
        let column = self.column(device, sensor);
        column.starts.push(start);
        column.numbers.extend(numbers.iter().map(|number| number.unwrap_or(f64::NAN)));
    }

    /// One window that has too few readings.
    pub(crate) fn push_too_few(&mut self, device: &str, sensor: &str, start: Micros) {
        if self.is_unused(sensor) {
            return;
        }
        self.too_few += 1;
        self.column(device, sensor).too_few.push(start);
    }

    /// Whether the service does not judge a window of so many readings.
    pub(crate) fn is_too_few(&self, readings: u64) -> bool {
        readings < self.readings_min
    }

    fn column(&mut self, device: &str, sensor: &str) -> &mut Column {
        self.series.entry((Arc::from(device), Arc::from(sensor))).or_default()
    }

    pub(crate) fn statistics(&self) -> &[Statistic] {
        &self.statistics
    }

    /// No feature is made of it.
    fn is_unused(&self, sensor: &str) -> bool {
        let Some(features) = &self.features else { return false };
        self.key == Key::Device && !features.iter().any(|feature| feature.sensor.as_deref() == Some(sensor))
    }

    /// How many keys there are.
    pub(crate) fn keys(&self) -> usize {
        match self.key {
            Key::Series => self.series.len(),
            Key::Device => {
                let mut devices: Vec<&str> = self.series.keys().map(|(device, _)| &**device).collect();
                devices.dedup();
                devices.len()
            }
        }
    }

    /// The history of one key after the other.
    pub(crate) fn into_keys(self) -> impl Iterator<Item = KeyHistory> + Send {
        Keys {
            series: self.series.into_iter().peekable(),
            key: self.key,
            width: self.width,
            missing: self.missing,
            statistics: self.statistics.into(),
            features: self.features.map(Into::into),
        }
    }
}

struct Keys {
    series: Peekable<IntoIter<SeriesKey, Column>>,
    key: Key,
    width: Micros,
    missing: MissingFeature,
    statistics: Arc<[Statistic]>,
    features: Option<Arc<[Feature]>>,
}

impl Iterator for Keys {
    type Item = KeyHistory;

    fn next(&mut self) -> Option<KeyHistory> {
        let ((device, sensor), column) = self.series.next()?;
        let key = match self.key {
            Key::Series => ModelKey::series(&*device, &*sensor),
            Key::Device => ModelKey::device(&*device),
        };
        let mut sensors = vec![(sensor, column)];
        while self.key == Key::Device
            && let Some(((_, sensor), column)) = self.series.next_if(|((next, _), _)| *next == device)
        {
            sensors.push((sensor, column));
        }
        Some(KeyHistory {
            key,
            width: self.width,
            missing: self.missing,
            statistics: Arc::clone(&self.statistics),
            features: self.features.clone(),
            sensors,
        })
    }
}

// === impl KeyHistory ===

impl KeyHistory {
    /// Rows in the order of time. What a window lacks is dealt with as in service.
    pub(crate) fn rows(mut self) -> KeyRows {
        for (_, column) in &mut self.sensors {
            column.sort(self.statistics.len());
        }
        let features = self.features();
        let mut starts: Vec<Micros> = self.sensors.iter().flat_map(|(_, column)| &column.starts).copied().collect();
        starts.sort_unstable();
        starts.dedup();
        // For each feature its sensor's column, and where in it the statistic stands.
        let places: Vec<Option<(usize, usize)>> = features.iter().map(|feature| self.place(feature)).collect();
        let looked_at: BTreeSet<usize> = places.iter().flatten().map(|&(sensor, _)| sensor).collect();
        let too_few: BTreeSet<Micros> =
            looked_at.iter().flat_map(|&sensor| &self.sensors[sensor].1.too_few).copied().collect();
        starts.retain(|start| !too_few.contains(start));
        let mut next = vec![0; self.sensors.len()];
        let mut out = KeyRows {
            rows: TrainingRows { width: self.width, ..TrainingRows::default() },
            features,
            incomplete: 0,
            too_few: too_few.len() as u64,
        };
        for start in starts {
            for ((_, column), next) in self.sensors.iter().zip(&mut next) {
                while column.starts.get(*next).is_some_and(|&at| at < start) {
                    *next += 1;
                }
            }
            let number = |place: &Option<(usize, usize)>| {
                let (sensor, statistic) = (*place)?;
                let (column, at) = (&self.sensors[sensor].1, next[sensor]);
                let holds = column.starts.get(at) == Some(&start);
                holds.then(|| column.numbers[at * self.statistics.len() + statistic]).filter(|number| !number.is_nan())
            };
            let before = out.rows.numbers.len();
            out.rows.numbers.extend(places.iter().map(|place| number(place).unwrap_or(f64::NAN)));
            let lacks = out.rows.numbers[before..].iter().filter(|number| number.is_nan()).count();
            out.incomplete += u64::from(lacks > 0);
            let counts = lacks == 0 || self.missing.may_stand_in(lacks, places.len());
            if counts { out.rows.starts.push(start) } else { out.rows.numbers.truncate(before) }
        }
        fill(&mut out.rows, out.features.len());
        out
    }

    fn features(&self) -> Vec<Feature> {
        if let Some(features) = &self.features {
            return features.to_vec();
        }
        let most = self.sensors.iter().map(|(_, column)| column.starts.len()).max().unwrap_or(0);
        let usual = self.sensors.iter().filter(|(_, column)| 2 * column.starts.len() >= most);
        usual.flat_map(|(sensor, _)| OF_A_SENSOR.map(|statistic| Feature::of_sensor(sensor, statistic))).collect()
    }

    fn place(&self, feature: &Feature) -> Option<(usize, usize)> {
        let statistic = self.statistics.iter().position(|statistic| *statistic == feature.statistic)?;
        let sensor = match &feature.sensor {
            Some(name) => self.sensors.iter().position(|(sensor, _)| sensor == name)?,
            None => 0,
        };
        Some((sensor, statistic))
    }
}

/// Missing numbers become their feature's mean, which leaves the mean as it is.
fn fill(rows: &mut TrainingRows, width: usize) {
    for at in 0..width {
        let present = || rows.numbers.iter().skip(at).step_by(width).filter(|number| !number.is_nan());
        if present().count() == rows.len() {
            continue;
        }
        let mean = present().sum::<f64>() / present().count() as f64;
        rows.numbers
            .iter_mut()
            .skip(at)
            .step_by(width)
            .filter(|number| number.is_nan())
            .for_each(|number| *number = mean);
    }
}

impl Column {
    /// In the order of time; of a window that comes twice the last one counts.
    fn sort(&mut self, width: usize) {
        if self.starts.is_sorted_by(|a, b| a < b) {
            return;
        }
        let mut order: Vec<usize> = (0..self.starts.len()).collect();
        order.sort_by_key(|&row| (self.starts[row], std::cmp::Reverse(row)));
        order.dedup_by_key(|row| self.starts[*row]);
        self.select(&order, width);
    }

    fn select(&mut self, rows: &[usize], width: usize) {
        self.numbers = rows.iter().flat_map(|row| &self.numbers[row * width..(row + 1) * width]).copied().collect();
        self.starts = rows.iter().map(|&row| self.starts[row]).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(key: Key, features: Option<&[&str]>) -> History {
        history_with(score::Config { key, ..score::Config::default() }, features)
    }

    fn history_with(score: score::Config, features: Option<&[&str]>) -> History {
        let features = features.map(|names| names.iter().map(|name| name.parse().expect("a feature")).collect());
        let mut history = History::new(10, &score, features);
        // Out of order, one of them twice; `b` misses a window, `rare` has but one.
        for (sensor, start, value) in [
            ("a", 20, 3.0),
            ("a", 0, 1.0),
            ("a", 10, 2.0),
            ("a", 10, 2.5),
            ("b", 10, 20.0),
            ("b", 0, 10.0),
            ("rare", 0, 7.0),
        ] {
            let numbers: Vec<_> = (0..history.statistics().len()).map(|at| Some(value + at as f64)).collect();
            history.push("d", sensor, start, &numbers);
        }
        history
    }

    #[test]
    fn rows_of_a_series_are_in_the_order_of_time() {
        let history = history(Key::Series, Some(&["mean"]));
        assert_eq!(history.keys(), 3);
        let first = history.into_keys().next().expect("a key");
        assert_eq!(first.key, ModelKey::series("d", "a"));
        let KeyRows { rows, incomplete, .. } = first.rows();
        assert_eq!((rows.starts, rows.numbers, incomplete), (vec![0, 10, 20], vec![1.0, 2.5, 3.0], 0));
    }

    #[test]
    fn rows_of_a_device_join_its_sensors_and_leave_out_what_is_incomplete() {
        let history = history(Key::Device, Some(&["b.max", "a.mean"]));
        assert_eq!(history.keys(), 1);
        let device = history.into_keys().next().expect("a key");
        assert_eq!(device.key, ModelKey::device("d"));
        let KeyRows { rows, incomplete, features, .. } = device.rows();
        // Statistics are kept in an order of their own: mean before max.
        assert_eq!(rows.numbers, [11.0, 1.0, 21.0, 2.5]);
        assert_eq!((rows.starts, incomplete), (vec![0, 10], 1));
        assert_eq!(features[0].to_string(), "b.max");
    }

    #[test]
    fn what_a_window_lacks_is_the_mean_if_the_service_takes_it() {
        let score =
            score::Config { key: Key::Device, missing_feature: Some(MissingFeature::Mean), ..score::Config::default() };
        let device =
            history_with(score.clone(), Some(&["a.mean", "a.max", "b.mean"])).into_keys().next().expect("a key");
        let KeyRows { rows, incomplete, .. } = device.rows();
        assert_eq!((rows.starts, incomplete), (vec![0, 10, 20], 1));
        assert_eq!(rows.numbers, [1.0, 2.0, 10.0, 2.5, 3.5, 20.0, 3.0, 4.0, 15.0]);
        // Not of a window that lacks half.
        let device = history_with(score, Some(&["a.mean", "b.mean"])).into_keys().next().expect("a key");
        let KeyRows { rows, incomplete, .. } = device.rows();
        assert_eq!((rows.starts, incomplete), (vec![0, 10], 1));
    }

    #[test]
    fn windows_of_too_few_readings_are_those_of_the_sensors_looked_at() {
        for (key, features, expected) in [
            (Key::Device, &["a.mean", "b.mean"][..], (vec![0], 2, 2)),
            (Key::Device, &["a.mean"], (vec![0, 20], 1, 1)),
            (Key::Device, &["b.mean"], (vec![0, 10], 1, 1)),
            (Key::Series, &["mean"], (vec![0, 20], 1, 2)),
        ] {
            let score = score::Config {
                key,
                missing_feature: Some(MissingFeature::Skip),
                min_readings: 5,
                ..score::Config::default()
            };
            let mut history = history_with(score, Some(features));
            assert_eq!([4, 5].map(|readings| history.is_too_few(readings)), [true, false]);
            history.push_too_few("d", "a", 10);
            history.push_too_few("d", "b", 20);
            let counted = history.too_few;
            let KeyRows { rows, too_few, .. } = history.into_keys().next().expect("a key").rows();
            assert_eq!((rows.starts, too_few, counted), expected, "{features:?}");
        }
    }

    #[test]
    fn without_a_list_a_device_has_the_sensors_that_it_mostly_has() {
        let device = history(Key::Device, None).into_keys().next().expect("a key");
        let names: Vec<String> = device.rows().features.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), 10);
        assert_eq!((names[0].as_str(), names[9].as_str()), ("a.mean", "b.delta"));
    }
}
