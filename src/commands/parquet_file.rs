//! One Parquet file of a dataset, held whole, and its columns by name: what audits, evaluations and reports read.

use anyhow::{Context, anyhow};
use arrow::array::{Array, AsArray, PrimitiveArray, StringArray};
use arrow::datatypes::ArrowPrimitiveType;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sink::admin::{Bytes, Footer};

/// A file that was opened.
pub(crate) struct File {
    builder: ParquetRecordBatchReaderBuilder<Bytes>,
    pub(crate) footer: Footer,
}

impl File {
    pub(crate) fn open(bytes: Bytes) -> anyhow::Result<File> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let footer = Footer::of(builder.metadata());
        Ok(File { builder, footer })
    }

    /// Shows the rows, some at a time; only these columns are decoded.
    pub(crate) fn batches(
        self,
        columns: &[&str],
        mut take: impl FnMut(&RecordBatch) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mask = ProjectionMask::columns(self.builder.parquet_schema(), columns.iter().copied());
        for batch in self.builder.with_projection(mask).build()? {
            take(&batch?)?;
        }
        Ok(())
    }
}

pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> anyhow::Result<&'a dyn Array> {
    batch.column_by_name(name).map(|column| &**column).ok_or_else(|| anyhow!("there is no column `{name}`"))
}

pub(crate) fn texts<'a>(batch: &'a RecordBatch, name: &str) -> anyhow::Result<&'a StringArray> {
    column(batch, name)?.as_string_opt::<i32>().with_context(|| format!("`{name}` is no text"))
}

pub(crate) fn numbers<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> anyhow::Result<&'a PrimitiveArray<T>> {
    column(batch, name)?.as_primitive_opt::<T>().with_context(|| format!("`{name}` is no {}", T::DATA_TYPE))
}

/// None for null.
pub(crate) fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

/// None for null.
pub(crate) fn number<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    column.is_valid(row).then(|| column.value(row))
}
