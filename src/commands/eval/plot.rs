//! Pictures of an evaluation, drawn as SVG: what was labelled, what the score was, where alarms were, and how precision gives
//! way to recall. One file without references to others.

mod svg;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::bail;
use types::Micros;

use super::Shown;
use super::measure::{Figures, Judged, Ranked, Track};
use super::report::Beside;
use crate::commands::markup::Safe;
use crate::wall;
use svg::Canvas;

const WIDTH: f64 = 960.0;
const PANEL: f64 = 170.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 16.0;
const CURVE: f64 = 380.0;
/// More would make a page that no browser scrolls.
const PANELS_MAX: usize = 40;
const COLUMNS: usize = (WIDTH - LEFT - RIGHT) as usize;

pub(super) fn write(file: &Path, shown: &Shown) -> anyhow::Result<()> {
    let content = match file.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => picture(shown),
        Some("html" | "htm") => page(shown),
        _ => bail!("a plot is a page or a picture: let its name end with `.html` or `.svg`"),
    };
    Ok(std::fs::write(file, content)?)
}

fn page(shown: &Shown) -> String {
    let beside = Beside::of(&shown.tracks);
    let mut rows = String::new();
    for (name, cells) in beside.table() {
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", Safe(cell))).collect();
        // Writing to a text cannot fail.
        let _ = write!(rows, "<tr><th>{}</th>{cells}</tr>", Safe(name));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Evaluation</title>\
         <style>body{{font:14px sans-serif;margin:2em;max-width:1000px}}table{{border-collapse:collapse}}\
         th{{text-align:left;font-weight:normal}}td{{text-align:right}}td,th{{padding:.15em 1em .15em 0}}</style></head><body>\
         <h1>Evaluation</h1><p>{}</p><p>{}</p>\
         <table><tr><th></th><td>predictions</td><td>always alarm</td><td>never alarm</td></tr>{rows}</table>\n{}\n</body></html>\n",
        Safe(&shown.summary(&beside.own)),
        Safe(&shown.method()),
        picture(shown)
    )
}

fn picture(shown: &Shown) -> String {
    let tracks = &shown.tracks[..shown.tracks.len().min(PANELS_MAX)];
    let left_out = shown.tracks.len() - tracks.len();
    let mut canvas = Canvas::new(WIDTH, tracks.len() as f64 * PANEL + CURVE + 40.0);
    legend(&mut canvas, left_out);
    let score = shown.rules.judge.score.describe();
    for (index, track) in tracks.iter().enumerate() {
        over_time(&mut canvas, track, 30.0 + index as f64 * PANEL, score);
    }
    curve(&mut canvas, &shown.tracks, 30.0 + tracks.len() as f64 * PANEL);
    canvas.finish()
}

fn legend(canvas: &mut Canvas, left_out: usize) {
    canvas.rect(LEFT, 8.0, 12.0, 12.0, "label");
    canvas.text(LEFT + 17.0, 18.0, "labelled as anomalous", "left");
    canvas.rect(LEFT + 180.0, 12.0, 12.0, 5.0, "alarm");
    canvas.text(LEFT + 197.0, 18.0, "alarm", "left");
    if left_out > 0 {
        canvas.text(WIDTH - RIGHT, 18.0, &format!("{left_out} more are not shown"), "right");
    }
}

/// From numbers to places.
struct Axis {
    low: f64,
    high: f64,
    begin: f64,
    end: f64,
}

impl Axis {
    fn at(&self, number: f64) -> f64 {
        let share = (number.clamp(self.low, self.high) - self.low) / (self.high - self.low);
        self.begin + share * (self.end - self.begin)
    }
}

/// Score over time, on what was labelled; alarms as a strip below.
fn over_time(canvas: &mut Canvas, track: &Track, top: f64, score: &str) {
    let (head, foot) = (top + 18.0, top + PANEL - 34.0);
    canvas.text(LEFT, top + 12.0, &track.name, "left");
    canvas.text(WIDTH - RIGHT, top + 12.0, score, "right");
    canvas.frame(LEFT, head, WIDTH - LEFT - RIGHT, foot - head);
    let (Some(first), Some(last)) = (track.judged.first(), track.judged.last()) else { return };
    let end = last.end.max(first.start + 1);
    let time = Axis { low: first.start as f64, high: end as f64, begin: LEFT, end: WIDTH - RIGHT };
    let at = |micros: Micros| time.at(micros as f64);
    for &(from, to) in track.intervals.iter().filter(|&&(from, to)| to >= first.start && from <= end) {
        canvas.rect(at(from), head, (at(to) - at(from)).max(1.0), foot - head, "label");
    }
    for run in track.judged.chunk_by(|a, b| a.alarm == b.alarm).filter(|run| run[0].alarm) {
        let (from, to) = (at(run[0].start), at(run[run.len() - 1].end));
        canvas.rect(from, foot + 3.0, (to - from).max(1.0), 5.0, "alarm");
    }
    if let Some((low, high)) = range(&track.judged) {
        let value = Axis { low, high, begin: foot - 2.0, end: head + 2.0 };
        for (number, place) in [(high, value.at(high) + 8.0), (low, value.at(low))] {
            canvas.text(LEFT - 5.0, place, &short(number), "right");
        }
        if low < 0.0 && high > 0.0 {
            canvas.line(LEFT, value.at(0.0), WIDTH - RIGHT, value.at(0.0), "zero");
        }
        canvas.polyline(&thinned(&track.judged, &time, &value), "score");
    }
    canvas.text(LEFT, foot + 22.0, &wall::text(first.start), "left");
    canvas.text(WIDTH - RIGHT, foot + 22.0, &wall::text(last.end), "right");
}

