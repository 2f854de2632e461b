//! Closed windows and their scores -> rows of `predictions`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Builder, Int32Array, MapBuilder, MapFieldNames, StringBuilder, new_null_array,
};
use arrow::record_batch::RecordBatch;
use types::{DeviceRows, ModelRef, Scores, SeriesNames, Status, WindowRows};

use super::columns::{batch, by_date, doubles, doubles_or_null, equal, long, longs, texts, texts_or_null, times};
use super::{Dataset, Origin};
use crate::names::Date;
use crate::{Commit, Error};

const DATASET: Dataset = Dataset::Predictions;

pub(super) fn batches(commit: &Commit<'_>, origin: Origin<'_>) -> Result<Vec<(Date, RecordBatch)>, Error> {
    let Commit { rows, scores, names, .. } = *commit;
    check(rows, scores)?;
    let order = match &scores.devices {
        None => sorted(rows, names),
        Some(devices) => sorted_devices(devices, rows, names),
    };
    let dates: Vec<Date> = order.iter().map(|&score| Date::of(rows.start[scores.window_row(score as usize)])).collect();
    by_date(&dates)
        .map(|(date, range)| {
            let part = Part { rows, scores, names, order: &order[range] };
            Ok((date, batch(DATASET, part.columns(origin))?))
        })
        .collect()
}

/// Row numbers by date, device, sensor and window start. Names are looked up once per series, not once per comparison or row,
/// and rows are counted into place: they mostly come in order of time already.
fn sorted(rows: &WindowRows, names: &dyn SeriesNames) -> Vec<u32> {
    let bound = rows.series.iter().max().map_or(0, |&series| series as usize + 1);
    let mut ends = vec![0usize; bound];
    for &series in &rows.series {
        ends[series as usize] += 1;
    }
    let mut known: Vec<u32> = (0..).zip(&ends).filter(|(_, count)| **count > 0).map(|(series, _)| series).collect();
    known.sort_by_cached_key(|&series| (names.device(series), names.sensor(series)));

    let mut places = ends;
    let mut before = 0;
    for &series in &known {
        let count = std::mem::replace(&mut places[series as usize], before);
        before += count;
    }
    let mut order = vec![0u32; rows.len()];
    for (row, &series) in (0..).zip(&rows.series) {
        let place = &mut places[series as usize];
        order[*place] = row;
        *place += 1;
    }

    // `places` now says where each series ends.
    let start = |row: &u32| rows.start[*row as usize];
    let mut from = 0;
    for &series in &known {
        let to = places[series as usize];
        let of_series = &mut order[from..to];
        if !of_series.is_sorted_by_key(start) {
            of_series.sort_by_key(start);
        }
        from = to;
    }
    order.sort_by_key(|row| Date::of(start(row)));
    order
}

/// Numbers of device rows by date, device and window start.
fn sorted_devices(devices: &DeviceRows, rows: &WindowRows, names: &dyn SeriesNames) -> Vec<u32> {
    let mut order: Vec<u32> = (0..devices.row.len() as u32).collect();
    order.sort_by_cached_key(|&score| {
        let row = devices.row[score as usize] as usize;
        (Date::of(rows.start[row]), names.device(rows.series[row]), rows.start[row])
    });
    order
}

/// The rows of one date, in order.
struct Part<'a> {
    rows: &'a WindowRows,
    scores: &'a Scores,
    names: &'a dyn SeriesNames,
    order: &'a [u32],
}

