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

/// Row numbers by date, device, sensor and window start. Names are compared once per series, not once per row.
fn sorted(rows: &WindowRows, names: &dyn SeriesNames) -> Vec<u32> {
    let mut series = rows.series.clone();
    series.sort_unstable();
    series.dedup();
    series.sort_by_cached_key(|&s| (names.device(s).to_owned(), names.sensor(s).to_owned()));
    let mut rank = vec![0u32; series.iter().max().map_or(0, |&s| s as usize + 1)];
    for (place, &s) in (0..).zip(&series) {
        rank[s as usize] = place;
    }
    let mut keyed: Vec<(Date, u32, i64, u32)> = (0..)
        .zip(rows.series.iter().zip(&rows.start))
        .map(|(row, (&series, &start))| (Date::of(start), rank[series as usize], start, row))
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, _, row)| row).collect()
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
