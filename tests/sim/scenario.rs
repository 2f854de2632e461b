//! What a seed's run is like: how many of what, for how long, and which faults.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sink::machine::{Guard, Guards};

use crate::faults::{Kind, Step};
use crate::fleet::SECOND;

/// A guard taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    Sink(Guard),
    /// The pipeline's filter of positions.
    Positions,
    /// The source's filter of earlier starts.
    Generations,
}

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) partitions: u32,
    pub(crate) workers: usize,
    pub(crate) records: usize,
    /// How long the fleet sends.
    pub(crate) span: i64,
    pub(crate) commit_interval: Duration,
    pub(crate) min_rows: usize,
    pub(crate) max_delay: Duration,
    pub(crate) pending_bytes_max: usize,
    /// Chance of a fault at a request.
    pub(crate) fault_rate: f64,
    /// Truncations and killers are hard on everybody, so not every seed has them.
    truncates: bool,
    kills_by_record: bool,
    /// Pauses may outlast the memory of the log.
    pub(crate) long_pauses: bool,
    pub(crate) long_pauses_at: Vec<i64>,
    pub(crate) mutant: Option<Mutant>,
}

impl Scenario {
    pub(crate) fn of(seed: u64, mutant: Option<Mutant>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5ce_a210);
        let partitions: u32 = rng.random_range(1..=8);
        let is_long = rng.random_bool(0.3);
        let long_pauses = is_long && rng.random_bool(0.4);
        let minutes = if long_pauses {
            rng.random_range(38..45)
        } else if is_long {
            rng.random_range(25..45)
        } else {
            rng.random_range(8..20)
        };
        let span = minutes * 60 * SECOND;
        let kills_by_record = rng.random_bool(0.12);
        // So many commits over all partitions, whatever the length, most of them because rows have waited long enough.
        let delay = (minutes as u64 * 60 * u64::from(partitions) / 16).clamp(20, if long_pauses { 120 } else { 600 });
        // An owner that lasts for less is no sign of a record that kills.
        let interval = if kills_by_record { rng.random_range(15..40) } else { rng.random_range(240..600) };
        let partitions = if long_pauses { partitions.min(4) } else { partitions };
        Scenario {
            seed,
            partitions,
            workers: if long_pauses { rng.random_range(2..=5) } else { rng.random_range(1..=5) },
            // A partition under suspicion is committed record by record: that is slow.
            records: if kills_by_record { rng.random_range(600..1000) } else { rng.random_range(1600..2400) },
            span,
            commit_interval: Duration::from_secs(interval),
            min_rows: [60, 300, 1000][rng.random_range(0..3)],
            max_delay: Duration::from_secs(delay),
            pending_bytes_max: if rng.random_bool(0.2) { 2000 } else { 1 << 20 },
            fault_rate: rng.random_range(0.03..0.12),
            truncates: rng.random_bool(0.3),
            kills_by_record,
            long_pauses,
            long_pauses_at: (0..if long_pauses { 3 } else { 0 }).map(|_| rng.random_range(120..720) * SECOND).collect(),
            mutant,
        }
    }

    pub(crate) fn guards(&self) -> Guards {
        match self.mutant {
            Some(Mutant::Sink(guard)) => Guards::default().without(guard),
            _ => Guards::default(),
        }
    }

    /// Whether the fault may strike by mere chance.
    pub(crate) fn is_free(&self, kind: Kind, step: Step) -> bool {
        // Those two are rationed: see `arm`.
        kind.impossible_at(step).is_none() && !matches!(kind, Kind::Truncation | Kind::Killer)
    }

    /// Faults at steps that chance alone would hardly bring together.
    pub(crate) fn arm(&self, rng: &mut ChaCha8Rng) -> Vec<(Step, Kind)> {
        let mut armed = Vec::new();
        let any_step = |rng: &mut ChaCha8Rng| Step::ALL[rng.random_range(0..Step::ALL.len())];
        while armed.len() < 8 {
            let step = any_step(rng);
            let kind = Kind::ALL[rng.random_range(0..Kind::ALL.len())];
            if self.is_free(kind, step) {
                armed.push((step, kind));
            }
        }
        for (kind, wanted) in [(Kind::Truncation, self.truncates), (Kind::Killer, self.kills_by_record)] {
            if wanted {
                // The first of these steps that comes.
                armed.push((any_step(rng), kind));
            }
        }
        armed
    }
}
