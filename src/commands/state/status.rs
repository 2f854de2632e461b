//! `atalaia state status`: how far each partition is, and what keeps it from going on.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use sink::admin::{Head, Trace};
use sink::record::Header;
use types::{Micros, PartitionId, Position};

use super::inquiry::Inquiry;
use super::{Common, Desk, time, time_or_none};
use crate::commands::output::{Output, grouped};
use crate::commands::{Format, progress};
use crate::{failure, pipeline, wall};

mod show;

/// Shows how far each partition is, and what keeps it from going on
///
/// It reads the newest commit record of each partition and asks the broker how far the topic reaches. It changes nothing, and
/// services may run meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia state status -c pipeline.toml
  atalaia state status -c pipeline.toml --offline    # without asking the broker
  atalaia state status -c pipeline.toml --format json | jq '.partitions[] | {partition, lag}'

Exit status:
  0  every partition can go on
  1  a partition is halted, or it failed")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// Do not ask the broker: no lag, and nothing about records that expired or a topic that was made anew
    #[arg(long)]
    offline: bool,
}

/// A broker that does not answer for longer than this is left out.
const BROKER_WITHIN: Duration = Duration::from_secs(5);

/// One partition, as it is found.
#[derive(Debug, Default)]
struct Found {
    trace: Option<Trace>,
    head: Option<Header>,
    head_bytes: u64,
    extent: Option<ingest::Extent>,
    problems: Vec<Problem>,
}

/// What keeps a partition from going on.
#[derive(Debug)]
struct Problem {
    text: String,
    remedies: Vec<String>,
}

