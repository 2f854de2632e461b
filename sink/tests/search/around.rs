//! What the sink does around the machine: follows `claim.rs` and `partition.rs`, or makes the mistakes of a mutant.

use sink::machine::{Input, Told};

use crate::acting::Acting;
use crate::model::Slip;
use crate::record::{Kind, MARKER, Record, genesis};
use crate::store::{Broken, Write, broken};
use crate::world::World;
use crate::writer::{Asked, Before, Task, Writer};

impl Acting<'_> {
    pub(crate) fn told(&mut self, told: Told<Record>) -> Result<(), Broken> {
        let task = self.writer().task;
        match (task, told) {
            (Task::Claiming { before: Before::Marker, .. }, Told::Vacant) => {
                broken("halt", "a marker, and twice no log")
            }
            (Task::Claiming { .. }, Told::Vacant) => {
                self.writer().task = Task::LookingForMarker;
                self.writer().asked = Some(Asked::Marker);
                Ok(())
            }
            (Task::Claiming { .. }, Told::Head(head)) if head.holds_state() => self.propose_claim(head, head.held),
            (Task::Claiming { before, .. }, Told::Head(head)) => {
                self.writer().task = Task::LoadingState { head, before };
                self.writer().asked = Some(Asked::State { seq: head.state_seq });
                Ok(())
            }
            (Task::Proposing { held, .. }, Told::Committed(head)) => {
                self.writer().task = Task::Owner { head, held };
                self.writer().before = None;
                Ok(())
            }
            (Task::Claiming { .. } | Task::Proposing { .. }, Told::Fenced) => self.claim(Before::Nothing),
            (Task::Sweeping { head, held }, Told::Swept) => {
                self.writer().task = Task::Owner { head, held };
                Ok(())
            }
            (task, told) => broken("halt", format!("{told:?} during {task:?}")),
        }
    }

    fn claim(&mut self, before: Before) -> Result<(), Broken> {
        self.writer().task = Task::Claiming { loaded: None, before };
        self.writer().before = None;
        self.feed(Input::Claim)
    }

    /// No log, but its marker: it was begun after our listing, or is lost.
    pub(crate) fn marker(&mut self) -> Result<(), Broken> {
        if self.world.store.files[usize::from(MARKER)].is_none() {
            return self.propose_genesis();
        }
        match self.model.slip {
            Some(Slip::TrustVacancy) => broken("halt", "the log is there, and reported missing"),
            _ => self.claim(Before::Marker),
        }
    }

    /// The log may have grown and been swept since the head was found: then its state is gone, or a stale record that
    /// landed late is there in its place.
    pub(crate) fn state(&mut self, seq: u8) -> Result<(), Broken> {
        let Task::LoadingState { head, before } = self.writer().task else { return Ok(()) };
        let again = Before::OtherState { head: head.seq };
        match self.world.store.get(seq).copied() {
            None => self.claim(Before::Nothing),
            Some(holder) if holder.digest() == head.state_of => self.propose_claim(head, holder.held),
            Some(_) if before == again || self.model.slip == Some(Slip::TrustState) => {
                broken("halt", format!("the state of {}, in {seq}, is reported corrupt", head.seq))
            }
            Some(_) => self.claim(again),
        }
    }

    fn propose_genesis(&mut self) -> Result<(), Broken> {
        let nonce = self.nonce(0);
        self.propose(genesis(nonce), 0)
    }

    pub(crate) fn propose_claim(&mut self, head: Record, held: u8) -> Result<(), Broken> {
        if head.seq >= self.model.seq_max {
            self.writer().task = Task::Stopped { head, held };
            return Ok(());
        }
        let nonce = self.nonce(head.seq + 1);
        self.propose(Writer::claim_of(&head, nonce), held)
    }

    pub(crate) fn propose_data(&mut self, next: u8, files: u8) -> Result<(), Broken> {
        let Task::Owner { head, held } = self.writer().task else { return Ok(()) };
        let nonce = self.nonce(head.seq + 1);
        let due = held | self.truth.closed(next) & !self.truth.closed(head.next);
        let record = Record {
            seq: head.seq + 1,
            nonce,
            kind: Kind::Data,
            previous: head.digest(),
            next,
            state_seq: head.seq + 1,
            state_of: 0,
            held: due & !files,
            files,
        };
        if self.model.slip == Some(Slip::Rebuild) {
            let before = Box::new(self.writer().machine.clone());
            self.writer().before = Some(before);
        }
        self.propose(record, record.held)
    }

    /// The mistake: other bytes under the same seq and nonce.
    pub(crate) fn rebuild(&mut self) -> Result<bool, Broken> {
        let Task::Proposing { record, .. } = self.writer().task else { return Ok(false) };
        let larger = self.truth.closed(self.model.commits) & !self.truth.closed(record.next);
        let Some(before) = self.writer().before.take().filter(|_| record.next < self.model.commits) else {
            return Ok(false);
        };
        self.writer().machine = *before;
        let record = Record { next: self.model.commits, files: record.files | record.held | larger, held: 0, ..record };
        self.propose(record, 0).map(|()| true)
    }

    fn propose(&mut self, record: Record, held: u8) -> Result<(), Broken> {
        self.writer().task = Task::Proposing { record, held };
        self.feed(Input::Propose(record))
    }

    pub(crate) fn sweep(&mut self) -> Result<(), Broken> {
        let Task::Owner { head, held } = self.writer().task else { return Ok(()) };
        self.writer().task = Task::Sweeping { head, held };
        self.feed(Input::Sweep)
    }

    /// The smallest that no record of this seq has which anybody still knows of: as good as a random one, and the number
    /// of states stays finite.
    fn nonce(&self, seq: u8) -> u8 {
        let World { store, writers } = &*self.world;
        let adrift = store.adrift.iter().filter_map(|write| match write {
            Write::Create(record) | Write::PutFile(record, _) => Some(*record),
            Write::Delete(_) => None,
        });
        let known =
            writers.iter().flat_map(|writer| writer.records()).chain(adrift).chain(store.log.iter().flatten().copied());
        let of_records = known.flat_map(|record| {
            let state = (!record.holds_state()).then(|| (record.state_seq, Record::nonce_in(record.state_of)));
            let before = record.seq.checked_sub(1).map(|seq| (seq, Record::nonce_in(record.previous)));
            [(record.seq, record.nonce)].into_iter().chain(state).chain(before)
        });
        let of_files = store.files.iter().flatten().map(|content| (content.seq, Record::nonce_in(content.digest)));
        let used =
            of_records.chain(of_files).filter(|(of, _)| *of == seq).fold(0u32, |used, (_, nonce)| used | 1 << nonce);
        used.trailing_ones() as u8
    }
}
