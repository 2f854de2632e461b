//! Numbers, times and names as a reader of the report sees them.

use jiff::Timestamp;
use types::Micros;

use crate::commands::markup::is_unseen;
use crate::commands::output::shell_word;

/// A name longer than this keeps its beginning and its end.
const NAME_CHARS_MAX: usize = 40;
/// A word that a hostile device chose may be long; what is longer than this goes into no command line.
const WORD_CHARS_MAX: usize = 256;

/// Of bounded length.
pub(super) fn name(full: &str) -> String {
    shortened(full, NAME_CHARS_MAX)
}

/// The beginning and the end, with an ellipsis between.
pub(super) fn shortened(full: &str, most: usize) -> String {
    let length = full.chars().count();
    if length <= most {
        return full.to_owned();
    }
    let tail = most / 4;
    let head: String = full.chars().take(most - tail - 1).collect();
    let end: String = full.chars().skip(length - tail).collect();
    format!("{head}…{end}")
}

/// As a shell takes it; none for what no command line should hold.
pub(super) fn word(text: &str) -> Option<String> {
    if text.chars().count() > WORD_CHARS_MAX || text.chars().any(is_unseen) {
        return None;
    }
    Some(shell_word(text))
}

/// Four digits that count.
pub(super) fn figure(number: f64) -> String {
    let size = number.abs();
    let text = match size {
        _ if !number.is_finite() => return "–".to_owned(),
        0.0 => "0".to_owned(),
        _ if !(1e-3..1e6).contains(&size) => format!("{number:.2e}"),
        _ => {
            let places = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
            let text = format!("{number:.places$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
    };
    text.replace('-', "−")
}

pub(super) fn fixed(number: f64, places: usize) -> String {
    if number.abs() >= 1e7 {
        return figure(number);
    }
    let text = format!("{number:.places$}");
    if text.trim_start_matches('-').bytes().all(|b| matches!(b, b'0' | b'.')) {
        return text.trim_start_matches('-').to_owned();
    }
    text.replace('-', "−")
}

/// `9.3 %`; what is not nothing does not look like it.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let share = 100.0 * part as f64 / whole as f64;
    match share {
        _ if part > 0 && share < 0.01 => "< 0.01 %".to_owned(),
        _ if part > 0 && share < 1.0 => format!("{share:.2} %"),
        _ if part < whole && share > 99.9 => "99.9 %".to_owned(),
        _ => format!("{share:.1} %"),
    }
}

fn spelled(micros: Micros, format: &str) -> String {
    let known = Timestamp::from_microsecond(micros);
    known.map_or_else(|_| format!("{micros} µs"), |time| time.strftime(format).to_string())
}

/// `2026-01-06 04:05`, with seconds where there are any.
pub(super) fn moment(micros: Micros) -> String {
    let format = match () {
        () if micros.rem_euclid(60_000_000) == 0 => "%Y-%m-%d %H:%M",
        () if micros.rem_euclid(1_000_000) == 0 => "%Y-%m-%d %H:%M:%S",
        () => "%Y-%m-%d %H:%M:%S%.3f",
    };
    spelled(micros, format)
}

/// What stands at an axis with ticks this far apart: the date where a day begins.
pub(super) fn tick(micros: Micros, apart: Micros) -> String {
    const DAY: Micros = 86_400_000_000;
    match () {
        () if apart >= 365 * DAY => spelled(micros, "%Y"),
        () if apart >= 28 * DAY => spelled(micros, "%b %Y"),
        () if micros.rem_euclid(DAY) == 0 => spelled(micros, "%-d %b"),
        () if apart % 60_000_000 == 0 => spelled(micros, "%H:%M"),
        () => spelled(micros, "%H:%M:%S"),
    }
}

/// `2 d 3 h`: the two largest units.
pub(super) fn span(micros: Micros) -> String {
    let micros = micros.unsigned_abs();
    let units = [("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1000)];
    let Some(first) = units.iter().position(|(_, size)| micros >= *size) else { return format!("{micros} µs") };
    let (name, size) = units[first];
    let mut text = format!("{} {name}", micros / size);
    if let Some((name, smaller)) = units.get(first + 1).filter(|(_, smaller)| micros % size >= *smaller) {
        text.push_str(&format!(" {} {name}", micros % size / smaller));
    }
    text
}

/// `1 window`, `2 windows`.
pub(super) fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", crate::commands::output::grouped(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_honest() {
        for (number, expected) in [
            (0.0, "0"),
            (21.336_72, "21.34"),
            (1500.0, "1500"),
            (-0.012_345, "−0.01235"),
            (123_456.7, "123457"),
            (1e-9, "1.00e−9"),
            (2.5e12, "2.50e12"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(figure(number), expected);
        }
        for (part, whole, expected) in [
            (0, 0, "–"),
            (0, 5, "0.0 %"),
            (1, 1_000_000, "< 0.01 %"),
            (569, 57_534, "0.99 %"),
            (1, 3, "33.3 %"),
            (99_999, 100_000, "99.9 %"),
            (5, 5, "100.0 %"),
        ] {
            assert_eq!(percent(part, whole), expected);
        }
        assert_eq!((fixed(-0.001, 1), fixed(-1.25, 2)), ("0.0".to_owned(), "−1.25".to_owned()));
    }

    #[test]
    fn times_are_in_utc_and_as_exact_as_they_are() {
        const MINUTE: Micros = 60_000_000;
        for (micros, expected) in [
            (0, "1970-01-01 00:00"),
            (1_000_000, "1970-01-01 00:00:01"),
            (1_500_000, "1970-01-01 00:00:01.500"),
            (i64::MAX, "9223372036854775807 µs"),
        ] {
            assert_eq!(moment(micros), expected);
        }
        assert_eq!(tick(0, 60 * MINUTE), "1 Jan");
        assert_eq!(tick(90 * MINUTE, 30 * MINUTE), "01:30");
        for (micros, expected) in [
            (0, "0 µs"),
            (1_500, "1 ms"),
            (90 * MINUTE, "1 h 30 min"),
            (24 * 60 * MINUTE + 1, "1 d"),
            (-5 * MINUTE, "5 min"),
        ] {
            assert_eq!(span(micros), expected);
        }
    }

    #[test]
    fn names_are_bounded_and_words_are_quoted() {
        assert_eq!(name("pump-7"), "pump-7");
        let long = format!("a{}z", "é".repeat(2000));
        assert_eq!(name(&long).chars().count(), NAME_CHARS_MAX);
        assert!(name(&long).starts_with("aé") && name(&long).ends_with("éz"));
        for (text, expected) in [
            ("pump-7", Some("pump-7")),
            ("", Some("''")),
            ("it's $HOME", Some(r"'it'\''s $HOME'")),
            ("`rm`", Some("'`rm`'")),
            ("a\nb", None),
            ("a\u{202e}b", None),
        ] {
            assert_eq!(word(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(word(&long), None);
    }
}
