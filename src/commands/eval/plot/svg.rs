//! As much of SVG as a plot needs: rectangles, lines, dots and texts, with a style sheet inside.

use std::fmt::Write as _;

use crate::commands::markup::Safe;

const STYLE: &str = "text{font:11px sans-serif;fill:#333}.right{text-anchor:end}.middle{text-anchor:middle}\
.label{fill:#f6c9c0}.alarm{fill:#c0392b}.frame{fill:none;stroke:#bbb}.zero{stroke:#999;stroke-dasharray:4 3}\
.score{fill:none;stroke:#1f5a99;stroke-width:1}";

/// A picture under construction.
pub(super) struct Canvas {
    body: String,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Canvas {
        let body = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\
             <style>{STYLE}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        );
        Canvas { body }
    }

    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str) {
        self.element(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        ));
    }

    pub(super) fn frame(&mut self, x: f64, y: f64, width: f64, height: f64) {
        self.rect(x, y, width, height, "frame");
    }

    pub(super) fn line(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, class: &str) {
        self.element(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    pub(super) fn polyline(&mut self, points: &[(f64, f64)], class: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.element(format_args!("<polyline class=\"{class}\" points=\"{}\"/>", points.join(" ")));
    }

    pub(super) fn dot(&mut self, x: f64, y: f64, class: &str) {
        self.element(format_args!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"));
    }

    pub(super) fn text(&mut self, x: f64, y: f64, text: &str, class: &str) {
        self.element(format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", Safe(text)));
    }

    pub(super) fn finish(mut self) -> String {
        self.body.push_str("</svg>\n");
        self.body
    }

    fn element(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.body, "{element}");
    }
}
