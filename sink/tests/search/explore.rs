//! Every state that can be reached, the near ones first, so that the first violation found has a shortest trace.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use crate::alone::{self, Unfinished};
use crate::fingerprint::{self, AsIs};
use crate::model::Model;
use crate::step::{Step, steps};
use crate::store::Broken;
use crate::trace;
use crate::world::World;

/// From one state in so many, each writer alone must be able to finish.
const ALONE_EVERY: u128 = 64;

pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) transitions: u64,
    /// The longest of the shortest ways to a state.
    pub(crate) depth: usize,
    /// How many lone runs to the end there were.
    pub(crate) alone: u64,
    pub(crate) violation: Option<Violation>,
}

pub(crate) struct Violation {
    pub(crate) broken: Broken,
    /// Step by step, for people.
    pub(crate) trace: Vec<String>,
}

/// How a state was first reached.
struct Reached {
    from: u32,
    step: Step,
}

struct Search<'a> {
    model: &'a Model,
    seen: HashSet<u128, BuildHasherDefault<AsIs>>,
    /// Of all states but the first, in the order in which they were found.
    reached: Vec<Reached>,
    explored: Explored,
}

pub(crate) fn explore(model: &Model) -> Explored {
    let explored = Explored { states: 1, transitions: 0, depth: 0, alone: 0, violation: None };
    let mut search = Search { model, seen: HashSet::default(), reached: Vec::new(), explored };
    let first = World::new(model);
    search.seen.insert(fingerprint::of(&first));
    let mut level = vec![(0u32, first)];
    while !level.is_empty() && search.explored.violation.is_none() {
        level = search.next_level(level);
        search.explored.depth += usize::from(!level.is_empty());
    }
    search.explored.states = search.seen.len();
    search.explored
}

impl Search<'_> {
    fn next_level(&mut self, level: Vec<(u32, World)>) -> Vec<(u32, World)> {
        let mut next = Vec::new();
        for (index, world) in level {
            for step in steps(self.model, &world) {
                self.explored.transitions += 1;
                let after = match world.after(self.model, step) {
                    Ok(after) => after,
                    Err(broken) => {
                        self.found(index, Some(step), broken);
                        return Vec::new();
                    }
                };
                let fingerprint = fingerprint::of(&after);
                if !self.seen.insert(fingerprint) {
                    continue;
                }
                self.reached.push(Reached { from: index, step });
                let index = self.reached.len() as u32;
                let is_sampled = self.model.alone && fingerprint.is_multiple_of(ALONE_EVERY);
                if is_sampled && let Err(Unfinished { broken, trace }) = self.all_can_finish(&after) {
                    self.found(index, None, broken);
                    self.explored.violation.iter_mut().for_each(|found| found.trace.extend(trace.clone()));
                    return Vec::new();
                }
                next.push((index, after));
            }
        }
        next
    }

    fn all_can_finish(&mut self, world: &World) -> Result<(), Unfinished> {
        for writer in 0..world.writers.len() {
            alone::finish(self.model, world, writer)?;
            self.explored.alone += 1;
        }
        Ok(())
    }

    fn found(&mut self, mut index: u32, last: Option<Step>, broken: Broken) {
        let mut path: Vec<Step> = last.into_iter().collect();
        while let Some(reached) = index.checked_sub(1).map(|before| &self.reached[before as usize]) {
            path.push(reached.step);
            index = reached.from;
        }
        path.reverse();
        self.explored.violation = Some(Violation { broken, trace: trace::tell(self.model, &path) });
    }
}
