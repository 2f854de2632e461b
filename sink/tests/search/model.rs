//! How large the searched world is, what may go wrong in it, and which guard is taken away.

use sink::machine::{Guard, Guards};

use crate::record::{FILES, MARKER};
use crate::store::Truth;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Model {
    pub(crate) writers: usize,
    pub(crate) windows: u8,
    /// The input is so many pieces; each commit folds at least one.
    pub(crate) commits: u8,
    /// The log is there, with a genesis that is published.
    pub(crate) begun: bool,
    /// No record after this one is proposed: the one bound on how often the partition changes hands.
    pub(crate) seq_max: u8,
    /// How many of the newest records sweeps leave.
    pub(crate) kept: u8,
    /// So many requests without a sender may still land at any time; of more, some never land.
    pub(crate) adrift_max: usize,
    /// The answer may be lost before the request lands, so that it lands beside its own repetition.
    pub(crate) delayed: bool,
    /// Rows may wait for a later commit.
    pub(crate) withheld: bool,
    /// Some records may be too young to be swept.
    pub(crate) young: bool,
    /// How often in its life a writer may sleep for so long that it must look at the log again.
    pub(crate) sleeps: u8,
    /// Whether lone runs are tried. Not for mutants: their violations are to have the shortest trace.
    pub(crate) alone: bool,
    pub(crate) guards: Guards,
    pub(crate) slip: Option<Slip>,
}

/// What the application around the machine may do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slip {
    /// After an unknown outcome it builds a larger batch under the same seq, with the nonce of its process.
    Rebuild,
    /// A listing found no log and then there is its marker: taken for a loss, without a second listing.
    TrustVacancy,
    /// The state that the head names is another: taken for damage, without a second look at the head.
    TrustState,
}

impl Model {
    /// From a log that is begun: three more records, whoever writes them. Sweeps leave the head alone, which is harsher
    /// than what is configured.
    pub(crate) fn small() -> Self {
        Model {
            writers: 2,
            windows: 2,
            commits: 3,
            begun: true,
            seq_max: 3,
            kept: 1,
            adrift_max: 1,
            delayed: false,
            withheld: false,
            young: false,
            sleeps: 0,
            alone: true,
            guards: Guards::default(),
            slip: None,
        }
    }

    /// From nothing: who begins the log?
    pub(crate) fn beginning() -> Self {
        Model { begun: false, seq_max: 1, delayed: true, ..Model::small() }
    }

    /// `field=number` each; flags are 0 or 1.
    pub(crate) fn with(mut self, words: &str) -> Self {
        for word in words.split_whitespace() {
            let (field, value) = word.split_once('=').expect("field=number");
            let value: u8 = value.parse().expect("a small number");
            match field {
                "writers" => self.writers = value.into(),
                "windows" => self.windows = value,
                "commits" => self.commits = value,
                "begun" => self.begun = value > 0,
                "seq_max" => self.seq_max = value,
                "kept" => self.kept = value,
                "adrift_max" => self.adrift_max = value.into(),
                "delayed" => self.delayed = value > 0,
                "withheld" => self.withheld = value > 0,
                "young" => self.young = value > 0,
                "sleeps" => self.sleeps = value,
                _ => panic!("no field `{field}`"),
            }
        }
        assert!(self.windows <= MARKER && self.commits <= 7 && self.seq_max < 8, "more than fits a record");
        self
    }

    pub(crate) fn without(self, guard: Guard) -> Self {
        Model { guards: self.guards.without(guard), alone: false, ..self }
    }

    /// The first window closes with the first piece of input, the last one with the last.
    pub(crate) fn truth(&self) -> Truth {
        let mut closes_at = [u8::MAX; FILES];
        for window in 0..self.windows {
            closes_at[usize::from(window)] = 1 + window * (self.commits - 1) / (self.windows - 1).max(1);
        }
        Truth { closes_at, kept: self.kept }
    }

    pub(crate) fn all_windows(&self) -> u8 {
        (1 << self.windows) - 1
    }
}
