//! Parquet file -> models. Whoever wrote the file: types, nulls, names and checksums are looked at row by row.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::columns::{self, Columns};
use super::{Broken, VERSION, VERSION_KEY, checksum, numbers_hash};
use crate::{Feature, Kernel, Model, ModelKey, Step, Threshold};

/// A file is read whole before its models are laid down.
const UNPACKED_BYTES_MAX: i64 = 4 << 30;
const BATCH_ROWS: usize = 256;

/// What is known of a file from elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// A manifest says which version of the schema the file has.
    pub(crate) version: bool,
    /// The whole file was held against its hash: its rows need not be held against theirs.
    pub(crate) bytes: bool,
}

/// All models of one file, not yet checked by [`Model::check`].
///
/// # Errors
/// Says what of the file, or of which row, is not right.
pub fn read(bytes: Bytes) -> Result<Vec<Model>, Broken> {
    read_known(bytes, Known::default())
}

pub(crate) fn read_known(bytes: Bytes, known: Known) -> Result<Vec<Model>, Broken> {
    let mut models = Vec::new();
    read_each(bytes, known, &mut |model| {
        models.push(model?);
        Ok(())
    })?;
    Ok(models)
}

/// Hands over row after row; an error that `each` returns ends it.
pub(crate) fn read_each(
    bytes: Bytes,
    known: Known,
    each: &mut dyn FnMut(Result<Model, Broken>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let unpacked: i64 = builder.metadata().row_groups().iter().map(|group| group.total_byte_size().max(0)).sum();
    if unpacked > UNPACKED_BYTES_MAX {
        return Err(Broken::TooLarge { bytes: unpacked, max: UNPACKED_BYTES_MAX });
    }
    let metadata = builder.metadata().file_metadata().key_value_metadata();
    let version = metadata.into_iter().flatten().find(|pair| pair.key == VERSION_KEY);
    match version.and_then(|pair| pair.value.as_deref()) {
        Some(VERSION) => {}
        Some(found) => return Err(Broken::Version { found: found.chars().take(20).collect() }),
        None if known.version || builder.schema().column_with_name(columns::SCHEMA_VERSION).is_some() => {}
        None => return Err(Broken::NoVersion),
    }
    let mut first = 0;
    for batch in builder.with_batch_size(BATCH_ROWS).build()? {
        let batch: RecordBatch = batch?;
        let rows = Rows { columns: Columns::new(&batch, first)?, known };
        for index in 0..batch.num_rows() {
            each(rows.model(index, first + index))?;
        }
        first += batch.num_rows();
    }
    Ok(())
}

/// The rows of one batch.
struct Rows {
    columns: Columns,
    known: Known,
}

impl Rows {
    /// `index` is the row's place in this batch, `row` its place in the file.
    fn model(&self, index: usize, row: usize) -> Result<Model, Broken> {
        let of = &self.columns;
        let list = |column: &ArrayRef, name| doubles(column, index).ok_or(Broken::Null { row, column: name });
        let support_vectors = list(&of.support_vectors, "support_vectors")?;
        let coefficients = list(&of.coefficients, "coefficients")?;
        let rows = integer(of.rows.as_ref(), index).map(u64::try_from).transpose();
        let mut model = Model {
            key: ModelKey {
                device: text(Some(&of.device), index).map(str::to_owned),
                sensor: text(Some(&of.sensor), index).map(str::to_owned),
            },
            features: self.features(index, row)?,
            steps: self.steps(index, row, support_vectors.len().checked_div(coefficients.len()).unwrap_or(0))?,
            kernel: self.kernel(index, row)?,
            support_vectors,
            coefficients,
            intercept: double(Some(&of.intercept), index).ok_or(Broken::Null { row, column: "intercept" })?,
            threshold: self.threshold(index),
            version: text(of.version.as_ref(), index).unwrap_or_default().into(),
            source: text(of.source.as_ref(), index).unwrap_or_default().into(),
            trained_at: micros(of.trained_at.as_ref(), index),
            rows: rows.map_err(|_| Broken::Negative { row, column: "rows" })?,
        };
        if let Some(sum) = text(of.checksum.as_ref(), index).filter(|_| !self.known.bytes)
            && sum != checksum(&model)
        {
            return Err(Broken::Checksum { row });
        }
        if model.version.is_empty() {
            model.version = numbers_hash(&model)[..12].to_owned();
        }
        Ok(model)
    }

    fn threshold(&self, index: usize) -> Option<Threshold> {
        let of = &self.columns;
        Some(Threshold {
            value: double(of.threshold.as_ref(), index)?,
            how: text(of.threshold_how.as_ref(), index).unwrap_or_default().into(),
            // What is no number of windows becomes one that no check lets pass.
            smoothing: integer(of.smoothing.as_ref(), index).map_or(1, |windows| u32::try_from(windows).unwrap_or(0)),
        })
    }

    /// From the last to the first: how wide the vector is behind them all is known.
    fn steps(&self, index: usize, row: usize, mut width: usize) -> Result<Vec<Step>, Broken> {
        let null = || Broken::Null { row, column: "steps" };
        let list = self.columns.steps.as_list::<i32>();
        if !list.is_valid(index) {
            return Err(null());
        }
        let items = list.value(index);
        let items: &StructArray = items.as_struct();
        let names = items.column(0).as_string::<i32>();
        let mut steps = Vec::with_capacity(items.len());
        for item in (0..items.len()).rev() {
            let name = if names.is_valid(item) { names.value(item) } else { "" };
            let numbers = doubles(items.column(1), item).ok_or_else(null)?;
            let step = Step::named(name, numbers, width);
            let step = step.ok_or_else(|| Broken::Step { row, step: name.chars().take(80).collect() })?;
            width = step.width_before(width);
            steps.push(step);
        }
        steps.reverse();
        Ok(steps)
    }

    fn features(&self, index: usize, row: usize) -> Result<Option<Vec<Feature>>, Broken> {
        let Some(list) = self.columns.features.as_ref().map(|column| column.as_list::<i32>()) else { return Ok(None) };
        if !list.is_valid(index) {
            return Ok(None);
        }
        let names = list.value(index);
        let names: &StringArray = names.as_string();
        let named = |name: Option<&str>| {
            let name = name.unwrap_or_default();
            name.parse().map_err(|_| Broken::Feature { row, feature: name.chars().take(80).collect() })
        };
        names.iter().map(named).collect::<Result<_, _>>().map(Some)
    }

    fn kernel(&self, index: usize, row: usize) -> Result<Kernel, Broken> {
        let of = &self.columns;
        let name = text(Some(&of.kernel), index).ok_or(Broken::Null { row, column: "kernel" })?;
        let (gamma, coef0) = (double(of.gamma.as_ref(), index), double(of.coef0.as_ref(), index));
        let degree = integer(of.degree.as_ref(), index).and_then(|degree| u32::try_from(degree).ok());
        // A parameter that is missing becomes one that is unlike any the file could hold.
        Kernel::named(name, gamma.unwrap_or(f64::NAN), coef0.unwrap_or(f64::NAN), degree.unwrap_or(u32::MAX))
            .ok_or_else(|| Broken::Kernel { row, kernel: name.chars().take(80).collect() })
    }
}

fn text(column: Option<&ArrayRef>, index: usize) -> Option<&str> {
    let column = column?.as_string::<i32>();
    column.is_valid(index).then(|| column.value(index))
}

fn double(column: Option<&ArrayRef>, index: usize) -> Option<f64> {
    let column = column?.as_primitive::<Float64Type>();
    column.is_valid(index).then(|| column.value(index))
}

fn integer(column: Option<&ArrayRef>, index: usize) -> Option<i64> {
    let column = column?.as_primitive::<Int64Type>();
    column.is_valid(index).then(|| column.value(index))
}

fn micros(column: Option<&ArrayRef>, index: usize) -> Option<i64> {
    let column = column?.as_primitive::<TimestampMicrosecondType>();
    column.is_valid(index).then(|| column.value(index))
}

fn doubles(column: &ArrayRef, index: usize) -> Option<Vec<f64>> {
    let column = column.as_list::<i32>();
    if !column.is_valid(index) {
        return None;
    }
    let list = column.value(index);
    let numbers = list.as_primitive::<Float64Type>();
    if numbers.null_count() == 0 {
        return Some(numbers.values().to_vec());
    }
    // A null among numbers becomes one that no check lets pass.
    Some(numbers.iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}
