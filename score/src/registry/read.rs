//! Parquet file -> models. Whoever wrote the file: types, nulls, names and checksums are looked at row by row.

use arrow::array::{
    Array, AsArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Broken, VERSION, VERSION_KEY, checksum, schema};
use crate::{Feature, Kernel, Model, ModelKey, Step, Threshold};

const BATCH_ROWS: usize = 256;

/// All models of one file, not yet checked by [`Model::check`].
///
/// # Errors
/// Says what of the file, or of which row, is not right.
pub fn read(bytes: Bytes) -> Result<Vec<Model>, Broken> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let metadata = builder.metadata().file_metadata().key_value_metadata();
    let version = metadata.into_iter().flatten().find(|pair| pair.key == VERSION_KEY);
    match version.and_then(|pair| pair.value.as_deref()) {
        Some(VERSION) => {}
        Some(found) => return Err(Broken::Version { found: found.chars().take(20).collect() }),
        None => return Err(Broken::NoVersion),
    }
    let mut models = Vec::new();
    for batch in builder.with_batch_size(BATCH_ROWS).build()? {
        let batch = batch?;
        let columns = Columns::new(&batch)?;
        let first = models.len();
        for row in 0..batch.num_rows() {
            models.push(columns.model(row, first + row)?);
        }
    }
    Ok(models)
}

/// One batch, with the types of the schema.
struct Columns<'a> {
    device: &'a StringArray,
    sensor: &'a StringArray,
    features: &'a ListArray,
    kernel: &'a StringArray,
    gamma: &'a Float64Array,
    coef0: &'a Float64Array,
    degree: &'a Int32Array,
    steps: &'a ListArray,
    support_vectors: &'a ListArray,
    coefficients: &'a ListArray,
    intercept: &'a Float64Array,
    threshold: &'a Float64Array,
    threshold_how: &'a StringArray,
    smoothing: &'a Int32Array,
    trained_at: &'a TimestampMicrosecondArray,
    rows: &'a Int64Array,
    version: &'a StringArray,
    source: &'a StringArray,
    checksum: &'a StringArray,
}

impl<'a> Columns<'a> {
    fn new(batch: &'a RecordBatch) -> Result<Self, Broken> {
        Ok(Columns {
            device: column(batch, "device")?,
            sensor: column(batch, "sensor")?,
            features: column(batch, "features")?,
            kernel: column(batch, "kernel")?,
            gamma: column(batch, "gamma")?,
            coef0: column(batch, "coef0")?,
            degree: column(batch, "degree")?,
            steps: column(batch, "steps")?,
            support_vectors: column(batch, "support_vectors")?,
            coefficients: column(batch, "coefficients")?,
            intercept: column(batch, "intercept")?,
            threshold: column(batch, "threshold")?,
            threshold_how: column(batch, "threshold_how")?,
            smoothing: column(batch, "smoothing")?,
            trained_at: column(batch, "trained_at")?,
            rows: column(batch, "rows")?,
            version: column(batch, "version")?,
            source: column(batch, "source")?,
            checksum: column(batch, "checksum")?,
        })
    }

