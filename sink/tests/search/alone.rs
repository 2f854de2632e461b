//! Liveness: in whatever state the others and the store are, a writer that is left alone finishes: every window is
//! visible, in one file.

use crate::model::Model;
use crate::record::bits;
use crate::step::{How, Step};
use crate::store::{Broken, SEQS, broken};
use crate::trace;
use crate::world::World;
use crate::writer::Task;

/// More than any way to the end takes.
const STEPS_MAX: usize = 200;

/// What broke, and how the lone run came to it.
pub(crate) struct Unfinished {
    pub(crate) broken: Broken,
    pub(crate) trace: Vec<String>,
}

pub(crate) fn finish(model: &Model, world: &World, index: usize) -> Result<(), Unfinished> {
    let mut path = Vec::new();
    run(model, world, index, &mut |_, _| {}).map_err(|broken| {
        // Again, with words.
        let _ = run(model, world, index, &mut |world, step| path.push(trace::line(world, step)));
        Unfinished { broken, trace: path }
    })
}

fn run(model: &Model, world: &World, index: usize, before: &mut dyn FnMut(&World, Step)) -> Result<(), Broken> {
    // No bound but the room that there is.
    let model = Model { seq_max: SEQS as u8 - 1, sleeps: 0, ..*model };
    let mut world = world.clone();
    world.go_on(&model, index)?;
    for _ in 0..STEPS_MAX {
        let Some(step) = next_step(&model, &world, index) else {
            return match world.store.visible() == model.all_windows() {
                true => Ok(()),
                false => broken("liveness", format!("writer {index} alone ends without all windows")),
            };
        };
        before(&world, step);
        world.take(&model, step)?;
    }
    broken("liveness", format!("writer {index} alone comes to no end"))
}

/// Everything is answered, and all input committed at once.
fn next_step(model: &Model, world: &World, index: usize) -> Option<Step> {
    let writer = index as u8;
    let state = &world.writers[index];
    if state.asked.is_some() {
        return Some(Step::Log { writer, how: How::Answered });
    }
    if let Some(file) = bits(state.files.puts).next() {
        return Some(Step::Put { writer, file, how: How::Answered });
    }
    if let Some(file) = bits(state.files.measures).next() {
        return Some(Step::Measure { writer, file });
    }
    let Task::Owner { head, held } = state.task else { return None };
    let truth = model.truth();
    let files = held | truth.closed(model.commits) & !truth.closed(head.next);
    let is_done = head.next == model.commits && files == 0;
    (!is_done).then_some(Step::Propose { writer, next: model.commits, files })
}
