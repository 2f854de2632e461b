//! Event times: RFC 3339 text and its common relatives, and epoch numbers, to microseconds.
//!
//! Epoch numbers are read as decimal text, never through floating point, so that `1535497205.123456` keeps its last digit.

use std::fmt;

use types::Micros;

use super::TimeUnit;
use super::number::{self, Decimal};

const SECOND: Micros = 1_000_000;
const DAY: Micros = 86_400 * SECOND;
/// 0001-01-01T00:00:00Z and the last microsecond of the year 9999.
const FIRST: Micros = -719_162 * DAY;
const LAST: Micros = 2_932_897 * DAY - 1;

/// Days before each month of a common year.
const DAYS_BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
const DAYS_IN: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Why a text or a number is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Form,
    Date,
    TimeOfDay,
    Offset,
    Range,
    FewDigits,
    /// Not as `time_format` has it.
    Pattern,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Form => "neither RFC 3339 nor an epoch number",
            Fault::Date => "no such date",
            Fault::TimeOfDay => "no such time of day",
            Fault::Offset => "no such offset from UTC",
            Fault::Range => "outside the years 1 to 9999",
            Fault::FewDigits => "too few digits for an epoch of unknown unit",
            Fault::Pattern => "not written as `time_format` says",
        })
    }
}

/// A time as text: a calendar time, or an epoch number.
pub(super) fn of_text(text: &str, unit: TimeUnit) -> Result<Micros, Fault> {
    match calendar(text.as_bytes()) {
        Err(Fault::Form) => {}
        other => return other,
    }
    let text = text.trim_matches([' ', '\t']);
    match number::decimal(text.as_bytes()) {
        Some(decimal) if unit == TimeUnit::Auto && decimal.integer_digits < 9 => Err(Fault::FewDigits),
        Some(decimal) => epoch(decimal, unit),
        None => calendar(text.as_bytes()),
    }
}

/// A time as a JSON number, whose text this is.
pub(super) fn of_number(text: &str, unit: TimeUnit) -> Result<Micros, Fault> {
    // Nearly all are plain milliseconds or seconds, which need no arithmetic of many digits.
    let plain = text.len() < 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain && let Ok(number) = text.parse::<Micros>() {
        match unit {
            TimeUnit::S | TimeUnit::Auto if number < 100_000_000_000 => return Ok(number * SECOND),
            TimeUnit::Ms | TimeUnit::Auto if number < 100_000_000_000_000 => return Ok(number * 1000),
            _ => {}
        }
    }
    epoch(number::decimal(text.as_bytes()).ok_or(Fault::Form)?, unit)
}

fn epoch(decimal: Decimal, unit: TimeUnit) -> Result<Micros, Fault> {
    let power = match unit {
        TimeUnit::S => 6,
        TimeUnit::Ms => 3,
        TimeUnit::Us => 0,
        TimeUnit::Ns => -3,
        TimeUnit::Auto => match decimal.scaled(0) {
            Some(number) if number.unsigned_abs() < 100_000_000_000 => 6,
            Some(number) if number.unsigned_abs() < 100_000_000_000_000 => 3,
            Some(number) if number.unsigned_abs() < 100_000_000_000_000_000 => 0,
            _ => -3,
        },
    };
    decimal
        .scaled(power)
        .and_then(|micros| Micros::try_from(micros).ok())
        .filter(|micros| (FIRST..=LAST).contains(micros))
        .ok_or(Fault::Range)
}

/// `2018-08-28T23:00:05[.fraction][zone]`.
#[inline]
fn calendar(text: &[u8]) -> Result<Micros, Fault> {
    let (head, tail) = text.split_first_chunk::<19>().ok_or(Fault::Form)?;
    let digit = |at: usize| u32::from(head[at].wrapping_sub(b'0'));
    let mut wrong = 0;
    let mut two = |at: usize| {
        let (tens, ones) = (digit(at), digit(at + 1));
        wrong |= u32::from(tens > 9) | u32::from(ones > 9);
        tens * 10 + ones
    };
    let (century, year, month, day) = (two(0), two(2), two(5), two(8));
    let (hour, minute, second) = (two(11), two(14), two(17));
    let marks = head[4] == b'-' && head[7] == b'-' && head[13] == b':' && head[16] == b':';
    if wrong != 0 || !marks || !matches!(head[10], b'T' | b't' | b' ') {
        return Err(Fault::Form);
    }
    let (fraction, zone) = fraction(tail, |mark| mark == b'.')?;
    let offset = offset(zone)?;
    Parts { year: century * 100 + year, month, day, hour, minute, second, fraction, offset }.micros()
}

