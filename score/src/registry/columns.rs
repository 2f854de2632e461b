//! The columns of a batch in the types that reading works with, whatever types the writer chose.
//!
//! Texts may be large, dictionaries or views, numbers of any width, lists large or of fixed size: that is what pandas,
//! Polars, Spark and DuckDB make of the same data. What would change a value (a text to a number, an overflow) is refused.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};

use super::{Broken, VERSION, list_of, step_fields};

pub(super) const SCHEMA_VERSION: &str = "schema_version";

pub(super) struct Columns {
    pub(super) device: ArrayRef,
    pub(super) sensor: ArrayRef,
    pub(super) features: Option<ArrayRef>,
    pub(super) kernel: ArrayRef,
    pub(super) gamma: Option<ArrayRef>,
    pub(super) coef0: Option<ArrayRef>,
    pub(super) degree: Option<ArrayRef>,
    /// A list of structs whose columns are `step` and `numbers`, in this order.
    pub(super) steps: ArrayRef,
    pub(super) support_vectors: ArrayRef,
    pub(super) coefficients: ArrayRef,
    pub(super) intercept: ArrayRef,
    pub(super) threshold: Option<ArrayRef>,
    pub(super) threshold_how: Option<ArrayRef>,
    pub(super) smoothing: Option<ArrayRef>,
    pub(super) trained_at: Option<ArrayRef>,
    pub(super) rows: Option<ArrayRef>,
    pub(super) version: Option<ArrayRef>,
    pub(super) source: Option<ArrayRef>,
    pub(super) checksum: Option<ArrayRef>,
}

impl Columns {
    /// `first` is the place of the batch's first row in its file.
    pub(super) fn new(batch: &RecordBatch, first: usize) -> Result<Columns, Broken> {
        check_version(batch, first)?;
        // Without a zone, though with one it is the same instant: so no name of a zone has to be understood.
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let doubles = list_of(DataType::Float64);
        Ok(Columns {
            device: required(batch, "device", &DataType::Utf8)?,
            sensor: required(batch, "sensor", &DataType::Utf8)?,
            features: optional(batch, "features", &list_of(DataType::Utf8))?,
            kernel: required(batch, "kernel", &DataType::Utf8)?,
            gamma: optional(batch, "gamma", &DataType::Float64)?,
            coef0: optional(batch, "coef0", &DataType::Float64)?,
            degree: optional(batch, "degree", &DataType::Int64)?,
            steps: steps(batch)?,
            support_vectors: required(batch, "support_vectors", &doubles)?,
            coefficients: required(batch, "coefficients", &doubles)?,
            intercept: required(batch, "intercept", &DataType::Float64)?,
            threshold: optional(batch, "threshold", &DataType::Float64)?,
            threshold_how: optional(batch, "threshold_how", &DataType::Utf8)?,
            smoothing: optional(batch, "smoothing", &DataType::Int64)?,
            trained_at: optional(batch, "trained_at", &micros)?,
            rows: optional(batch, "rows", &DataType::Int64)?,
            version: optional(batch, "version", &DataType::Utf8)?,
            source: optional(batch, "source", &DataType::Utf8)?,
            checksum: optional(batch, "checksum", &DataType::Utf8)?,
        })
    }
}

fn check_version(batch: &RecordBatch, first: usize) -> Result<(), Broken> {
    let Some(column) = optional(batch, SCHEMA_VERSION, &DataType::Int64)? else { return Ok(()) };
    for (index, version) in column.as_primitive::<Int64Type>().iter().enumerate() {
        match version {
            Some(version) if version.to_string() == VERSION => {}
            Some(version) => return Err(Broken::Version { found: version.to_string() }),
            None => return Err(Broken::Null { row: first + index, column: SCHEMA_VERSION }),
        }
    }
    Ok(())
}

fn required(batch: &RecordBatch, name: &'static str, wanted: &DataType) -> Result<ArrayRef, Broken> {
    optional(batch, name, wanted)?.ok_or_else(|| Broken::Column { column: name, expected: wanted.clone() })
}

fn optional(batch: &RecordBatch, name: &'static str, wanted: &DataType) -> Result<Option<ArrayRef>, Broken> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    convert(column, name, wanted).map(Some)
}

/// Structs with their fields by name, in any order and with others beside them.
fn steps(batch: &RecordBatch) -> Result<ArrayRef, Broken> {
    const NAME: &str = "steps";
    let wanted = list_of(DataType::Struct(step_fields()));
    let refused = || Broken::Column { column: NAME, expected: wanted.clone() };
    let column = batch.column_by_name(NAME).ok_or_else(refused)?;
    // Writers that never saw a step do not know its type.
    if let DataType::List(item) | DataType::LargeList(item) = column.data_type()
        && item.data_type().is_null()
    {
        return convert(column, NAME, &wanted);
    }
    let column = match column.data_type() {
        DataType::LargeList(item) | DataType::ListView(item) | DataType::FixedSizeList(item, _) => {
            plain_cast(column, &DataType::List(Arc::clone(item)))?
        }
        _ => Arc::clone(column),
    };
    let list = column.as_list_opt::<i32>().ok_or_else(refused)?;
    let items = list.values().as_struct_opt().ok_or_else(refused)?;
    let field = |name: &str, wanted: &DataType| {
        items.column_by_name(name).ok_or_else(refused).and_then(|column| convert(column, NAME, wanted))
    };
    let columns = vec![field("step", &DataType::Utf8)?, field("numbers", &list_of(DataType::Float64))?];
    // Nullable, as some writers call everything: a null is found when it is read.
    let fields: arrow::datatypes::Fields =
        step_fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let structs = StructArray::try_new(fields.clone(), columns, items.nulls().cloned())?;
    let DataType::List(item) = list_of(DataType::Struct(fields)) else { return Err(refused()) };
    Ok(Arc::new(ListArray::try_new(item, list.offsets().clone(), Arc::new(structs), list.nulls().cloned())?))
}

fn convert(column: &ArrayRef, name: &'static str, wanted: &DataType) -> Result<ArrayRef, Broken> {
    if column.data_type() == wanted {
        return Ok(Arc::clone(column));
    }
    if !may_become(column.data_type(), wanted) {
        return Err(Broken::Column { column: name, expected: wanted.clone() });
    }
    plain_cast(column, wanted)
}

/// Fails instead of making null of what does not fit.
fn plain_cast(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Broken> {
    Ok(cast_with_options(column, wanted, &CastOptions { safe: false, ..CastOptions::default() })?)
}

/// Whether the types tell the same values.
fn may_become(found: &DataType, wanted: &DataType) -> bool {
    use DataType::{
        Dictionary, FixedSizeList, Float32, Float64, Int64, LargeList, LargeUtf8, List, ListView, Null, Timestamp,
        Utf8, Utf8View,
    };
    match (found, wanted) {
        (Null, _) => true,
        (Dictionary(_, values), _) => may_become(values, wanted),
        (Utf8 | LargeUtf8 | Utf8View, Utf8) => true,
        (Float32 | Float64, Float64) => true,
        (found, Float64 | Int64) => found.is_integer(),
        (Timestamp(..), Timestamp(..)) => true,
        (List(item) | LargeList(item) | ListView(item) | FixedSizeList(item, _), List(wanted)) => {
            may_become(item.data_type(), wanted.data_type())
        }
        (found, wanted) => found == wanted,
    }
}