impl Part<'_> {
    fn columns(&self, origin: Origin<'_>) -> Vec<ArrayRef> {
        let Part { rows, scores, names, order } = *self;
        let row = || order.iter().map(|&row| row as usize);
        let at = |i: usize| scores.window_row(i);
        // Of the window row itself, and so null in rows of whole devices.
        let is_series = scores.devices.is_none();
        let gather = |column: &[f64]| match is_series {
            true => doubles(row().map(|i| column[i])),
            false => doubles_or_null(row().map(|_| None)),
        };
        let count = |i: usize| scores.devices.as_ref().map_or_else(|| rows.count[i], |devices| devices.count[i]);
        let scored = |i: usize| scores.status[i] == Status::Scored;
        let partition = i32::try_from(origin.partition.index).unwrap_or(i32::MAX);
        vec![
            texts(row().map(|_| origin.pipeline)),
            texts(row().map(|i| names.device(rows.series[at(i)]))),
            texts_or_null(row().map(|i| is_series.then(|| names.sensor(rows.series[i])))),
            times(row().map(|i| rows.start[at(i)])),
            times(row().map(|i| rows.start[at(i)].saturating_add(rows.width))),
            longs(row().map(|i| long(count(i)))),
            gather(&rows.sum),
            gather(&rows.mean),
            doubles_or_null(row().map(|i| rows.std(i).filter(|_| is_series))),
            gather(&rows.min),
            gather(&rows.max),
            gather(&rows.first),
            gather(&rows.last),
            doubles_or_null(row().map(|i| rows.delta[i].filter(|_| is_series))),
            features(row(), scores),
            doubles_or_null(row().map(|i| scores.decision[i])),
            doubles_or_null(row().map(|i| scores.severity[i])),
            doubles_or_null(row().map(|i| scores.threshold[i])),
            Arc::new(BooleanArray::from_iter(row().map(|i| Some(scores.is_anomaly[i])))),
            Arc::new(Int32Array::from_iter(row().map(|i| scored(i).then(|| i32::from(scores.is_anomaly[i]))))),
            texts(row().map(|i| scores.status[i].as_str())),
            texts(row().map(|i| rows.closed_by[at(i)].as_str())),
            texts_or_null(row().map(|i| scores.top_feature[i].as_deref())),
            texts_or_null(row().map(|i| self.model(i).map(|model| &*model.key))),
            texts_or_null(row().map(|i| self.model(i).map(|_| &*scores.model_set))),
            texts_or_null(row().map(|i| self.model(i).map(|model| &*model.version))),
            Arc::new(Int32Array::from_iter_values(row().map(|_| partition))),
        ]
    }

    fn model(&self, row: usize) -> Option<&ModelRef> {
        self.scores.model[row].map(|model| &self.scores.models[model as usize])
    }
}

/// What models of whole devices were given.
fn features(rows: impl ExactSizeIterator<Item = usize>, scores: &Scores) -> ArrayRef {
    let Some(devices) = &scores.devices else {
        let schema = DATASET.schema();
        let column = schema.field_with_name("features").expect("a column of the schema");
        return new_null_array(column.data_type(), rows.len());
    };
    let fields = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut maps = MapBuilder::new(Some(fields), StringBuilder::new(), Float64Builder::new());
    for row in rows {
        for (name, value) in devices.features(row) {
            maps.keys().append_value(name);
            maps.values().append_option(*value);
        }
        maps.append(true).expect("a value for each key");
    }
    Arc::new(maps.finish())
}

fn check(rows: &WindowRows, scores: &Scores) -> Result<(), Error> {
    let WindowRows { width: _, series, start, count, sum, mean, m2, min, max, first, last, delta, closed_by } = rows;
    let Scores { status, decision, severity, threshold, is_anomaly, model, top_feature, models, model_set: _, devices } =
        scores;
    let windows = [
        ("window_start", start.len()),
        ("value_count", count.len()),
        ("value_sum", sum.len()),
        ("value_mean", mean.len()),
        ("value_std", m2.len()),
        ("value_min", min.len()),
        ("value_max", max.len()),
        ("value_first", first.len()),
        ("value_last", last.len()),
        ("value_delta", delta.len()),
        ("closed_by", closed_by.len()),
    ];
    equal(DATASET, series.len(), &windows)?;
    let mut expected = series.len();
    if let Some(DeviceRows { row, count, features, ends }) = devices {
        expected = row.len();
        equal(DATASET, expected, &[("value_count", count.len()), ("features", ends.len())])?;
        let is_whole = row.iter().all(|&row| (row as usize) < series.len())
            && ends.is_sorted()
            && ends.last().copied().unwrap_or(0) == features.len();
        if !is_whole {
            return Err(Error::Encode {
                dataset: DATASET,
                reason: "a device row names a row that is not there".to_owned(),
            });
        }
    }
    let lengths = [
        ("status", status.len()),
        ("decision", decision.len()),
        ("severity", severity.len()),
        ("threshold", threshold.len()),
        ("is_anomaly", is_anomaly.len()),
        ("model_key", model.len()),
        ("top_feature", top_feature.len()),
    ];
    equal(DATASET, expected, &lengths)?;
    if model.iter().flatten().any(|&model| model as usize >= models.len()) {
        return Err(Error::Encode { dataset: DATASET, reason: "a row names a model that is not listed".to_owned() });
    }
    Ok(())
}
