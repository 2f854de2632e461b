//! Names of objects. Only validated topics, numbers and hex go into them: no device, no sensor, nothing that a message
//! brought along.

use std::fmt;

use object_store::path::Path;
use types::{Micros, PartitionId};

use crate::Error;

const DAY: Micros = 86_400_000_000;
const NAME_BYTES_MAX: usize = 249;

/// Drawn at random when a partition's state is first made: rows written before and after a restart from nothing can
/// never meet under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Genesis(pub u32);

impl fmt::Display for Genesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// What the name of a data file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataName {
    pub partition: PartitionId,
    pub genesis: Genesis,
    pub seq: u64,
}

/// A day in UTC, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date(i64);

impl Date {
    pub(crate) fn of(time: Micros) -> Self {
        Date(time.div_euclid(DAY))
    }
}

/// `YYYY-MM-DD` in the proleptic Gregorian calendar.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Count from 0000-03-01, so that the leap day ends a year; an era of 400 years has 146,097 days.
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// `date=YYYY-MM-DD/<topic>-<partition>-<genesis>-<seq>.parquet`; names of one partition sort by seq.
pub(crate) fn data_file(date: Date, partition: &PartitionId, genesis: Genesis, seq: u64) -> String {
    format!("date={date}/{}", file_at(partition, genesis, seq))
}

fn file_at(partition: &PartitionId, genesis: Genesis, seq: u64) -> String {
    let PartitionId { topic, index } = partition;
    // Readers skip files that begin with `_` or `.`; `@` occurs in no topic, so names stay distinct.
    let mark = if topic.starts_with(['_', '.']) { "@" } else { "" };
    format!("{mark}{topic}-{index:05}-{genesis}-{seq:010}.parquet")
}

/// Reads the name of a data file; none if no commit names a file so.
pub(crate) fn parse_data_file(name: &str) -> Option<DataName> {
    let (date, file) = name.split_once('/')?;
    date.strip_prefix("date=")?;
    let (own, seq) = file.strip_suffix(".parquet")?.rsplit_once('-')?;
    let (own, genesis) = own.rsplit_once('-')?;
    let (topic, index) = own.rsplit_once('-')?;
    let topic = topic.strip_prefix('@').unwrap_or(topic);
    let (index, seq) = (index.parse().ok()?, seq.parse().ok()?);
    let genesis = Genesis(u32::from_str_radix(genesis, 16).ok()?);
    check_topic(topic).ok()?;
    let partition = PartitionId { topic: topic.into(), index };
    // Only what would be written so: no other spelling of the same numbers.
    let written = format!("{date}/{}", file_at(&partition, genesis, seq));
    (written == name).then_some(DataName { partition, genesis, seq })
}

/// Everything of one partition is below it: `<pipeline>/<topic>/<partition>`
pub(crate) fn partition(pipeline: &str, partition: &PartitionId) -> String {
    format!("{pipeline}/{}/{}", partition.topic, partition.index)
}

/// The folder of a partition's commit records.
pub(crate) fn log(folder: &str) -> String {
    format!("{folder}/log")
}

/// Names of records sort by seq.
pub(crate) fn record(folder: &str, seq: u64) -> String {
    format!("{folder}/log/{seq:020}")
}

/// The seq of a record by its name; other objects have none.
pub(crate) fn seq_of(path: &Path) -> Option<u64> {
    let name = path.filename()?;
    let plain = name.len() == 20 && name.bytes().all(|b| b.is_ascii_digit());
    name.parse().ok().filter(|_| plain)
}

/// How far a partition's results are final, for readers.
pub(crate) fn complete_to(folder: &str) -> String {
    format!("{folder}/complete_to")
}

/// How far a receiver was told of a partition's anomalies.
pub(crate) fn cursor(folder: &str, receiver: &str) -> String {
    format!("{folder}/forwarded/{receiver}")
}

/// Says that a partition of this pipeline has a log: one that is gone is not begun anew.
pub(crate) fn marker(partition: &PartitionId) -> String {
    format!("{}-{}", partition.topic, partition.index)
}

/// Where it lies.
pub(crate) fn marker_path(pipeline: &str, partition: &PartitionId) -> String {
    format!("{}/{}", markers(pipeline), marker(partition))
}

/// The topic and partition that a marker is of, by its name; other objects beside it are of none.
pub(crate) fn partition_of_marker(name: &str) -> Option<(&str, u32)> {
    let (topic, index) = name.rsplit('/').next()?.rsplit_once('-')?;
    Some((topic, index.parse().ok()?))
}

