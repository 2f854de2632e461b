//! Where a follower begins, what it asks for, and what it tells of what is gone.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use types::PartitionId;

use super::{Follower, Guards, Heads, Settings};
use crate::testing::{Prediction, parquet};
use crate::{
    Begin, Commit, Cursor, Error, Event, Failure, File, Log, Receiver, Refusal, StoredCursors, Turn, Unlogged,
};

/// One partition's log; what was asked of it; and a receiver that fails as often as it is told to.
#[derive(Clone, Default)]
struct Stage(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    records: BTreeMap<(u32, u64), Commit>,
    files: BTreeMap<String, Bytes>,
    asked: Vec<String>,
    sent: Vec<Event>,
    failures: u32,
    /// Of a device whose events it fails at.
    poison: Option<&'static str>,
    refuses: bool,
}

fn partition() -> PartitionId {
    PartitionId { topic: "t".into(), index: 0 }
}

fn heads(head: u64) -> Heads {
    Heads::from([(partition(), head)])
}

impl Stage {
    /// A commit with so many anomalies among ten rows.
    fn commit(&self, seq: u64, anomalies: i64, is_ours: bool) {
        self.commit_of(0, seq, anomalies, is_ours);
    }

    fn commit_of(&self, index: u32, seq: u64, anomalies: i64, is_ours: bool) {
        let mut state = self.0.borrow_mut();
        let device = ["d", "other"][index as usize];
        let rows: Vec<Prediction> =
            (0..10).map(|row| Prediction::new(device, seq as i64 * 10 + row, row < anomalies)).collect();
        let name = if index == 0 { format!("date=x/{seq}") } else { format!("date=x/{index}-{seq}") };
        state.files.insert(name.clone(), parquet(&rows));
        let file = File { name, rows: 10, check: None };
        let commit = Commit {
            seq,
            genesis: "g".into(),
            is_ours,
            written_at: seq as i64,
            anomalies: anomalies as u64,
            rows_total: (seq + 1) * 10,
            files: vec![file],
        };
        state.records.insert((index, seq), commit);
    }

    fn follower(&self, store: &str, from: Begin) -> Follower<Stage, impl crate::Cursors + use<>, Stage> {
        let place = store::open(&format!("memory://{store}"), &store::Config::default()).unwrap();
        let cursors = StoredCursors::new(place, |partition: &PartitionId| format!("forwarded/{}", partition.index));
        let guards = Guards::default();
        let settings = Settings { pipeline: "p".into(), from, now: || 60_000_000, seed: 7, guards };
        Follower::new(self.clone(), cursors, self.clone(), settings)
    }

    /// Window numbers of what was sent.
    fn windows(&self) -> Vec<i64> {
        let window = |event: &Event| {
            let read: serde_json::Value = serde_json::from_slice(&event.body).unwrap();
            let start: jiff::Timestamp = read["data"]["window_start"].as_str().unwrap().parse().unwrap();
            start.as_second() / 10
        };
        self.0.borrow().sent.iter().map(window).collect()
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut().asked)
    }

    fn ask(&self, what: impl Into<String>) {
        self.0.borrow_mut().asked.push(what.into());
    }
}

impl Log for Stage {
    async fn kept(&self, partition: &PartitionId, from: u64) -> Result<Vec<u64>, Error> {
        self.ask("kept");
        let index = partition.index;
        Ok(self.0.borrow().records.range((index, from)..(index + 1, 0)).map(|((_, seq), _)| *seq).collect())
    }

    async fn commit(&self, partition: &PartitionId, seq: u64) -> Result<Option<Commit>, Error> {
        self.ask(format!("commit {seq}"));
        Ok(self.0.borrow().records.get(&(partition.index, seq)).cloned())
    }

    async fn file(&self, _: &PartitionId, _: u64, file: &File) -> Result<Option<Bytes>, Error> {
        self.ask(format!("file {}", file.name));
        Ok(self.0.borrow().files.get(&file.name).cloned())
    }

