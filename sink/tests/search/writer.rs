//! A process that owns the partition or wants to: the real machine, and what the sink does around it.

use sink::machine::Machine;

use crate::record::{Kind, Record};

#[derive(Debug, Clone, Hash)]
pub(crate) struct Writer {
    pub(crate) machine: Machine<Record>,
    pub(crate) task: Task,
    /// The request about the log that is under way.
    pub(crate) asked: Option<Asked>,
    pub(crate) files: Files,
    /// How often it has slept for long.
    pub(crate) sleeps: u8,
    /// For [`Slip::Rebuild`](crate::model::Slip) only: the machine before its proposal.
    pub(crate) before: Option<Box<Machine<Record>>>,
}

/// Follows `claim.rs` and `partition.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    Claiming {
        loaded: Option<Record>,
        before: Before,
    },
    /// There is no log: was there one?
    LookingForMarker,
    /// The head is known, its state is in another record.
    LoadingState {
        head: Record,
        before: Before,
    },
    /// The bound of the search: the claim would be too long a log.
    Stopped {
        head: Record,
        held: u8,
    },
    /// With what stays in the state after it.
    Proposing {
        record: Record,
        held: u8,
    },
    Owner {
        head: Record,
        held: u8,
    },
    Sweeping {
        head: Record,
        held: u8,
    },
}

/// What made a claim look a second time: found again, it is no accident of timing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Before {
    #[default]
    Nothing,
    /// The marker of a log that was not there.
    Marker,
    /// A state that is not the one that the head of this seq names.
    OtherState { head: u8 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Asked {
    List {
        from: u8,
    },
    Load {
        seq: u8,
    },
    Create(Record),
    ReadBack {
        seq: u8,
    },
    ListAll,
    StateOf {
        seq: u8,
    },
    Delete {
        seq: u8,
    },
    /// Asked by the sink itself, not by the machine.
    Marker,
    State {
        seq: u8,
    },
}

/// Requests about files that are under way, as bits. All of one record: the driver drops them with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Files {
    pub(crate) of: Option<Record>,
    pub(crate) puts: u8,
    pub(crate) measures: u8,
}

impl Writer {
    /// It knows of nothing and has asked for a listing, like any process that has just begun.
    pub(crate) fn is_fresh(&self) -> bool {
        let is_claiming = self.task == Task::Claiming { loaded: None, before: Before::Nothing };
        is_claiming && matches!(self.asked, Some(Asked::List { .. })) && self.sleeps == 0
    }

    /// Every record that it remembers.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        let of_task = match self.task {
            Task::Claiming { loaded, .. } => loaded,
            Task::LookingForMarker => None,
            Task::LoadingState { head, .. } | Task::Stopped { head, .. } => Some(head),
            Task::Proposing { record, .. } => Some(record),
            Task::Owner { head, .. } | Task::Sweeping { head, .. } => Some(head),
        };
        of_task.into_iter().chain(self.files.of)
    }

    /// What may follow a head: the record that takes it over.
    pub(crate) fn claim_of(head: &Record, nonce: u8) -> Record {
        let state_of = if head.holds_state() { head.digest() } else { head.state_of };
        Record {
            seq: head.seq + 1,
            nonce,
            kind: Kind::Claim,
            previous: head.digest(),
            next: head.next,
            state_seq: head.state_seq,
            state_of,
            held: 0,
            files: 0,
        }
    }
}
