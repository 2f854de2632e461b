//! What wants to be looked at: the worst first, each with why and, where the service knows it, what to do.

use serde::Serialize;

use super::documents::{Documents, Partition};
use super::view::{Instance, View};
use crate::commands::grouped;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Weight {
    /// Somebody has to act.
    Bad,
    /// Somebody should look.
    Care,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Warning {
    pub(super) weight: Weight,
    pub(super) instance: String,
    /// What it is about, and what is the matter with it.
    pub(super) what: String,
    pub(super) why: String,
}

pub(super) fn warnings(view: &View) -> Vec<Warning> {
    let mut all: Vec<Warning> = view.instances.iter().flat_map(of_instance).collect();
    all.sort_by_key(|warning| warning.weight);
    all
}

fn of_instance(instance: &Instance) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut warn = |weight, what: String, why: String| {
        found.push(Warning { weight, instance: instance.name().to_owned(), what, why });
    };
    if let Some(why) = &instance.away {
        warn(Weight::Bad, format!("{} does not answer", instance.url), why.clone());
    }
    let Some(said) = &instance.said else { return found };
    let halted: Vec<&Partition> = of_phase(said, "halted").collect();
    for partition in &halted {
        warn(Weight::Bad, format!("{} is halted", name(partition)), why(partition));
    }
    let verdicts =
        [(&said.status.live, Weight::Bad, "stands still"), (&said.status.ready, Weight::Care, "is not ready")];
    for (verdict, weight, what) in verdicts {
        let reason = verdict.why.clone().unwrap_or_default();
        // The service is not ready because of what was just said.
        let is_said = halted.iter().any(|partition| partition.why.as_ref().is_some_and(|why| reason.contains(why)));
        if !verdict.ok && !is_said {
            warn(weight, format!("{} {what}", instance.name()), reason);
        }
    }
    for partition in of_phase(said, "suspected") {
        warn(Weight::Care, format!("{} is suspected", name(partition)), why(partition));
    }
    let models = &said.models;
    if models.state == "unavailable" {
        warn(Weight::Care, "models are missing".into(), "their store has not answered yet".into());
    }
    if models.skipped > 0 {
        let files = format!("{} model files are left out", models.skipped);
        warn(Weight::Care, files, "they cannot be used: `atalaia models verify` says why".into());
    }
    let last = |steps: &[u64]| steps.last().copied().unwrap_or_default();
    let (refused, records) = (last(&said.throughput.quarantined), last(&said.throughput.records));
    if let Some(reason) = said.quarantine.reasons.first().filter(|_| refused > 0) {
        let what = format!(
            "records are refused, {} of the last {}, mostly as {}",
            grouped(refused),
            grouped(records),
            reason.reason
        );
        warn(Weight::Care, what, reason.remedy.clone());
    }
    found
}

fn of_phase<'a>(said: &'a Documents, phase: &'a str) -> impl Iterator<Item = &'a Partition> {
    said.partitions.partitions.iter().filter(move |partition| partition.phase == phase)
}

pub(super) fn name(partition: &Partition) -> String {
    format!("{}/{}", partition.topic, partition.partition)
}

fn why(partition: &Partition) -> String {
    partition.why.clone().unwrap_or_default()
}
