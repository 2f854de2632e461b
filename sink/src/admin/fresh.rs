//! A new beginning behind a log that cannot be gone on with: damaged at its head, gone, or of a topic that is not the same
//! any more.
//!
//! It is a record like any other, created if absent behind the newest one, so that it fences whoever still owns the
//! partition; but nothing of the record before is taken over. A head that can be read is published first: what it
//! committed is part of what exists. Behind a log that is gone it takes a number that no owner of that log can have reached,
//! so that one of them that comes back finds itself fenced.

use std::sync::Arc;

use rand::RngExt;
use types::{Ledger, Micros, PartitionId, Position};

use super::{DataName, Head};
use crate::driver::Driver;
use crate::machine::{Input, Machine, Mark, Told};
use crate::record::{
    DrainFrom, FileEntry, Header, Hex32, Nonce, Packed, Record, RecordKind, Resume, RunFacts, StateRef,
};
use crate::{Dataset, Error, Genesis, Sinks, names};

/// Commits that owners of a lost log may have made since the last one that left a trace.
const UNSEEN_MAX: u64 = 1_000_000;

/// A reset under way. To be asked [`behind`](Restart::behind) what, and then to [`commit`](Restart::commit); again if that
/// was overtaken.
pub struct Restart {
    sinks: Sinks,
    partition: PartitionId,
    driver: Option<Driver>,
    behind: Option<Place>,
}

/// What the new beginning comes after.
#[derive(Debug, Clone, Default)]
pub struct Behind {
    /// The newest record's header, as far as it can be read; all its files are visible unless it is damaged.
    pub header: Option<Header>,
    pub is_damaged: bool,
    /// The record that will be created.
    pub seq: u64,
}

/// What the new beginning consists of.
#[derive(Debug, Clone)]
pub struct Fresh {
    pub next: Position,
    /// The pipeline's state, unpacked: nothing in it but where windows begin to count.
    pub state: Vec<u8>,
    pub floor: Option<Micros>,
    pub drain: Option<DrainFrom>,
    pub partitions: Option<u32>,
    /// Wall time.
    pub now: Micros,
}

struct Place {
    seq: u64,
    previous: Option<Hex32>,
}

impl Sinks {
    /// Begins anew in a partition; nothing is written yet.
    #[must_use]
    pub fn restart(&self, partition: &PartitionId) -> Restart {
        Restart { sinks: self.clone(), partition: partition.clone(), driver: None, behind: None }
    }

    /// What a new beginning would come after, without publishing anything.
    ///
    /// # Errors
    /// If the store does not answer, or the newest record says that it is not this pipeline's.
    pub fn look_behind(&self, partition: &PartitionId) -> Result<Behind, Error> {
        let head = self.head(partition)?;
        if let Head::Whole(record) = &head {
            self.check_header(partition, record.header())?;
        }
        if let Some(error @ Error::RecordTooNew { .. }) = head.problem(partition) {
            return Err(error);
        }
        let seq = match &head {
            Head::Absent => self.beyond_lost(partition)?,
            Head::Whole(record) => self.beyond(partition, record.header())?,
            Head::Damaged { seq, .. } => seq + 1,
        };
        let is_damaged = matches!(head, Head::Damaged { .. });
        Ok(Behind { header: head.header().cloned(), is_damaged, seq })
    }

    /// The next number; behind a log that was put back to an older state, one that no owner of the newer one can have reached.
    fn beyond(&self, partition: &PartitionId, head: &Header) -> Result<u64, Error> {
        let newest = self.newest_of_files(partition, Some(head.genesis))?.filter(|newest| *newest > head.seq);
        let Some(newest) = newest else { return Ok(head.seq + 1) };
        // Files follow their record: if it is there by now, an owner has just made it.
        let (log, from) = (self.log(partition), head.seq);
        let reached = self.shared.block(async move { Ok(log.newest(Some(from)).await?) })?;
        Ok(if reached > Some(head.seq) { head.seq + 1 } else { newest + UNSEEN_MAX })
    }

    /// A number that no owner of a log that is gone can have reached; 0 if there never was one.
    fn beyond_lost(&self, partition: &PartitionId) -> Result<u64, Error> {
        let had_log = self.has_marker(partition)?;
        Ok(match self.newest_of_files(partition, None)? {
            Some(seq) => seq + UNSEEN_MAX,
            None if had_log => UNSEEN_MAX,
            None => 0,
        })
    }

    /// The largest number of a commit that left a file; of one beginning, if given.
    fn newest_of_files(&self, partition: &PartitionId, of: Option<Genesis>) -> Result<Option<u64>, Error> {
        let mut newest = None;
        for dataset in Dataset::ALL {
            let names = self.objects(dataset)?.into_iter().filter_map(|object| object.data_name());
            let ours = |name: &DataName| name.partition == *partition && of.is_none_or(|of| of == name.genesis);
            newest = newest.max(names.filter(ours).map(|name| name.seq).max());
        }
        Ok(newest)
    }

