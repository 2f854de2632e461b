//! How scores are distributed about the threshold, and what became of rows that have none.

use super::{Gathered, close_table, open, open_table};
use crate::commands::markup::Safe;
use crate::commands::output::grouped;
use crate::commands::ranking::Score;
use crate::commands::report::bins::round_numbers;
use crate::commands::report::census::Census;
use crate::commands::report::sketch::Histogram;
use crate::commands::report::svg::{self, HEIGHT, Hover, Plot, WIDTH, put};
use crate::commands::report::text::{figure, fixed, name, percent, plural};

pub(super) fn panels(out: &mut String, gathered: &Gathered) {
    out.push_str("<div class=\"pair\">\n");
    scores(out, gathered);
    statuses(out, gathered);
    out.push_str("</div>\n");
}

fn scores(out: &mut String, gathered: &Gathered) {
    let Gathered { plan, course, census, .. } = gathered;
    let histogram = &course.scores;
    let scored = census.has.scored;
    open(out, "scores", "Scores", &format!("{}.", plural(scored, "window was scored", "windows were scored")));
    if scored == 0 {
        out.push_str("<p class=\"nothing\">No window was scored; the table of statuses says why.</p></section>\n");
        return;
    }
    let share = |number: f64| (number - histogram.low) / (histogram.high - histogram.low);
    let has_threshold = plan.score != Score::Severity;
    let threshold = Some(share(0.0)).filter(|at| has_threshold && (0.0..=1.0).contains(at));
    let (numbers, places) = round_numbers(histogram.low, histogram.high, 6);
    let label = format!(
        "Distribution of {}: {} scored, {} of them anomalous{}",
        plan.score.describe(),
        plural(scored, "window", "windows"),
        grouped(census.anomalies),
        if threshold.is_some() { "; an alarm begins at 0" } else { "" }
    );
    out.push_str("<figure class=\"padded\"><ul class=\"legend\" aria-label=\"Signs\"><li><span class=\"swatch windows\"></span>usual to the model</li><li><span class=\"swatch anomalies\"></span>anomaly: the model's verdict</li>");
    if threshold.is_some() {
        out.push_str("<li><span class=\"swatch limit\"></span>threshold</li>");
    }
    out.push_str("</ul>");
    let most = histogram.bins.iter().map(|[normal, alarms]| normal + alarms).max().unwrap_or_default();
    let [normal, alarms] = bars(histogram, most);
    let mut paths = vec![("windows", normal), ("anomalies", alarms)];
    paths.extend(threshold.map(|at| ("limit", format!("M{:.1} 0V100", at * WIDTH))));
    let plot = Plot {
        label,
        class: "tall-plot",
        numbers: svg::decades(most),
        ticks: numbers.iter().map(|number| (fixed(*number, places), share(*number))).collect(),
        paths,
        hover: Hover { axis: None, say: "{0}: {1} windows, {2} anomalous", cells: said(histogram) },
        ..Plot::default()
    };
    plot.draw(out);
    caption(out, gathered);
}

/// Those of usual windows and, on top of them, those of alarms: an alarm's part is as large as its share of the bar.
fn bars(histogram: &Histogram, most: u64) -> [String; 2] {
    let y = |count: u64| svg::log_y(count as f64, most as f64);
    let parts: Vec<(f64, f64)> = (histogram.bins.iter())
        .map(|[normal, alarms]| {
            let top = y(normal + alarms);
            let share = *normal as f64 / (normal + alarms).max(1) as f64;
            (top, HEIGHT - (HEIGHT - top) * share)
        })
        .collect();
    let normal: Vec<(f64, f64)> = parts.iter().map(|(_, middle)| (HEIGHT, *middle)).collect();
    let alarms: Vec<(f64, f64)> = parts.iter().map(|(top, middle)| (*middle, *top)).collect();
    [svg::bars(&normal, 0.84), svg::bars(&alarms, 0.84)]
}

/// What is said of each bar.
fn said(histogram: &Histogram) -> Vec<String> {
    let bins = histogram.bins.len();
    let cell = |bin: usize| {
        let [normal, alarms] = histogram.bins[bin];
        if normal + alarms == 0 {
            return String::new();
        }
        let edges = match bin {
            0 if histogram.below > 0 => format!("up to {}", figure(histogram.edge(1))),
            last if last + 1 == bins && histogram.above > 0 => format!("{} or more", figure(histogram.edge(last))),
            bin => format!("{} to {}", figure(histogram.edge(bin)), figure(histogram.edge(bin + 1))),
        };
        format!("{edges}|{}|{alarms}", normal + alarms)
    };
    (0..bins).map(cell).collect()
}

fn caption(out: &mut String, gathered: &Gathered) {
    let Gathered { plan, course, census, .. } = gathered;
    let histogram = &course.scores;
    put(out, format_args!("<figcaption>Across: {}. Up: windows, on a logarithmic scale.", Safe(plan.score.describe())));
    if plan.score != Score::Decision {
        out.push_str(smoothing(census));
    }
    if histogram.above > 0 {
        put(
            out,
            format_args!(
                " The last bar holds {} beyond {}, up to {}.",
                grouped(histogram.above),
                figure(histogram.high),
                figure(census.sketches[crate::commands::report::census::place(plan.score)].high)
            ),
        );
    }
    out.push_str("</figcaption></figure></section>\n");
}

/// What a severity is of.
fn smoothing(census: &Census) -> &'static str {
    match census.smoothing.is_smoothed() {
        Some(false) => " Severity is each window's own: it is not smoothed.",
        Some(true) => {
            " Severity is smoothed: the mean over adjacent windows of the same model, the window itself the last of them; over three by <code>atalaia train</code>, unless it was told otherwise."
        }
        None => "",
    }
}

fn statuses(out: &mut String, gathered: &Gathered) {
    let census = &gathered.census;
    open(out, "statuses", "Status of windows", "");
    open_table(
        out,
        "statuses",
        "Windows by their status",
        &[("", "Status"), ("number", "Windows"), ("number", "Share"), ("text", "Meaning")],
    );
    let mut all: Vec<(&String, &u64)> = census.statuses.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (status, count) in all {
        put(
            out,
            format_args!(
                "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"text faint\">{}</td></tr>\n",
                Safe(&name(status)),
                grouped(*count),
                percent(*count, census.rows),
                meaning(status)
            ),
        );
    }
    close_table(out);
    out.push_str("</section>\n");
}

/// Of a status, for people.
pub(super) fn meaning(status: &str) -> &'static str {
    match status {
        "scored" => "the model judged it",
        "no_model" => "no model for this series: train one, or give its sensor or the fleet a default",
        "model_unavailable" => "the models could not be loaded when the window closed",
        "missing_feature" => "the model wants a feature that the window lacks, such as the spread of a single reading",
        "too_few" => "fewer readings than <code>score.min_readings</code>",
        "non_finite" => "a feature or the decision is not a finite number",
        _ => "a status that this version does not know",
    }
}
