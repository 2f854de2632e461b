//! `atalaia state accept-gap`: records expired before they were read, and that is accepted.

use std::process::ExitCode;

use anyhow::{Context, bail};
use sink::record::{RecordKind, Resume, RunFacts};
use sink::{Claim, Claimed, Commit, Outcome, RunRows, Sink};
use types::{LateReadings, PartitionId, Position, Quarantine, Scores, SeriesNames, WindowRows};

use super::inquiry::Inquiry;
use super::{Common, DRY_RUN, Desk, wait};
use crate::commands::input::BROKER_TIMEOUT;
use crate::commands::output::{Output, grouped};
use crate::commands::{Format, progress};
use crate::wall;

/// Goes on behind records that expired before they were read
///
/// A partition halts when the topic's retention took records that were not read yet. This gives them up: reading goes on at
/// the first record that the topic holds. Windows that had readings among them have fewer. Services that run go on by
/// themselves within seconds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia state accept-gap -c pipeline.toml --partition 3    # what would be given up
  atalaia state accept-gap -c pipeline.toml --partition 3 --apply")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// The partition that is halted
    #[arg(long, value_name = "PARTITION")]
    partition: u32,

    /// Do it
    #[arg(long)]
    apply: bool,
}

/// Positions that are given up, from and to (exclusive).
#[derive(Debug, Clone, Copy)]
struct Gap {
    from: Position,
    to: Position,
}

/// How often it is tried against owners that commit meanwhile.
const TRIES: usize = 5;

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(&args.common)?;
    let partition = desk.partition(args.partition)?;
    let meter = progress::wait("asking the store and the source");
    let mut inquiry = Inquiry::open(&desk.config, BROKER_TIMEOUT)?;
    let head = desk.sinks.head(&partition)?;
    if let Some(problem) = head.problem(&partition) {
        return Err(problem.into());
    }
    let Some(header) = head.header() else {
        let pipeline = &desk.config.pipeline;
        bail!(
            "partition `{partition}` of pipeline `{pipeline}` has no commit record\n\
             it has not begun, or its log is gone: `atalaia state status` tells which"
        );
    };
    let mut gap = gap_at(&mut inquiry, &partition, header.resume.next)?;
    let mut seq = None;
    if args.apply && gap.is_some() {
        desk.check()?;
        (gap, seq) = accept(&desk, &mut inquiry, &partition)?;
        desk.sinks.call_attention()?;
    }
    drop(meter);
    show(args.common.format, &partition, header.resume.next, gap, seq)?;
    Ok(ExitCode::SUCCESS)
}

fn gap_at(inquiry: &mut Inquiry, partition: &PartitionId, next: Position) -> anyhow::Result<Option<Gap>> {
    let Some(extent) = inquiry.extent(partition).context("ask what the source holds")? else {
        bail!("records of this source do not expire");
    };
    Ok((next < extent.low).then_some(Gap { from: next, to: extent.low }))
}

/// Takes the partition over and leaves it behind the gap. The gap may be gone by then: somebody else has accepted it.
fn accept(desk: &Desk, inquiry: &mut Inquiry, partition: &PartitionId) -> anyhow::Result<(Option<Gap>, Option<u64>)> {
    for _ in 0..TRIES {
        let mut sink = desk.sinks.partition(partition);
        sink.claim(Claim { partitions: inquiry.partitions()?, now: wall::now(), ..Claim::default() });
        let resumed = match wait(&mut sink).context("take the partition's log over")? {
            Outcome::Claimed(Claimed::Resumed(resumed)) => resumed,
            Outcome::Claimed(Claimed::Vacant { .. }) => bail!("partition `{partition}` has not begun"),
            _ => continue,
        };
        let Some(gap) = gap_at(inquiry, partition, resumed.header.resume.next)? else { return Ok((None, None)) };
        let (before, now) = (resumed.header, wall::now());
        let commit = Commit {
            kind: RecordKind::Gap,
            resume: Resume {
                next: gap.to,
                // Both speak of the record before, which is not the one that was read last.
                anchor: None,
                wall_anchor: None,
                offset: None,
                wall_steps: Vec::new(),
                gap: Some((gap.from, gap.to)),
                ..before.resume
            },
            state: None,
            ledger: before.ledger,
            run: RunFacts { from: gap.from, ..RunFacts::default() },
            rows: &WindowRows::default(),
            scores: &Scores::default(),
            names: &Nobody,
            late: &LateReadings::default(),
            quarantine: &Quarantine::default(),
            runs: &RunRows::default(),
            now,
        };
        let frozen = sink.encode(&commit)?;
        sink.begin(frozen);
        if let Outcome::Done(committed) = wait(&mut sink).context("commit")? {
            return Ok((Some(gap), Some(committed.seq)));
        }
    }
    bail!("another owner keeps committing to partition `{partition}`: nothing was changed");
}

fn show(
    format: Format,
    partition: &PartitionId,
    next: Position,
    gap: Option<Gap>,
    seq: Option<u64>,
) -> anyhow::Result<()> {
    let mut out = Output::new();
    let lost = gap.map_or(0, |gap| (gap.to.0 - gap.from.0).unsigned_abs());
    match (format, gap) {
        (Format::Json, gap) => drop(out.line(serde_json::json!({
            "partition": partition.to_string(),
            "next": gap.map_or(next, |gap| gap.to),
            "from": gap.map(|gap| gap.from),
            "to": gap.map(|gap| gap.to),
            "positions": lost,
            "applied": seq.is_some(),
            "seq": seq,
        }))),
        (Format::Text, None) => {
            out.line(format_args!("partition `{partition}` has lost nothing: it goes on at {next}, which is held"));
        }
        (Format::Text, Some(Gap { from, to })) => {
            let lost = grouped(lost);
            out.line(format_args!("partition `{partition}`: {lost} positions, from {from} to {to}, expired unread"));
            match seq {
                Some(seq) => out.line(format_args!("given up in commit {seq}: reading goes on at {to}")),
                None => out.line(DRY_RUN),
            };
        }
    }
    out.finish()
}

/// No series has a name where there are no rows.
struct Nobody;

impl SeriesNames for Nobody {
    fn device(&self, _: u32) -> &str {
        ""
    }

    fn sensor(&self, _: u32) -> &str {
        ""
    }

    fn generation(&self, _: u32) -> u32 {
        0
    }
}