/// What was found of all of them.
struct Survey {
    partitions: BTreeMap<PartitionId, Found>,
    drain: Option<Micros>,
    /// Why the broker was not asked, or did not answer.
    unasked: Option<String>,
    now: Micros,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(&args.common)?;
    let mut survey = Survey {
        partitions: BTreeMap::new(),
        drain: desk.sinks.drain_requested()?,
        unasked: args.offline.then(|| "not asked".to_owned()),
        now: wall::now(),
    };
    let meter = progress::wait("asking the store and the source");
    for trace in desk.sinks.survey()? {
        let partition = trace.partition.clone();
        let found = of_log(&desk, trace)?;
        survey.partitions.insert(partition, found);
    }
    if !args.offline {
        ask_source(&desk, &mut survey);
    }
    drop(meter);
    let is_well = survey.partitions.values().all(|found| found.problems.is_empty());
    match args.common.format {
        Format::Text => show::text(&desk, &survey)?,
        Format::Json => show::json(&desk, &survey)?,
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn of_log(desk: &Desk, trace: Trace) -> anyhow::Result<Found> {
    let partition = trace.partition.clone();
    let head = desk.sinks.head(&partition)?;
    let mut found = Found { head: head.header().cloned(), ..Found::default() };
    if let Some(error) = head.problem(&partition) {
        found.trouble(error);
    }
    match head {
        Head::Whole(record) => {
            found.head_bytes = record.bytes().len() as u64;
            if let Err(error) = desk.sinks.check_header(&partition, record.header()) {
                found.trouble(error);
            }
            if let Some(file) = desk.sinks.file_ahead(&partition, record.header())? {
                found.trouble(sink::Error::LogBehind { partition, head: record.header().seq, file });
            }
        }
        Head::Absent if trace.has_marker => {
            let place = desk.sinks.place_of(&partition);
            found.trouble(sink::Error::LogMissing { partition, place });
        }
        Head::Absent | Head::Damaged { .. } => {}
    }
    found.trace = Some(trace);
    Ok(found)
}

/// What the source holds of its partitions, and whether it is what was read.
fn ask_source(desk: &Desk, survey: &mut Survey) {
    let asked = Inquiry::open(&desk.config, BROKER_WITHIN).and_then(|mut inquiry| {
        let count = inquiry.partitions()?;
        let topic = desk.partition(0)?.topic;
        for index in 0..count.unwrap_or_default() {
            survey.partitions.entry(PartitionId { topic: topic.clone(), index }).or_default();
        }
        for (partition, found) in survey.partitions.iter_mut().filter(|(partition, _)| partition.topic == topic) {
            compare(&mut inquiry, partition, found)?;
        }
        Ok(())
    });
    if let Err(error) = asked {
        survey.unasked = Some(failure::chain(&error));
    }
}

fn compare(inquiry: &mut Inquiry, partition: &PartitionId, found: &mut Found) -> anyhow::Result<()> {
    found.extent = match inquiry.extent(partition) {
        Err(error) if error.downcast_ref::<ingest::Error>().is_some_and(is_no_partition) => None,
        extent => extent?,
    };
    let (Some(head), Some(extent)) = (&found.head, found.extent) else { return Ok(()) };
    if let Err(error) = extent.check(partition, head.resume.next) {
        found.trouble(error);
    } else if let Some(anchor) = head.resume.anchor {
        let read = pipeline::anchor_of(anchor);
        let held = inquiry.record_at(partition, Position(anchor.position))?;
        if let ingest::Held::Record(other) = held
            && held.contradicts(&read)
        {
            found.trouble(ingest::Error::Rewritten { partition: partition.clone(), read, found: other });
        }
    }
    Ok(())
}

fn is_no_partition(error: &ingest::Error) -> bool {
    matches!(error, ingest::Error::NoPartition { .. })
}

impl Found {
    fn trouble(&mut self, error: impl std::error::Error + Send + Sync + 'static) {
        let error = anyhow::Error::new(error);
        self.problems.push(Problem { text: failure::chain(&error), remedies: failure::hints(&error) });
    }

    fn lag(&self) -> Option<i64> {
        let (head, extent) = (self.head.as_ref()?, self.extent?);
        Some((extent.high.0 - head.resume.next.0).max(0))
    }

    fn complete_to(&self) -> Option<Micros> {
        self.head.as_ref()?.resume.complete_to
    }

    /// Whether a drain has come to its end here.
    fn is_drained(&self, close_after: Micros) -> bool {
        let Some(resume) = self.head.as_ref().map(|head| &head.resume) else { return false };
        let (Some(drain), Some(now)) = (resume.drain, resume.arrival_clock) else { return false };
        resume.open_windows == 0 && resume.pending_rows == 0 && now >= drain.until.saturating_add(close_after)
    }
}

impl Survey {
    /// Everything before it is final, as far as the partitions are known. None while one holds records and has got nowhere.
    fn complete_to(&self) -> Option<Micros> {
        if self.untouched().next().is_some() {
            return None;
        }
        self.partitions.values().filter_map(Found::complete_to).min()
    }

    /// Partitions that hold records, none of which has a committed say in what is final.
    fn untouched(&self) -> impl Iterator<Item = &PartitionId> {
        let holds = |found: &Found| found.extent.is_some_and(|extent| extent.high > extent.low);
        let untouched = self.partitions.iter().filter(move |(_, found)| holds(found) && found.complete_to().is_none());
        untouched.map(|(partition, _)| partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_holds_records_and_got_nowhere_is_told() {
        let extent = |low, high| Some(ingest::Extent { low: Position(low), high: Position(high) });
        let of = |index, extent| {
            let partition = PartitionId { topic: "readings".into(), index };
            (partition, Found { extent, ..Found::default() })
        };
        let partitions = [of(0, extent(0, 0)), of(1, extent(5, 9)), of(2, None), of(3, extent(7, 7))].into();
        let survey = Survey { partitions, drain: None, unasked: None, now: 0 };
        let untouched: Vec<_> = survey.untouched().map(|partition| partition.index).collect();
        assert_eq!(untouched, [1]);
        assert_eq!(survey.complete_to(), None);
    }
}
