//! What was measured, and how: every constant that an estimate rests on, with the command that shows it.
//!
//! The machine was one of 2 cores (x86-64) that broker and store shared. Rates move with the machine; bytes and counts of
//! requests do not. `tests/it/estimate.rs` holds an estimate against a real run, request by request.

// === processor ===

/// Readings a second that one core is planned for, a record each: half of what it reaches (0.65 to 0.75 CPU-seconds a million).
/// `make bench WHAT=speed`, `make bench WHAT=scale`
pub(super) const READINGS_PER_CORE: f64 = 600_000.0;
/// The same of records with many readings, such as 100: 0.26 CPU-seconds a million readings, and half of that.
/// `make bench WHAT=wide`
pub(super) const WIDE_READINGS_PER_CORE: f64 = 1_900_000.0;
/// The same over AMQP: 4.6 CPU-seconds a million. `make bench-event-hubs`
pub(super) const AMQP_READINGS_PER_CORE: f64 = 110_000.0;
/// Rows scored and encoded a second by one core, by half of 2.3 million. `make bench WHAT=scoring`
pub(super) const ROWS_PER_CORE: f64 = 1_100_000.0;

// === memory ===

/// The process with nothing to do, and what clients of broker and store hold. `make bench WHAT=scale`: what is left of the peak
/// at 10,000 series when models and series are taken away.
pub(super) const PROCESS_BYTES: f64 = 60e6;
/// A worker with its queues: `queued.min.messages`, fetches, batches. The same.
pub(super) const WORKER_BYTES: f64 = 40e6;
/// A series of a device with one sensor, one window open, names included; with ten sensors a device it is less.
/// `cargo test --release -p atalaia-aggregate --test speed -- --ignored --nocapture --test-threads 1 million`
pub(super) const SERIES_BYTES: f64 = 253.0;
/// A closed row that waits to be written: `waiting_bytes` in `src/pipeline/task.rs`, which the bound `run.pending_bytes_max` counts.
pub(super) const WAITING_ROW_BYTES: f64 = 96.0;
/// A row of the commit under way: columns, scores, the Parquet file, the record. The rest of the peaks of `make bench WHAT=scale`.
pub(super) const COMMIT_ROW_BYTES: f64 = 300.0;
/// Rows of one commit at most: `LIMIT` in `src/pipeline/task/commit.rs`.
pub(super) const COMMIT_ROWS_MAX: f64 = 500_000.0;
/// A model besides its numbers: entry, key, version. `make bench WHAT=models`: 940 bytes a model of 15 vectors and 4 features,
/// of which 640 are numbers, and 64 scaling.
pub(super) const MODEL_BYTES: f64 = 236.0;
/// Support vectors are laid out in lanes of so many. `score/src/kernel`
pub(super) const LANES: u64 = 16;
/// Up to here memory is filled; the budget is warned of at 80 %. `WARN` in `src/memory.rs`
pub(super) const SHARE_OF_BUDGET: f64 = 0.7;
/// A budget of three quarters of the container's limit: what is set where none is configured. `SHARE_OF_LIMIT` in `src/memory.rs`
pub(super) const SHARE_OF_LIMIT: f64 = 0.75;

// === bytes in the store ===

/// A file of `predictions`, and each of its rows: 23.5 KB with 250 rows, 580 KB with 10,000, 4.4 MB with 86,000, of random walks with
/// four features. `atalaia score` on a simulated fleet, `sink.min_rows` from 250 to 100,000, `ls -l` by rows of the footers.
pub(super) const PREDICTIONS: FileBytes = FileBytes { file: 9_500.0, row: 55.0 };
/// The same of `late`: 12.2 KB with 417 rows, 97 KB with 4,758.
pub(super) const LATE: FileBytes = FileBytes { file: 4_100.0, row: 20.0 };
/// The same of `quarantine`: 7.0 KB with 192 rows, 25 KB with 1,649.
pub(super) const QUARANTINE: FileBytes = FileBytes { file: 4_700.0, row: 12.0 };
/// The same of `runs`: 7.7 KB with three rows, 7.9 KB with five.
pub(super) const RUNS: FileBytes = FileBytes { file: 7_500.0, row: 80.0 };
/// A state, packed, for each series with an open window of ten readings. At a million series 39 with a device a series, 32 with ten.
/// `atalaia_sink_state_bytes`, of a run of `make bench WHAT=scale` with distinct values
pub(super) const STATE_BYTES: f64 = 39.0;
/// The same unpacked. `cargo test --release -p atalaia-aggregate --test speed -- --ignored --nocapture a_snapshot`
pub(super) const STATE_BYTES_UNPACKED: f64 = 101.0;
/// A record besides state and files: header, section heads, hash. `ls -l` of the logs of a small run
pub(super) const RECORD_BYTES: f64 = 2_500.0;

// === requests ===
// Counted by a proxy before Azurite: 4 partitions, 124 s, 5 s between commits; and `tests/it/estimate.rs` counts again.

/// After a record was created the log is listed. `Guard::ListAfterCreate`
pub(super) const LISTS_A_COMMIT: f64 = 1.0;
/// A sweep lists the log, and reads one header.
pub(super) const LISTS_A_SWEEP: f64 = 1.0;
pub(super) const GETS_A_SWEEP: f64 = 1.0;
/// `SWEEP_EVERY` in `sink/src/follow_up.rs`
pub(super) const SWEEP_SECONDS: f64 = 60.0;
/// Each instance looks for two notes, one of a drain and one of a mended partition. `LOOK_EVERY` in `sink/src/handover.rs`
pub(super) const GETS_A_LOOK: f64 = 2.0;
pub(super) const LOOK_SECONDS: f64 = 5.0;
/// A start: places checked and the store tried, once.
pub(super) const PREFLIGHT: [f64; 4] = [2.0, 0.0, 6.0, 1.0];
/// A partition taken over and left: the log is listed, its head read, the log and `runs` looked at, the claim created, the log
/// listed; and the release, and a list. A new one makes its marker as well; files that the head has are measured.
pub(super) const TAKE_OVER: [f64; 4] = [2.0, 2.0, 5.0, 2.0];
/// Records younger than this stay. `YOUNG` in `sink/src/log.rs`; and the newest `KEPT` of `sink/src/machine/mod.rs`
pub(super) const YOUNG_SECONDS: f64 = 900.0;
pub(super) const KEPT: f64 = 4.0;
/// Rows go to files no more often than this where `sink.max_delay` is 0: a commit has to end before the next begins.
pub(super) const COMMIT_SECONDS_MIN: f64 = 1.0;

// === start ===

/// From the start of a process to its first new commit, without series and models; joining a group can take three seconds more.
/// `make bench WHAT=recovery`
pub(super) const START_SECONDS: f64 = 1.0;
/// For each million series to be restored. The same
pub(super) const START_SECONDS_A_MILLION_SERIES: f64 = 1.5;
/// For each million models. `make bench WHAT=models`
pub(super) const START_SECONDS_A_MILLION_MODELS: f64 = 8.0;
/// KEDA's default `cooldownPeriod`: so long a workload runs on after its last trigger.
pub(super) const COOLDOWN_SECONDS: f64 = 300.0;

/// How large files are.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileBytes {
    pub(super) file: f64,
    pub(super) row: f64,
}

impl FileBytes {
    pub(super) fn of(self, files: f64, rows: f64) -> f64 {
        files * self.file + rows * self.row
    }
}
