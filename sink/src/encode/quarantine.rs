//! Runs of refused items -> rows of `quarantine`.

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use types::QuarantineRun;

use super::columns::{batch, by_date, ints, ints_or_null, long, longs, texts, texts_or_null, times_or_null};
use super::{Dataset, Origin};
use crate::names::Date;
use crate::{Commit, Error};

const DATASET: Dataset = Dataset::Quarantine;

/// By date of the broker, else of the commit; within a date as they came, which is by position.
pub(super) fn batches(commit: &Commit<'_>, origin: Origin<'_>) -> Result<Vec<(Date, RecordBatch)>, Error> {
    let date = |run: &QuarantineRun| Date::of(run.broker_time.unwrap_or(commit.now));
    let mut runs: Vec<&QuarantineRun> = commit.quarantine.runs().iter().collect();
    runs.sort_by_key(|run| date(run));
    let dates: Vec<Date> = runs.iter().map(|run| date(run)).collect();
    by_date(&dates).map(|(date, range)| Ok((date, batch(DATASET, columns(&runs[range], origin))?))).collect()
}

fn columns(runs: &[&QuarantineRun], origin: Origin<'_>) -> Vec<ArrayRef> {
    let run = || runs.iter();
    vec![
        texts(run().map(|_| origin.pipeline)),
        texts(run().map(|run| run.reason.as_str())),
        longs(run().map(|run| run.first)),
        longs(run().map(|run| run.last)),
        ints_or_null(run().map(|run| run.index)),
        longs(run().map(|run| long(run.count))),
        times_or_null(run().map(|run| run.broker_time)),
        texts(run().map(|run| run.detail.as_str())),
        texts_or_null(run().map(|run| run.sample.as_deref())),
        ints(run().map(|_| origin.partition.index)),
    ]
}
