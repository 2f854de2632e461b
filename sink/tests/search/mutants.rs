//! The same world with one guard taken away, or with one mistake around the machine: the search must find each.

use sink::machine::Guard;

use crate::model::{Model, Slip};

pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    pub(crate) model: Model,
}

/// Each in the smallest world that shows it.
pub(crate) fn all() -> Vec<Mutant> {
    // No power fails in this world, so files are as durable as they are visible.
    let guards = Guard::ALL.into_iter().filter(|guard| *guard != Guard::Fsync);
    let of_guards = guards.map(|guard| Mutant { name: guard.as_str(), model: Model::small().without(guard) });
    let of_slips = [
        ("nonce-per-process", Slip::Rebuild, Model::small()),
        ("vacancy-on-trust", Slip::TrustVacancy, Model::beginning()),
        ("state-on-trust", Slip::TrustState, Model { seq_max: 2, delayed: false, ..Model::beginning() }),
    ];
    let of_slips = of_slips.map(|(name, slip, model)| {
        let model = Model { slip: Some(slip), alone: false, ..model };
        Mutant { name, model }
    });
    of_guards.chain(of_slips).collect()
}
