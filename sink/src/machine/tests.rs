//! What went wrong once. Everything that can go wrong is in `sink/tests/search`.

use std::time::Duration;

use super::{Action, Entry, Guards, Input, Machine, Mark, Told};

#[derive(Debug, Clone, PartialEq)]
struct Record {
    seq: u64,
    files: usize,
}

impl Entry for Record {
    fn mark(&self) -> Mark {
        Mark { seq: self.seq, hash: [0; 32], state_seq: self.seq }
    }

    fn nonce(&self) -> u128 {
        self.seq.into()
    }

    fn files(&self) -> usize {
        self.files
    }
}

/// The claimant listed, slept while others went on and swept, and read what a dead writer's request had left under the
/// seq that was free again: rows that others had published in a record of their own became visible twice.
#[test]
fn a_record_is_not_taken_for_the_head_because_it_was_once_listed() {
    let mut machine = Machine::new(Guards::default());
    let mut step = |input| machine.step(Duration::ZERO, input);
    assert_eq!(step(Input::Claim), [Action::List]);
    assert_eq!(step(Input::Newest(Some(2))), [Action::Load { seq: 2 }]);
    assert_eq!(step(Input::Loaded(Some(Record { seq: 2, files: 1 }))), [Action::List]);
    assert_eq!(step(Input::Newest(Some(3))), [Action::Load { seq: 3 }]);
    let head = Record { seq: 3, files: 0 };
    assert_eq!(step(Input::Loaded(Some(head.clone()))), [Action::List]);
    assert_eq!(step(Input::Newest(Some(3))), [Action::Tell(Told::Head(head))]);
}
