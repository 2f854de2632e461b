//! How figures and times are said on a screen, in the voice of the status page.

use ratatui::text::Span;
use types::Micros;

use crate::commands::grouped;
use crate::wall;

pub(crate) const NONE: &str = "–";

/// Three digits and a unit: `7`, `12.3 k`, `1.20 M`.
pub(crate) fn short(number: f64) -> String {
    let (number, unit) = match number {
        n if n < 9_999.5 => return format!("{n:.0}"),
        n if n < 999_500.0 => (n / 1e3, "k"),
        n if n < 999_500_000.0 => (n / 1e6, "M"),
        n => (n / 1e9, "G"),
    };
    let decimals = match number {
        n if n < 9.995 => 2,
        n if n < 99.95 => 1,
        _ => 0,
    };
    format!("{number:.decimals$} {unit}")
}

/// A measure of a sensor: enough digits to tell it from another, and not more.
pub(crate) fn measure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-3..1e6).contains(&size) => format!("{value:.1e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A span of time in its largest unit: `0.4 s`, `12 s`, `3 min`, `5 h`, `2 d`.
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.05 => "0 s".into(),
        s if s < 0.95 => format!("{s:.1} s"),
        s if s < 119.5 => format!("{s:.0} s"),
        s if s < 7170.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// As a stopwatch shows it: `0:07`, `1:02:03`.
pub(crate) fn stopwatch(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// `2026-02-01 06:00`, in UTC as all times of the service.
pub(crate) fn minute(time: Micros) -> String {
    moment(time).chars().take(16).collect()
}

/// `2026-02-01 06:00:00`.
pub(crate) fn moment(time: Micros) -> String {
    wall::text(time).replace('T', " ").chars().take(19).filter(|letter| *letter != 'Z').collect()
}

/// `1 device`, `40 devices`.
pub(crate) fn plural(number: u64, one: &str) -> String {
    let many = if number == 1 { "" } else { "s" };
    format!("{} {one}{many}", grouped(number))
}

/// A text of others as one that moves no cursor and turns no direction.
pub(crate) fn harmless(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}

/// Cut to so many columns, with an ellipsis where something was cut.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    for letter in text.chars() {
        let mut longer = cut.clone();
        longer.push(letter);
        if columns(&longer) + 1 > width {
            break;
        }
        cut = longer;
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// At spaces, where there are some; what has no room is cut.
pub(crate) fn wrap(text: &str, width: usize, lines_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let is_last = lines.len() >= lines_max;
        let Some(line) = lines.last_mut() else {
            lines.push(fit(word, width));
            continue;
        };
        let joined = format!("{line} {word}");
        if columns(&joined) <= width {
            *line = joined;
        } else if is_last {
            *line = fit(&joined, width);
            break;
        } else {
            lines.push(fit(word, width));
        }
    }
    lines.truncate(lines_max);
    lines
}

/// How many columns a text takes.
pub(crate) fn columns(text: &str) -> usize {
    Span::raw(text).width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        let cases = [
            (0.0, "0"),
            (9_999.0, "9999"),
            (10_000.0, "10.0 k"),
            (123_456.0, "123 k"),
            (999_600.0, "1.00 M"),
            (1_234_567.0, "1.23 M"),
            (45_000_000.0, "45.0 M"),
            (2.5e9, "2.50 G"),
        ];
        for (number, text) in cases {
            assert_eq!(short(number), text);
        }
        for (value, text) in [(0.0, "0"), (-0.5, "-0.50"), (21.04, "21.0"), (1013.2, "1013"), (1.5e7, "1.5e7")] {
            assert_eq!(measure(value), text);
        }
    }

    #[test]
    fn times_are_said_in_their_largest_unit() {
        let cases =
            [(0.0, "0 s"), (0.42, "0.4 s"), (12.3, "12 s"), (150.0, "2 min"), (7200.0, "2 h"), (200_000.0, "2 d")];
        for (span, text) in cases {
            assert_eq!(seconds(span), text);
        }
        for (span, text) in [(-1.0, "0:00"), (7.4, "0:07"), (3723.0, "1:02:03")] {
            assert_eq!(stopwatch(span), text);
        }
        assert_eq!(minute(1_769_925_600_000_000), "2026-02-01 06:00");
        assert_eq!(moment(1_769_925_600_000_000), "2026-02-01 06:00:00");
        assert_eq!(moment(1_769_925_600_500_000), "2026-02-01 06:00:00");
    }

    #[test]
    fn a_text_takes_no_more_columns_than_it_may() {
        let cases = [
            ("device", 6, "device"),
            ("device", 5, "devi…"),
            ("装置装置", 5, "装置…"),
            ("装置", 3, "装…"),
            ("a", 0, ""),
        ];
        for (text, width, cut) in cases {
            assert_eq!(fit(text, width), cut, "{text} in {width}");
        }
        assert_eq!(harmless("a\x1b[2Jb\u{202e}c\n"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
    }
}
