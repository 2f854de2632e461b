//! The status as people and scripts read it.

use serde_json::{Value, json};

use super::{Desk, Found, Output, Survey, grouped, time, time_or_none};
use types::PartitionId;

const HEADINGS: [&str; 9] =
    ["partition", "head", "age", "next", "lag", "complete to", "arrival clock", "open", "pending"];

pub(super) fn text(desk: &Desk, survey: &Survey) -> anyhow::Result<()> {
    let mut out = Output::new();
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(survey.partitions.iter().map(|(partition, found)| row(partition, found, survey)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.line(cells.join("  ").trim_end());
    }
    for (partition, found) in &survey.partitions {
        for note in notes(desk, found) {
            out.line(format_args!("note     {partition}: {note}"));
        }
    }
    for (partition, found) in &survey.partitions {
        for problem in &found.problems {
            out.line(format_args!("problem  {partition}: {}", problem.text));
            for remedy in &problem.remedies {
                out.line(format_args!("         hint: {remedy}"));
            }
        }
    }
    if let Some(why) = &survey.unasked {
        out.line(format_args!("the broker's side is left out: {why}"));
    }
    if let Some(until) = survey.drain {
        out.line(format_args!("asked to drain until {}", time(until)));
    }
    if let Some(to) = survey.complete_to() {
        out.line(format_args!("every window that ends by {} is final, save for devices that upload later", time(to)));
    }
    let untouched: Vec<String> = survey.untouched().map(ToString::to_string).collect();
    if !untouched.is_empty() {
        out.line(format_args!(
            "nothing can be called final: {} of {} partitions hold records and have no window yet: {}. Does an instance read them?",
            untouched.len(),
            survey.partitions.len(),
            untouched.join(", "),
        ));
    }
    let problems: usize = survey.partitions.values().map(|found| found.problems.len()).sum();
    let count = survey.partitions.len();
    out.line(format_args!("pipeline `{}`: {count} partitions, {problems} problems", desk.config.pipeline));
    out.finish()
}

fn row(partition: &PartitionId, found: &Found, survey: &Survey) -> [String; 9] {
    let none = || "-".to_owned();
    let Some(head) = &found.head else {
        let what = if found.problems.is_empty() { "not begun" } else { "unreadable" };
        let mut row = [(); 9].map(|()| none());
        (row[0], row[1]) = (partition.to_string(), what.to_owned());
        return row;
    };
    let resume = &head.resume;
    [
        partition.to_string(),
        format!("{} {}", head.seq, head.kind.as_str()),
        age(survey.now - head.written_at),
        resume.next.to_string(),
        found.lag().map_or_else(none, |lag| grouped(lag.unsigned_abs())),
        time_or_none(resume.complete_to),
        time_or_none(resume.arrival_clock),
        grouped(resume.open_windows),
        grouped(resume.pending_rows),
    ]
}

/// In its two largest units.
fn age(micros: i64) -> String {
    let seconds = micros.max(0) / 1_000_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// What is not as usual, and no problem.
fn notes(desk: &Desk, found: &Found) -> Vec<String> {
    let Some(head) = &found.head else { return Vec::new() };
    let resume = &head.resume;
    let mut notes = Vec::new();
    if head.claims > 0 {
        notes.push(format!("taken over {} times without getting on", head.claims));
    }
    if let Some(careful) = resume.careful {
        notes.push(format!("after crashes it is committed in small steps, level {}", careful.level));
    }
    if let Some(drain) = resume.drain {
        let state = if found.is_drained(desk.settings.close_after) { "drained" } else { "draining" };
        notes.push(format!("{state} until {}; a successor begins at {}", time(drain.until), drain.from));
    }
    if let Some((from, to)) = resume.gap {
        notes.push(format!("records from {from} to {to} were given up"));
    }
    notes
}

pub(super) fn json(desk: &Desk, survey: &Survey) -> anyhow::Result<()> {
    let partitions: Vec<Value> =
        survey.partitions.iter().map(|(partition, found)| of_partition(desk, survey, partition, found)).collect();
    let mut out = Output::new();
    out.line(json!({
        "pipeline": desk.config.pipeline,
        "state": desk.sinks.paths().state,
        "ok": survey.partitions.values().all(|found| found.problems.is_empty()),
        "complete_to": survey.complete_to().map(time),
        "drain_requested": survey.drain.map(time),
        "broker": match &survey.unasked { None => json!({ "asked": true }), Some(why) => json!({ "asked": false, "why": why }) },
        "partitions": partitions,
    }));
    out.finish()
}

fn of_partition(desk: &Desk, survey: &Survey, partition: &PartitionId, found: &Found) -> Value {
    let problems: Vec<Value> =
        found.problems.iter().map(|problem| json!({ "text": problem.text, "remedies": problem.remedies })).collect();
    let kept = found.trace.as_ref().map_or(&[][..], |trace| &trace.kept);
    let mut shown = json!({
        "partition": partition.to_string(),
        "topic": &*partition.topic,
        "index": partition.index,
        "low": found.extent.map(|extent| extent.low),
        "high": found.extent.map(|extent| extent.high),
        "lag": found.lag(),
        "records_kept": kept.len(),
        "record_bytes_kept": kept.iter().map(|kept| kept.bytes).sum::<u64>(),
        "problems": problems,
    });
    let Some(head) = &found.head else { return shown };
    let resume = &head.resume;
    let of_head = json!({
        "seq": head.seq,
        "kind": head.kind.as_str(),
        "genesis": head.genesis.to_string(),
        "written_at": time(head.written_at),
        "age_seconds": (survey.now - head.written_at) as f64 / 1e6,
        "record_bytes": found.head_bytes,
        "state_bytes": head.state.bytes,
        "owner": head.owner.to_string(),
        "instance": head.instance,
        "next": resume.next,
        "arrival_clock": resume.arrival_clock.map(time),
        "floor": resume.floor.map(time),
        "complete_to": resume.complete_to.map(time),
        "open_windows": resume.open_windows,
        "pending_rows": resume.pending_rows,
        "claims_in_vain": head.claims,
        "careful": resume.careful,
        "gap": resume.gap,
        "drain": resume.drain.map(|drain| json!({
            "until": time(drain.until),
            "from": drain.from,
            "drained": found.is_drained(desk.settings.close_after),
        })),
        "ledger": head.ledger,
        "model_set": head.model_set,
    });
    if let (Some(shown), Value::Object(of_head)) = (shown.as_object_mut(), of_head) {
        shown.extend(of_head);
    }
    shown
}
