//! Taking a partition over: its head is read, checked and published, and a record of our own put behind it.

use std::time::Duration;

use tracing::debug;
use types::{Micros, PartitionId, Position};

use crate::build::Head;
use crate::driver::Driver;
use crate::log::off_thread;
use crate::machine::{Input, Told};
use crate::names::{self, Date};
use crate::record::{Damage, Header, Hex32, Nonce, Record, RecordKind, Resume, RunFacts, StateRef};
use crate::sinks::Shared;
use crate::{Claim, Dataset, Error, Resumed};

pub(crate) enum Ended {
    Vacant { is_new_partition: bool },
    Taken(Box<Taken>),
    Fenced,
}

pub(crate) struct Taken {
    pub(crate) record: Record,
    pub(crate) resumed: Resumed,
}

/// How often a log that moves on under our hands is looked at anew before somebody else is left to it.
const TRIES: usize = 3;
/// Unfinished files older than this are nobody's.
const LEFT_BEHIND: Duration = Duration::from_secs(15 * 60);
/// Of so many claims in vain, one after the other, rows of `runs` are written.
const HEADERS_MAX: u64 = 32;

/// No supervisor waits for longer before it starts a process again.
const LOOP_MAX: Micros = 3600 * 1_000_000;

pub(crate) async fn claim(driver: &mut Driver, claim: &Claim, nonce: Nonce) -> Result<Ended, Error> {
    sweep(driver).await;
    let mut doubted = None;
    for _ in 0..TRIES {
        let head = match driver.run(Input::Claim).await? {
            Told::Vacant => match vacant(driver).await? {
                Some(ended) => return Ok(ended),
                None => continue,
            },
            Told::Head(head) => head,
            Told::FileDiffers { file } => return Err(Error::FileDiffers { file }),
            Told::Fenced => continue,
            Told::Committed(_) | Told::Swept | Told::Misused => return Err(Error::OutOfTurn),
        };
        let state = match state_of(driver, &head).await? {
            StateFound::Whole(state) => state,
            // It was collected, and maybe a stale record landed late in its place, unless the head is still the same.
            StateFound::Other(error) => match doubted.replace(head.header().seq) {
                Some(seq) if seq == head.header().seq => return Err(error),
                _ => continue,
            },
        };
        let ahead = || file_ahead(&driver.shared, &driver.partition, head.header());
        if let Some(file) = driver.retries.until_answered(ahead).await {
            // Its record is there before it is: another owner commits just now, or the log was put back.
            let head = head.header().seq;
            match driver.retries.until_answered(|| driver.log.newest(Some(head))).await {
                Some(newest) if newest > head => continue,
                _ => return Err(Error::LogBehind { partition: driver.partition.clone(), head, file }),
            }
        }
        let Some(header) = header(driver, &head, claim, nonce) else { return Err(Error::OutOfTurn) };
        let record = Record::seal(header, None, &[]);
        match driver.run(Input::Propose(record)).await? {
            Told::Committed(record) => {
                let before = since_state(driver, &head).await;
                let resumed = Resumed { header: record.header().clone(), before, state };
                return Ok(Ended::Taken(Box::new(Taken { record, resumed })));
            }
            // Our nonce is used up by the record that lost.
            Told::Fenced => return Ok(Ended::Fenced),
            _ => return Err(Error::OutOfTurn),
        }
    }
    Ok(Ended::Fenced)
}

/// Removes what killed writers left unfinished out of sight, on local disks.
async fn sweep(driver: &Driver) {
    for place in driver.shared.places() {
        if let Err(error) = place.location.sweep(LEFT_BEHIND).await {
            debug!(partition = %driver.partition, %error, "unfinished files are left for the next time");
        }
    }
}

/// A log that is gone is not begun anew: it would publish again what is there already. None if there is one by now.
async fn vacant(driver: &Driver) -> Result<Option<Ended>, Error> {
    let (shared, partition) = (&driver.shared, &driver.partition);
    let marker = names::marker_path(&shared.identity.pipeline, partition);
    if driver.retries.until_answered(|| shared.state.length(&marker)).await.is_some() {
        // The marker follows the first record: another owner may have begun the log since we looked.
        if driver.retries.until_answered(|| driver.log.newest(None)).await.is_some() {
            return Ok(None);
        }
        let place = shared.state.location.display_of(&names::partition(&shared.identity.pipeline, partition));
        return Err(Error::LogMissing { partition: partition.clone(), place });
    }
    Ok(Some(Ended::Vacant { is_new_partition: grew(driver).await }))
}

