//! Times that are written neither by RFC 3339 nor as an epoch: a pattern like `%d.%m.%Y %H:%M`, compiled once.
//!
//! A pattern says which number stands where; what the numbers mean is the business of `time`.

use types::Micros;

use super::time::{self, Fault, Parts};

/// A pattern, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeFormat {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    Year,
    /// Two digits: 2000 to 2099.
    ShortYear,
    Month,
    MonthName,
    Day,
    Hour,
    Hour12,
    HalfOfDay,
    Minute,
    Second,
    Zone,
}

const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

impl TimeFormat {
    /// # Errors
    /// Why it is no pattern of a time.
    pub(super) fn new(pattern: &str) -> Result<TimeFormat, String> {
        let mut pieces = Vec::new();
        let mut bytes = pattern.trim_matches([' ', '\t']).bytes();
        while let Some(byte) = bytes.next() {
            pieces.push(match (byte, if byte == b'%' { bytes.next() } else { None }) {
                (b'%', Some(letter)) => Piece::of(letter).ok_or_else(|| unknown(letter))?,
                (b'%', None) => return Err("it ends with a `%`".into()),
                (byte, _) => Piece::Byte(byte),
            });
        }
        let has = |wanted: &[Piece]| pieces.iter().filter(|piece| wanted.contains(piece)).count();
        let date = [&[Piece::Year, Piece::ShortYear][..], &[Piece::Month, Piece::MonthName], &[Piece::Day]];
        if date.iter().any(|part| has(part) != 1) {
            return Err("it has to name year (`%Y`), month (`%m`) and day (`%d`), each once".into());
        }
        if [Piece::Minute, Piece::Second, Piece::Zone].iter().any(|part| has(&[*part]) > 1) {
            return Err("it names a part of the time twice".into());
        }
        if has(&[Piece::Hour, Piece::Hour12]) > 1 || has(&[Piece::Hour12]) != has(&[Piece::HalfOfDay]) {
            return Err("the hour is `%H`, or `%I` with `%p`".into());
        }
        Ok(TimeFormat { pieces })
    }

    pub(super) fn read(&self, text: &str) -> Result<Micros, Fault> {
        let mut rest = text.trim_matches([' ', '\t']).as_bytes();
        let mut parts = Parts::default();
        let mut afternoon = None;
        for (at, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Byte(byte) => rest = rest.strip_prefix(&[*byte]).ok_or(Fault::Pattern)?,
                Piece::Year => parts.year = number(&mut rest, 4, 4)?,
                Piece::ShortYear => parts.year = 2000 + number(&mut rest, 2, 2)?,
                Piece::Month => parts.month = number(&mut rest, 1, 2)?,
                Piece::MonthName => parts.month = month(&mut rest)?,
                Piece::Day => parts.day = number(&mut rest, 1, 2)?,
                Piece::Hour | Piece::Hour12 => parts.hour = number(&mut rest, 1, 2)?,
                Piece::HalfOfDay => afternoon = Some(half(&mut rest)?),
                Piece::Minute => parts.minute = number(&mut rest, 2, 2)?,
                Piece::Second => {
                    parts.second = number(&mut rest, 2, 2)?;
                    let next = self.pieces.get(at + 1);
                    let is_mark = |mark: &u8| b".,".contains(mark) && next != Some(&Piece::Byte(*mark));
                    if rest.first().is_some_and(is_mark) && rest.get(1).is_some_and(u8::is_ascii_digit) {
                        (parts.fraction, rest) = time::fraction(rest, |mark| matches!(mark, b'.' | b','))?;
                    }
                }
                Piece::Zone => {
                    let end = rest.iter().position(|byte| !zone_byte(*byte)).unwrap_or(rest.len());
                    if end == 0 {
                        return Err(Fault::Pattern);
                    }
                    parts.offset = time::offset(&rest[..end])?;
                    rest = &rest[end..];
                }
            }
        }
        if !rest.is_empty() {
            return Err(Fault::Pattern);
        }
        if let Some(afternoon) = afternoon {
            if !(1..=12).contains(&parts.hour) {
                return Err(Fault::TimeOfDay);
            }
            parts.hour = parts.hour % 12 + if afternoon { 12 } else { 0 };
        }
        parts.micros()
    }
}

impl Piece {
    fn of(letter: u8) -> Option<Piece> {
        Some(match letter {
            b'Y' => Piece::Year,
            b'y' => Piece::ShortYear,
            b'm' => Piece::Month,
            b'b' => Piece::MonthName,
            b'd' => Piece::Day,
            b'H' => Piece::Hour,
            b'I' => Piece::Hour12,
            b'p' => Piece::HalfOfDay,
            b'M' => Piece::Minute,
            b'S' => Piece::Second,
            b'z' => Piece::Zone,
            b'%' => Piece::Byte(b'%'),
            _ => return None,
        })
    }
}

