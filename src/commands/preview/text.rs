//! A preview for people, within 80 columns: a line for each reading as it comes, then the windows, then what it all adds up to.
//! Colours repeat what words say. Here is how figures, times and names are said; what is said of what is in the files below.

mod records;
mod summary;
mod windows;

use types::Micros;

use crate::commands::output::escaped;
use crate::paint::Paint;
use crate::terminal::words::{columns, fit, moment};
use crate::wall;

const WIDTH: usize = 80;
/// What stands below a line and belongs to it.
const INDENT: usize = 6;
/// Lines of one explanation.
const LINES_MAX: usize = 4;
const DAY: Micros = 86_400_000_000;
const SECOND: Micros = 1_000_000;

pub(super) struct Text {
    paint: Paint,
    /// Of the windows.
    width: Micros,
    columns: Columns,
    has_head: bool,
}

/// As wide as what was shown so far.
#[derive(Default)]
struct Columns {
    place: usize,
    time: usize,
    series: usize,
    value: usize,
}

impl Text {
    pub(super) fn new(paint: Paint, window_width: Micros) -> Text {
        let columns = Columns { place: 5, time: 4, series: 15, value: 5 };
        Text { paint, width: window_width, columns, has_head: false }
    }
}

/// `2026-02-01 06:00:00`, with as much of a fraction as there is.
fn time(time: Micros) -> String {
    let fraction = time.rem_euclid(SECOND);
    let seconds = moment(time - fraction);
    match fraction {
        0 => seconds,
        _ if fraction % 1000 == 0 => format!("{seconds}.{:03}", fraction / 1000),
        _ => format!("{seconds}.{fraction:06}"),
    }
}

/// As it was read; figures that nobody reads to their end are cut.
fn value(value: f64) -> String {
    let text = value.to_string();
    match value.abs() {
        _ if text.len() <= 12 => text,
        size if (1e-3..1e6).contains(&size) => format!("{value:.5}").trim_end_matches('0').to_owned(),
        _ => format!("{value:.4e}"),
    }
}

fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if (1e-3..1e6).contains(&size) => format!("{value:.4}"),
        _ => format!("{value:.3e}"),
    }
}

fn series(device: &str, sensor: Option<&str>) -> String {
    sensor.map_or_else(|| escaped(device), |sensor| format!("{} / {}", escaped(device), escaped(sensor)))
}

fn padded(text: &str, width: usize) -> String {
    let text = fit(text, width);
    let blank = width.saturating_sub(columns(&text));
    format!("{text}{:blank$}", "")
}

/// Where a window starts, as briefly as can be beside a reading of its.
fn window_name(start: Micros, width: Micros, near: Micros) -> String {
    let full = full_window_name(start, width);
    let same_date = start.div_euclid(DAY) == near.div_euclid(DAY);
    match full.split_once(' ').filter(|_| same_date) {
        Some((_, of_day)) => of_day.to_owned(),
        None => full,
    }
}

/// `01-05 06:00`; of whole days `2026-01-05`.
fn full_window_name(start: Micros, width: Micros) -> String {
    let text = wall::text(start);
    let (Some(date), Some(of_day)) = (text.get(..10), text.get(11..19)) else { return text };
    let is_whole = |unit: Micros| width % unit == 0 && start.rem_euclid(unit) == 0;
    match () {
        () if is_whole(DAY) => date.to_owned(),
        () if is_whole(60 * SECOND) => format!("{} {}", &date[5..], &of_day[..5]),
        () => format!("{} {of_day}", &date[5..]),
    }
}
