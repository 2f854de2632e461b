//! The fleet: windows and anomalies over time, and each device's share of anomalies.

use super::{Gathered, close_table, named, open, open_table};
use crate::commands::markup::Safe;
use crate::commands::output::grouped;
use crate::commands::report::bins::round_numbers;
use crate::commands::report::course::{Cell, Device};
use crate::commands::report::svg::{self, HEIGHT, Hover, Plot, Scale, TICKS_WIDE, put};
use crate::commands::report::text::{moment, name, percent, plural, span};

pub(super) fn over_time(out: &mut String, gathered: &Gathered) {
    let Gathered { plan, course, census, .. } = gathered;
    let axis = &plan.overview;
    let mut hint = format!("Steps of {}, UTC.", span(axis.step));
    if let Some((first, end)) = plan.left_out(census) {
        hint.push_str(&format!(
            " {} beyond the axes: the dataset goes from {} to {}.",
            plural(course.stray, "window lies", "windows lie"),
            moment(first),
            moment(end)
        ));
    }
    open(out, "time", "Over time", &hint);
    out.push_str("<div class=\"charts\">\n");
    type Count = fn(&Cell) -> u64;
    let both: [(&str, &str, Count); 2] =
        [("Windows", "windows", |cell| cell.windows), ("Anomalies", "anomalies", |cell| cell.alarms)];
    for (title, class, count) in both {
        let counts: Vec<u64> = course.fleet.iter().map(count).collect();
        let most = counts.iter().copied().max().unwrap_or_default();
        let scale = Scale { low: 0.0, high: most.max(1) as f64 };
        let at = counts.iter().position(|count| *count == most).map(|bin| moment(axis.time(bin))).unwrap_or_default();
        let label = format!("{title} by step of {}: most {} from {at} UTC", span(axis.step), grouped(most));
        let heights: Vec<(f64, f64)> = counts.iter().map(|count| (HEIGHT, scale.y(*count as f64))).collect();
        let cells = course.fleet.iter().map(cell).collect();
        put(
            out,
            format_args!(
                "<figure><figcaption><span class=\"key {class}\" aria-hidden=\"true\"></span>{title}<span class=\"read\">most {}</span></figcaption>",
                grouped(most)
            ),
        );
        let plot = Plot {
            label,
            class: "low",
            numbers: whole(&scale),
            ticks: svg::time_ticks(axis, TICKS_WIDE / 2),
            paths: vec![(class, svg::bars(&heights, 0.8))],
            hover: Hover { axis: Some(*axis), say: "{1} of {0} windows anomalous", cells },
            ..Plot::default()
        };
        plot.draw(out);
        out.push_str("</figure>\n");
    }
    out.push_str("</div></section>\n");
}

/// Of counts there are no halves.
fn whole(scale: &Scale) -> Vec<(String, f64)> {
    let (numbers, places) = round_numbers(scale.low, scale.high, 3);
    let whole = numbers.into_iter().filter(|number| places == 0 || number.fract() == 0.0);
    whole.map(|number| (svg::short(number as u64), scale.y(number))).collect()
}

fn cell(cell: &Cell) -> String {
    if cell.windows == 0 { String::new() } else { format!("{}|{}", cell.windows, cell.alarms) }
}

pub(super) fn overview(out: &mut String, gathered: &Gathered) {
    let Gathered { plan, course, .. } = gathered;
    let shown = course.devices.len() as u64;
    let hint = match plan.device_count > shown {
        true => format!("The worst {} of {}.", grouped(shown), plural(plan.device_count, "device", "devices")),
        false if shown > 1 => "Every device, the worst first.".to_owned(),
        false => String::new(),
    };
    open(out, "fleet", "Share of anomalous windows, by device", &hint);
    legend(out);
    open_table(
        out,
        "fleet",
        "Devices, the one with the most anomalies first",
        &[
            ("", "Device"),
            ("strip", "<span class=\"unseen\">Over time</span>"),
            ("number", "Anomalies"),
            ("number wide", "Share"),
        ],
    );
    // The axis of all strips, as a part of their column's head.
    let mut axis = String::new();
    svg::ticks(&mut axis, &svg::time_ticks(&plan.overview, TICKS_WIDE));
    let head = "<span class=\"unseen\">Over time</span>";
    if let Some(at) = out.rfind(head) {
        out.insert_str(at + head.len(), &axis);
    }
    for device in &course.devices {
        row(out, gathered, device);
    }
    close_table(out);
    out.push_str("</section>\n");
}

