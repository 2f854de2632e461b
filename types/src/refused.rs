//! Readings and records that became no part of a window, and why. Nothing is dropped without a count.

use serde::{Deserialize, Serialize};

use crate::{ClosedBy, Micros, Reading};

/// Why a record or a reading is not usable. The words are part of the output's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    // From decoding: the record (or one element of it) could not be read.
    InvalidJson,
    InvalidCsv,
    MissingField,
    BadTime,
    BadValue,
    WrongType,
    IdTooLong,
    TooDeep,
    TooLarge,
    TooManyFields,
    NotUtf8,
    Empty,
    // From the rules of time: the reading was understood, and refused.
    /// Further ahead of the arrival clock than `aggregate.max_future_skew`.
    Future,
    /// Further behind the arrival clock than `aggregate.max_past`.
    TooOld,
    /// Of an unknown series, and the partition holds as many as it may.
    SeriesLimit,
    // From the pipeline.
    /// The record at which the process died again and again.
    CrashSuspect,
}

impl Reason {
    pub const ALL: [Reason; 16] = [
        Reason::InvalidJson,
        Reason::InvalidCsv,
        Reason::MissingField,
        Reason::BadTime,
        Reason::BadValue,
        Reason::WrongType,
        Reason::IdTooLong,
        Reason::TooDeep,
        Reason::TooLarge,
        Reason::TooManyFields,
        Reason::NotUtf8,
        Reason::Empty,
        Reason::Future,
        Reason::TooOld,
        Reason::SeriesLimit,
        Reason::CrashSuspect,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::InvalidJson => "invalid_json",
            Reason::InvalidCsv => "invalid_csv",
            Reason::MissingField => "missing_field",
            Reason::BadTime => "bad_time",
            Reason::BadValue => "bad_value",
            Reason::WrongType => "wrong_type",
            Reason::IdTooLong => "id_too_long",
            Reason::TooDeep => "too_deep",
            Reason::TooLarge => "too_large",
            Reason::TooManyFields => "too_many_fields",
            Reason::NotUtf8 => "not_utf8",
            Reason::Empty => "empty",
            Reason::Future => "future",
            Reason::TooOld => "too_old",
            Reason::SeriesLimit => "series_limit",
            Reason::CrashSuspect => "crash_suspect",
        }
    }

    /// What to do about it, for people.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Reason::InvalidJson => "check `ingest.decode.format`, and the producer",
            Reason::InvalidCsv => "check `ingest.decode.delimiter` and the header, and the producer",
            Reason::MissingField => "check the paths in `ingest.decode`",
            Reason::BadTime => "check `ingest.decode.time`, `time_unit` and `time_format`",
            Reason::BadValue => {
                "only finite numbers are values: check `ingest.decode.decimal`; of wide records, what is no sensor goes into \
                 `ingest.decode.ignore`, or the sensors into `sensors`"
            }
            Reason::WrongType => {
                "check the paths and the shape in `ingest.decode`; of wide records, what is no sensor goes into `ignore`, or the sensors \
                 into `sensors`"
            }
            Reason::IdTooLong => "raise `ingest.decode.id_bytes_max`, or mend the producer",
            Reason::TooDeep => "raise `ingest.decode.depth_max`, or mend the producer",
            Reason::TooLarge => "raise `ingest.decode.record_bytes_max`, or mend the producer",
            Reason::TooManyFields => "raise `ingest.decode.fields_max`, or mend the producer",
            Reason::NotUtf8 => {
                "the record is not UTF-8: mend the producer; a file: `iconv -f WINDOWS-1252 -t UTF-8 IN > OUT`"
            }
            Reason::Empty => "the record has no bytes: mend the producer",
            Reason::Future => "the device's clock is ahead: mend it, or raise `aggregate.max_future_skew`",
            Reason::TooOld => "raise `aggregate.max_past`, or leave it out to accept any age",
            Reason::SeriesLimit => "raise `aggregate.series_max`, or add partitions",
            Reason::CrashSuspect => {
                "the process died at this record again and again: report it with the sample, and mend the producer"
            }
        }
    }
}

