//! Up to where windows of a partition may be published already.
//!
//! The files say it, by the statistics in their footers; the newest record says it of its own files, of what it knows to be
//! final, and how many rows there must be: if files are missing, the clock that no published window can be far beyond.

use anyhow::{Context, bail};
use sink::Dataset;
use sink::admin::{Behind, Object};
use types::{Micros, PartitionId};

use super::super::{Desk, time};
use crate::commands::output::grouped;

/// The floor, why it is there, and what is to be known of it.
#[derive(Debug, Default)]
pub(super) struct Floor {
    pub(super) at: Option<Micros>,
    pub(super) reasons: Vec<(&'static str, Micros)>,
    pub(super) warnings: Vec<String>,
}

pub(super) fn find(desk: &Desk, partition: &PartitionId, behind: &Behind) -> anyhow::Result<Floor> {
    let mut floor = Floor::default();
    let header = behind.header.as_ref();
    let published = Published::of(desk, partition, header.map(|header| header.genesis))?;
    floor.because("the last window that is published ends", published.window_end);
    let Some(header) = header else {
        if behind.is_damaged {
            floor.warnings.push("the damaged record cannot be read: if files were removed from the dataset, raise the floor yourself (--floor)".to_owned());
        }
        return Ok(floor);
    };
    let of_files = header.files.iter().filter(|file| file.dataset == Dataset::Predictions.as_str());
    let last = of_files.filter_map(|file| file.to).max().map(|start| start.saturating_add(desk.settings.window));
    floor.because("the last window of the newest commit ends", last);
    floor.because("the floor before", header.resume.floor);
    floor.because("everything was final up to", header.resume.complete_to);
    let missing = header.ledger.rows_in_files.saturating_sub(published.rows);
    if missing > 0 {
        let clock = header.resume.arrival_clock;
        let beyond = clock.map(|clock| clock.saturating_add(desk.settings.max_future_skew));
        floor.because("files are missing, and no published window can end later", beyond);
        floor
            .warnings
            .push(format!("{} rows of `predictions` were published and are not there any more", grouped(missing)));
    }
    Ok(floor)
}

impl Floor {
    fn because(&mut self, why: &'static str, at: Option<Micros>) {
        self.at = self.at.max(at);
        self.reasons.extend(at.map(|at| (why, at)));
    }

    /// What the operator wants, if that is safe or insisted on.
    pub(super) fn chosen(mut self, wanted: Option<Micros>, force: bool) -> anyhow::Result<Floor> {
        let Some(wanted) = wanted else { return Ok(self) };
        match self.at.filter(|at| wanted < *at) {
            Some(at) if !force => bail!(
                "a floor at {} would publish windows again that end by {}\nleave `--floor` out, or add `--force` if you removed them from the dataset",
                time(wanted),
                time(at)
            ),
            Some(at) => self.warnings.push(format!("windows that end by {} may be published again", time(at))),
            None => {}
        }
        self.at = Some(wanted);
        self.reasons.push(("you say so", wanted));
        Ok(self)
    }

    /// A pipeline that hands over publishes nothing beyond the boundary.
    pub(super) fn within(mut self, until: Option<Micros>) -> Floor {
        if let (Some(at), Some(until)) = (self.at, until) {
            self.at = Some(at.min(until));
        }
        self
    }
}

/// What is visible of a partition.
#[derive(Debug, Default)]
struct Published {
    window_end: Option<Micros>,
    /// Of the present beginning.
    rows: u64,
}

impl Published {
    fn of(desk: &Desk, partition: &PartitionId, genesis: Option<sink::Genesis>) -> anyhow::Result<Published> {
        let objects = desk.sinks.objects(Dataset::Predictions).context("list the published files")?;
        let ours = |object: &Object| object.data_name().is_some_and(|name| name.partition == *partition);
        let objects: Vec<Object> = objects.into_iter().filter(ours).collect();
        let footers = desk.sinks.footers(Dataset::Predictions, objects.clone()).context("read their footers")?;
        let mut published = Published::default();
        for (object, footer) in objects.iter().zip(footers) {
            let Some(footer) = footer else { bail!("`{}` cannot be read: is it a Parquet file?", object.name) };
            // Pipelines may share a dataset.
            if footer.pipeline.is_some_and(|pipeline| pipeline != desk.config.pipeline) {
                continue;
            }
            published.window_end = published.window_end.max(footer.window_end);
            if object.data_name().map(|name| name.genesis) == genesis {
                published.rows += footer.rows;
            }
        }
        Ok(published)
    }
}