/// What records call the place of markers among their files' datasets.
pub(crate) const MARKERS: &str = "markers";

/// The folder of all markers of a pipeline.
pub(crate) fn markers(pipeline: &str) -> String {
    format!("{pipeline}/markers")
}

/// An object that is created and removed again to try the store.
pub(crate) fn preflight(pipeline: &str, mark: u64) -> String {
    format!("{pipeline}/preflight/{mark:016x}")
}

/// A note that a partition was mended.
pub(crate) fn attention(pipeline: &str) -> String {
    format!("{pipeline}/markers/attention")
}

/// The request to hand over to a successor.
pub(crate) fn drain(pipeline: &str) -> String {
    format!("{pipeline}/markers/drain")
}

/// Says into how many shards an input is cut.
pub(crate) fn shards(pipeline: &str, topic: &str) -> String {
    format!("{pipeline}/markers/{topic}.shards")
}

/// Whether a record may publish a file under this name: no record, however it came about, names anything else.
pub(crate) fn is_file_of(name: &str, dataset: &str, of: &PartitionId, genesis: Genesis, seq: u64) -> bool {
    if dataset == MARKERS {
        return name == marker(of);
    }
    let Some((date, file)) = name.split_once('/') else { return false };
    let date = date.strip_prefix("date=").unwrap_or_default();
    let is_date = !date.is_empty() && date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    is_date && file == file_at(of, genesis, seq)
}

/// The seq in the name of a data file.
pub(crate) fn seq_of_file(name: &str) -> Option<u64> {
    let (_, seq) = name.strip_suffix(".parquet")?.rsplit_once('-')?;
    seq.parse().ok()
}

pub(crate) fn check_pipeline(id: &str) -> Result<(), Error> {
    if is_plain(id) { Ok(()) } else { Err(Error::BadPipeline { id: id.chars().take(NAME_BYTES_MAX).collect() }) }
}

pub(crate) fn check_topic(topic: &str) -> Result<(), Error> {
    if is_plain(topic) { Ok(()) } else { Err(Error::BadTopic { topic: topic.chars().take(NAME_BYTES_MAX).collect() }) }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(topic: &str, index: u32) -> PartitionId {
        PartitionId { topic: topic.into(), index }
    }

    #[test]
    fn dates_are_the_calendars() {
        for (days, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (17_771, "2018-08-28"),
            (20_453, "2025-12-31"),
            (47_541, "2100-03-01"),
            (-719_528, "0000-01-01"),
        ] {
            assert_eq!(Date(days).to_string(), text);
        }
        assert_eq!(Date::of(-1).to_string(), "1969-12-31");
        assert_eq!(Date::of(DAY - 1).to_string(), "1970-01-01");
    }

    #[test]
    fn names_sort_by_seq_and_never_hide_from_readers() {
        let name = |topic, seq| data_file(Date(0), &partition(topic, 7), Genesis(0xa1), seq);
        assert_eq!(name("plant.readings", 12), "date=1970-01-01/plant.readings-00007-000000a1-0000000012.parquet");
        assert!(name("t", 9) < name("t", 10));
        for topic in ["t", "plant-7.readings-00001", "_own"] {
            let found = parse_data_file(&name(topic, 12));
            let expected = DataName { partition: partition(topic, 7), genesis: Genesis(0xa1), seq: 12 };
            assert_eq!(found, Some(expected), "{topic}");
        }
        let plain = name("t", 12);
        for foreign in
            ["x.parquet", "date=1970-01-01/x.parquet", &plain.replace("00007", "7"), &plain.replace("parquet", "csv")]
        {
            assert_eq!(parse_data_file(foreign), None, "{foreign}");
        }
        assert_eq!(name("_own", 1), "date=1970-01-01/@_own-00007-000000a1-0000000001.parquet");
    }

    #[test]
    fn hostile_topics_name_nothing() {
        for topic in ["", ".", "..", "a/b", "../x", "a b", "ü", "a\0", "%2e%2e", "a\\b", "date=1"] {
            assert!(check_topic(topic).is_err(), "{topic:?}");
        }
        assert!(check_topic(&"x".repeat(250)).is_err());
        assert!(check_topic(&"x".repeat(249)).is_ok());
        for topic in ["readings", "_x", "...", "a-1.b_C"] {
            assert!(check_topic(topic).is_ok(), "{topic:?}");
        }
    }
}
