//! The report of stale keys, for people and for machines.

use std::collections::BTreeMap;

use score::{ModelKey, ModelSet};
use serde_json::json;
use types::{Micros, Span};

use super::{Key, Seen, Stale};
use crate::commands::output::{Output, escaped, grouped};
use crate::wall;

pub(super) struct Report<'a> {
    pub(super) set: &'a ModelSet,
    pub(super) seen: &'a BTreeMap<Key, Seen>,
    pub(super) stale: &'a [Stale<'a>],
    /// How much of the newest predictions was looked at.
    pub(super) since: Span,
    pub(super) now: Micros,
}

impl Report<'_> {
    pub(super) fn text(&self) -> anyhow::Result<()> {
        let mut out = Output::new();
        for stale in self.stale {
            if !out.line(format_args!("  {}  {}", shown(stale.key), stale.describe(self.now))) {
                break;
            }
        }
        let trained = self.set.trained();
        let age = |time: Option<Micros>| time.map_or_else(|| "-".to_owned(), |at| days(self.now - at));
        out.line(format_args!(
            "{} of {} keys are stale; set {} of {} models: oldest {}, median {}, {} do not say",
            grouped(self.stale.len() as u64),
            grouped(self.seen.len() as u64),
            self.set.id(),
            grouped(self.set.len() as u64),
            age(trained.oldest),
            age(trained.median),
            grouped(trained.undated as u64)
        ));
        let Totals { rows, scored, anomalous, no_model } = self.totals();
        if rows > 0 {
            out.line(format_args!(
                "windows: {} in the last {}, {} of them scored, {} of these anomalous, {} without a model",
                grouped(rows),
                self.since,
                percent(scored, rows),
                percent(anomalous, scored),
                grouped(no_model)
            ));
        }
        out.finish()
    }

    pub(super) fn json(&self) -> anyhow::Result<()> {
        let one = |stale: &Stale<'_>| {
            let Stale { key, seen, reasons } = stale;
            json!({
                "device": key.0, "sensor": key.1, "reasons": reasons,
                "trained_at": seen.trained_at.map(wall::text), "model": seen.model,
                "rows": seen.rows, "scored": seen.scored, "no_model": seen.no_model, "anomalous_share": seen.share(),
            })
        };
        let trained = self.set.trained();
        let Totals { rows, scored, anomalous, no_model } = self.totals();
        let mut out = Output::new();
        out.line(json!({
            "stale": self.stale.iter().map(one).collect::<Vec<_>>(),
            "keys": self.seen.len(),
            "models": self.set.len(), "model_set": self.set.id(),
            "oldest_trained_at": trained.oldest.map(wall::text), "median_trained_at": trained.median.map(wall::text),
            "undated": trained.undated,
            "rows": rows, "scored": scored, "anomalous": anomalous, "no_model": no_model,
        }));
        out.finish()
    }

    pub(super) fn csv(&self) -> anyhow::Result<()> {
        let mut out = Output::new();
        out.line("device,sensor,reasons,trained_at,model,rows,scored,no_model,anomalous_share");
        for Stale { key, seen, reasons } in self.stale {
            let cell = |text: Option<&str>| quoted(text.unwrap_or_default());
            let time = seen.trained_at.map(wall::text).unwrap_or_default();
            let share = seen.share().map(|share| share.to_string()).unwrap_or_default();
            let going_on = out.line(format_args!(
                "{},{},{},{time},{},{},{},{},{share}",
                cell(key.0.as_deref()),
                cell(key.1.as_deref()),
                reasons.join(" "),
                cell(seen.model.as_deref()),
                seen.rows,
                seen.scored,
                seen.no_model
            ));
            if !going_on {
                break;
            }
        }
        out.finish()
    }

    fn totals(&self) -> Totals {
        let total = |count: fn(&Seen) -> u64| self.seen.values().map(count).sum::<u64>();
        Totals {
            rows: total(|seen| seen.rows),
            scored: total(|seen| seen.scored),
            anomalous: total(|seen| seen.anomalous),
            no_model: total(|seen| seen.no_model),
        }
    }
}

/// Windows of all keys.
struct Totals {
    rows: u64,
    scored: u64,
    anomalous: u64,
    no_model: u64,
}

impl Stale<'_> {
    fn describe(&self, now: Micros) -> String {
        let Stale { seen, reasons, .. } = self;
        let one = |reason: &&'static str| match *reason {
            "too_old" => format!("trained {} ago", seen.trained_at.map_or_else(String::new, |at| days(now - at))),
            "no_model" => format!("{} windows without a model", grouped(seen.no_model)),
            _ => format!("{} of {} windows anomalous", percent(seen.anomalous, seen.scored), grouped(seen.scored)),
        };
        reasons.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

fn shown((device, sensor): &Key) -> String {
    escaped(&ModelKey { device: device.clone(), sensor: sensor.clone() }.to_string())
}

fn days(micros: Micros) -> String {
    const DAY: f64 = 86_400e6;
    format!("{:.1} days", micros as f64 / DAY)
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}

/// As RFC 4180 has it.
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_their_shape() {
        for (text, expected) in [("a", "a"), ("a,b", "\"a,b\""), ("say \"x\"", "\"say \"\"x\"\"\""), ("", "")] {
            assert_eq!(quoted(text), expected);
        }
    }
}
