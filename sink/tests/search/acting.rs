//! One writer's requests, as the driver carries them out, with every way in which they can fail.

use std::rc::Rc;
use std::time::Duration;

use sink::machine::{Action, Input, Machine, Put, Seen};

use crate::model::{Model, Slip};
use crate::record::{MARKER, Record};
use crate::step::{How, write_of};
use crate::store::{Broken, Truth, Write, broken};
use crate::world::World;
use crate::writer::{Asked, Before, Files, Task, Writer};

/// Longer than what was seen of the log counts.
const SLEEP: Duration = Duration::from_secs(100);

/// The world, and one writer in it that acts.
pub(crate) struct Acting<'a> {
    pub(crate) model: &'a Model,
    pub(crate) truth: Truth,
    pub(crate) world: &'a mut World,
    pub(crate) index: usize,
}

pub(crate) fn fresh(model: &Model) -> Writer {
    let mut machine = Machine::keeping(model.guards, model.kept.into());
    let actions = machine.step(Duration::ZERO, Input::Claim);
    assert_eq!(actions, [Action::List]);
    Writer {
        machine,
        task: Task::Claiming { loaded: None, before: Before::Nothing },
        asked: Some(Asked::List { from: 0 }),
        files: Files::default(),
        sleeps: 0,
        before: None,
    }
}

impl Acting<'_> {
    pub(crate) fn writer(&mut self) -> &mut Writer {
        Rc::make_mut(&mut self.world.writers[self.index].writer)
    }

    pub(crate) fn log(&mut self, how: How) -> Result<(), Broken> {
        let Some(asked) = self.writer().asked.take() else { return Ok(()) };
        let store = &self.world.store;
        let input = match asked {
            Asked::List { from } => Input::Newest(store.newest().filter(|newest| *newest >= from).map(u64::from)),
            Asked::Load { seq } => {
                let record = store.get(seq).copied();
                if let Task::Claiming { loaded, .. } = &mut self.writer().task {
                    *loaded = record;
                }
                Input::Loaded(record)
            }
            Asked::ReadBack { seq } => Input::FoundNonce(store.get(seq).map(|record| record.nonce.into())),
            Asked::ListAll => Input::Seen(self.seen(how)),
            Asked::StateOf { seq } => {
                let record = store.get(seq).filter(|_| how == How::Answered);
                Input::StateSeq(record.map(|record| record.state_seq.into()))
            }
            Asked::Create(record) => Input::Put(self.create(Write::Create(record), how)?),
            Asked::Delete { seq } => match self.create(Write::Delete(seq), how)? {
                Put::Created => Input::Deleted,
                _ => Input::StateSeq(None),
            },
            Asked::Marker => return self.marker(),
            Asked::State { seq } => return self.state(seq),
        };
        let was_unknown = matches!(input, Input::Put(Put::Unknown));
        if was_unknown && self.model.slip == Some(Slip::Rebuild) && self.rebuild()? {
            return Ok(());
        }
        self.feed(input)
    }

    fn create(&mut self, write: Write, how: How) -> Result<Put, Broken> {
        let at_most = self.model.adrift_max;
        let put = match how {
            How::Answered | How::Young { .. } => match self.world.store.apply(&self.truth, write)? {
                true => Put::Created,
                false => Put::Exists,
            },
            How::Lost => {
                self.world.store.apply(&self.truth, write)?;
                Put::Unknown
            }
            How::Never => Put::Unknown,
            How::Delayed => {
                self.world.store.set_adrift(write, at_most);
                Put::Unknown
            }
            How::FalseExists => Put::Exists,
        };
        Ok(put)
    }

    fn seen(&self, how: How) -> Vec<Seen> {
        let young_from = match how {
            How::Never => return Vec::new(),
            How::Young { from } => from.into(),
            _ => usize::MAX,
        };
        let seqs = self.world.store.seqs().enumerate();
        seqs.map(|(place, seq)| Seen { seq: seq.into(), is_young: place >= young_from }).collect()
    }

    pub(crate) fn put(&mut self, file: u8, how: How) -> Result<(), Broken> {
        let Some(record) = self.writer().files.of else { return Ok(()) };
        self.writer().files.puts &= !(1 << file);
        let put = self.create(Write::PutFile(record, file), how)?;
        self.feed(Input::FilePut { file: record.index_of(file), put })
    }

    pub(crate) fn measure(&mut self, file: u8) -> Result<(), Broken> {
        let Some(record) = self.writer().files.of else { return Ok(()) };
        self.writer().files.measures &= !(1 << file);
        // Other contents would be a violation already; a length tells no more.
        let same = self.world.store.named(&record, file).map(|_| true);
        self.feed(Input::FileMeasured { file: record.index_of(file), same })
    }

    pub(crate) fn feed(&mut self, input: Input<Record>) -> Result<(), Broken> {
        let writer = self.writer();
        let now = SLEEP * writer.sleeps.into();
        let mut end = None;
        for action in writer.machine.step(now, input) {
            match action {
                Action::Tell(told) => end = Some(told),
                Action::PutFile { record, file } => {
                    writer.files.of = Some(record);
                    writer.files.puts |= 1 << record.file_at(file);
                }
                Action::MeasureFile { record, file } => {
                    writer.files.of = Some(record);
                    writer.files.measures |= 1 << record.file_at(file);
                }
                action => writer.asked = Some(asked(&writer.machine, action)),
            }
        }
        if writer.files.puts | writer.files.measures == 0 {
            writer.files.of = None;
        }
        match end {
            Some(told) => {
                self.cut_off();
                self.told(told)
            }
            None if self.writer().asked.is_none() && self.writer().files.of.is_none() => {
                broken("liveness", "a writer waits for nothing")
            }
            None => Ok(()),
        }
    }

    /// Nobody waits for the requests that are under way any more, but they may land.
    fn cut_off(&mut self) {
        let at_most = self.model.adrift_max;
        let files = std::mem::take(&mut self.writer().files);
        let asked = self.writer().asked.take().and_then(write_of);
        let puts = (0..=MARKER).filter(|file| files.puts & (1 << file) != 0);
        let puts = puts.filter_map(|file| files.of.map(|record| Write::PutFile(record, file)));
        for write in asked.into_iter().chain(puts) {
            self.world.store.set_adrift(write, at_most);
        }
        self.world.store.forget_inert();
    }

    pub(crate) fn kill(&mut self) {
        self.cut_off();
        *self.writer() = fresh(self.model);
    }
}

fn asked(machine: &Machine<Record>, action: Action<Record>) -> Asked {
    match action {
        Action::List => Asked::List { from: machine.at_hand().map_or(0, small) },
        Action::Load { seq } => Asked::Load { seq: small(seq) },
        Action::Create(record) => Asked::Create(record),
        Action::ReadBack { seq } => Asked::ReadBack { seq: small(seq) },
        Action::ListAll => Asked::ListAll,
        Action::StateOf { seq } => Asked::StateOf { seq: small(seq) },
        Action::Delete { seq } => Asked::Delete { seq: small(seq) },
        Action::PutFile { .. } | Action::MeasureFile { .. } | Action::Tell(_) => unreachable!("taken care of before"),
    }
}

fn small(seq: u64) -> u8 {
    u8::try_from(seq).expect("the search keeps logs short")
}