    fn has_marker(&self, partition: &PartitionId) -> Result<bool, Error> {
        let shared = Arc::clone(&self.shared);
        let marker = names::marker_path(&shared.identity.pipeline, partition);
        self.shared.block(async move { Ok(shared.state.length(&marker).await?.is_some()) })
    }
}

impl Restart {
    /// Publishes what the newest record committed, if it can be read, and says what the new beginning comes after.
    ///
    /// # Errors
    /// If the newest record is another pipeline's, or of a later version.
    pub fn behind(&mut self) -> Result<Behind, Error> {
        let driver = Driver::new(Arc::clone(&self.sinks.shared), self.partition.clone(), rand::rng().random());
        let (driver, told) = self.run(driver, Input::Claim)?;
        self.driver = Some(driver);
        match told {
            Ok(Told::Head(head)) => {
                let header = head.header().clone();
                let seq = self.sinks.beyond(&self.partition, &header)?;
                let is_next = seq == header.seq + 1;
                if !is_next {
                    self.take_before(seq);
                }
                self.behind = Some(Place { seq, previous: is_next.then(|| Hex32(head.hash())) });
                Ok(Behind { header: Some(header), is_damaged: false, seq })
            }
            Ok(Told::FileDiffers { file }) => Err(Error::FileDiffers { file }),
            Ok(Told::Vacant) | Err(Error::RecordCorrupt { .. }) => self.behind_nothing_whole(),
            Ok(_) => Err(Error::OutOfTurn),
            Err(error) => Err(error),
        }
    }

    fn behind_nothing_whole(&mut self) -> Result<Behind, Error> {
        let behind = self.sinks.look_behind(&self.partition)?;
        self.take_before(behind.seq);
        self.behind = Some(Place { seq: behind.seq, previous: None });
        Ok(behind)
    }

    fn take_before(&mut self, seq: u64) {
        if let Some(driver) = &mut self.driver {
            driver.take_as_head(seq.checked_sub(1).map(|seq| Mark { seq, hash: [0; 32], state_seq: seq }));
        }
    }

    /// Makes the new beginning durable. Its seq; none if somebody was faster: look [`behind`](Restart::behind) again.
    ///
    /// # Errors
    /// If it was not looked behind before.
    pub fn commit(&mut self, fresh: &Fresh) -> Result<Option<u64>, Error> {
        let (Some(driver), Some(place)) = (self.driver.take(), self.behind.take()) else {
            return Err(Error::OutOfTurn);
        };
        let marker = !self.sinks.has_marker(&self.partition)?;
        let record = self.record(fresh, &place, marker);
        let (_, told) = self.run(driver, Input::Propose(record))?;
        match told? {
            Told::Committed(record) => Ok(Some(record.header().seq)),
            Told::Fenced => Ok(None),
            Told::FileDiffers { file } => Err(Error::FileDiffers { file }),
            _ => Err(Error::OutOfTurn),
        }
    }

    /// Runs it on the runtime, and gives the driver back.
    fn run(&self, mut driver: Driver, input: Input<Record>) -> Result<(Driver, Result<Told<Record>, Error>), Error> {
        self.sinks.shared.block(async move {
            let told = driver.run(input).await;
            Ok((driver, told))
        })
    }

    fn record(&self, fresh: &Fresh, place: &Place, with_marker: bool) -> Record {
        let genesis = Genesis(rand::rng().random());
        let packed = Packed::new(&fresh.state);
        let marker = with_marker.then(|| crate::build::marker(&self.partition, genesis, fresh.partitions));
        let files: Vec<FileEntry> = marker.iter().map(crate::build::entry_of).collect();
        let bytes: Vec<_> = marker.into_iter().map(|file| file.bytes).collect();
        let header = Header {
            genesis,
            seq: place.seq,
            previous: place.previous,
            nonce: Nonce(rand::rng().random()),
            kind: RecordKind::Genesis,
            written_at: fresh.now,
            resume: Resume {
                next: fresh.next,
                floor: fresh.floor,
                complete_to: fresh.floor,
                drain: fresh.drain,
                ..Resume::default()
            },
            ledger: Ledger::default(),
            run: RunFacts { from: fresh.next, ..RunFacts::default() },
            state: StateRef { seq: place.seq, hash: None, bytes: packed.length },
            files,
            ..self.sinks.shared.header(&self.partition, fresh.partitions)
        };
        Record::seal(header, Some(&packed.bytes), &bytes)
    }
}

impl Driver {
    /// Takes it as given that this is the newest record, though it cannot be read; none: that there is none.
    fn take_as_head(&mut self, head: Option<Mark>) {
        self.set_machine(Machine::behind(self.shared.guards, head));
    }
}
