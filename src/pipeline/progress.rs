//! Running totals of a process, for progress bars, summaries and readiness. Updated per batch, read by anybody.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use types::{PartitionId, Reason};

use super::Recent;
use super::board::{Board, CutOff, Kept, Stuck};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Totals since the process began. Relaxed: each is exact on its own.
        #[derive(Debug, Default)]
        pub struct Progress {
            $($name: AtomicU64,)*
            /// What `quarantined` consists of.
            refused: [AtomicU64; Reason::ALL.len()],
            /// What workers and partitions are doing.
            pub(super) board: Kept,
            /// Memory has reached its budget.
            pressed: AtomicBool,
            recent: Recent,
            account: Mutex<Account>,
        }

        /// The totals at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        impl Progress {
            pub(crate) fn add(&self, counts: &Counts) {
                $(if counts.$name != 0 { self.$name.fetch_add(counts.$name, Ordering::Relaxed); })*
            }

            pub(crate) fn refuse(&self, reason: Reason, count: u64) {
                self.refused[reason as usize].fetch_add(count, Ordering::Relaxed);
            }

            /// Refusals by reason, most frequent first, without those that did not happen.
            #[must_use]
            pub fn refused(&self) -> Vec<(Reason, u64)> {
                let count = |reason: &Reason| self.refused[*reason as usize].load(Ordering::Relaxed);
                let mut refused: Vec<_> = Reason::ALL.iter().map(|reason| (*reason, count(reason))).collect();
                refused.retain(|(_, count)| *count > 0);
                refused.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
                refused
            }

            /// A partition has come to its end, or is left.
            pub(crate) fn settle(&self, partition: Account) {
                let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
                account.before += partition.before;
                account.in_windows += partition.in_windows;
                account.open += partition.open;
                account.open_windows += partition.open_windows;
            }

            /// What became of readings, of the partitions that have come to their end.
            #[must_use]
            pub(crate) fn account(&self) -> Account {
                *self.account.lock().unwrap_or_else(PoisonError::into_inner)
            }

            /// The newest anomalies, if somebody asked for them.
            #[must_use]
            pub(crate) fn recent(&self) -> &Recent {
                &self.recent
            }

            pub(crate) fn set_pressed(&self, pressed: bool) {
                self.pressed.store(pressed, Ordering::Relaxed);
            }

            /// Whether what waits in memory should be written before more is read.
            pub(crate) fn is_pressed(&self) -> bool {
                self.pressed.load(Ordering::Relaxed)
            }

            /// A partition that cannot go on until somebody acts, and why, if there is one.
            #[must_use]
            pub fn first_halted(&self) -> Option<(PartitionId, String)> {
                self.board.first_halted()
            }

            /// What each worker and partition is doing now.
            #[must_use]
            pub(crate) fn board(&self) -> Board {
                self.board.read()
            }

            /// The worker that has not got round to its partitions for longest, if that is longer than `after`.
            #[must_use]
            pub(crate) fn stuck(&self, now: Instant, after: Duration) -> Option<Stuck> {
                self.board.stuck(now, after)
            }

            /// The source that could not be read for longest, if that is longer than `after`.
            #[must_use]
            pub(crate) fn cut_off(&self, now: Instant, after: Duration) -> Option<CutOff> {
                self.board.cut_off(now, after)
            }

            #[must_use]
            pub(crate) fn counts(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Records taken from the source, and their bytes.
    records,
    bytes,
    /// Readings decoded from them.
    readings,
    tombstones,
    /// Cells of wide records that are neither readings nor refused.
    ignored_cells,
    /// Records of which nothing could be read; part of `quarantined`.
    undecodable,
    /// Readings whose window was already closed.
    late,
    /// Records and readings that went to quarantine.
    quarantined,
    /// Windows scored and handed to the sink.
    rows,
    /// Of these, anomalies and rows without a score.
    anomalies,
    unscored,
    /// What became durable.
    commits,
    files,
    file_bytes,
    durable_rows,
    /// Answers of the group that gave this process partitions, or none.
    joined,
    /// Partitions that became this process's own, and that ceased to be.
    gained,
    lost,
    /// Partitions that were taken over with their state, and that were given up again.
    started,
    stopped,
    /// Partitions of which a part was read before this process began.
    resumed,
}

/// Where readings are at the end of a run. With those that were late or refused, `in_windows` and `open` are what was read and `before`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Account {
    /// In windows that an earlier run had left open.
    pub before: u64,
    /// In windows that closed.
    pub in_windows: u64,
    /// In windows that wait for the next run.
    pub open: u64,
    pub open_windows: u64,
}

impl Counts {
    /// Readings that became part of a window.
    #[must_use]
    pub(crate) fn accepted(&self) -> u64 {
        (self.readings + self.undecodable).saturating_sub(self.late + self.quarantined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_come_by_reason_the_most_frequent_first() {
        let progress = Progress::default();
        assert!(progress.refused().is_empty());
        progress.refuse(Reason::Empty, 2);
        progress.refuse(Reason::BadTime, 3);
        progress.refuse(Reason::Future, 0);
        assert_eq!(progress.refused(), [(Reason::BadTime, 3), (Reason::Empty, 2)]);
    }

    #[test]
    fn accepted_is_what_neither_side_took() {
        // Four records that are no JSON; three readings, of which one is late and one from the future.
        let counts = Counts { undecodable: 4, quarantined: 5, readings: 3, late: 1, ..Counts::default() };
        assert_eq!(counts.accepted(), 1);
    }
}
