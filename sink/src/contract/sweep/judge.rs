//! What must be true of the store when a run has ended, whatever it met.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{ArrowPrimitiveType, Int32Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;

use super::model::{Kind, kind_of, position_of};
use super::script::Script;
use crate::audit::{self, Content, FileName};
use crate::contract::fixture::{identity, read_columns as read};
use crate::{Dataset, Places, names};

/// What tells rows apart; reading no more makes thousands of runs quick.
const COLUMNS: [&str; 8] =
    ["window_start", "source_partition", "partition", "position", "first_position", "last_position", "count", "seq"];

/// Rows found, by partition and what they are of.
#[derive(Default)]
struct Found {
    rows: BTreeMap<(u32, i64), u32>,
    late: BTreeMap<(u32, i64), u32>,
    refused: BTreeMap<(u32, i64), u32>,
    runs: BTreeMap<(u32, i64), u32>,
}

pub(super) async fn judge(script: &Script, places: &Places) -> Vec<String> {
    let visible = script.vault.contents(places).await;
    let book = script.vault.book();
    let witness = &book.witness;
    let mut wrong = witness.violations.clone();

    let mut evidence = witness.evidence();
    evidence.files.retain(|file, _| file.dataset == names::MARKERS);
    for (file, bytes) in &visible {
        let content = Content { length: bytes.len() as u64, crc: Some(crc32c::crc32c(bytes)) };
        evidence.files.insert(file.clone(), content);
    }
    wrong.extend(audit::check(&identity(), &evidence).iter().map(ToString::to_string));

    let found = Found::of(&visible);
    for (partition, head) in witness.heads() {
        let header = head.header();
        if header.resume.next.0 != script.reached {
            wrong.push(format!("{partition} has come to {:?}, not {}", header.resume.next, script.reached));
        }
        let wanted = |kind: Kind| {
            let positions = (0..script.reached).filter(|position| !script.gaps.contains(position));
            positions.filter(|position| kind_of(*position) == kind).collect::<Vec<i64>>()
        };
        let index = partition.index;
        for (what, kind, found) in [
            ("rows", Kind::Row, &found.rows),
            ("late readings", Kind::Late, &found.late),
            ("refused records", Kind::Undecodable, &found.refused),
        ] {
            compare(&mut wrong, &format!("{what} of {partition}"), &wanted(kind), index, found);
        }
        let ledger = header.ledger;
        let accounts = [
            ("records", ledger.records, (script.reached - script.gaps.len() as i64) as u64),
            ("tombstones", ledger.tombstones, wanted(Kind::Tombstone).len() as u64),
            ("rows in files", ledger.rows_in_files, wanted(Kind::Row).len() as u64),
            ("late in files", ledger.late_in_files, wanted(Kind::Late).len() as u64),
            ("refused in files", ledger.quarantined_in_files, wanted(Kind::Undecodable).len() as u64),
            ("pending", ledger.pending + ledger.late_pending + ledger.quarantined_pending, 0),
        ];
        for (what, accounted, want) in accounts.into_iter().filter(|(_, accounted, want)| accounted != want) {
            wrong.push(format!("{what} of {partition}: {accounted} accounted for, {want} expected"));
        }
    }
    let repeated = found.runs.iter().filter(|(_, count)| **count > 1);
    wrong.extend(repeated.map(|(run, _)| format!("commit {run:?} is told twice")));
    wrong
}

fn compare(wrong: &mut Vec<String>, what: &str, wanted: &[i64], index: u32, found: &BTreeMap<(u32, i64), u32>) {
    for position in wanted {
        match found.get(&(index, *position)) {
            Some(1) => {}
            Some(count) => wrong.push(format!("{what}: {position} is there {count} times")),
            None => wrong.push(format!("{what}: {position} is lost")),
        }
    }
    let strange = found.keys().filter(|(of, position)| *of == index && !wanted.contains(position));
    wrong.extend(strange.map(|(_, position)| format!("{what}: {position} should not be there")));
}

impl Found {
    fn of(visible: &BTreeMap<FileName, Bytes>) -> Self {
        let mut found = Found::default();
        for (file, bytes) in visible {
            let batch = read(bytes, |column| COLUMNS.contains(&column));
            for row in 0..batch.num_rows() {
                let int = |name: &str| value::<Int32Type>(&batch, name, row);
                let long = |name: &str| value::<Int64Type>(&batch, name, row);
                let key = |column: &str, position: i64| (int(column).unsigned_abs(), position);
                let start = || position_of(value::<TimestampMicrosecondType>(&batch, "window_start", row));
                if file.dataset == Dataset::Predictions.as_str() {
                    *found.rows.entry(key("source_partition", start())).or_default() += 1;
                } else if file.dataset == Dataset::Late.as_str() {
                    *found.late.entry(key("partition", long("position"))).or_default() += 1;
                } else if file.dataset == Dataset::Runs.as_str() {
                    *found.runs.entry(key("partition", long("seq"))).or_default() += 1;
                } else {
                    // A run of refused items: its ends and its count are exact.
                    let run = long("first_position")..=long("last_position");
                    let items: Vec<i64> = run.filter(|at| kind_of(*at) == Kind::Undecodable).collect();
                    let times = if items.len() as i64 == long("count") { 1 } else { 100 };
                    items.iter().for_each(|at| *found.refused.entry(key("partition", *at)).or_default() += times);
                }
            }
        }
        found
    }
}

fn value<T: ArrowPrimitiveType>(batch: &RecordBatch, column: &str, row: usize) -> T::Native {
    batch.column_by_name(column).unwrap_or_else(|| panic!("no {column}")).as_primitive::<T>().value(row)
}