fn unknown(letter: u8) -> String {
    let letter = char::from(letter).escape_debug();
    format!("it has `%{letter}`, and known are `%Y` `%y` `%m` `%b` `%d` `%H` `%I` `%p` `%M` `%S` `%z` `%%`")
}

/// So many digits at least and at most: `5.1.2026` is as good as `05.01.2026`.
fn number(rest: &mut &[u8], least: usize, most: usize) -> Result<u32, Fault> {
    let digits = rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    if digits < least {
        return Err(Fault::Pattern);
    }
    let (read, after) = rest.split_at(digits);
    *rest = after;
    Ok(read.iter().fold(0, |number, byte| number * 10 + u32::from(byte - b'0')))
}

fn month(rest: &mut &[u8]) -> Result<u32, Fault> {
    let (name, after) = rest.split_first_chunk::<3>().ok_or(Fault::Pattern)?;
    let index = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name)).ok_or(Fault::Pattern)?;
    *rest = after;
    Ok(index as u32 + 1)
}

/// Whether it is the second one.
fn half(rest: &mut &[u8]) -> Result<bool, Fault> {
    let (word, after) = rest.split_first_chunk::<2>().ok_or(Fault::Pattern)?;
    *rest = after;
    match word.to_ascii_lowercase().as_slice() {
        b"am" => Ok(false),
        b"pm" => Ok(true),
        _ => Err(Fault::Pattern),
    }
}

fn zone_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b':' | b'Z' | b'z')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers are `date -u -d … +%s`.
    #[test]
    fn times_of_other_forms() {
        const T: Micros = 1_535_497_205_000_000;
        for (pattern, text, expected) in [
            ("%d.%m.%Y %H:%M:%S", "28.08.2018 23:00:05", Ok(T)),
            ("%d.%m.%Y %H:%M:%S", " 28.8.2018 23:00:05,25 ", Ok(T + 250_000)),
            ("%m/%d/%Y %I:%M:%S %p", "8/28/2018 11:00:05 pm", Ok(T)),
            ("%m/%d/%y %I:%M:%S%p", "08/28/18 12:00:05AM", Ok(T - 82_800_000_000)),
            ("%d/%b/%Y:%H:%M:%S %z", "29/Aug/2018:01:00:05 +0200", Ok(T)),
            ("%Y%m%dT%H%M%S%z", "20180828T230005Z", Ok(T)),
            ("%Y-%m-%d %H:%M:%S%z", "2018-08-28 23:00:05", Err(Fault::Pattern)),
            ("%H:%M:%S, %d.%m.%Y", "23:00:05, 28.08.2018", Ok(T)),
            ("%H:%M:%S, %d.%m.%Y", "23:00:05.25, 28.08.2018", Ok(T + 250_000)),
            ("%H:%M:%S,%d.%m.%Y", "23:00:05,28.08.2018", Ok(T)),
            (" %d.%m.%Y ", "28.08.2018", Ok(T - 82_805_000_000)),
            ("%d/%m/%Y", "28/08/2018", Ok(T - 82_805_000_000)),
            ("100%% %Y-%m-%d %H:%M", "100% 2018-08-28 23:00", Ok(T - 5_000_000)),
            ("%d.%m.%Y", "28.08.18", Err(Fault::Pattern)),
            ("%d.%m.%Y", "28.08.2018 ", Ok(T - 82_805_000_000)),
            ("%d.%m.%Y", "28.08.2018 x", Err(Fault::Pattern)),
            ("%d.%m.%Y", "31.02.2018", Err(Fault::Date)),
            ("%d.%m.%Y", "08.28.2018", Err(Fault::Date)),
            ("%d.%m.%Y %H:%M", "28.08.2018 24:00", Err(Fault::TimeOfDay)),
            ("%d.%m.%Y %I %p", "28.08.2018 0 am", Err(Fault::TimeOfDay)),
            ("%d.%m.%Y", "", Err(Fault::Pattern)),
            ("%d.%m.%Y", "1535497205", Err(Fault::Pattern)),
            ("%d %b %Y", "28 Äug 2018", Err(Fault::Pattern)),
        ] {
            assert_eq!(TimeFormat::new(pattern).expect("a pattern").read(text), expected, "{pattern}: {text}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for (pattern, problem) in [
            ("", "it has to name year"),
            ("%d.%m", "it has to name year"),
            ("%d.%m.%Y %d", "it has to name year"),
            ("%d.%m.%Y %I:%M", "the hour is"),
            ("%d.%m.%Y %Q", "it has `%Q`"),
            ("%d.%m.%Y %H:%M:%M", "it names a part of the time twice"),
            ("%d.%m.%Y %", "it ends with a `%`"),
        ] {
            let error = TimeFormat::new(pattern).expect_err(pattern);
            assert!(error.starts_with(problem), "{pattern}: {error}");
        }
    }
}
