//! What did not count: late readings by what had closed their window, and refused records by reason, each with an example.

use std::collections::BTreeMap;

use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use types::Micros;

use super::text::shortened;
use crate::commands::parquet_file::{File, number, numbers, text, texts};

const REASONS_MAX: usize = 32;
/// Of a payload as much as tells what it is.
const SAMPLE_CHARS_MAX: usize = 240;

#[derive(Debug, Default, PartialEq)]
pub(super) struct Refused {
    pub(super) late: BTreeMap<String, Late>,
    pub(super) reasons: BTreeMap<String, Reason>,
}

/// Late readings that one kind of closing came before.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Late {
    pub(super) readings: u64,
    pub(super) longest: Micros,
    /// The latest of them.
    pub(super) example: Option<LateReading>,
}

#[derive(Debug, PartialEq)]
pub(super) struct LateReading {
    pub(super) device: String,
    pub(super) sensor: String,
    pub(super) time: Micros,
    pub(super) value: f64,
    pub(super) partition: i32,
    pub(super) position: i64,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Reason {
    pub(super) count: u64,
    pub(super) detail: String,
    pub(super) sample: Option<String>,
    pub(super) partition: i32,
    pub(super) position: i64,
    pub(super) time: Option<Micros>,
}

/// The part of time that counts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Part {
    pub(super) since: Option<Micros>,
    /// Not included.
    pub(super) until: Option<Micros>,
}

impl Part {
    pub(super) fn holds(&self, time: Micros) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

impl Refused {
    pub(super) fn late_readings(&self) -> u64 {
        self.late.values().map(|late| late.readings).sum()
    }

    pub(super) fn quarantined(&self) -> u64 {
        self.reasons.values().map(|reason| reason.count).sum()
    }

    /// Adds a file of `late`.
    pub(super) fn add_late(&mut self, file: File, part: Part) -> anyhow::Result<()> {
        const COLUMNS: [&str; 9] = [
            "device",
            "sensor",
            "event_time",
            "value",
            "window_start",
            "late_by",
            "closed_by",
            "partition",
            "position",
        ];
        file.batches(&COLUMNS, |batch| {
            let [device, sensor, closed_by] = ["device", "sensor", "closed_by"].map(|name| texts(batch, name));
            let (device, sensor, closed_by) = (device?, sensor?, closed_by?);
            let time = numbers::<TimestampMicrosecondType>(batch, "event_time")?;
            let start = numbers::<TimestampMicrosecondType>(batch, "window_start")?;
            let value = numbers::<Float64Type>(batch, "value")?;
            let late_by = numbers::<Int64Type>(batch, "late_by")?;
            let partition = numbers::<Int32Type>(batch, "partition")?;
            let position = numbers::<Int64Type>(batch, "position")?;
            for row in (0..batch.num_rows()).filter(|row| part.holds(start.value(*row))) {
                let late = bounded(&mut self.late, closed_by.value(row));
                late.readings += 1;
                if late.example.is_none() || late_by.value(row) > late.longest {
                    late.longest = late_by.value(row);
                    late.example = Some(LateReading {
                        device: device.value(row).to_owned(),
                        sensor: sensor.value(row).to_owned(),
                        time: time.value(row),
                        value: value.value(row),
                        partition: partition.value(row),
                        position: position.value(row),
                    });
                }
            }
            Ok(())
        })
    }

    /// Adds a file of `quarantine`. What has no broker time counts by the day of its file.
    pub(super) fn add_quarantine(&mut self, file: File, part: Part) -> anyhow::Result<()> {
        const COLUMNS: [&str; 7] =
            ["reason", "first_position", "count", "broker_time", "detail", "sample", "partition"];
        file.batches(&COLUMNS, |batch| {
            let [reason, detail, sample] = ["reason", "detail", "sample"].map(|name| texts(batch, name));
            let (reason, detail, sample) = (reason?, detail?, sample?);
            let count = numbers::<Int64Type>(batch, "count")?;
            let position = numbers::<Int64Type>(batch, "first_position")?;
            let time = numbers::<TimestampMicrosecondType>(batch, "broker_time")?;
            let partition = numbers::<Int32Type>(batch, "partition")?;
            let counts = |row: &usize| number(time, *row).is_none_or(|time| part.holds(time));
            for row in (0..batch.num_rows()).filter(counts) {
                let sample = text(sample, row).map(|sample| shortened(sample, SAMPLE_CHARS_MAX));
                let own = bounded(&mut self.reasons, reason.value(row));
                // A sample is worth more than none.
                if own.count == 0 || (own.sample.is_none() && sample.is_some()) {
                    own.detail = shortened(detail.value(row), SAMPLE_CHARS_MAX);
                    own.sample = sample;
                    own.partition = partition.value(row);
                    own.position = position.value(row);
                    own.time = number(time, row);
                }
                own.count += u64::try_from(count.value(row)).unwrap_or_default();
            }
            Ok(())
        })
    }
}

fn bounded<'a, T: Default>(groups: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    let is_known = groups.len() < REASONS_MAX || groups.contains_key(name);
    groups.entry(if is_known { name } else { "others" }.to_owned()).or_default()
}
