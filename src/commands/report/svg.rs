//! Paths and plots as plain functions: data in, markup out.
//!
//! A drawing is 1000 wide and 100 high and stretches with the page; lines keep their width, and whatever is written stands beside
//! it as HTML, so that letters keep their size on a phone and on paper.

use std::fmt::Write as _;

use super::bins::{Axis, round_numbers};
use super::text::{fixed, tick};
use crate::commands::markup::Safe;

pub(super) const WIDTH: f64 = 1000.0;
pub(super) const HEIGHT: f64 = 100.0;
/// Ticks of a plot that has the page's width; those of a narrow one are half as many.
pub(super) const TICKS_WIDE: usize = 12;

/// From numbers to heights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Scale {
    pub(super) fn y(&self, number: f64) -> f64 {
        let span = self.high - self.low;
        if span <= 0.0 {
            return HEIGHT / 2.0;
        }
        HEIGHT - HEIGHT * (number.clamp(self.low, self.high) - self.low) / span
    }

    /// What stands at its left: numbers and their heights.
    pub(super) fn numbers(&self, about: usize) -> Vec<(String, f64)> {
        let (numbers, places) = round_numbers(self.low, self.high, about);
        numbers.into_iter().map(|number| (fixed(number, places), self.y(number))).collect()
    }
}

/// Counts from 0 up: each decade as high as the others.
pub(super) fn log_y(count: f64, most: f64) -> f64 {
    HEIGHT - HEIGHT * count.ln_1p() / most.max(1.0).ln_1p()
}

/// `1`, `10`, `100`, … as far as they go, and their heights.
pub(super) fn decades(most: u64) -> Vec<(String, f64)> {
    let powers = (0..19).map(|power| 10_u64.pow(power)).take_while(|number| *number <= most.max(1));
    let all: Vec<u64> = powers.collect();
    // More than a few stand too close.
    let every = all.len().div_ceil(4);
    let chosen = all.into_iter().step_by(every);
    chosen.map(|number| (short(number), log_y(number as f64, most as f64))).collect()
}

/// `12k`.
pub(super) fn short(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 if number.is_multiple_of(1000) => format!("{}k", number / 1000),
        10_000..1_000_000 => format!("{:.1}k", number as f64 / 1e3),
        _ if number.is_multiple_of(1_000_000) => format!("{}M", number / 1_000_000),
        _ => format!("{:.1}M", number as f64 / 1e6),
    }
}

pub(super) fn x(bin: usize, bins: usize) -> f64 {
    WIDTH * bin as f64 / bins.max(1) as f64
}

/// Rectangles from the ground up, one a bin; those without height are left out.
pub(super) fn bars(heights: &[(f64, f64)], share: f64) -> String {
    let width = x(1, heights.len());
    let mut path = String::new();
    for (bin, (from, to)) in heights.iter().enumerate().filter(|(_, (from, to))| from > to) {
        let left = x(bin, heights.len()) + width * (1.0 - share) / 2.0;
        put(&mut path, format_args!("M{left:.1} {from:.1}h{:.2}V{to:.1}h-{:.2}z", width * share, width * share));
    }
    path
}

/// A line through the middles of bins, broken where there is nothing; what stands alone is a dash.
pub(super) fn line(ys: &[Option<f64>]) -> String {
    let mut path = String::new();
    for run in runs(ys) {
        if let [(bin, y)] = run.as_slice() {
            put(&mut path, format_args!("M{:.1} {y:.1}H{:.1}", x(*bin, ys.len()), x(bin + 1, ys.len())));
            continue;
        }
        for (place, (bin, y)) in run.into_iter().enumerate() {
            let command = if place == 0 { 'M' } else { 'L' };
            put(&mut path, format_args!("{command}{:.1} {y:.1}", middle(bin, ys.len())));
        }
    }
    path
}

/// The area between a lower and an upper line.
pub(super) fn band(ranges: &[Option<(f64, f64)>]) -> String {
    let mut path = String::new();
    for run in runs(ranges) {
        if let [(bin, (low, high))] = run.as_slice() {
            let (from, to) = (x(*bin, ranges.len()), x(bin + 1, ranges.len()));
            put(&mut path, format_args!("M{from:.1} {low:.1}H{to:.1}V{high:.1}H{from:.1}z"));
            continue;
        }
        let up = run.iter().map(|(bin, (low, _))| (*bin, *low));
        let back = run.iter().rev().map(|(bin, (_, high))| (*bin, *high));
        for (place, (bin, y)) in up.chain(back).enumerate() {
            let command = if place == 0 { 'M' } else { 'L' };
            put(&mut path, format_args!("{command}{:.1} {y:.1}", middle(bin, ranges.len())));
        }
        path.push('z');
    }
    path
}

/// Points that stay round however the drawing is stretched: lines without length and with round ends.
pub(super) fn dots(ys: &[Option<f64>]) -> String {
    let mut path = String::new();
    for (bin, y) in ys.iter().enumerate().filter_map(|(bin, y)| Some((bin, (*y)?))) {
        put(&mut path, format_args!("M{:.1} {y:.1}h.01", middle(bin, ys.len())));
    }
    path
}

fn middle(bin: usize, bins: usize) -> f64 {
    x(bin, bins) + x(1, bins) / 2.0
}

fn runs<T: Copy>(values: &[Option<T>]) -> Vec<Vec<(usize, T)>> {
    let places: Vec<(usize, Option<T>)> = values.iter().copied().enumerate().collect();
    let runs = places.chunk_by(|a, b| a.1.is_some() == b.1.is_some());
    let runs = runs.map(|run| run.iter().filter_map(|(place, value)| Some((*place, (*value)?))).collect::<Vec<_>>());
    runs.filter(|run| !run.is_empty()).collect()
}