/// A calendar time in numbers, whatever they were read from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Parts {
    pub(super) year: u32,
    pub(super) month: u32,
    pub(super) day: u32,
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
    /// In microseconds.
    pub(super) fraction: u32,
    /// Seconds east of UTC.
    pub(super) offset: Micros,
}

impl Parts {
    // The hot path: as a call it costs a twentieth of a record.
    #[inline(always)]
    pub(super) fn micros(self) -> Result<Micros, Fault> {
        let Parts { year, month, day, hour, minute, second, fraction, offset } = self;
        let days = days(year, month, day).ok_or(Fault::Date)?;
        if hour > 23 || minute > 59 || second > 60 {
            return Err(Fault::TimeOfDay);
        }
        let seconds = Micros::from(hour * 3600 + minute * 60 + second);
        let whole = days * DAY + (seconds - offset) * SECOND;
        if second == 60 && !after_leap_second(whole / DAY, whole % DAY, year) {
            return Err(Fault::TimeOfDay);
        }
        let micros = whole + Micros::from(fraction);
        if (FIRST..=LAST).contains(&micros) { Ok(micros) } else { Err(Fault::Range) }
    }
}

/// Leap seconds come at the end of June and of December in UTC, and nowhere else.
fn after_leap_second(day: Micros, rest: Micros, year: u32) -> bool {
    rest == 0 && [(year, 1), (year, 7), (year + 1, 1)].iter().any(|&(year, month)| days(year, month, 1) == Some(day))
}

/// Days from 1970-01-01; none if there is no such date.
fn days(year: u32, month: u32, day: u32) -> Option<Micros> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = DAYS_IN.get(index)? + u32::from(leap && month == 2);
    if year == 0 || day == 0 || day > length {
        return None;
    }
    let before = year - 1;
    let whole_years = before * 365 + before / 4 - before / 100 + before / 400;
    let in_year = DAYS_BEFORE[index] + u32::from(leap && month > 2) + day - 1;
    Some(Micros::from(whole_years + in_year) - 719_162)
}

/// Microseconds of a fraction after one of these marks, if there is one, and what follows it.
#[inline]
pub(super) fn fraction(tail: &[u8], is_mark: impl Fn(u8) -> bool) -> Result<(u32, &[u8]), Fault> {
    let Some((_, digits)) = tail.split_first().filter(|(mark, _)| is_mark(**mark)) else { return Ok((0, tail)) };
    let (mut micros, mut unit, mut length) = (0, 100_000, 0);
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        micros += u32::from(digit) * unit;
        unit /= 10;
        length += 1;
    }
    if length == 0 {
        return Err(Fault::Form);
    }
    Ok((micros, &digits[length..]))
}

