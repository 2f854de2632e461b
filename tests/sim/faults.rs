//! What can go wrong, and where: kinds of fault, steps of the protocol, and the table of how often each met each.

use std::fmt::Write;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $name { $($(#[$inner])* $variant,)* }

        impl $name {
            pub(crate) const ALL: &[$name] = &[$($name::$variant,)*];

            pub(crate) fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    };
}

words! {
    /// Steps at which a fault can strike: requests to the store by what they are for, and everything between them.
    Step {
        ClaimList = "claim list",
        ClaimLoad = "claim load",
        ClaimVacant = "claim vacant",
        ClaimPublish = "claim publish",
        ClaimMeasure = "claim measure",
        ClaimCreate = "claim create",
        ClaimReadBack = "claim read-back",
        ClaimConfirm = "claim confirm",
        ClaimHeaders = "claim headers",
        CommitCreate = "commit create",
        CommitReadBack = "commit read-back",
        CommitConfirm = "commit confirm",
        CommitPublish = "commit publish",
        CommitMeasure = "commit measure",
        CompleteTo = "complete_to",
        SweepList = "sweep list",
        SweepState = "sweep state",
        SweepDelete = "sweep delete",
        Fold = "idle/fold",
    }
}

words! {
    Kind {
        // Of one request.
        Refused = "refused",
        AnswerLost = "answer lost",
        AppliedLate = "applied late",
        AppliedTwice = "applied twice",
        Conflict = "409",
        Precondition = "412",
        TooMany = "429",
        Unavailable = "503",
        Timeout = "timeout",
        Slow = "slow",
        // Of processes, the broker and the rest.
        Kill = "kill",
        Pause = "pause",
        Stop = "stop",
        CutOff = "cut off",
        BrokerCutOff = "no broker",
        Rebalance = "rebalance",
        Truncation = "truncation",
        ClockJump = "clock jump",
        Poison = "poison",
        Killer = "killer",
    }
}

/// How a step asks the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Create,
    Replace,
    Delete,
    Read,
    None,
}

impl Step {
    fn shape(self) -> Shape {
        match self {
            Step::ClaimPublish | Step::ClaimCreate | Step::CommitCreate | Step::CommitPublish => Shape::Create,
            Step::CompleteTo => Shape::Replace,
            Step::SweepDelete => Shape::Delete,
            Step::Fold => Shape::None,
            _ => Shape::Read,
        }
    }

    /// Steps that only happen after something else went wrong, or late in the life of a log: there a fault is more likely.
    pub(crate) fn is_rare(self) -> bool {
        matches!(
            self,
            Step::ClaimMeasure
                | Step::ClaimReadBack
                | Step::CommitReadBack
                | Step::CommitMeasure
                | Step::SweepState
                | Step::SweepDelete
        )
    }
}

impl Kind {
    pub(crate) fn is_of_request(self) -> bool {
        self <= Kind::Slow
    }

    /// Why the kind cannot strike at the step; none if it can.
    pub(crate) fn impossible_at(self, step: Step) -> Option<&'static str> {
        match (self, step.shape()) {
            (kind, Shape::None) if kind.is_of_request() => Some("no request is under way"),
            (Kind::AnswerLost | Kind::AppliedLate | Kind::AppliedTwice, Shape::Read) => {
                Some("a read changes nothing: without its answer it is refused")
            }
            (Kind::Conflict | Kind::Precondition, Shape::Read | Shape::Replace | Shape::Delete) => {
                Some("nothing but creates is conditional")
            }
            _ => None,
        }
    }
}

/// How often each kind struck at each step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    cells: Vec<u64>,
}

impl Default for Table {
    fn default() -> Self {
        Table { cells: vec![0; Step::ALL.len() * Kind::ALL.len()] }
    }
}

impl Table {
    pub(crate) fn count(&mut self, step: Step, kind: Kind) {
        self.cells[step as usize * Kind::ALL.len() + kind as usize] += 1;
    }

    pub(crate) fn at(&self, step: Step, kind: Kind) -> u64 {
        self.cells[step as usize * Kind::ALL.len() + kind as usize]
    }

    pub(crate) fn add(&mut self, other: &Table) {
        self.cells.iter_mut().zip(&other.cells).for_each(|(cell, more)| *cell += more);
    }

    pub(crate) fn total(&self) -> u64 {
        self.cells.iter().sum()
    }

    pub(crate) fn of_kind(&self, kind: Kind) -> u64 {
        Step::ALL.iter().map(|step| self.at(*step, kind)).sum()
    }

    /// The possible cells that were hit less often than this.
    pub(crate) fn rare_cells(&self, least: u64) -> Vec<(Step, Kind, u64)> {
        let all = Step::ALL.iter().flat_map(|step| Kind::ALL.iter().map(move |kind| (*step, *kind)));
        all.filter(|(step, kind)| kind.impossible_at(*step).is_none())
            .map(|(step, kind)| (step, kind, self.at(step, kind)))
            .filter(|(_, _, count)| *count < least)
            .collect()
    }

    pub(crate) fn show(&self) -> String {
        let mut text = format!("{:<17}", "");
        for kind in Kind::ALL {
            let _ = write!(text, " {:>7}", kind.as_str().split(' ').next_back().unwrap_or_default());
        }
        for step in Step::ALL {
            let _ = write!(text, "\n{:<17}", step.as_str());
            for kind in Kind::ALL {
                match kind.impossible_at(*step) {
                    Some(_) => text.push_str("       -"),
                    None => _ = write!(text, " {:>7}", self.at(*step, *kind)),
                }
            }
        }
        text.push_str("\n(columns: ");
        text.push_str(&Kind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", "));
        text.push_str(")\n- a request that reads changes nothing, so its answer lost is a refusal, and it cannot apply late or twice;\n");
        text.push_str("- only creates are conditional, so nothing else is answered 409 or 412; between requests there is none to fail");
        text
    }
}
