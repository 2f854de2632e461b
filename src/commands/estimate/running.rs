//! Processor time, instances, lag, and what it is worth to stop between windows.

use serde::Serialize;

use super::commits::{Commits, DAY};
use super::figures;
use super::load::{Load, Transport};
use super::requests::{Daily, Requests};

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Processor {
    pub(super) readings_a_second_a_core: f64,
    /// Of all instances together, on average.
    pub(super) cores: f64,
    pub(super) cores_an_instance: f64,
    /// So many share the work at most.
    pub(super) instances_max: f64,
    /// An hour's backlog is read in so many seconds, while more arrives.
    pub(super) seconds_to_read_an_hour: Option<f64>,
}

/// Scaled to zero between windows, beside running all the time. Of all instances together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Sleep {
    pub(super) wakes_a_day: f64,
    /// From the start of the process to the first new commit.
    pub(super) start_seconds: f64,
    pub(super) read_seconds: f64,
    /// Until the scaler takes it away.
    pub(super) cooldown_seconds: f64,
    /// Hours of instances a day, and what running all the time takes.
    pub(super) hours: f64,
    pub(super) hours_always: f64,
    pub(super) requests: Requests,
    pub(super) requests_always: Requests,
}

impl Processor {
    pub(super) fn of(load: &Load, commits: &Commits) -> Processor {
        let rate = rate_a_core(load);
        let readings = load.readings_a_second();
        let cores = readings / rate + commits.rows / DAY / figures::ROWS_PER_CORE;
        let threads = (load.instances * load.workers).min(load.partitions);
        let capacity = threads * rate;
        Processor {
            readings_a_second_a_core: rate,
            cores,
            cores_an_instance: cores / load.instances,
            instances_max: load.partitions,
            seconds_to_read_an_hour: (capacity > readings).then(|| readings * 3600.0 / (capacity - readings)),
        }
    }
}

impl Sleep {
    pub(super) fn of(load: &Load, daily: &Daily) -> Sleep {
        let wakes = DAY / load.wake_every;
        let millions = |count: f64, share: f64| count * share / 1e6;
        let start = figures::START_SECONDS
            + millions(load.series(), 1.0 / load.instances) * figures::START_SECONDS_A_MILLION_SERIES
            + millions(load.models, 1.0) * figures::START_SECONDS_A_MILLION_MODELS;
        let threads = (load.instances * load.workers).min(load.partitions);
        let read = load.readings_a_second() * load.wake_every / (threads * rate_a_core(load));
        let awake = (start + read + figures::COOLDOWN_SECONDS).min(load.wake_every);
        let share = awake / load.wake_every;
        Sleep {
            wakes_a_day: wakes,
            start_seconds: start,
            read_seconds: read,
            cooldown_seconds: figures::COOLDOWN_SECONDS,
            hours: share * 24.0 * load.instances,
            hours_always: 24.0 * load.instances,
            requests: daily.all * share + daily.start * wakes,
            requests_always: daily.all,
        }
    }

    /// Whether stopping saves anything at all.
    pub(super) fn saves(&self) -> bool {
        self.hours < self.hours_always * 0.99
    }
}

fn rate_a_core(load: &Load) -> f64 {
    match load.transport {
        Transport::Amqp => figures::AMQP_READINGS_PER_CORE * load.readings_a_record.max(1.0),
        _ if load.readings_a_record >= 10.0 => figures::WIDE_READINGS_PER_CORE,
        _ => figures::READINGS_PER_CORE,
    }
}
