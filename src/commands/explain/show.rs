//! An explanation for people and for scripts.

use score::{Contribution, Explanation, Judgement};
use serde_json::json;

use super::row::Row;
use super::{Found, Standing};
use crate::commands::output::{Output, escaped};
use crate::wall;

pub(super) fn text(row: &Row, found: &Found, explanation: &Explanation) -> anyhow::Result<()> {
    let mut out = Output::new();
    let of = row.sensor.as_deref().map_or_else(|| row.device.clone(), |sensor| format!("{}/{sensor}", row.device));
    out.line(format_args!("`{}` from {} to {}", escaped(&of), wall::text(row.start), wall::text(row.end)));
    let now = explanation.judgement;
    let verdict = match (row.status.as_str(), row.is_anomaly, turned(row, found, explanation)) {
        ("scored", true, false) => "an anomaly".to_owned(),
        ("scored", true, true) => "an anomaly by the windows before it: alone this one would be normal".to_owned(),
        ("scored", false, false) => "normal".to_owned(),
        ("scored", false, true) => "normal by the windows before it: alone this one would be an anomaly".to_owned(),
        (status, ..) => format!("not scored (`{status}`)"),
    };
    let mut table = vec![
        ("verdict", verdict),
        ("decision", format!("{} in the row, {} by this model", number(row.decision), number(Some(now.decision)))),
        ("severity", format!("{} in the row, {} by this model", number(row.severity), number(now.severity))),
    ];
    match explanation.threshold {
        Some(threshold) => table.push(("anomaly if", format!("severity is above {}", number(Some(threshold))))),
        None => table.push(("anomaly if", "decision is not above 0".to_owned())),
    }
    table.push(("model", model(row, found)));
    let smoothing = found.model.threshold.as_ref().map_or(1, |threshold| threshold.smoothing);
    if smoothing > 1 {
        table.push((
            "note",
            format!("the verdict is on the mean severity of {smoothing} windows; this is about the last of them alone"),
        ));
    }
    out.table(&table);
    if !explanation.sensors.is_empty() {
        sensors(&mut out, explanation);
        out.line("");
    }
    match &explanation.contributions {
        None => {
            out.line("this model does not begin by subtracting means: what is usual for a feature is not known, and none can be explained");
        }
        Some(all) => contributions(&mut out, all, now),
    }
    out.finish()
}

fn sensors(out: &mut Output, explanation: &Explanation) {
    let header = ["sensor", "decision as expected", "moved by", "severity as expected"].map(str::to_owned);
    let rows = explanation.sensors.iter().map(|of| {
        [
            escaped(&of.sensor),
            number(Some(of.usual.decision)),
            format!("{:+.4e}", of.usual.decision - explanation.judgement.decision),
            number(of.usual.severity),
        ]
    });
    aligned(out, std::iter::once(header).chain(rows).collect());
}

fn contributions(out: &mut Output, all: &[Contribution], now: Judgement) {
    let header = ["feature", "value", "mean", "decision at mean", "moved by", "severity at mean"].map(str::to_owned);
    let rows = all.iter().map(|c| {
        [
            c.feature.to_string(),
            number(Some(c.value)),
            number(Some(c.mean)),
            number(Some(c.usual.decision)),
            format!("{:+.4e}", c.usual.decision - now.decision),
            number(c.usual.severity),
        ]
    });
    aligned(out, std::iter::once(header).chain(rows).collect());
}

/// Whether the windows before it made another verdict of this one than it would have alone.
fn turned(row: &Row, found: &Found, explanation: &Explanation) -> bool {
    let alone = explanation.judgement.severity.zip(explanation.threshold).map(|(own, limit)| own > limit);
    row.status == "scored" && found.standing != Standing::Other && alone.is_some_and(|alone| alone != row.is_anomaly)
}

fn aligned<const N: usize>(out: &mut Output, rows: Vec<[String; N]>) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.line(format_args!("  {}", cells.join("  ").trim_end()));
    }
}

fn model(row: &Row, found: &Found) -> String {
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let (key, version) = (shown(&row.model_key), &found.model.version);
    match found.standing {
        Standing::OfTheSet => {
            format!("`{key}`, version {version}, of set {} that scored the row", shown(&row.model_set))
        }
        Standing::Same => format!("`{key}`, version {version}, that scored the row"),
        Standing::Other => format!(
            "`{key}`, version {version}: the present one; the row was scored by version {} of set {}, which is not kept here",
            shown(&row.model_version),
            shown(&row.model_set)
        ),
    }
}

pub(super) fn json(row: &Row, found: &Found, explanation: &Explanation) -> anyhow::Result<()> {
    let now = explanation.judgement;
    let moved = |usual: &Judgement| usual.severity.zip(now.severity).map(|(usual, now)| usual - now);
    let contributions = explanation.contributions.as_ref().map(|contributions| {
        let one = |c: &Contribution| {
            json!({
                "feature": c.feature.to_string(), "value": c.value, "mean": c.mean,
                "decision": c.usual.decision, "severity": c.usual.severity,
                "decision_moved": c.usual.decision - now.decision,
                "severity_moved": moved(&c.usual),
            })
        };
        contributions.iter().map(one).collect::<Vec<_>>()
    });
    let sensors = explanation.sensors.iter().map(|of| {
        json!({
            "sensor": of.sensor, "decision": of.usual.decision, "severity": of.usual.severity,
            "decision_moved": of.usual.decision - now.decision, "severity_moved": moved(&of.usual),
        })
    });
    let sensors: Vec<_> = sensors.collect();
    let mut out = Output::new();
    out.line(json!({
        "device": row.device, "sensor": row.sensor,
        "window_start": wall::text(row.start), "window_end": wall::text(row.end),
        "row": {
            "status": row.status, "is_anomaly": row.is_anomaly, "decision": row.decision, "severity": row.severity,
            "threshold": row.threshold, "top_feature": row.top_feature, "model_key": row.model_key,
            "model_set": row.model_set, "model_version": row.model_version,
        },
        "model": {
            "key": found.model.key.to_string(), "version": found.model.version,
            "scored_the_row": found.standing != Standing::Other,
        },
        "decision": now.decision, "severity": now.severity, "threshold": explanation.threshold,
        "turned_by_windows_before": turned(row, found, explanation),
        "sensors": sensors, "contributions": contributions,
    }));
    out.finish()
}

fn number(number: Option<f64>) -> String {
    match number {
        None => "-".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(number) if (1e-3..1e7).contains(&number.abs()) => format!("{number:.6}"),
        Some(number) => format!("{number:.5e}"),
    }
}
