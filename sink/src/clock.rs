//! The clock that tells how long something has been so: nothing is decided by it but when to look again.

use std::time::Duration;

/// Where the driver's time comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Clock {
    /// Goes on while the machine sleeps.
    #[default]
    Boot,
    /// The runtime's, which tests can stop and push on.
    Runtime,
}

impl Clock {
    pub(crate) fn now(self) -> Duration {
        match self {
            Clock::Boot => {
                let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                // Neither is negative since the machine was started.
                Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
            }
            Clock::Runtime => {
                use std::sync::OnceLock;
                use std::time::Instant;
                // Real time, and somewhat back: a process may have several runtimes, each with a stopped clock that began when
                // it was made, and for none of them may this be the future.
                static START: OnceLock<Instant> = OnceLock::new();
                let start = *START.get_or_init(|| {
                    let now = Instant::now();
                    now.checked_sub(Duration::from_secs(3600)).unwrap_or(now)
                });
                tokio::time::Instant::now().into_std().saturating_duration_since(start)
            }
        }
    }
}