    async fn files_of(&self, _: &PartitionId, seqs: Range<u64>) -> Result<Vec<Unlogged>, Error> {
        self.ask("all files");
        let of = |seq| (seq, format!("date=x/{seq}"));
        let there = seqs.map(of).filter(|(_, name)| self.0.borrow().files.contains_key(name));
        Ok(there.map(|(seq, name)| Unlogged { seq, genesis: "g".into(), name }).collect())
    }
}

impl Receiver for Stage {
    fn name(&self) -> &'static str {
        "stage"
    }

    fn batch(&self) -> usize {
        3
    }

    async fn send(&mut self, events: &[Event]) -> Result<Vec<Refusal>, Failure> {
        let mut state = self.0.borrow_mut();
        if state.failures > 0 {
            state.failures -= 1;
            return Err(Failure::passing("not now"));
        }
        let is_of =
            |event: &Event, device: &str| String::from_utf8_lossy(&event.body).contains(&format!("\"{device}\""));
        if state.poison.is_some_and(|device| events.iter().any(|event| is_of(event, device))) {
            return Err(Failure::passing("not this one"));
        }
        if state.refuses {
            return Ok((0..events.len()).map(|index| Refusal { index, reason: "no".into() }).collect());
        }
        state.sent.extend_from_slice(events);
        Ok(Vec::new())
    }
}

#[tokio::test(start_paused = true)]
async fn the_present_begins_behind_what_others_committed_and_before_what_this_process_did() {
    let stage = Stage::default();
    stage.commit(0, 2, false);
    stage.commit(1, 0, true);
    stage.commit(2, 3, true);
    let mut follower = stage.follower("present", Begin::Latest);
    assert_eq!(follower.turn(&heads(2)).await, Turn::default());
    assert_eq!(stage.windows(), [20, 21, 22]);
    let mut again = stage.follower("present", Begin::Latest);
    again.turn(&heads(2)).await;
    assert_eq!(stage.windows().len(), 3, "a later start goes on where it was");
    let mut earliest = stage.follower("past", Begin::Earliest);
    earliest.turn(&heads(2)).await;
    assert_eq!(stage.windows()[3..], [0, 1, 20, 21, 22]);
}

