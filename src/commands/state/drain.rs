//! `atalaia state drain`: hands a pipeline over to a successor at a boundary of windows.

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::json;
use sink::admin::Head;
use types::Micros;

use super::{Common, DRY_RUN, Desk, parse_time, time};
use crate::commands::output::Output;
use crate::commands::{Format, progress};
use crate::pipeline;

/// Hands over to a successor with other rules of windows, at a boundary: nothing is lost and nothing counted twice
///
/// The pipeline counts windows that end by the boundary, leaves later readings alone, and ends by itself when all are
/// published. The successor is a pipeline with a new id and `sink.predecessor`: it may start at once, and counts what comes from
/// the boundary on. There is one boundary in the life of a pipeline.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia state drain -c pipeline.toml --until 2026-02-01T00:00:00Z    # is that possible?
  atalaia state drain -c pipeline.toml --until 2026-02-01T00:00:00Z --apply")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// A boundary of the windows of both, some way ahead of what the devices send now
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Micros,

    /// Do it
    #[arg(long)]
    apply: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(&args.common)?;
    let asked = desk.sinks.drain_requested()?;
    if let Some(found) = asked.filter(|asked| *asked != args.until) {
        let found = time(found);
        bail!("this pipeline was asked to drain until {found} already\na pipeline drains once: let that drain end");
    }
    // Whatever has been read: the boundary has to be one.
    aggregate::Windows::new(desk.settings).drain_until(args.until)?;
    let meter = progress::wait("asking the store");
    let partitions = check(&desk, args.until)?;
    if args.apply {
        desk.check()?;
        desk.sinks.request_drain(args.until)?;
    }
    drop(meter);
    let mut out = Output::new();
    let (id, until) = (&desk.config.pipeline, time(args.until));
    if args.common.format == Format::Json {
        out.line(json!({
            "pipeline": id, "until": until, "possible": true, "partitions": partitions, "applied": args.apply,
        }));
        out.finish()?;
        return Ok(ExitCode::SUCCESS);
    }
    out.line(format_args!(
        "pipeline `{id}` can drain until {until}: {partitions} partitions have counted nothing beyond it"
    ));
    out.line("what to do next:");
    if args.apply {
        out.line("  let the services run: they see it within seconds, and end by themselves when all is published");
    } else {
        out.line("  apply this while the devices still send readings of windows before it, and let the services run");
    }
    out.line(
        "  start the successor, with the same `[sink]` and source, a group of its own, its own rules of windows, and",
    );
    out.line(format_args!("    pipeline = \"{id}-2\"           # any new id"));
    out.line(format_args!("    [sink]\n    predecessor = \"{id}\""));
    out.line("  `atalaia state status` tells when this one is drained");
    if !args.apply {
        out.line(DRY_RUN);
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Whether all partitions could drain, by their newest records. Those that run check it once more, at what they have read by
/// then. The number of partitions.
fn check(desk: &Desk, until: Micros) -> anyhow::Result<usize> {
    let mut count = 0;
    for trace in desk.sinks.survey()? {
        let partition = trace.partition;
        let in_partition = || format!("partition `{partition}`");
        let head = desk.sinks.head(&partition)?;
        if let Some(problem) = head.problem(&partition) {
            return Err(problem).with_context(in_partition);
        }
        let Head::Whole(record) = head else { continue };
        desk.sinks.check_header(&partition, record.header()).with_context(in_partition)?;
        let state = desk.sinks.state_of(&partition, record.header()).with_context(in_partition)?;
        let Some(state) = state else { bail!("partition `{partition}` moved on: try again") };
        let mut windows = pipeline::windows(desk.settings, &state).with_context(in_partition)?;
        windows.drain_until(until).with_context(in_partition)?;
        count += 1;
    }
    Ok(count)
}
