//! Small helpers that gather rows of a commit's columns, in a given order, into arrays.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use types::Micros;

use super::Dataset;
use super::schema::UTC;
use crate::Error;
use crate::names::Date;

pub(super) fn doubles(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

pub(super) fn doubles_or_null(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(values))
}

/// Counts beyond the type's range stay at its end; no real count comes near.
pub(super) fn longs(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

pub(super) fn ints(values: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values.map(int)))
}

pub(super) fn ints_or_null(values: impl Iterator<Item = Option<u32>>) -> ArrayRef {
    Arc::new(Int32Array::from_iter(values.map(|value| value.map(int))))
}

pub(super) fn times(values: impl Iterator<Item = Micros>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone(UTC))
}

pub(super) fn times_or_null(values: impl Iterator<Item = Option<Micros>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter(values).with_timezone(UTC))
}

pub(super) fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub(super) fn texts_or_null<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

pub(super) fn long(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn int(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

pub(super) fn batch(dataset: Dataset, columns: Vec<ArrayRef>) -> Result<RecordBatch, Error> {
    RecordBatch::try_new(dataset.schema(), columns).map_err(|e| Error::Encode { dataset, reason: e.to_string() })
}

/// Refuses columns of different lengths, so that gathering by index cannot go wrong.
pub(super) fn equal(dataset: Dataset, rows: usize, lengths: &[(&str, usize)]) -> Result<(), Error> {
    match lengths.iter().find(|(_, length)| *length != rows) {
        None => Ok(()),
        Some((column, length)) => {
            Err(Error::Encode { dataset, reason: format!("column `{column}` has {length} of {rows} rows") })
        }
    }
}

/// The stretches of one date in rows sorted by date.
pub(super) fn by_date(dates: &[Date]) -> impl Iterator<Item = (Date, Range<usize>)> {
    let mut from = 0;
    dates.chunk_by(|a, b| a == b).map(move |stretch| {
        let range = from..from + stretch.len();
        from = range.end;
        (stretch[0], range)
    })
}
