//! Running totals of a process, for progress bars, summaries and readiness. Updated per batch, read by anybody.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Totals since the process began. Relaxed: each is exact on its own.
        #[derive(Debug, Default)]
        pub struct Progress { $($name: AtomicU64,)* }

        /// The totals at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        impl Progress {
            pub(crate) fn add(&self, counts: &Counts) {
                $(if counts.$name != 0 { self.$name.fetch_add(counts.$name, Ordering::Relaxed); })*
            }

            #[must_use]
            pub fn counts(&self) -> Counts {
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
}
