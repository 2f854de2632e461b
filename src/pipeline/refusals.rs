//! Says in the log that records are refused, and why: a counter alone is easily overlooked.
//!
//! A flood of bad records must not become a flood of lines: a process says it once a minute at most.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing::warn;
use types::{PartitionId, Quarantine};

const INTERVAL: Duration = Duration::from_secs(60);

static SAID: Gate = Gate(Mutex::new(None));

/// Says what was refused last, unless something was said within the last minute.
pub(super) fn say(partition: &PartitionId, quarantine: &Quarantine) {
    let Some(run) = quarantine.runs().last() else { return };
    if !SAID.opens(Instant::now()) {
        return;
    }
    // The detail may quote the record: what would move a terminal's cursor is escaped.
    warn!(
        %partition,
        position = run.first,
        reason = run.reason.as_str(),
        detail = ?run.detail,
        hint = run.reason.remedy(),
        "records or readings are refused (said once a minute; all are counted, and kept in the quarantine dataset)"
    );
}

struct Gate(Mutex<Option<Instant>>);

impl Gate {
    /// Whether the last time that it opened is long enough ago. Whoever would have to wait for the answer need not.
    fn opens(&self, now: Instant) -> bool {
        let Ok(mut last) = self.0.try_lock() else { return false };
        let opens = last.is_none_or(|last| now.duration_since(last) >= INTERVAL);
        if opens {
            *last = Some(now);
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_opens_once_a_minute() {
        let gate = Gate(Mutex::new(None));
        let begun = Instant::now();
        let opened: Vec<u64> = (0..200).filter(|second| gate.opens(begun + Duration::from_secs(*second))).collect();
        assert_eq!(opened, [0, 60, 120, 180]);
    }
}
