//! `atalaia state reset`: a partition begins anew, and publishes no window twice.

mod floor;

use std::fmt;
use std::process::ExitCode;
use std::str::FromStr;

use aggregate::Boundaries;
use anyhow::{Context, bail};
use ingest::Start;
use serde_json::json;
use sink::admin::{Behind, Fresh};
use types::{Micros, PartitionId, Position};

use self::floor::Floor;
use super::inquiry::Inquiry;
use super::{Common, DRY_RUN, Desk, parse_time, time};
use crate::commands::input::BROKER_TIMEOUT;
use crate::commands::output::Output;
use crate::commands::{Format, progress};
use crate::{pipeline, wall};

/// Begins anew in a partition: where its log is damaged or gone, or the topic is not the one that was read
///
/// The new beginning is put behind the log, whatever is in it, and fences whoever owns the partition. It knows nothing of what
/// was read, but no window is published twice: readings of windows before its floor are late. The floor is the end of the last
/// window that this pipeline has published of the partition.
///
/// To lose nothing, begin at the floor or before it. Services that run go on from there within seconds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia state reset -c pipeline.toml --partition 3 --to 2026-01-31T06:00:00Z    # a dry run
  atalaia state reset -c pipeline.toml --partition 3 --to 2026-01-31T06:00:00Z --apply
  atalaia state reset -c pipeline.toml --all --to earliest --apply    # for a topic made anew")]
#[command(group(clap::ArgGroup::new("which").required(true).args(["partition", "all"])))]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// The partition
    #[arg(long, value_name = "PARTITION")]
    partition: Option<u32>,

    /// All partitions of the topic
    #[arg(long)]
    all: bool,

    /// Where reading begins: the first record whose broker time is not before a time, `earliest`, `latest`, or a position
    #[arg(long, value_name = "TIME|earliest|latest|POSITION")]
    to: To,

    /// Windows before it are taken for published, if it is later than what is found
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    floor: Option<Micros>,

    /// Take `--floor` also if windows after it are published: they may be published again
    #[arg(long, requires = "floor")]
    force: bool,

    /// Do it
    #[arg(long)]
    apply: bool,
}

#[derive(Debug, Clone, Copy)]
enum To {
    Start(Start),
    Position(Position),
}

/// What a new beginning would be.
struct Plan {
    partition: PartitionId,
    behind: Behind,
    next: Position,
    floor: Floor,
    boundaries: Boundaries,
}

