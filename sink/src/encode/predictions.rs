//! Closed windows and their scores -> rows of `predictions`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, new_null_array};
use arrow::record_batch::RecordBatch;
use types::{ModelRef, Scores, SeriesNames, Status, WindowRows};

use super::columns::{batch, by_date, doubles, doubles_or_null, equal, long, longs, texts, texts_or_null, times};
use super::{Dataset, Origin};
use crate::names::Date;
use crate::{Commit, Error};

const DATASET: Dataset = Dataset::Predictions;

pub(super) fn batches(commit: &Commit<'_>, origin: Origin<'_>) -> Result<Vec<(Date, RecordBatch)>, Error> {
    let Commit { rows, scores, names, .. } = *commit;
    check(rows, scores)?;
    let order = sorted(rows, names);
    let dates: Vec<Date> = order.iter().map(|&row| Date::of(rows.start[row as usize])).collect();
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
        let gather = |column: &[f64]| doubles(row().map(|i| column[i]));
        let scored = |i: usize| scores.status[i] == Status::Scored;
        let partition = i32::try_from(origin.partition.index).unwrap_or(i32::MAX);
        let features = DATASET.schema();
        let features = features.field_with_name("features").expect("a column of the schema").data_type();
        vec![
            texts(row().map(|_| origin.pipeline)),
            texts(row().map(|i| names.device(rows.series[i]))),
            texts(row().map(|i| names.sensor(rows.series[i]))),
            times(row().map(|i| rows.start[i])),
            times(row().map(|i| rows.start[i].saturating_add(rows.width))),
            longs(row().map(|i| long(rows.count[i]))),
            gather(&rows.sum),
            gather(&rows.mean),
            doubles_or_null(row().map(|i| rows.std(i))),
            gather(&rows.min),
            gather(&rows.max),
            gather(&rows.first),
            gather(&rows.last),
            doubles_or_null(row().map(|i| rows.delta[i])),
            new_null_array(features, order.len()),
            doubles_or_null(row().map(|i| scores.decision[i])),
            doubles_or_null(row().map(|i| scores.severity[i])),
            doubles_or_null(row().map(|i| scores.threshold[i])),
            Arc::new(BooleanArray::from_iter(row().map(|i| Some(scores.is_anomaly[i])))),
            Arc::new(Int32Array::from_iter(row().map(|i| scored(i).then(|| i32::from(scores.is_anomaly[i]))))),
            texts(row().map(|i| scores.status[i].as_str())),
            texts(row().map(|i| rows.closed_by[i].as_str())),
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

fn check(rows: &WindowRows, scores: &Scores) -> Result<(), Error> {
    let WindowRows { width: _, series, start, count, sum, mean, m2, min, max, first, last, delta, closed_by } = rows;
    let Scores { status, decision, severity, threshold, is_anomaly, model, top_feature, models, model_set: _ } = scores;
    let lengths = [
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
        ("status", status.len()),
        ("decision", decision.len()),
        ("severity", severity.len()),
        ("threshold", threshold.len()),
        ("is_anomaly", is_anomaly.len()),
        ("model_key", model.len()),
        ("top_feature", top_feature.len()),
    ];
    equal(DATASET, series.len(), &lengths)?;
    if model.iter().flatten().any(|&model| model as usize >= models.len()) {
        return Err(Error::Encode { dataset: DATASET, reason: "a row names a model that is not listed".to_owned() });
    }
    Ok(())
}