fn row(out: &mut String, gathered: &Gathered, device: &Device) {
    let axis = &gathered.plan.overview;
    let worst = device.cells.iter().enumerate().filter(|(_, cell)| cell.alarms > 0).max_by(|a, b| {
        let share = |cell: &Cell| cell.alarms as f64 / cell.windows as f64;
        share(a.1).total_cmp(&share(b.1)).then(b.0.cmp(&a.0))
    });
    let most = worst
        .map(|(bin, cell)| format!(", most from {} with {} of {}", moment(axis.time(bin)), cell.alarms, cell.windows));
    let label = format!(
        "{}: {} of {} windows anomalous{}",
        name(&device.name),
        grouped(device.all.alarms),
        grouped(device.all.windows),
        most.unwrap_or_default()
    );
    put(out, format_args!("<tr><th scope=\"row\" class=\"id\">{}</th><td class=\"strip\">", named(&device.name)));
    put(
        out,
        format_args!(
            "<svg viewBox=\"0 0 {} 1\" preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\" role=\"img\" aria-label=\"{}\"",
            axis.count,
            Safe(&label)
        ),
    );
    let cells = device.cells.iter().map(cell).collect();
    Hover { axis: Some(*axis), say: "{1} of {0} windows anomalous", cells }.attributes(out);
    out.push('>');
    strip(out, &device.cells);
    let class = if device.all.alarms > 0 { "number" } else { "number faint" };
    put(
        out,
        format_args!(
            "</svg></td><td class=\"{class}\">{}</td><td class=\"{class} wide\">{}</td></tr>\n",
            grouped(device.all.alarms),
            percent(device.all.alarms, device.all.windows)
        ),
    );
}

/// A path for each level, with a rectangle for each run of bins.
fn strip(out: &mut String, cells: &[Cell]) {
    let levels: Vec<Option<usize>> = cells.iter().map(level).collect();
    for wanted in 0..LEVELS.len() {
        let mut path = String::new();
        let mut at = 0;
        for run in levels.chunk_by(|a, b| a == b) {
            if run[0] == Some(wanted) {
                put(&mut path, format_args!("M{at} 0h{}v1h-{}z", run.len(), run.len()));
            }
            at += run.len();
        }
        if !path.is_empty() {
            put(out, format_args!("<path class=\"h{wanted}\" d=\"{path}\"/>"));
        }
    }
}

/// Shares of anomalies, in words; the first is none at all.
const LEVELS: [&str; 5] = ["none", "up to 3 %", "to 10 %", "to 30 %", "more"];

/// None: no windows.
fn level(cell: &Cell) -> Option<usize> {
    if cell.windows == 0 {
        return None;
    }
    let share = cell.alarms as f64 / cell.windows as f64;
    Some(match () {
        () if cell.alarms == 0 => 0,
        () if share <= 0.03 => 1,
        () if share <= 0.10 => 2,
        () if share <= 0.30 => 3,
        () => 4,
    })
}

fn legend(out: &mut String) {
    out.push_str("<ul class=\"legend\" aria-label=\"Shares of anomalies\">");
    out.push_str("<li><span class=\"swatch empty\"></span>no windows</li>");
    for (level, words) in LEVELS.iter().enumerate() {
        put(out, format_args!("<li><span class=\"swatch h{level}\"></span>{words}</li>"));
    }
    out.push_str("</ul>\n");
}
