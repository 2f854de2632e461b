//! The worst devices over time: mean and range of their values, with alarms, gaps, and what was labelled.

use super::{Gathered, named, open};
use crate::commands::output::grouped;
use crate::commands::predictions::Row;
use crate::commands::report::course::Line;
use crate::commands::report::svg::{self, HEIGHT, Hover, Plot, Scale, TICKS_WIDE, put, x};
use crate::commands::report::text::{figure, name, percent, plural, span};
use crate::commands::report::truth::Truth;

pub(super) fn panel(out: &mut String, gathered: &Gathered) {
    let Gathered { census, plan, course, .. } = gathered;
    let title = match (census.anomalies, census.has.scored) {
        (1.., _) => "Worst devices over time",
        (0, 1..) => "Devices nearest to an alarm",
        _ => "Some devices over time",
    };
    open(out, "devices", title, &format!("Steps of {}, UTC.", span(plan.fine.step)));
    legend(out, gathered);
    for lines in course.lines.chunk_by(|a, b| a.device == b.device) {
        let Some(device) = course.devices.iter().find(|device| device.name == lines[0].device) else { continue };
        put(
            out,
            format_args!(
                "<article class=\"device\"><div class=\"of\"><h3 class=\"id\">{}</h3><p class=\"hint\">{}</p></div>\n<div class=\"lines\">\n",
                named(&device.name),
                match device.all.alarms {
                    0 => format!("none of {} anomalous", plural(device.all.windows, "window", "windows")),
                    alarms => format!(
                        "{} of {} anomalous ({})",
                        grouped(alarms),
                        plural(device.all.windows, "window", "windows"),
                        percent(alarms, device.all.windows)
                    ),
                }
            ),
        );
        // One axis is enough for lines above one another.
        for (place, line) in lines.iter().enumerate() {
            let is_last = place + 1 == lines.len();
            draw(out, gathered, line, if is_last { svg::time_ticks(&plan.fine, TICKS_WIDE) } else { Vec::new() });
        }
        out.push_str("</div></article>\n");
    }
    out.push_str("</section>\n");
}

fn legend(out: &mut String, gathered: &Gathered) {
    out.push_str("<ul class=\"legend\" aria-label=\"Signs\">");
    let whole = !gathered.census.has_sensors;
    let mean = if whole { gathered.plan.score.describe() } else { "mean of the values" };
    let band = if whole { "its least to most" } else { "least to most value read" };
    let has_labels = gathered.truth.as_ref().is_some_and(|truth| !truth.is_empty());
    for (class, words, is_there) in [
        ("mean", mean, true),
        ("range", band, true),
        ("alarmed", "anomaly: the model's verdict", true),
        ("labelled", "labelled: a fault by the labels", has_labels),
        ("missing", "no windows", true),
    ] {
        if is_there {
            put(out, format_args!("<li><span class=\"swatch {class}\"></span>{words}</li>"));
        }
    }
    out.push_str("</ul>\n");
}

fn draw(out: &mut String, gathered: &Gathered, line: &Line, ticks: Vec<(String, f64)>) {
    let axis = &gathered.plan.fine;
    let sensor = line.sensor.as_deref().map_or("the whole device".to_owned(), name);
    let shown = match &line.sensor {
        Some(sensor) => named(sensor),
        None => "the whole device".to_owned(),
    };
    let alarms = plural(line.all.alarms, "anomaly", "anomalies");
    put(
        out,
        format_args!(
            "<figure><figcaption><b class=\"id\">{shown}</b><span class=\"read\">{alarms}</span></figcaption>"
        ),
    );
    let scale = scale(line);
    let means: Vec<Option<f64>> = line.bins.iter().map(|bin| bin.mean().map(|mean| scale.y(mean))).collect();
    let ranges: Vec<Option<(f64, f64)>> =
        line.bins.iter().map(|bin| bin.range.map(|(low, high)| (scale.y(low), scale.y(high)))).collect();
    let alarmed = line.bins.iter().zip(&means);
    let alarmed: Vec<Option<f64>> =
        alarmed.map(|(bin, y)| (bin.cell.alarms > 0).then(|| y.unwrap_or(HEIGHT / 2.0))).collect();
    let (gaps, gap_count) = gaps(line);
    let kinds = kinds(gathered, line);
    let labelled = match kinds.shades.len() {
        0 => String::new(),
        count => format!(", {} labelled as faults", plural(count as u64, "stretch", "stretches")),
    };
    let label = format!(
        "{sensor} of {}: between {} and {}, {alarms} in {}{labelled}, {}",
        name(&line.device),
        figure(scale.low),
        figure(scale.high),
        plural(line.all.windows, "window", "windows"),
        plural(gap_count, "gap", "gaps")
    );
    let plot = Plot {
        label,
        class: "wide-plot",
        numbers: scale.numbers(5),
        ticks,
        shades: kinds.shades,
        paths: vec![
            ("missing", gaps),
            ("range", svg::band(&ranges)),
            ("mean", svg::line(&means)),
            ("alarmed", svg::dots(&alarmed)),
        ],
        hover: Hover { axis: Some(*axis), say: "mean {0}, {1} to {2}{3}{4}", cells: cells(line, &kinds.names) },
    };
    plot.draw(out);
    out.push_str("</figure>\n");
}

