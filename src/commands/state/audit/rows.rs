//! The columns of a file that an audit looks at.

use anyhow::{Context, anyhow};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sink::admin::{Bytes, Footer};
use types::Micros;

/// One row of `predictions`.
pub(super) struct Row<'a> {
    pub(super) device: &'a str,
    pub(super) sensor: Option<&'a str>,
    pub(super) window_start: Micros,
    pub(super) value_count: u64,
    pub(super) partition: u32,
}

/// A file that was opened; held whole, one at a time.
pub(super) struct File {
    builder: ParquetRecordBatchReaderBuilder<Bytes>,
    pub(super) footer: Footer,
}

impl File {
    pub(super) fn open(bytes: Bytes) -> anyhow::Result<File> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let footer = Footer::of(builder.metadata());
        Ok(File { builder, footer })
    }

    /// Shows every row.
    pub(super) fn rows(self, show: &mut dyn FnMut(Row<'_>)) -> anyhow::Result<()> {
        const COLUMNS: [&str; 5] = ["device", "sensor", "window_start", "value_count", "source_partition"];
        self.batches(&COLUMNS, |batch| {
            let device = column(batch, "device")?.as_string_opt::<i32>().context("`device` is no text")?;
            let sensor = column(batch, "sensor")?.as_string_opt::<i32>().context("`sensor` is no text")?;
            let start = column(batch, "window_start")?.as_primitive_opt::<TimestampMicrosecondType>();
            let start = start.context("`window_start` is no time")?;
            let count = column(batch, "value_count")?.as_primitive_opt::<Int64Type>();
            let count = count.context("`value_count` is no number")?;
            let partition = column(batch, "source_partition")?.as_primitive_opt::<Int32Type>();
            let partition = partition.context("`source_partition` is no number")?;
            for row in 0..batch.num_rows() {
                show(Row {
                    device: device.value(row),
                    sensor: sensor.is_valid(row).then(|| sensor.value(row)),
                    window_start: start.value(row),
                    value_count: if count.is_valid(row) { count.value(row).unsigned_abs() } else { 0 },
                    partition: partition.value(row).unsigned_abs(),
                });
            }
            Ok(())
        })
    }

    /// The sum of `quarantine`'s counts.
    pub(super) fn refused(self) -> anyhow::Result<u64> {
        let mut sum = 0;
        self.batches(&["count"], |batch| {
            let count = column(batch, "count")?.as_primitive_opt::<Int64Type>().context("`count` is no number")?;
            sum += count.iter().flatten().map(i64::unsigned_abs).sum::<u64>();
            Ok(())
        })?;
        Ok(sum)
    }

    fn batches(self, columns: &[&str], mut take: impl FnMut(&RecordBatch) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let mask = ProjectionMask::columns(self.builder.parquet_schema(), columns.iter().copied());
        for batch in self.builder.with_projection(mask).build()? {
            take(&batch?)?;
        }
        Ok(())
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> anyhow::Result<&'a dyn Array> {
    batch.column_by_name(name).map(|column| &**column).ok_or_else(|| anyhow!("there is no column `{name}`"))
}
