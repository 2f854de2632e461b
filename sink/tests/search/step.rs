//! One step of the world: a request takes effect and is answered, or fails in one of its ways, or somebody acts or dies.
//!
//! A request takes effect and its answer arrives in one step. Nothing is lost by that: between the two the sender only
//! waits, so whatever others do then they can as well do before the effect or after the answer, when the sender's next
//! request has not had its effect yet. Answers that never arrive are steps of their own.

use crate::model::{Model, Slip};
use crate::record::bits;
use crate::store::Write;
use crate::world::World;
use crate::writer::{Asked, Task};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The answer to the request about the log.
    Log {
        writer: u8,
        how: How,
    },
    Put {
        writer: u8,
        file: u8,
        how: How,
    },
    Measure {
        writer: u8,
        file: u8,
    },
    /// Of what is adrift, the one at this place.
    Lands {
        place: u8,
    },
    Propose {
        writer: u8,
        next: u8,
        files: u8,
    },
    Sweep {
        writer: u8,
    },
    /// For longer than what was seen of the log counts.
    Sleep {
        writer: u8,
    },
    Kill {
        writer: u8,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Answered,
    /// A listing for a sweep: from this place on the records are young.
    Young {
        from: u8,
    },
    /// It took effect, and the answer is lost.
    Lost,
    /// It never takes effect, and there is no answer.
    Never,
    /// It may take effect later; until then there is no answer.
    Delayed,
    /// "Exists" (a conflict), and nothing did.
    FalseExists,
}

/// That a repetition inside the client answers "exists" for what took effect is `Lost`, and the next step `Answered`.
const CREATE_ABSENT: [How; 3] = [How::Answered, How::Lost, How::FalseExists];

/// Everything that can happen next.
pub(crate) fn steps(model: &Model, world: &World) -> Vec<Step> {
    let mut steps = Vec::with_capacity(24);
    for index in 0..world.writers.len() {
        of_writer(model, world, index as u8, &mut steps);
    }
    steps.extend((0..world.store.adrift.len()).map(|place| Step::Lands { place: place as u8 }));
    steps
}

fn of_writer(model: &Model, world: &World, index: u8, steps: &mut Vec<Step>) {
    let writer = &world.writers[usize::from(index)];
    if let Some(asked) = writer.asked {
        of_request(model, world, asked, |how| steps.push(Step::Log { writer: index, how }));
    }
    if let Some(record) = writer.files.of {
        for file in bits(writer.files.puts) {
            creating(model, world.store.named(&record, file).is_some(), |how| {
                steps.push(Step::Put { writer: index, file, how });
            });
        }
        steps.extend(bits(writer.files.measures).map(|file| Step::Measure { writer: index, file }));
        if writer.sleeps < model.sleeps {
            steps.push(Step::Sleep { writer: index });
        }
    }
    if let Task::Owner { head, held } = writer.task {
        if head.seq < model.seq_max {
            proposals(model, head.next, held, |next, files| steps.push(Step::Propose { writer: index, next, files }));
        }
        steps.push(Step::Sweep { writer: index });
    }
    if !writer.is_fresh() {
        steps.push(Step::Kill { writer: index });
    }
}

fn of_request(model: &Model, world: &World, asked: Asked, mut step: impl FnMut(How)) {
    match asked {
        // Whatever only reads is asked again until there is an answer.
        Asked::List { .. } | Asked::Load { .. } | Asked::ReadBack { .. } | Asked::Marker | Asked::State { .. } => {
            step(How::Answered);
        }
        // A sweep is given up instead.
        Asked::ListAll => {
            step(How::Answered);
            step(How::Never);
            if model.young {
                let swept = world.store.seqs().count().saturating_sub(model.kept.into());
                (0..swept).for_each(|from| step(How::Young { from: from as u8 }));
            }
        }
        Asked::StateOf { .. } => [How::Answered, How::Never].into_iter().for_each(step),
        Asked::Delete { .. } => {
            [How::Answered, How::Lost, How::Never].into_iter().for_each(&mut step);
            if model.delayed {
                step(How::Delayed);
            }
        }
        Asked::Create(record) => creating(model, world.store.get(record.seq).is_some(), step),
    }
}

fn creating(model: &Model, is_present: bool, mut step: impl FnMut(How)) {
    let hows: &[How] = if is_present { &[How::Answered] } else { &CREATE_ABSENT };
    hows.iter().for_each(|how| step(*how));
    // Else the same request is sent again, and nothing has changed.
    if model.slip == Some(Slip::Rebuild) {
        step(How::Never);
    }
    if model.delayed {
        step(How::Delayed);
    }
}

/// What an owner may commit: input up to any point, and all rows that are due or, where they may wait, any of them.
fn proposals(model: &Model, from: u8, held: u8, mut propose: impl FnMut(u8, u8)) {
    let truth = model.truth();
    for next in from..=model.commits {
        let due = held | truth.closed(next) & !truth.closed(from);
        for files in 0..=due {
            let may = files == due || model.withheld && files & !due == 0;
            if may && (next > from || files != 0) {
                propose(next, files);
            }
        }
    }
}

/// The request that a writer's step is about, if it changes something.
pub(crate) fn write_of(asked: Asked) -> Option<Write> {
    match asked {
        Asked::Create(record) => Some(Write::Create(record)),
        Asked::Delete { seq } => Some(Write::Delete(seq)),
        _ => None,
    }
}
