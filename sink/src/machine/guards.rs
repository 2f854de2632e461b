//! The steps that the guarantee rests on, each with a name, so that tests can take one away and must notice.
//!
//! Only tests can: without the feature `mutants` there is no way to make a set of guards that is not whole.

/// One step that looks superfluous until something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Guard {
    /// After a record was created: is there a larger one? (Its seq may be free because it was collected.)
    ListAfterCreate,
    /// After the head was loaded: is there a larger one? (What was read may have landed late, under a seq that was collected
    /// since our listing.)
    ListAfterLoad,
    /// "Exists" may be our own earlier try, or another's record: its nonce tells.
    ReadBack,
    /// No record before the files of the one before it are visible.
    PublishBeforeNext,
    /// Whoever takes over publishes the head first.
    RedoBeforeClaim,
    /// A file that exists is looked at before it counts as published.
    MeasureAfterExists,
    /// A state that a kept record refers to is kept.
    KeepReferents,
    /// A file is durable before it gets its name.
    Fsync,
}

impl Guard {
    #[cfg(any(test, feature = "mutants"))]
    pub const ALL: [Guard; 8] = [
        Guard::ListAfterCreate,
        Guard::ListAfterLoad,
        Guard::ReadBack,
        Guard::PublishBeforeNext,
        Guard::RedoBeforeClaim,
        Guard::MeasureAfterExists,
        Guard::KeepReferents,
        Guard::Fsync,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Guard::ListAfterCreate => "list-after-create",
            Guard::ListAfterLoad => "list-after-load",
            Guard::ReadBack => "read-back",
            Guard::PublishBeforeNext => "publish-before-next",
            Guard::RedoBeforeClaim => "redo-before-claim",
            Guard::MeasureAfterExists => "measure-after-exists",
            Guard::KeepReferents => "keep-referents",
            Guard::Fsync => "fsync",
        }
    }
}

/// All guards, or in a mutant all but some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Guards {
    removed: u8,
}

impl Guards {
    #[must_use]
    pub(crate) const fn hold(self, guard: Guard) -> bool {
        self.removed & (1 << guard as u8) == 0
    }

    #[cfg(any(test, feature = "mutants"))]
    #[must_use]
    pub const fn without(self, guard: Guard) -> Self {
        Guards { removed: self.removed | (1 << guard as u8) }
    }
}
