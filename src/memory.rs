//! Memory against its budget: shown, warned of, and answered by back-pressure before the machine answers by a kill.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Unit, describe_gauge, gauge};
use tokio::runtime::Handle;
use tracing::{info, warn};

use crate::pipeline::Progress;
use crate::process::{kib, resident_bytes};

const BUDGET: &str = "atalaia_process_memory_budget_bytes";

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Shares of the budget in percent: from here on it is warned of; here partitions with rows to write are paused, and there
/// they go on.
const WARN: u64 = 80;
const FULL: u64 = 95;
const EASED: u64 = 90;
/// Of what the container or the machine has, where no budget is set: the rest is for page caches and peaks.
const SHARE_OF_LIMIT: u64 = 75;

pub(crate) fn describe_metrics() {
    describe_gauge!(
        BUDGET,
        Unit::Bytes,
        "What it is meant to keep to: `run.memory_bytes_max`, or three quarters of what there is"
    );
}

/// Watches in the background until the runtime ends. Where the system does not tell of memory, there is nothing to watch.
pub(crate) fn watch(configured: Option<u64>, progress: Arc<Progress>, runtime: &Handle) {
    let Some(budget) = configured.or_else(of_the_machine) else { return };
    gauge!(BUDGET).set(budget as f64);
    runtime.spawn(async move {
        let mut level = Level::Fine;
        while let Some(resident) = resident_bytes() {
            let next = level.next(resident, budget);
            if next != level {
                tell(level, next, resident, budget);
                progress.set_pressed(next == Level::Full);
                level = next;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
}

/// What may still be taken before partitions are paused; none where the system does not tell.
pub(crate) fn left(configured: Option<u64>) -> Option<u64> {
    let budget = configured.or_else(of_the_machine)?;
    Some((budget / 100 * FULL).saturating_sub(resident_bytes()?))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Fine,
    /// More than is comfortable.
    High,
    Full,
}

impl Level {
    /// Full is left later than it is reached, so that partitions are not paused and resumed all the time.
    fn next(self, resident: u64, budget: u64) -> Level {
        let percent = resident.saturating_mul(100) / budget.max(1);
        match self {
            _ if percent >= FULL => Level::Full,
            Level::Full if percent >= EASED => Level::Full,
            _ if percent >= WARN => Level::High,
            _ => Level::Fine,
        }
    }
}

fn tell(before: Level, now: Level, resident: u64, budget: u64) {
    const MIB: u64 = 1 << 20;
    let (resident_mib, budget_mib) = (resident / MIB, budget / MIB);
    match now {
        Level::Fine => info!(resident_mib, budget_mib, "memory is well within its budget again"),
        Level::High if before == Level::Full => info!(resident_mib, budget_mib, "memory eased: reading goes on"),
        Level::High => warn!(
            resident_mib,
            budget_mib,
            "memory is above 80 % of its budget: fewer series a process (more instances), smaller models, or a larger `run.memory_bytes_max`"
        ),
        Level::Full => warn!(
            resident_mib,
            budget_mib,
            "memory has reached its budget: partitions with rows to write are paused until these are written"
        ),
    }
}

/// Three quarters of the container's limit, or of the machine's memory.
fn of_the_machine() -> Option<u64> {
    let of_container = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    let of_machine = kib(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")?;
    Some(of_container.unwrap_or(u64::MAX).min(of_machine) / 100 * SHARE_OF_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_full_eases_before_it_goes_on() {
        let mut level = Level::Fine;
        let mut walk = |percent: u64| {
            level = level.next(percent * 10, 1000);
            level
        };
        assert_eq!(
            [10, 79, 80, 94, 95, 92, 90].map(&mut walk),
            [Level::Fine, Level::Fine, Level::High, Level::High, Level::Full, Level::Full, Level::Full]
        );
        assert_eq!([89, 92, 79].map(&mut walk), [Level::High, Level::High, Level::Fine]);
    }

    #[test]
    fn the_system_tells_of_memory() {
        if cfg!(target_os = "linux") {
            assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
            assert!(of_the_machine().is_some_and(|bytes| bytes > 1 << 20));
            assert_eq!(left(Some(1)), Some(0));
            assert!(left(Some(1 << 50)).is_some_and(|bytes| bytes > 1 << 49));
        }
    }
}
