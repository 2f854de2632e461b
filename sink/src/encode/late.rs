//! Late readings -> rows of `late`.

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use types::LateReadings;

use super::columns::{batch, by_date, doubles, equal, ints, longs, texts, times};
use super::{Dataset, Origin};
use crate::names::Date;
use crate::{Commit, Error};

const DATASET: Dataset = Dataset::Late;

pub(super) fn batches(commit: &Commit<'_>, origin: Origin<'_>) -> Result<Vec<(Date, RecordBatch)>, Error> {
    let late = commit.late;
    check(late)?;
    let order = sorted(late);
    let dates: Vec<Date> = order.iter().map(|&row| Date::of(late.window_start[row])).collect();
    by_date(&dates).map(|(date, range)| Ok((date, batch(DATASET, columns(late, &order[range], origin))?))).collect()
}

/// Row numbers by date, device, sensor and window start; then as they came.
fn sorted(late: &LateReadings) -> Vec<usize> {
    let mut order: Vec<usize> = (0..late.len()).collect();
    let date = |row: usize| Date::of(late.window_start[row]);
    order.sort_by(|&a, &b| {
        date(a)
            .cmp(&date(b))
            .then_with(|| late.device[a].cmp(&late.device[b]))
            .then_with(|| late.sensor[a].cmp(&late.sensor[b]))
            .then_with(|| late.window_start[a].cmp(&late.window_start[b]))
    });
    order
}

fn columns(late: &LateReadings, order: &[usize], origin: Origin<'_>) -> Vec<ArrayRef> {
    let row = || order.iter().copied();
    vec![
        texts(row().map(|_| origin.pipeline)),
        texts(row().map(|i| late.device[i].as_str())),
        texts(row().map(|i| late.sensor[i].as_str())),
        times(row().map(|i| late.time[i])),
        doubles(row().map(|i| late.value[i])),
        times(row().map(|i| late.window_start[i])),
        longs(row().map(|i| late.closed_to[i].saturating_sub(late.time[i]))),
        texts(row().map(|i| late.closed_by[i].as_str())),
        ints(row().map(|_| origin.partition.index)),
        longs(row().map(|i| late.position[i])),
        ints(row().map(|i| late.index[i])),
    ]
}

fn check(late: &LateReadings) -> Result<(), Error> {
    let LateReadings { device, sensor, time, value, window_start, closed_to, closed_by, position, index, .. } = late;
    let lengths = [
        ("device", device.len()),
        ("sensor", sensor.len()),
        ("value", value.len()),
        ("window_start", window_start.len()),
        ("late_by", closed_to.len()),
        ("closed_by", closed_by.len()),
        ("position", position.len()),
        ("index", index.len()),
    ];
    equal(DATASET, time.len(), &lengths)
}
