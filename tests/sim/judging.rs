//! What is in the store in the end, held against the log that was read: rows, what was refused or late, and the accounts.

use std::collections::BTreeSet;
use std::sync::Arc;

use sink::record::{Header, RecordKind};

use crate::datasets::Run;
use crate::oracle::{self, Log};
use crate::run::Options;
use crate::world::{Shared, World, lock};
use crate::{fleet, scoring, timespec};

pub(crate) fn judge(world: &Shared, seed: u64, options: Options) {
    let mut world = lock(world);
    let judged = judged(&mut world, seed, options);
    if let Err(why) = judged {
        world.fail(why);
    }
}

fn judged(world: &mut World, seed: u64, options: Options) -> Result<(), String> {
    if world.late > 0 {
        return Err(format!("{} requests have not landed", world.late));
    }
    world.objects.look()?;
    world.objects.check_published()?;
    for index in 0..world.scenario.partitions {
        partition(world, index, seed, options).map_err(|why| format!("partition {index}: {why}"))?;
    }
    Ok(())
}

/// What a run of records that were set aside holds between its ends: a record that cannot be read would else have ended the
/// run, and others are told by the accounts, since each was committed alone.
fn between(run: &Run, records: &[Arc<fleet::Record>], headers: &[Header]) -> Vec<i64> {
    let unread = headers.windows(2).filter_map(|pair| {
        let (before, after) = (&pair[0], &pair[1]);
        let at = before.resume.next.0;
        let is_alone = after.resume.next.0 == at + 1;
        (is_alone && after.ledger.undecodable > before.ledger.undecodable).then_some(at)
    });
    let unreadable = (0..)
        .zip(records)
        .filter(|(_, record)| matches!(record.content, fleet::Content::Undecodable(_) | fleet::Content::Killer));
    let inside = |at: &i64| run.first < *at && *at < run.last;
    unread.chain(unreadable.map(|(at, _)| at)).filter(inside).collect()
}

fn partition(world: &mut World, index: u32, seed: u64, options: Options) -> Result<(), String> {
    let World { objects, broker, innocent, .. } = world;
    let records = broker.partitions[index as usize].log.as_slice();
    let chain = objects.chains.get(&index).ok_or("it has no log")?;
    let head = chain.headers.last().ok_or("its log is empty")?;
    let steps = chain.wall_steps.clone();
    let (kind, next, ledger) = (head.kind, head.resume.next.0, head.ledger);
    if (kind, next) != (RecordKind::Release, records.len() as i64) {
        return Err(format!("it ends with {kind:?} at {next} of {}", records.len()));
    }
    let runs = objects.datasets.runs(index);
    let mut set_aside = BTreeSet::new();
    for run in runs.iter().filter(|run| run.reason == "crash_suspect") {
        set_aside.extend([run.first, run.last]);
        set_aside.extend(between(run, records, &chain.headers));
    }
    let kills =
        |position: &i64| records.get(*position as usize).is_some_and(|record| record.content == fleet::Content::Killer);
    // A life that was paused or fenced looks like one that died, and one partition that kills takes others with it: records
    // can come under suspicion wrongly. They are told and accounted for like any other refused one.
    *innocent += set_aside.iter().filter(|position| !kills(position)).count() as u64;
    let log = Log { records, steps: &steps, set_aside: &set_aside };
    let mut expected = log.outcome();
    if expected.refused.iter().any(|(reason, _)| *reason == "too_deep") {
        return Err("a record that kills was read, and survived".to_owned());
    }
    if options.timespec {
        timespec::compare(&log, &expected, seed)?;
    }
    let late = objects.datasets.late.remove(&index).unwrap_or_default();
    let rows = objects.datasets.rows.get(&index).cloned().unwrap_or_default();
    let refused = expected.refused.len() as u64;
    let counted: u64 = rows.iter().map(|row| row.count as u64).sum();
    let figures = [
        ("records", ledger.records, records.len() as u64),
        ("decoded", ledger.decoded, expected.decoded),
        ("undecodable", ledger.undecodable, expected.undecodable),
        ("tombstones", ledger.tombstones, expected.tombstones),
        ("readings", ledger.readings, expected.readings),
        ("emitted", ledger.emitted, counted),
        ("late", ledger.late, expected.late.len() as u64),
        ("refused", ledger.undecodable + ledger.rejected, refused),
        ("open", ledger.open + ledger.pending + ledger.rows_pending, 0),
        ("pending", ledger.late_pending + ledger.quarantined_pending, 0),
        ("rows", ledger.rows_in_files, rows.len() as u64),
    ];
    expected.rows = scoring::judged(expected.rows, seed);
    oracle::compare(&mut expected, rows, late, &runs)?;
    match figures.iter().find(|(_, counted, expected)| counted != expected) {
        None => Ok(()),
        Some((what, counted, expected)) => Err(format!("I8: {what}: the log counts {counted}, expected {expected}")),
    }
}