/// Late readings, column by column: understood, in range, but their window is already closed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "LateColumns")]
pub struct LateReadings {
    pub device: Vec<String>,
    pub sensor: Vec<String>,
    pub time: Vec<Micros>,
    pub value: Vec<f64>,
    pub window_start: Vec<Micros>,
    /// The time up to which the device's windows were closed when the reading came.
    pub closed_to: Vec<Micros>,
    pub closed_by: Vec<ClosedBy>,
    /// Position of the record it came in, and its place in that record.
    pub position: Vec<i64>,
    pub index: Vec<u32>,
    /// Of all strings. Follows from the columns: not serialised.
    #[serde(skip)]
    text_bytes: usize,
}

/// One late reading, on its way into [`LateReadings`].
#[derive(Debug, Clone, Copy)]
pub struct LateReading<'a> {
    pub reading: Reading<'a>,
    pub window_start: Micros,
    pub closed_to: Micros,
    pub closed_by: ClosedBy,
    pub position: i64,
    pub index: u32,
}

impl LateReadings {
    /// Memory of a row without the text of its names.
    const ROW_BYTES: usize = 2 * size_of::<String>() + 5 * size_of::<i64>() + size_of::<ClosedBy>() + size_of::<u32>();

    /// Adds one late reading.
    pub fn push(&mut self, late: LateReading<'_>) {
        let Reading { device, sensor, time, value } = late.reading;
        self.device.push(device.to_owned());
        self.sensor.push(sensor.to_owned());
        self.time.push(time);
        self.value.push(value);
        self.window_start.push(late.window_start);
        self.closed_to.push(late.closed_to);
        self.closed_by.push(late.closed_by);
        self.position.push(late.position);
        self.index.push(late.index);
        self.text_bytes += device.len() + sensor.len();
    }

    /// About how much memory the rows take, at once.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.len() * Self::ROW_BYTES + self.text_bytes
    }

    /// Takes the first so many rows out.
    #[must_use]
    pub fn take_first(&mut self, count: usize) -> LateReadings {
        if count >= self.len() {
            return std::mem::take(self);
        }
        fn first<T>(column: &mut Vec<T>, count: usize) -> Vec<T> {
            let rest = column.split_off(count);
            std::mem::replace(column, rest)
        }
        let taken = LateReadings::from(LateColumns {
            device: first(&mut self.device, count),
            sensor: first(&mut self.sensor, count),
            time: first(&mut self.time, count),
            value: first(&mut self.value, count),
            window_start: first(&mut self.window_start, count),
            closed_to: first(&mut self.closed_to, count),
            closed_by: first(&mut self.closed_by, count),
            position: first(&mut self.position, count),
            index: first(&mut self.index, count),
        });
        self.text_bytes -= taken.text_bytes;
        taken
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.time.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }
}

/// What of [`LateReadings`] is serialised.
#[derive(Deserialize)]
struct LateColumns {
    device: Vec<String>,
    sensor: Vec<String>,
    time: Vec<Micros>,
    value: Vec<f64>,
    window_start: Vec<Micros>,
    closed_to: Vec<Micros>,
    closed_by: Vec<ClosedBy>,
    position: Vec<i64>,
    index: Vec<u32>,
}

impl From<LateColumns> for LateReadings {
    fn from(columns: LateColumns) -> Self {
        let LateColumns { device, sensor, time, value, window_start, closed_to, closed_by, position, index } = columns;
        let text_bytes = device.iter().chain(&sensor).map(String::len).sum();
        LateReadings { device, sensor, time, value, window_start, closed_to, closed_by, position, index, text_bytes }
    }
}

