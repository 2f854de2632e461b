//! The columns of a file that an audit looks at.

use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use types::Micros;

use crate::commands::parquet_file::{number, numbers, text, texts};

pub(super) use crate::commands::parquet_file::File;

/// One row of `predictions`.
pub(super) struct Row<'a> {
    pub(super) device: &'a str,
    pub(super) sensor: Option<&'a str>,
    pub(super) window_start: Micros,
    pub(super) value_count: u64,
    pub(super) partition: u32,
}

impl File {
    /// Shows every row.
    pub(super) fn rows(self, show: &mut dyn FnMut(Row<'_>)) -> anyhow::Result<()> {
        const COLUMNS: [&str; 5] = ["device", "sensor", "window_start", "value_count", "source_partition"];
        self.batches(&COLUMNS, |batch| {
            let (device, sensor) = (texts(batch, "device")?, texts(batch, "sensor")?);
            let start = numbers::<TimestampMicrosecondType>(batch, "window_start")?;
            let count = numbers::<Int64Type>(batch, "value_count")?;
            let partition = numbers::<Int32Type>(batch, "source_partition")?;
            for row in 0..batch.num_rows() {
                show(Row {
                    device: device.value(row),
                    sensor: text(sensor, row),
                    window_start: start.value(row),
                    value_count: number(count, row).unwrap_or_default().unsigned_abs(),
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
            let count = numbers::<Int64Type>(batch, "count")?;
            sum += count.iter().flatten().map(i64::unsigned_abs).sum::<u64>();
            Ok(())
        })?;
        Ok(sum)
    }
}