#[tokio::test(start_paused = true)]
async fn while_nothing_is_committed_nothing_is_asked() {
    let stage = Stage::default();
    stage.commit(0, 0, false);
    let mut follower = stage.follower("quiet", Begin::Earliest);
    follower.turn(&heads(0)).await;
    stage.asked();
    for _ in 0..10 {
        follower.turn(&heads(0)).await;
    }
    assert!(stage.asked().is_empty());
    stage.commit(1, 0, false);
    follower.turn(&heads(1)).await;
    assert_eq!(stage.asked(), ["commit 1"], "no file of a commit without anomalies");
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_it_waits_and_goes_on_where_it_was() {
    let stage = Stage::default();
    stage.commit(0, 8, false);
    let mut follower = stage.follower("failing", Begin::Earliest);
    stage.0.borrow_mut().failures = 2;
    let turn = follower.turn(&heads(0)).await;
    assert_eq!(turn.commits, 1);
    let wait = turn.wait.expect("a pause");
    assert!(wait.as_millis() >= 50 && wait.as_millis() <= 100, "{wait:?}");
    follower.turn(&heads(0)).await;
    assert_eq!(stage.0.borrow().failures, 1, "nothing is sent within it");
    tokio::time::advance(wait).await;
    let longer = follower.turn(&heads(0)).await.wait.expect("another");
    tokio::time::advance(longer).await;
    assert_eq!(follower.turn(&heads(0)).await, Turn::default());
    assert_eq!(stage.windows(), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test(start_paused = true)]
async fn commits_whose_records_are_gone_are_read_from_the_dataset() {
    let stage = Stage::default();
    (0..6).for_each(|seq| stage.commit(seq, 1, false));
    stage.0.borrow_mut().records.retain(|(_, seq), _| *seq >= 4);
    let mut follower = stage.follower("swept", Begin::Earliest);
    assert_eq!(follower.turn(&heads(5)).await, Turn::default());
    assert_eq!(stage.windows(), [0, 10, 20, 30, 40, 50]);
    assert_eq!(stage.asked().iter().filter(|asked| *asked == "all files").count(), 1, "it is dear");
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_with_its_file_does_not_hold_up_the_rest() {
    let stage = Stage::default();
    (0..4).for_each(|seq| stage.commit(seq, 1, false));
    stage.0.borrow_mut().files.remove("date=x/1");
    let mut follower = stage.follower("removed", Begin::Earliest);
    assert_eq!(follower.turn(&heads(3)).await, Turn::default());
    assert_eq!(stage.windows(), [0, 20, 30]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_begun_anew_is_followed_from_its_beginning() {
    let stage = Stage::default();
    (0..4).for_each(|seq| stage.commit(seq, 1, false));
    stage.follower("anew", Begin::Earliest).turn(&heads(3)).await;
    {
        let mut state = stage.0.borrow_mut();
        state.records.retain(|(_, seq), _| *seq < 2);
        state.records.values_mut().for_each(|commit| commit.genesis = "h".into());
    }
    let mut follower = stage.follower("anew", Begin::Earliest);
    assert_eq!(follower.turn(&heads(1)).await, Turn::default());
    assert_eq!(stage.windows()[4..], [0, 10]);
    let cursor = follower.partitions.values().next().map(|followed| followed.cursor.clone());
    assert_eq!(cursor, Some(Cursor { genesis: "h".into(), next: 2, rows: 20 }));
}

fn both(head: u64) -> Heads {
    (0..2).map(|index| (PartitionId { index, ..partition() }, head)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_committed_while_the_receiver_is_away_reaches_it_after_a_restart() {
    let stage = Stage::default();
    for index in 0..2 {
        stage.commit_of(index, 0, 1, false);
        stage.commit_of(index, 1, 1, true);
    }
    stage.0.borrow_mut().failures = u32::MAX;
    let mut follower = stage.follower("away", Begin::Latest);
    let wait = follower.turn(&both(1)).await.wait.expect("a pause");
    tokio::time::advance(wait).await;
    follower.turn(&both(1)).await;
    assert!(stage.windows().is_empty());
    // The next process knows none of these commits for its own.
    stage.0.borrow_mut().records.values_mut().for_each(|commit| commit.is_ours = false);
    stage.0.borrow_mut().failures = 0;
    let mut next = stage.follower("away", Begin::Latest);
    assert_eq!(next.turn(&both(1)).await, Turn::default());
    assert_eq!(stage.windows(), [10, 10]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_always_fails_holds_up_its_partition_alone() {
    let stage = Stage::default();
    for index in 0..2 {
        (0..2).for_each(|seq| stage.commit_of(index, seq, 1, false));
    }
    stage.0.borrow_mut().poison = Some("d");
    let mut follower = stage.follower("poison", Begin::Earliest);
    for _ in 0..3 {
        let wait = follower.turn(&both(1)).await.wait.expect("a pause");
        // A commit wakes it within the pause.
        follower.turn(&both(1)).await;
        tokio::time::advance(wait).await;
    }
    assert_eq!(stage.windows(), [0, 10], "the other's");
    stage.0.borrow_mut().poison = None;
    assert_eq!(follower.turn(&both(1)).await, Turn::default());
    assert_eq!(stage.windows(), [0, 10, 0, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_refuses_everything_is_waited_for() {
    let stage = Stage::default();
    (0..20).for_each(|seq| stage.commit(seq, 2, false));
    stage.0.borrow_mut().refuses = true;
    let mut follower = stage.follower("refusing", Begin::Earliest);
    let wait = follower.turn(&heads(19)).await.wait.expect("a pause");
    assert_eq!(follower.partitions.values().next().map(|followed| followed.cursor.next), Some(10), "20 events");
    stage.0.borrow_mut().refuses = false;
    tokio::time::advance(wait).await;
    assert_eq!(follower.turn(&heads(19)).await, Turn::default());
    assert_eq!(stage.windows().len(), 20, "none of the rest is missing");
}