/// What the pointer tells of a bin: a sentence with places for the fields of its cell.
#[derive(Debug, Default)]
pub(super) struct Hover {
    pub(super) axis: Option<Axis>,
    pub(super) say: &'static str,
    /// Fields joined by `|`; empty: nothing to tell.
    pub(super) cells: Vec<String>,
}

/// A drawing between what stands at its left and below it.
#[derive(Debug, Default)]
pub(super) struct Plot<'a> {
    /// For those who hear it.
    pub(super) label: String,
    pub(super) class: &'a str,
    pub(super) numbers: Vec<(String, f64)>,
    pub(super) ticks: Vec<(String, f64)>,
    /// From where to where labelled stretches are, in shares.
    pub(super) shades: Vec<(f64, f64)>,
    /// Class and path.
    pub(super) paths: Vec<(&'a str, String)>,
    pub(super) hover: Hover,
}

impl Plot<'_> {
    pub(super) fn draw(&self, out: &mut String) {
        put(out, format_args!("<div class=\"plot {}\"><div class=\"scale\" aria-hidden=\"true\">", self.class));
        for (number, y) in &self.numbers {
            put(out, format_args!("<span style=\"top:{:.1}%\">{}</span>", y * 100.0 / HEIGHT, Safe(number)));
        }
        out.push_str("</div><div class=\"field\">");
        for (from, to) in &self.shades {
            put(out, format_args!("<i style=\"left:{:.2}%;width:{:.2}%\"></i>", 100.0 * from, 100.0 * (to - from)));
        }
        put(
            out,
            format_args!(
                "<svg viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\"",
                Safe(&self.label)
            ),
        );
        self.hover.attributes(out);
        out.push('>');
        let grid: String = self.numbers.iter().map(|(_, y)| format!("M0 {y:.1}H1000")).collect();
        for (class, path) in [("grid", &grid)].into_iter().chain(self.paths.iter().map(|(class, path)| (*class, path)))
        {
            if !path.is_empty() {
                put(out, format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
            }
        }
        out.push_str("</svg></div>");
        if !self.ticks.is_empty() {
            ticks(out, &self.ticks);
        }
        out.push_str("</div>\n");
    }
}

impl Hover {
    pub(super) fn attributes(&self, out: &mut String) {
        if self.cells.iter().all(String::is_empty) {
            return;
        }
        if let Some(axis) = self.axis {
            put(out, format_args!(" data-begin=\"{}\" data-step=\"{}\"", axis.begin / 1000, axis.step as f64 / 1e3));
        }
        put(out, format_args!(" data-say=\"{}\" data-cells=\"{}\"", Safe(self.say), Safe(&self.cells.join(";"))));
    }
}

/// Texts below a drawing; the outermost stay inside.
pub(super) fn ticks(out: &mut String, ticks: &[(String, f64)]) {
    out.push_str("<div class=\"ticks\" aria-hidden=\"true\">");
    for (text, at) in ticks {
        let edge = match at {
            _ if *at < 0.02 => " class=\"first\"",
            _ if *at > 0.98 => " class=\"last\"",
            _ => "",
        };
        put(out, format_args!("<span{edge} style=\"left:{:.2}%\">{}</span>", 100.0 * at, Safe(text)));
    }
    out.push_str("</div>");
}

pub(super) fn time_ticks(axis: &Axis, about: usize) -> Vec<(String, f64)> {
    let times = axis.ticks(about);
    let apart = times.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(axis.step);
    times.into_iter().map(|time| (tick(time, apart), axis.share(time))).collect()
}

/// Writing to a text cannot fail.
pub(super) fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_where_nothing_is() {
        let ys = [Some(0.0), Some(50.0), None, Some(100.0), None];
        assert_eq!(line(&ys), "M100.0 0.0L300.0 50.0M600.0 100.0H800.0");
        assert_eq!(dots(&ys), "M100.0 0.0h.01M300.0 50.0h.01M700.0 100.0h.01");
        assert_eq!(line(&[None, None]), "");
        let ranges = [Some((90.0, 10.0)), Some((80.0, 20.0)), None, Some((60.0, 40.0))];
        assert_eq!(band(&ranges), "M125.0 90.0L375.0 80.0L375.0 20.0L125.0 10.0zM750.0 60.0H1000.0V40.0H750.0z");
        assert_eq!(bars(&[(100.0, 50.0), (100.0, 100.0)], 1.0), "M0.0 100.0h500.00V50.0h-500.00z");
    }

    #[test]
    fn decades_fit_the_largest_count() {
        let texts = |most| decades(most).into_iter().map(|(text, _)| text).collect::<Vec<_>>();
        assert_eq!(texts(0), ["1"]);
        assert_eq!(texts(1234), ["1", "10", "100", "1000"]);
        assert_eq!(texts(20_000_000), ["1", "100", "10k", "1M"]);
        assert!(decades(1000).iter().all(|(_, y)| (0.0..HEIGHT).contains(y)));
    }

    #[test]
    fn what_a_plot_is_told_cannot_leave_it() {
        let hover = Hover { axis: None, say: "{0}", cells: vec!["\"><script>".into()] };
        let plot = Plot { label: "a\"b<c>".into(), numbers: vec![("<1>".into(), 0.0)], hover, ..Plot::default() };
        let mut out = String::new();
        plot.draw(&mut out);
        assert!(out.contains("aria-label=\"a&quot;b&lt;c&gt;\"") && out.contains("&lt;1&gt;"), "{out}");
        assert!(!out.contains("<script>"), "{out}");
    }
}
