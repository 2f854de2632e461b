//! What the pipeline itself counts. Per batch and per commit, never per reading; a device is never a label.

use std::time::Duration;

use ingest::decode::{Ignored, Many};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use types::{Ledger, Micros, PartitionId, Reason, Scores, Status};

use super::{Counts, Job, PartitionStatus, Phase, Progress};

const IGNORED_CELLS: &str = "atalaia_ingest_ignored_cells_total";
const COMMIT_INTERVAL: &str = "atalaia_sink_commit_interval_seconds";
const UNACCOUNTED_RECORDS: &str = "atalaia_aggregate_unaccounted_records";
const UNACCOUNTED_READINGS: &str = "atalaia_aggregate_unaccounted_readings";
const HALTED: &str = "atalaia_sink_halted_partitions";
const LAG_SECONDS: &str = "atalaia_ingest_lag_seconds";
const PAUSED: &str = "atalaia_ingest_paused_partitions";
const CLOCK_DELAY: &str = "atalaia_aggregate_clock_delay_seconds";
const WINDOWS_CLOSED: &str = "atalaia_aggregate_windows_closed_total";
const SERIES_MAX: &str = "atalaia_aggregate_series_max";
const WINDOW: &str = "atalaia_aggregate_window_seconds";
const MAX_DELAY: &str = "atalaia_sink_max_delay_seconds";
const UNCOMMITTED: &str = "atalaia_sink_uncommitted_seconds";
const RECORD_BYTES_MAX: &str = "atalaia_sink_record_bytes_max";

/// Registers descriptions, the stages' too, so that they show before the first value.
pub(crate) fn describe() {
    ingest::describe_metrics();
    score::metrics::describe();
    sink::describe_metrics();
    forward::describe_metrics();
    describe_counter!("atalaia_ingest_records_total", Unit::Count, "Records taken from the source");
    describe_counter!("atalaia_ingest_bytes_total", Unit::Bytes, "Bytes of keys and payloads taken from the source");
    describe_counter!("atalaia_ingest_readings_total", Unit::Count, "Readings decoded");
    describe_counter!("atalaia_ingest_tombstones_total", Unit::Count, "Records without a value");
    describe_counter!(
        "atalaia_ingest_rejects_total",
        Unit::Count,
        "Records and readings sent to quarantine, by reason"
    );
    describe_counter!(
        IGNORED_CELLS,
        Unit::Count,
        "Cells of wide records that are neither readings nor refused, by why: a sensor's and `empty`, by `ignore`, `unlisted` in `sensors`, `nameless`, `repeated` behind, or `nested` in an object beside device or time"
    );
    describe_counter!("atalaia_aggregate_late_total", Unit::Count, "Readings whose window was already closed");
    describe_gauge!("atalaia_aggregate_open_windows", Unit::Count, "Windows that hold data and are open, by partition");
    describe_gauge!(
        "atalaia_aggregate_closed_rows",
        Unit::Count,
        "Closed windows that wait to be written, by partition"
    );
    describe_gauge!("atalaia_aggregate_series", Unit::Count, "Series known, by partition");
    describe_gauge!("atalaia_aggregate_devices", Unit::Count, "Devices known, by partition");
    describe_counter!("atalaia_score_anomalies_total", Unit::Count, "Windows that are anomalies");
    describe_histogram!(
        "atalaia_sink_close_to_durable_seconds",
        Unit::Seconds,
        "From the closing of the oldest window of a commit to its durable row"
    );
    describe_gauge!(
        COMMIT_INTERVAL,
        Unit::Seconds,
        "The least time between two states: as configured, or twenty times what the last one took; by partition"
    );
    describe_gauge!(
        UNACCOUNTED_RECORDS,
        Unit::Count,
        "Records at the last commit that were neither decoded nor refused nor without a value; always 0; by partition"
    );
    describe_gauge!(
        UNACCOUNTED_READINGS,
        Unit::Count,
        "Readings at the last commit that are in no window, nor late, nor refused; always 0; by partition"
    );
    describe_gauge!(HALTED, Unit::Count, "Partitions that cannot go on until somebody acts");
    describe_gauge!(
        LAG_SECONDS,
        Unit::Seconds,
        "Age of the last record handed over, by the broker's time, or of the last proof that there was no other; 0 while that is proven; by partition"
    );
    describe_gauge!(PAUSED, Unit::Count, "Partitions whose reading is paused: more waits to be written than may");
    describe_gauge!(
        CLOCK_DELAY,
        Unit::Seconds,
        "How long ago the newest event time taken into windows was; grows while nothing comes; by partition"
    );
    describe_counter!(WINDOWS_CLOSED, Unit::Count, "Windows that closed and were taken to be scored");
    describe_gauge!(SERIES_MAX, Unit::Count, "Series that a partition may have, as configured");
    describe_gauge!(WINDOW, Unit::Seconds, "Width of a window, as configured");
    describe_gauge!(MAX_DELAY, Unit::Seconds, "How long closed rows wait for company at most, as configured");
    describe_gauge!(
        UNCOMMITTED,
        Unit::Seconds,
        "How long the oldest record waits that was taken in and is not durable; 0 if none does; by partition"
    );
    describe_gauge!(RECORD_BYTES_MAX, Unit::Bytes, "Size above which a commit record is refused");
    for reason in Reason::ALL {
        counter!("atalaia_ingest_rejects_total", "reason" => reason.as_str()).absolute(0);
    }
    for why in Ignored::ALL {
        counter!(IGNORED_CELLS, "reason" => why.as_str()).absolute(0);
    }
    counter!("atalaia_aggregate_late_total").absolute(0);
    counter!("atalaia_score_anomalies_total").absolute(0);
}