/// Nearly all scores: a few extremes would press all others flat.
fn range(judged: &[Judged]) -> Option<(f64, f64)> {
    let mut scores: Vec<f64> = judged.iter().filter_map(|judged| judged.score).filter(|s| s.is_finite()).collect();
    scores.sort_unstable_by(f64::total_cmp);
    let last = scores.len().checked_sub(1)?;
    let (low, high) = (scores[last / 200], scores[last - last / 200]);
    let margin = if low < high { 0.02 * (high - low) } else { 1.0_f64.max(low.abs() / 100.0) };
    Some((low - margin, high + margin))
}

/// The least and the largest score of each column of the picture, in their order.
fn thinned(judged: &[Judged], time: &Axis, value: &Axis) -> Vec<(f64, f64)> {
    let column = |judged: &Judged| (time.at(judged.end as f64) - LEFT) as usize;
    let scored: Vec<&Judged> = judged.iter().filter(|judged| judged.score.is_some()).collect();
    let place = |judged: &Judged| (time.at(judged.end as f64), value.at(judged.score.unwrap_or_default()));
    if scored.len() <= 2 * COLUMNS {
        return scored.into_iter().map(place).collect();
    }
    let by_score = |a: &&&Judged, b: &&&Judged| a.score.unwrap_or_default().total_cmp(&b.score.unwrap_or_default());
    let mut points = Vec::new();
    for part in scored.chunk_by(|a, b| column(a) == column(b)) {
        if let (Some(least), Some(most)) = (part.iter().min_by(by_score), part.iter().max_by(by_score)) {
            let pair = if least.end <= most.end { [least, most] } else { [most, least] };
            points.extend(pair.map(|judged| place(judged)));
        }
    }
    points
}

/// Precision over recall for every threshold on the score, and where the verdicts are.
fn curve(canvas: &mut Canvas, tracks: &[Track], top: f64) {
    let (head, foot) = (top + 18.0, top + CURVE - 40.0);
    let side = foot - head;
    canvas.text(LEFT, top + 12.0, "precision over recall, all together", "left");
    canvas.frame(LEFT, head, side, side);
    let recall = Axis { low: 0.0, high: 1.0, begin: LEFT, end: LEFT + side };
    let precision = Axis { low: 0.0, high: 1.0, begin: foot, end: head };
    let points = Ranked::of(tracks).curve();
    // Steps that no eye can tell apart are left out.
    let mut places: Vec<(f64, f64)> = Vec::new();
    for point in &points {
        let place = (recall.at(point.recall), precision.at(point.precision));
        let is_near = |last: &(f64, f64)| (last.0 - place.0).abs() < 0.25 && (last.1 - place.1).abs() < 0.25;
        if !places.last().is_some_and(is_near) {
            places.push(place);
        }
    }
    places.extend(points.last().map(|last| (recall.at(last.recall), precision.at(last.precision))));
    canvas.polyline(&places, "score");
    let counts = Figures::of(tracks).counts;
    if let (Some(p), Some(r)) = (counts.precision(), counts.recall()) {
        canvas.dot(recall.at(r), precision.at(p), "alarm");
        canvas.text(LEFT + side + 20.0, head + 12.0, &format!("the verdicts: precision {p:.3}, recall {r:.3}"), "left");
    }
    for (name, x) in [("0", LEFT), ("recall", LEFT + side / 2.0), ("1", LEFT + side)] {
        canvas.text(x, foot + 16.0, name, "middle");
    }
    for (name, y) in [("0", foot), ("precision", head + side / 2.0), ("1", head + 8.0)] {
        canvas.text(LEFT - 5.0, y, name, "right");
    }
}

fn short(number: f64) -> String {
    match number.abs() {
        size if size == 0.0 || (0.01..100_000.0).contains(&size) => format!("{number:.2}"),
        _ => format!("{number:.1e}"),
    }
}

#[cfg(test)]
mod tests;
