//! The store and the writers, and what each step makes of them.

use std::ops::Deref;
use std::rc::Rc;

use crate::acting::{Acting, fresh};
use crate::fingerprint;
use crate::model::Model;
use crate::step::Step;
use crate::store::{Broken, Store};
use crate::writer::{Task, Writer};

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) store: Store,
    /// Shared with the states before, and each with its fingerprint: a step changes one of them.
    pub(crate) writers: Vec<Shared>,
}

#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) writer: Rc<Writer>,
    pub(crate) fingerprint: u128,
}

impl Shared {
    fn new(writer: Writer) -> Self {
        Shared { fingerprint: fingerprint::one(&writer), writer: Rc::new(writer) }
    }
}

impl Deref for Shared {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl World {
    pub(crate) fn new(model: &Model) -> Self {
        let store = if model.begun { Store::begun() } else { Store::new() };
        World { store, writers: vec![Shared::new(fresh(model)); model.writers] }
    }

    pub(crate) fn after(&self, model: &Model, step: Step) -> Result<World, Broken> {
        let mut world = self.clone();
        world.take(model, step)?;
        world.store.forget_inert();
        Ok(world)
    }

    pub(crate) fn take(&mut self, model: &Model, step: Step) -> Result<(), Broken> {
        let truth = model.truth();
        let index = match step {
            Step::Lands { place } => {
                let write = self.store.adrift.remove(place.into());
                return self.store.apply(&truth, write).map(drop);
            }
            Step::Log { writer, .. } | Step::Put { writer, .. } | Step::Measure { writer, .. } => writer,
            Step::Propose { writer, .. } | Step::Sweep { writer } | Step::Sleep { writer } => writer,
            Step::Kill { writer } => writer,
        };
        let mut acting = Acting { model, truth, world: self, index: index.into() };
        match step {
            Step::Log { how, .. } => acting.log(how),
            Step::Put { file, how, .. } => acting.put(file, how),
            Step::Measure { file, .. } => acting.measure(file),
            Step::Propose { next, files, .. } => acting.propose_data(next, files),
            Step::Sweep { .. } => acting.sweep(),
            Step::Sleep { .. } => {
                acting.writer().sleeps += 1;
                Ok(())
            }
            Step::Kill { .. } => {
                acting.kill();
                Ok(())
            }
            Step::Lands { .. } => Ok(()),
        }?;
        let changed = &mut self.writers[usize::from(index)];
        changed.fingerprint = fingerprint::one(&*changed.writer);
        Ok(())
    }

    /// The search's bound on the log's length no longer holds for this writer.
    pub(crate) fn go_on(&mut self, model: &Model, index: usize) -> Result<(), Broken> {
        match self.writers[index].task {
            Task::Stopped { head, held } => {
                Acting { model, truth: model.truth(), world: self, index }.propose_claim(head, held)
            }
            _ => Ok(()),
        }
    }
}
