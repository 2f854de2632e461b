//! How often a partition commits, and with rows: what `due` in `src/pipeline/task/commit.rs` decides, over a day.
//!
//! Devices' windows end together, so rows come in bursts, one at each end of a window, as long as the pause between two
//! readings of a device. A burst waits for `min_rows` or `max_delay`; in between a commit without rows is due at each
//! `commit_interval`.

use serde::Serialize;

use super::figures;
use super::load::Load;

pub(super) const DAY: f64 = 86_400.0;

/// Of all partitions, a day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Commits {
    pub(super) all: f64,
    /// Those that write rows.
    pub(super) with_rows: f64,
    pub(super) rows: f64,
    /// Rows that come at one end of a window, of one partition.
    pub(super) rows_a_burst: f64,
}

impl Commits {
    pub(super) fn of(load: &Load) -> Commits {
        let keys = if load.by_device { load.devices } else { load.series() };
        // A window without a reading has no row.
        let readings_a_key = load.readings_a_second() * DAY / keys;
        let windows = (DAY / load.window).min(readings_a_key);
        let rows = keys * windows;
        let rows_a_burst = rows / load.partitions * load.window / DAY;

        let burst = (60.0 / load.per_minute).min(load.window);
        let delay = load.max_delay.max(figures::COMMIT_SECONDS_MIN);
        let period = if burst >= load.window && load.window < delay {
            delay
        } else if burst > delay {
            load.window / (burst / delay).ceil()
        } else {
            ((delay / load.window).floor() + 1.0) * load.window
        };
        // Many rows do not wait.
        let rows_a_period = rows / load.partitions * period / DAY;
        let bursts = (period / load.window).max(1.0);
        let at_most = (burst * bursts / figures::COMMIT_SECONDS_MIN).max(1.0);
        let full = (rows_a_period / load.min_rows).floor().clamp(1.0, at_most);
        let period = period / full;

        let with_rows = DAY / period;
        let between = (period / load.commit_interval.max(0.2)).ceil().max(1.0);
        // Nothing is committed where nothing was read.
        let records = load.readings_a_second() * DAY / load.readings_a_record / load.partitions;
        let with_rows = with_rows.min(rows / load.partitions);
        let all = (DAY / period * between).min(records + with_rows);
        Commits { all: all * load.partitions, with_rows: with_rows * load.partitions, rows, rows_a_burst }
    }
}