/// Whether an older partition's log began when the topic had too few partitions for this one. The smallest count decides:
/// of several new partitions one is the first to say how many there are now.
async fn grew(driver: &Driver) -> bool {
    let place = &driver.shared.state;
    let folder = names::markers(&driver.shared.identity.pipeline);
    let listed = driver.retries.until_answered(|| place.list(&folder, None)).await;
    let topic = &*driver.partition.topic;
    let names = listed.iter().filter_map(|meta| place.name_of(&meta.location));
    let of_topic = names.filter(|name| names::partition_of_marker(name).is_some_and(|(other, _)| other == topic));
    let mut least: Option<u64> = None;
    for name in of_topic {
        let bytes = driver.retries.until_answered(|| place.read(&name, 1 << 16)).await;
        let count = bytes
            .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
            .and_then(|marker| marker.get("partitions").and_then(serde_json::Value::as_u64));
        least = [least, count].into_iter().flatten().min();
    }
    least.is_some_and(|least| u64::from(driver.partition.index) >= least)
}

/// A file of a later commit than the head. Whoever brings back an older copy of the state leaves the datasets ahead of it, and
/// going on would publish again what is there. The next commit with rows after the head told how the head went, in `runs`
/// below the head's date: one request looks there, and finds nearly all of what can be.
pub(crate) async fn file_ahead(
    shared: &Shared,
    partition: &PartitionId,
    head: &Header,
) -> Result<Option<String>, store::Error> {
    let date = Date::of(head.written_at);
    let name = names::data_file(date, partition, head.genesis, head.seq);
    let is_later = |found: &str| {
        names::parse_data_file(found)
            .is_some_and(|found| found.partition == *partition && found.genesis == head.genesis && found.seq > head.seq)
    };
    shared.dataset(Dataset::Runs).next_after(&format!("date={date}"), &name, is_later).await
}

/// What is found where the head says that its state is.
enum StateFound {
    Whole(Vec<u8>),
    /// Nothing, or not the record that the head names; what that means if the head is still the newest.
    Other(Error),
}

async fn state_of(driver: &Driver, head: &Record) -> Result<StateFound, Error> {
    let StateRef { seq, hash, bytes } = head.header().state;
    let holder = if seq == head.header().seq { Some(head.clone()) } else { driver.load(seq).await? };
    let corrupt =
        |damage| Error::RecordCorrupt { partition: driver.partition.clone(), place: driver.log.display(seq), damage };
    let Some(holder) = holder else {
        let what = "a later record goes on from it, and it is gone";
        return Ok(StateFound::Other(corrupt(Damage::Sections { what })));
    };
    if hash.is_some_and(|hash| hash != Hex32(holder.hash())) {
        return Ok(StateFound::Other(corrupt(Damage::Hash)));
    }
    let size = usize::try_from(bytes).unwrap_or(usize::MAX);
    let state = off_thread(size, move || holder.state()).await.map_err(corrupt)?;
    state.map(StateFound::Whole).ok_or_else(|| corrupt(Damage::Sections { what: "its state" }))
}

/// Headers from the record that holds the state up to the head, in order: their owners may have had no chance to tell how
/// those commits went.
async fn since_state(driver: &Driver, head: &Record) -> Vec<Header> {
    let newest = head.header();
    let mut headers = Vec::new();
    for seq in newest.state.seq.max(newest.seq.saturating_sub(HEADERS_MAX))..newest.seq {
        if let Ok(Some(Ok(header))) = driver.log.header(seq).await {
            headers.push(header);
        }
    }
    headers.push(newest.clone());
    headers
}

fn header(driver: &Driver, head: &Record, claim: &Claim, nonce: Nonce) -> Option<Header> {
    let before = head.header();
    let resume = Resume { wall_steps: Vec::new(), gap: None, ..before.resume.clone() };
    let (shared, partition) = (&driver.shared, &driver.partition);
    Some(Header {
        genesis: before.genesis,
        seq: before.seq + 1,
        previous: Some(Hex32(head.hash())),
        nonce,
        kind: RecordKind::Claim,
        claims: in_vain(before, claim, shared.owner()),
        lagging: is_lagging(before.resume.next, claim.high),
        written_at: claim.now,
        ledger: before.ledger,
        run: RunFacts { from: before.resume.next, ..RunFacts::default() },
        state: Head::of(head).state_ref()?,
        resume,
        ..shared.header(partition, claim.partitions.or(before.partitions))
    })
}

/// How often the partition was taken over without getting on, this time not counted: the owner before had records to read
/// and the time to commit some, and left nothing behind. One that is still alive did not die of them, and a time that no
/// crash loop takes says more of a clock than of an owner.
fn in_vain(before: &Header, claim: &Claim, owner: Nonce) -> u32 {
    if before.kind != RecordKind::Claim {
        return 0;
    }
    let interval = Micros::try_from(claim.commit_interval.as_micros()).unwrap_or(Micros::MAX);
    let elapsed = claim.now.saturating_sub(before.written_at);
    let in_time = elapsed > interval && elapsed <= interval.saturating_mul(10).max(LOOP_MAX);
    let had_time = in_time || before.resume.careful.is_some();
    before.claims + u32::from(before.lagging && had_time && before.owner != owner)
}

fn is_lagging(next: Position, high: Option<Position>) -> bool {
    high.is_some_and(|high| high > next)
}
