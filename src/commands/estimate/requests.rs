//! Requests to the stores, by kind: what the sink's protocol makes of a day's commits, and what goes on beside them.

use std::iter::Sum;
use std::ops::{Add, Mul};

use serde::Serialize;

use super::commits::{Commits, DAY};
use super::figures;
use super::load::{Load, Transport};
use super::volumes::Files;

/// By how stores charge for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Requests {
    /// Objects created or replaced.
    pub(super) puts: f64,
    /// Objects read, or asked for their length.
    pub(super) gets: f64,
    pub(super) lists: f64,
    pub(super) deletes: f64,
}

/// Whose requests they are, a day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Daily {
    pub(super) commits: Requests,
    /// Old records removed.
    pub(super) sweeps: Requests,
    /// Notes looked for, and newer models: also while nothing arrives.
    pub(super) idle: Requests,
    pub(super) all: Requests,
    /// One start of all instances with all their partitions, and their end.
    pub(super) start: Requests,
}

impl Daily {
    pub(super) fn of(load: &Load, commits: &Commits, files: &Files) -> Daily {
        let of_commits = Requests {
            // The record, its files, and how far results are final.
            puts: commits.all + files.all() + commits.with_rows,
            lists: commits.all * figures::LISTS_A_COMMIT,
            ..Requests::default()
        };
        let sweeps = commits.all.min(load.partitions * DAY / figures::SWEEP_SECONDS);
        let of_sweeps = Requests {
            lists: sweeps * figures::LISTS_A_SWEEP,
            gets: sweeps * figures::GETS_A_SWEEP,
            deletes: commits.all,
            ..Requests::default()
        };
        let idle = idle(load);
        let all = [of_commits, of_sweeps, idle].into_iter().sum();
        let start = Requests::from(figures::PREFLIGHT) * load.instances
            + Requests::from(figures::TAKE_OVER) * load.partitions
            + Requests { lists: if load.models > 0.0 { load.instances } else { 0.0 }, ..Requests::default() };
        Daily { commits: of_commits, sweeps: of_sweeps, idle, all, start }
    }
}

fn idle(load: &Load) -> Requests {
    let looks = load.instances * DAY / figures::LOOK_SECONDS;
    let polls = load.model_poll.map_or(0.0, |every| load.instances * DAY / every);
    let renewals = load.renewal.filter(|_| load.transport == Transport::Amqp).map_or(0.0, |every| DAY / every);
    Requests {
        // A note for each partition that is held.
        puts: renewals * load.partitions,
        gets: looks * figures::GETS_A_LOOK,
        lists: polls + renewals * load.instances,
        deletes: 0.0,
    }
}

// === impl Requests ===

/// In the order of the fields.
impl From<[f64; 4]> for Requests {
    fn from([puts, gets, lists, deletes]: [f64; 4]) -> Self {
        Requests { puts, gets, lists, deletes }
    }
}

impl Add for Requests {
    type Output = Requests;

    fn add(self, more: Requests) -> Requests {
        Requests {
            puts: self.puts + more.puts,
            gets: self.gets + more.gets,
            lists: self.lists + more.lists,
            deletes: self.deletes + more.deletes,
        }
    }
}

impl Sum for Requests {
    fn sum<I: Iterator<Item = Requests>>(all: I) -> Requests {
        all.fold(Requests::default(), Add::add)
    }
}

impl Mul<f64> for Requests {
    type Output = Requests;

    fn mul(self, times: f64) -> Requests {
        let Requests { puts, gets, lists, deletes } = self;
        Requests { puts: puts * times, gets: gets * times, lists: lists * times, deletes: deletes * times }
    }
}