/// What was refused: exact counts as runs of consecutive items of one reason, with samples within a bound.
///
/// A flood of bad records costs a few bytes, not a row each.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Runs")]
pub struct Quarantine {
    runs: Vec<QuarantineRun>,
    /// Samples kept, by reason. This and the next follow from the runs: not serialised.
    #[serde(skip)]
    sampled: [usize; Reason::ALL.len()],
    #[serde(skip)]
    text_bytes: usize,
}

/// What of [`Quarantine`] is serialised.
#[derive(Deserialize)]
struct Runs {
    runs: Vec<QuarantineRun>,
}

impl From<Runs> for Quarantine {
    fn from(Runs { runs }: Runs) -> Self {
        let mut quarantine = Quarantine { runs: Vec::with_capacity(runs.len()), ..Quarantine::default() };
        runs.into_iter().for_each(|run| quarantine.begin(run));
        quarantine
    }
}

/// Consecutive refused items of one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuarantineRun {
    pub reason: Reason,
    /// Positions of the first and the last record.
    pub first: i64,
    pub last: i64,
    /// Place in the record of a single refused reading; none for whole records and for runs of several items.
    pub index: Option<u32>,
    pub count: u64,
    /// Broker time of the first item, if it had one.
    pub broker_time: Option<Micros>,
    /// What exactly was wrong with the first item.
    pub detail: String,
    /// The first item's payload, cut to a bound, escaped; none when this reason's samples are used up.
    pub sample: Option<String>,
}

impl Quarantine {
    /// Samples kept for one reason between two commits.
    pub(crate) const SAMPLES_PER_REASON: usize = 20;
    /// Bytes kept of a sample.
    pub(crate) const SAMPLE_BYTES_MAX: usize = 1024;

    #[must_use]
    pub fn runs(&self) -> &[QuarantineRun] {
        &self.runs
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many items were refused.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.runs.iter().map(|run| run.count).sum()
    }

    /// Adds one refused item; `payload` and `detail` are looked at only if a new run begins.
    pub fn add(&mut self, item: Refusal<'_>) {
        if let Some(run) = self.runs.last_mut()
            && run.reason == item.reason
        {
            run.last = item.position;
            run.count += 1;
            run.index = None;
            return;
        }
        let keeps = self.sampled[item.reason as usize] < Self::SAMPLES_PER_REASON;
        self.begin(QuarantineRun {
            reason: item.reason,
            first: item.position,
            last: item.position,
            index: item.index,
            count: 1,
            broker_time: item.broker_time,
            detail: item.detail.chars().take(200).collect(),
            sample: keeps.then(|| escape(item.payload)),
        });
    }

    /// Takes the first so many runs out. What remains has used up no samples but its own.
    #[must_use]
    pub fn take_first(&mut self, count: usize) -> Quarantine {
        if count >= self.runs.len() {
            return std::mem::take(self);
        }
        let rest = self.runs.split_off(count);
        std::mem::replace(self, Quarantine::from(Runs { runs: rest }))
    }

    fn begin(&mut self, run: QuarantineRun) {
        self.sampled[run.reason as usize] += usize::from(run.sample.is_some());
        self.text_bytes += run.detail.len() + run.sample.as_ref().map_or(0, String::len);
        self.runs.push(run);
    }

    /// About how much memory the runs take, at once.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.runs.len() * size_of::<QuarantineRun>() + self.text_bytes
    }
}

/// One refused record or reading, on its way into [`Quarantine`].
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    pub reason: Reason,
    pub position: i64,
    pub index: Option<u32>,
    pub broker_time: Option<Micros>,
    pub detail: &'a str,
    pub payload: &'a [u8],
}

/// The first bytes as printable text: what is not UTF-8 or would move a terminal's cursor becomes an escape.
fn escape(payload: &[u8]) -> String {
    let cut = &payload[..payload.len().min(Quarantine::SAMPLE_BYTES_MAX)];
    let mut text = String::with_capacity(cut.len());
    for chunk in cut.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests;