/// How often it is tried against owners that commit meanwhile.
const TRIES: usize = 5;

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(&args.common)?;
    let mut inquiry = Inquiry::open(&desk.config, BROKER_TIMEOUT)?;
    let count = inquiry.partitions()?;
    if args.apply {
        desk.check()?;
    }
    let mut out = Output::new();
    for partition in partitions(args, &desk, count)? {
        let meter = progress::wait("asking the store and the source");
        let (plan, seq) = if args.apply {
            let (plan, seq) = apply(args, &desk, &mut inquiry, &partition, count)
                .with_context(|| format!("partition `{partition}`"))?;
            (plan, Some(seq))
        } else {
            let behind = desk.sinks.look_behind(&partition)?;
            (Plan::make(args, &desk, &mut inquiry, &partition, behind)?, None)
        };
        drop(meter);
        match args.common.format {
            Format::Text => plan.text(args, seq, &mut out),
            Format::Json => drop(out.line(plan.json(seq))),
        }
        out.flush();
    }
    if args.apply {
        desk.sinks.call_attention()?;
    } else if args.common.format == Format::Text {
        out.line(DRY_RUN);
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn partitions(args: &Args, desk: &Desk, count: Option<u32>) -> anyhow::Result<Vec<PartitionId>> {
    let of = |index| desk.partition(index);
    match (args.partition, count) {
        (Some(index), Some(count)) if index >= count => {
            bail!("there is no partition {index}: the topic has {count}, from 0 on")
        }
        (Some(index), _) => Ok(vec![of(index)?]),
        (None, Some(count)) => (0..count).map(of).collect(),
        (None, None) => {
            let topic = of(0)?.topic;
            let traces = desk.sinks.survey()?.into_iter().map(|trace| trace.partition);
            Ok(traces.filter(|partition| partition.topic == topic).collect())
        }
    }
}

/// Puts the beginning behind the log. What it is to be depends on what it comes behind, so that is looked at each time.
fn apply(
    args: &Args,
    desk: &Desk,
    inquiry: &mut Inquiry,
    partition: &PartitionId,
    partitions: Option<u32>,
) -> anyhow::Result<(Plan, u64)> {
    for _ in 0..TRIES {
        let mut restart = desk.sinks.restart(partition);
        let behind = restart.behind()?;
        let plan = Plan::make(args, desk, inquiry, partition, behind)?;
        let fresh = Fresh {
            next: plan.next,
            state: plan.state(desk)?,
            floor: plan.floor.at,
            drain: plan.behind.header.as_ref().and_then(|header| header.resume.drain),
            partitions,
            now: wall::now(),
        };
        if let Some(seq) = restart.commit(&fresh)? {
            return Ok((plan, seq));
        }
    }
    bail!("another owner keeps committing: nothing was changed\nstop the services of this pipeline, and try again");
}

impl Plan {
    fn make(
        args: &Args,
        desk: &Desk,
        inquiry: &mut Inquiry,
        partition: &PartitionId,
        behind: Behind,
    ) -> anyhow::Result<Plan> {
        let next = match args.to {
            To::Start(start) => inquiry.resolve(partition, start).context("find the start position")?,
            To::Position(position) => {
                if let Some(extent) = inquiry.extent(partition)?
                    && !(extent.low..=extent.high).contains(&position)
                {
                    bail!("`{partition}` holds positions from {} to {}, not {position}", extent.low, extent.high);
                }
                position
            }
        };
        let boundaries = boundaries(desk, partition, &behind)?;
        let floor = floor::find(desk, partition, &behind)?.chosen(args.floor, args.force)?.within(boundaries.until);
        Ok(Plan { partition: partition.clone(), behind, next, floor, boundaries })
    }

    fn state(&self, desk: &Desk) -> anyhow::Result<Vec<u8>> {
        pipeline::fresh(desk.settings, pipeline::Fresh { floor: self.floor.at, boundaries: self.boundaries })
    }

    fn text(&self, args: &Args, seq: Option<u64>, out: &mut Output) {
        let Plan { partition, behind, next, floor, boundaries } = self;
        match seq {
            Some(seq) => out.line(format_args!("partition `{partition}` begins anew with commit {seq}")),
            None => out.line(format_args!("partition `{partition}` would begin anew with commit {}", behind.seq)),
        };
        let before = match (&behind.header, behind.is_damaged) {
            (_, true) => "the newest commit record is damaged".to_owned(),
            (None, false) => "there is no commit record".to_owned(),
            (Some(header), false) => format!(
                "behind a commit at {}, with {} windows open and {} rows not yet published, which are counted anew",
                header.resume.next, header.resume.open_windows, header.resume.pending_rows
            ),
        };
        let mut rows = vec![("before", before), ("reads from", format!("{next} ({})", args.to))];
        match floor.at {
            None => rows.push(("floor", "none: nothing was published".to_owned())),
            Some(at) => {
                rows.push(("floor", format!("{}: readings of windows before it will be late", time(at))));
                rows.extend(floor.reasons.iter().map(|(why, at)| ("because", format!("{why}: {}", time(*at)))));
            }
        }
        rows.extend(floor.warnings.iter().map(|warning| ("warning", warning.clone())));
        if let (Some(floor), To::Start(Start::Time(from))) = (floor.at, args.to)
            && from > floor
        {
            let lost = "windows between the floor and the start will lack readings";
            rows.push(("warning", format!("{lost}: `--to {}` loses none", time(floor))));
        }
        let limits = [("left to predecessor", boundaries.not_before), ("left to successor", boundaries.until)];
        for (whose, boundary) in limits {
            rows.extend(boundary.map(|boundary| (whose, format!("readings across {}", time(boundary)))));
        }
        out.table(&rows);
    }

    fn json(&self, seq: Option<u64>) -> serde_json::Value {
        let reasons: Vec<_> =
            self.floor.reasons.iter().map(|(why, at)| json!({ "why": why, "at": time(*at) })).collect();
        json!({
            "partition": self.partition.to_string(),
            "seq": seq.unwrap_or(self.behind.seq),
            "applied": seq.is_some(),
            "head_damaged": self.behind.is_damaged,
            "next": self.next,
            "floor": self.floor.at.map(time),
            "floor_because": reasons,
            "warnings": self.floor.warnings,
        })
    }
}

/// What is left to other pipelines stays so: as the old state says, or, if that is lost, the predecessor's log.
fn boundaries(desk: &Desk, partition: &PartitionId, behind: &Behind) -> anyhow::Result<Boundaries> {
    let mut boundaries = Boundaries::default();
    let header = behind.header.as_ref().filter(|_| !behind.is_damaged);
    if let Some(header) = header
        && let Ok(Some(state)) = desk.sinks.state_of(partition, header)
        && let Ok(windows) = pipeline::windows(desk.settings, &state)
    {
        boundaries = windows.boundaries();
    }
    boundaries.until = boundaries.until.or_else(|| behind.header.as_ref()?.resume.drain.map(|drain| drain.until));
    if let (None, Some(predecessor)) = (boundaries.not_before, &desk.config.sink.predecessor) {
        let handed = desk.sinks.handed_over(predecessor, partition).context("ask for the predecessor")?;
        let Some(handed) = handed else {
            bail!(
                "`{predecessor}` does not say where it hands over `{partition}`\nleave `sink.predecessor` out if it never did"
            );
        };
        boundaries.not_before = Some(handed.until);
    }
    Ok(boundaries)
}

// === impl To ===

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<i64>() {
            Ok(position) if position >= 0 => Ok(To::Position(Position(position))),
            Ok(_) => Err("a position is not negative".to_owned()),
            Err(_) => text.parse().map(To::Start).map_err(|_| {
                format!("`{text}` is not a start: write `earliest`, `latest`, a position, or a time like `2026-01-31T06:00:00Z`")
            }),
        }
    }
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            To::Start(start) => start.fmt(f),
            To::Position(_) => f.write_str("as given"),
        }
    }
}