fn cells(line: &Line, kinds: &[String]) -> Vec<String> {
    let cell = |(bin, kind): (&super::super::course::Bin, &String)| {
        let (Some(mean), Some((low, high))) = (bin.mean(), bin.range) else { return String::new() };
        let alarm = match bin.cell {
            cell if cell.alarms == 0 => String::new(),
            cell if cell.windows == 1 => " · anomaly".to_owned(),
            cell => format!(" · {} of {} windows anomalous", cell.alarms, cell.windows),
        };
        format!("{}|{}|{}|{alarm}|{kind}", figure(mean), figure(low), figure(high))
    };
    line.bins.iter().zip(kinds).map(cell).collect()
}

/// Room for nearly all values: a few that are far away are cut off rather than press the rest flat.
fn scale(line: &Line) -> Scale {
    let mut all: Vec<f64> = line.bins.iter().filter_map(|bin| bin.range).flat_map(|(low, high)| [low, high]).collect();
    all.sort_unstable_by(f64::total_cmp);
    let (Some(low), Some(high)) = (all.first().copied(), all.last().copied()) else {
        return Scale { low: 0.0, high: 1.0 };
    };
    let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize];
    let (inner_low, inner_high) = (at(0.02), at(0.98));
    let room = 20.0 * (inner_high - inner_low);
    let (low, high) = match room > 0.0 {
        true => (low.max(inner_low - room), high.min(inner_high + room)),
        false => (low, high),
    };
    let margin = if high > low { 0.06 * (high - low) } else { 0.5_f64.max(low.abs() * 0.05) };
    Scale { low: low - margin, high: high + margin }
}

/// Where there are no windows though there were some before and come some after.
fn gaps(line: &Line) -> (String, u64) {
    let is_empty: Vec<bool> = line.bins.iter().map(|bin| bin.cell.windows == 0).collect();
    let (mut path, mut count, mut at) = (String::new(), 0, 0);
    for run in is_empty.chunk_by(|a, b| a == b) {
        if run[0] && at > 0 && at + run.len() < is_empty.len() {
            let (from, to) = (x(at, is_empty.len()), x(at + run.len(), is_empty.len()));
            put(&mut path, format_args!("M{from:.1} 0H{to:.1}V100H{from:.1}z"));
            count += 1;
        }
        at += run.len();
    }
    (path, count)
}

/// What was labelled, as shares of the axis, and in words for each bin.
struct Kinds {
    shades: Vec<(f64, f64)>,
    names: Vec<String>,
}

fn kinds(gathered: &Gathered, line: &Line) -> Kinds {
    let axis = &gathered.plan.fine;
    let mut names = vec![String::new(); axis.count];
    let mut shades = Vec::new();
    let whole = Row {
        device: &line.device,
        sensor: line.sensor.as_deref(),
        start: axis.begin,
        end: axis.end(),
        decision: None,
        severity: None,
        threshold: None,
        is_anomaly: false,
        status: "",
        model_key: None,
    };
    let mut intervals = gathered.truth.as_ref().map(|truth: &Truth| truth.touching(&whole)).unwrap_or_default();
    intervals.sort_by_key(|interval| interval.from);
    for interval in intervals {
        shades.push((axis.share(interval.from), axis.share(interval.to)));
        let word = interval.kind.as_deref().map_or("a fault".to_owned(), name);
        for (bin, name) in names.iter_mut().enumerate() {
            if name.is_empty() && axis.time(bin) <= interval.to && axis.time(bin + 1) > interval.from {
                // What separates cells cannot be part of one.
                *name = format!(" · labelled {}", word.replace([';', '|'], " "));
            }
        }
    }
    Kinds { shades, names }
}