/// Seconds east of UTC.
#[inline]
pub(super) fn offset(zone: &[u8]) -> Result<Micros, Fault> {
    let (sign, hours, minutes) = match *zone {
        [] | [b'Z' | b'z'] => return Ok(0),
        [sign @ (b'+' | b'-'), a, b, b':', c, d] | [sign @ (b'+' | b'-'), a, b, c, d] => (sign, [a, b], [c, d]),
        [sign @ (b'+' | b'-'), a, b] => (sign, [a, b], [b'0', b'0']),
        _ => return Err(Fault::Form),
    };
    let number = |[tens, ones]: [u8; 2]| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| Micros::from((tens - b'0') * 10 + ones - b'0'))
    };
    let (hours, minutes) = number(hours).zip(number(minutes)).ok_or(Fault::Form)?;
    if hours > 23 || minutes > 59 {
        return Err(Fault::Offset);
    }
    let seconds = hours * 3600 + minutes * 60;
    Ok(if sign == b'-' { -seconds } else { seconds })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T: Micros = 1_535_497_205_000_000;

    #[test]
    fn calendar_times() {
        for (text, micros) in [
            ("2018-08-28T23:00:05Z", T),
            ("2018-08-28 23:00:05", T),
            ("2018-08-28t23:00:05z", T),
            (" 2018-08-28T23:00:05Z\t", T),
            ("2018-08-29T01:00:05+02:00", T),
            ("2018-08-29T01:00:05+0200", T),
            ("2018-08-29T01:00:05+02", T),
            ("2018-08-28T15:30:05.25-07:30", T + 250_000),
            ("2018-08-28T23:00:05.1234567891Z", T + 123_456),
            ("1969-12-31T23:59:59.5Z", -500_000),
            ("0001-01-01T00:00:00Z", FIRST),
            ("9999-12-31T23:59:59.9999999Z", LAST),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
            ("2017-01-01T00:59:60+01:00", 1_483_228_800_000_000),
        ] {
            assert_eq!(of_text(text, TimeUnit::Auto), Ok(micros), "{text}");
        }
        for (text, fault) in [
            ("2018-13-01T00:00:00Z", Fault::Date),
            ("2018-00-01T00:00:00Z", Fault::Date),
            ("2019-02-29T00:00:00Z", Fault::Date),
            ("1900-02-29T00:00:00Z", Fault::Date),
            ("0000-01-01T00:00:00Z", Fault::Date),
            ("2018-08-28T24:00:00Z", Fault::TimeOfDay),
            ("2018-08-28T23:00:60Z", Fault::TimeOfDay),
            ("2018-08-28T23:59:60Z", Fault::TimeOfDay),
            ("2016-12-31T23:59:61Z", Fault::TimeOfDay),
            ("2018-08-28T23:00:05.Z", Fault::Form),
            ("2018-08-28T23:00:05Zzz", Fault::Form),
            ("2018-08-28T23:00:05+99:00", Fault::Offset),
            ("2018-08-28T23:00:05+01:60", Fault::Offset),
            ("0001-01-01T00:00:00+00:01", Fault::Range),
            ("2018-08-28", Fault::Form),
            ("", Fault::Form),
            ("2018", Fault::FewDigits),
            ("NaN", Fault::Form),
        ] {
            assert_eq!(of_text(text, TimeUnit::Auto), Err(fault), "{text}");
        }
    }

    #[test]
    fn epochs() {
        for (text, unit, micros) in [
            ("1535497205", TimeUnit::Auto, T),
            ("1535497205000", TimeUnit::Auto, T),
            ("1535497205000000", TimeUnit::Auto, T),
            ("1535497205000000999", TimeUnit::Auto, T),
            ("1.535497205e9", TimeUnit::Auto, T),
            ("1535497205.123456", TimeUnit::S, T + 123_456),
            ("1535497205123.5", TimeUnit::Ms, T + 123_500),
            ("-1", TimeUnit::S, -SECOND),
            ("-0.0000001", TimeUnit::S, -1),
            ("0", TimeUnit::Ns, 0),
            ("1e-400", TimeUnit::S, 0),
            ("153549720500000000000000000000000000000000000000e-38", TimeUnit::S, T),
        ] {
            assert_eq!(of_number(text, unit), Ok(micros), "{text}");
        }
        for text in ["1e300", "9999999999999999999999999999999999999999", "9223372036854775807", "1e999999999999999999"]
        {
            assert_eq!(of_number(text, TimeUnit::S), Err(Fault::Range), "{text}");
        }
    }

    proptest! {
        #[test]
        fn short_epochs_are_those_of_the_long_way(number in 0_u64..1_000_000_000_000_000) {
            for unit in [TimeUnit::Auto, TimeUnit::S, TimeUnit::Ms, TimeUnit::Us, TimeUnit::Ns] {
                for number in [number, number % 1_000_000_000_000, number % 1_000_000] {
                    let (short, long) = (number.to_string(), format!("{number:018}"));
                    prop_assert_eq!(of_number(&short, unit), of_number(&long, unit), "{}", short);
                }
            }
        }

        #[test]
        fn printed_times_read_back(micros in FIRST..=LAST) {
            let text = jiff::Timestamp::from_microsecond(micros).expect("within the years").to_string();
            prop_assert_eq!(of_text(&text, TimeUnit::Auto), Ok(micros));
        }
    }
}