    /// `index` is the row's place in this batch, `row` its place in the file.
    fn model(&self, index: usize, row: usize) -> Result<Model, Broken> {
        let text = |column: &'a StringArray, name| {
            let value = column.is_valid(index).then(|| column.value(index));
            value.ok_or(Broken::Null { row, column: name })
        };
        let list = |column: &'a ListArray, name| doubles(column, index).ok_or(Broken::Null { row, column: name });
        let threshold = self.threshold.is_valid(index).then(|| Threshold {
            value: self.threshold.value(index),
            how: if self.threshold_how.is_valid(index) {
                self.threshold_how.value(index).into()
            } else {
                String::new()
            },
            smoothing: match self.smoothing.is_valid(index) {
                // What is no number of windows becomes one that no check lets pass.
                true => u32::try_from(self.smoothing.value(index)).unwrap_or(0),
                false => 1,
            },
        });
        let support_vectors = list(self.support_vectors, "support_vectors")?;
        let coefficients = list(self.coefficients, "coefficients")?;
        let model = Model {
            key: ModelKey {
                device: text(self.device, "device").ok().map(str::to_owned),
                sensor: text(self.sensor, "sensor").ok().map(str::to_owned),
            },
            features: self.features(index, row)?,
            steps: self.steps(index, row, support_vectors.len().checked_div(coefficients.len()).unwrap_or(0))?,
            kernel: self.kernel(index, row, text(self.kernel, "kernel")?)?,
            support_vectors,
            coefficients,
            intercept: double(self.intercept, index).ok_or(Broken::Null { row, column: "intercept" })?,
            threshold,
            version: text(self.version, "version")?.into(),
            source: text(self.source, "source")?.into(),
            trained_at: self.trained_at.is_valid(index).then(|| self.trained_at.value(index)),
            rows: self.rows.is_valid(index).then(|| self.rows.value(index) as u64),
        };
        if text(self.checksum, "checksum")? == checksum(&model) { Ok(model) } else { Err(Broken::Checksum { row }) }
    }

    /// From the last to the first: how wide the vector is behind them all is known.
    fn steps(&self, index: usize, row: usize, mut width: usize) -> Result<Vec<Step>, Broken> {
        let null = || Broken::Null { row, column: "steps" };
        if !self.steps.is_valid(index) {
            return Err(null());
        }
        let items = self.steps.value(index);
        let items: &StructArray = items.as_struct();
        let (names, numbers) = (items.column(0).as_string::<i32>(), items.column(1).as_list::<i32>());
        let mut steps = Vec::with_capacity(items.len());
        for item in (0..items.len()).rev() {
            let name = if names.is_valid(item) { names.value(item) } else { "" };
            let numbers = doubles(numbers, item).ok_or_else(null)?;
            let step = Step::named(name, numbers, width);
            let step = step.ok_or_else(|| Broken::Step { row, step: name.chars().take(80).collect() })?;
            width = step.width_before(width);
            steps.push(step);
        }
        steps.reverse();
        Ok(steps)
    }

    fn features(&self, index: usize, row: usize) -> Result<Option<Vec<Feature>>, Broken> {
        if !self.features.is_valid(index) {
            return Ok(None);
        }
        let names = self.features.value(index);
        let names: &StringArray = names.as_string();
        let named = |name: Option<&str>| {
            let name = name.unwrap_or_default();
            name.parse().map_err(|_| Broken::Feature { row, feature: name.chars().take(80).collect() })
        };
        names.iter().map(named).collect::<Result<_, _>>().map(Some)
    }

    fn kernel(&self, index: usize, row: usize, name: &str) -> Result<Kernel, Broken> {
        let degree = self.degree.is_valid(index).then(|| self.degree.value(index));
        let degree = degree.map(u32::try_from).transpose().ok().flatten();
        let (gamma, coef0) = (double(self.gamma, index), double(self.coef0, index));
        // A parameter that is missing becomes one that is unlike any the file could hold.
        Kernel::named(name, gamma.unwrap_or(f64::NAN), coef0.unwrap_or(f64::NAN), degree.unwrap_or(u32::MAX))
            .ok_or_else(|| Broken::Kernel { row, kernel: name.chars().take(80).collect() })
    }
}

/// The column of that name, if it has the type that the schema gives it.
fn column<'a, A: Array + 'static>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a A, Broken> {
    let expected = schema().field_with_name(name).map_or(DataType::Null, |field| field.data_type().clone());
    let found = batch.column_by_name(name).filter(|column| is_like(column.data_type(), &expected));
    found.and_then(|column| column.as_any().downcast_ref()).ok_or(Broken::Column { column: name, expected })
}

/// Writers name the items of lists differently, and call them nullable or not.
fn is_like(found: &DataType, expected: &DataType) -> bool {
    match (found, expected) {
        (DataType::List(found), DataType::List(expected)) => is_like(found.data_type(), expected.data_type()),
        (DataType::Struct(found), DataType::Struct(expected)) => {
            let is_pair =
                |(a, b): (&FieldRef, &FieldRef)| a.name() == b.name() && is_like(a.data_type(), b.data_type());
            found.len() == expected.len() && found.iter().zip(expected).all(is_pair)
        }
        _ => found == expected,
    }
}

fn double(column: &Float64Array, index: usize) -> Option<f64> {
    column.is_valid(index).then(|| column.value(index))
}

fn doubles(column: &ListArray, index: usize) -> Option<Vec<f64>> {
    if !column.is_valid(index) {
        return None;
    }
    let list = column.value(index);
    let numbers = list.as_primitive::<Float64Type>();
    // A null among numbers becomes one that no check lets pass.
    Some(numbers.iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}