/// What alerts measure other figures by.
pub(super) fn configured(job: &Job) {
    gauge!(SERIES_MAX).set(f64::from(job.windows.series_max));
    gauge!(WINDOW).set(seconds(job.windows.window));
    gauge!(MAX_DELAY).set(job.cadence.max_delay.as_secs_f64());
    gauge!(RECORD_BYTES_MAX).set(sink::record::RECORD_BYTES_MAX as f64);
    counter!(WINDOWS_CLOSED).absolute(0);
}

/// What is only looked at when somebody asks.
pub(crate) fn collect(progress: &Progress) {
    let board = progress.board();
    gauge!(PAUSED).set(board.count(Phase::Paused) as f64);
    gauge!(HALTED).set(board.count(Phase::Halted) as f64);
}

/// What of a batch is counted by its kinds.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    /// Refusals, by reason.
    pub(super) rejects: [u64; Reason::ALL.len()],
    /// Cells that are neither readings nor refused, by why.
    pub(super) ignored: [u64; Ignored::ALL.len()],
}

/// Counts what a record holds beside readings and rejects, and says how much that is.
pub(super) fn ignored(many: &Many<'_>, ignored: &mut [u64; Ignored::ALL.len()]) -> u64 {
    let cells = many.ignored_whys();
    let count = cells.len() as u64;
    cells.for_each(|why| ignored[why as usize] += 1);
    count
}

/// Counts a batch, and empties its counts of kinds.
pub(super) fn folded(progress: &Progress, counts: &Counts, kinds: &mut Kinds) {
    progress.add(counts);
    counter!("atalaia_ingest_records_total").increment(counts.records);
    counter!("atalaia_ingest_bytes_total").increment(counts.bytes);
    counter!("atalaia_ingest_readings_total").increment(counts.readings);
    counter!("atalaia_ingest_tombstones_total").increment(counts.tombstones);
    counter!("atalaia_aggregate_late_total").increment(counts.late);
    if counts.quarantined > 0 {
        for reason in Reason::ALL {
            let count = std::mem::take(&mut kinds.rejects[reason as usize]);
            counter!("atalaia_ingest_rejects_total", "reason" => reason.as_str()).increment(count);
            progress.refuse(reason, count);
        }
    }
    if counts.ignored_cells > 0 {
        for why in Ignored::ALL {
            let count = std::mem::take(&mut kinds.ignored[why as usize]);
            counter!(IGNORED_CELLS, "reason" => why.as_str()).increment(count);
        }
    }
}

pub(super) fn scored(scores: &Scores) -> Counts {
    let anomalies = scores.is_anomaly.iter().filter(|anomaly| **anomaly).count() as u64;
    let unscored = scores.status.iter().filter(|status| **status != Status::Scored).count() as u64;
    counter!("atalaia_score_anomalies_total").increment(anomalies);
    Counts { rows: scores.status.len() as u64, anomalies, unscored, ..Counts::default() }
}

pub(super) fn durable(after: Duration) {
    histogram!("atalaia_sink_close_to_durable_seconds").record(after);
}

pub(super) fn closed(windows: usize) {
    counter!(WINDOWS_CLOSED).increment(windows as u64);
}

/// What is not known is not shown.
pub(super) fn state_of(partition: &PartitionId, status: &PartitionStatus, wall: Micros) {
    let label = partition.index.to_string();
    gauge!("atalaia_aggregate_open_windows", "partition" => label.clone()).set(status.open_windows as f64);
    gauge!("atalaia_aggregate_closed_rows", "partition" => label.clone()).set(status.closed_rows as f64);
    gauge!("atalaia_aggregate_series", "partition" => label.clone()).set(status.series as f64);
    gauge!("atalaia_aggregate_devices", "partition" => label.clone()).set(status.devices as f64);
    let ago = |time: Micros| seconds(wall.saturating_sub(time).max(0));
    gauge!(LAG_SECONDS, "partition" => label.clone()).set(status.lag_seconds.unwrap_or(f64::NAN));
    gauge!(CLOCK_DELAY, "partition" => label.clone()).set(status.clock.map_or(f64::NAN, ago));
    gauge!(UNCOMMITTED, "partition" => label).set(status.uncommitted_since.map_or(0.0, ago));
}

/// How often commits come, at most: configured, or twenty times what the last state took.
pub(super) fn interval(partition: &PartitionId, interval: Duration) {
    gauge!(COMMIT_INTERVAL, "partition" => partition.index.to_string()).set(interval.as_secs_f64());
}

/// The law of conservation, for those who want to watch it.
pub(super) fn accounts(partition: &PartitionId, ledger: &Ledger) {
    let (records, readings) = ledger.unaccounted();
    let label = partition.index.to_string();
    gauge!(UNACCOUNTED_RECORDS, "partition" => label.clone()).set(records as f64);
    gauge!(UNACCOUNTED_READINGS, "partition" => label).set(readings as f64);
}

fn seconds(span: Micros) -> f64 {
    span as f64 / 1e6
}

/// A partition that was given up shows nothing any more, instead of its last values for ever: the listener leaves out what is
/// not a number.
pub(super) fn forget(partition: &PartitionId) {
    for name in [
        "atalaia_aggregate_open_windows",
        "atalaia_aggregate_closed_rows",
        "atalaia_aggregate_series",
        "atalaia_aggregate_devices",
        COMMIT_INTERVAL,
        UNACCOUNTED_RECORDS,
        UNACCOUNTED_READINGS,
        LAG_SECONDS,
        CLOCK_DELAY,
        UNCOMMITTED,
    ] {
        gauge!(name, "partition" => partition.index.to_string()).set(f64::NAN);
    }
}
