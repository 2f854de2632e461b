//! Numbers: what is one by JSON's grammar, what is one as text, and its nearest `f64` or exact decimal value.

/// Where the JSON number that starts at `start` ends; none if there is none.
#[inline]
pub(super) fn json_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = match bytes.get(at) {
        Some(b'0') => at + 1,
        Some(b'1'..=b'9') => digits_end(bytes, at + 1),
        _ => return None,
    };
    if bytes.get(at) == Some(&b'.') {
        let end = digits_end(bytes, at + 1);
        if end == at + 1 {
            return None;
        }
        at = end;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        let end = digits_end(bytes, at);
        if end == at {
            return None;
        }
        at = end;
    }
    Some(at)
}

#[inline]
fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The nearest `f64` of a text that is a number by one of the two grammars here; none if that is infinite.
#[inline]
pub(super) fn finite(text: &str) -> Option<f64> {
    fast_float2::parse::<f64, _>(text).ok().filter(|value| value.is_finite())
}

/// A number as text: JSON's grammar, and besides a leading `+`, leading zeros, `.5`, `5.`, and blanks around it.
/// No words (`NaN`, `inf`), no hexadecimals. `mark` stands before the fraction: `.` or `,`.
#[inline]
pub(super) fn of_text(text: &str, mark: u8) -> Option<f64> {
    if mark == b'.' { with_point(text) } else { with_comma(text) }
}

fn with_point(text: &str) -> Option<f64> {
    if json_end(text.as_bytes(), 0) == Some(text.len()) {
        return finite(text);
    }
    let text = text.trim_matches([' ', '\t']);
    decimal(text.as_bytes())?;
    finite(text.strip_prefix('+').unwrap_or(text))
}

/// A point would be one between thousands, and `1.234` far more than it seems: nothing with one is a number here.
pub(super) fn with_comma(text: &str) -> Option<f64> {
    const BYTES_MAX: usize = 64;
    if memchr::memchr(b'.', text.as_bytes()).is_some() {
        return None;
    }
    let Some(comma) = memchr::memchr(b',', text.as_bytes()) else { return with_point(text) };
    let mut buffer = [0; BYTES_MAX];
    let Some(copy) = buffer.get_mut(..text.len()) else { return with_point(&text.replacen(',', ".", 1)) };
    copy.copy_from_slice(text.as_bytes());
    copy[comma] = b'.';
    with_point(std::str::from_utf8(copy).ok()?)
}

/// A decimal number, taken apart: `mantissa * 10^exponent`, cut after some 30 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    mantissa: u128,
    exponent: i64,
    /// Digits written before the point.
    pub(super) integer_digits: usize,
}

impl Decimal {
    /// The number times `10^power`, rounded down; none if that has more than some 30 digits.
    pub(super) fn scaled(self, power: i64) -> Option<i128> {
        let power = self.exponent.saturating_add(power);
        if self.mantissa == 0 {
            return Some(0);
        }
        let ten_to = u32::try_from(power.unsigned_abs()).ok().and_then(|power| 10_u128.checked_pow(power));
        let (magnitude, exact) = match (power >= 0, ten_to) {
            (true, Some(factor)) => (self.mantissa.checked_mul(factor)?, true),
            (true, None) => return None,
            (false, Some(divisor)) => (self.mantissa / divisor, self.mantissa.is_multiple_of(divisor)),
            (false, None) => (0, false),
        };
        let magnitude = i128::try_from(magnitude).ok()?;
        Some(if self.negative { -magnitude - i128::from(!exact) } else { magnitude })
    }
}

/// Takes a number as text apart; none if it is not one.
pub(super) fn decimal(text: &[u8]) -> Option<Decimal> {
    let (negative, start) = match text.first()? {
        b'-' => (true, 1),
        b'+' => (false, 1),
        _ => (false, 0),
    };
    let integer_end = digits_end(text, start);
    let mut end = integer_end;
    if text.get(end) == Some(&b'.') {
        end = digits_end(text, end + 1);
    }
    let integer_digits = integer_end - start;
    let fraction_digits = end.saturating_sub(integer_end + 1);
    if integer_digits + fraction_digits == 0 {
        return None;
    }

    let mut mantissa = 0_u128;
    let mut exponent = 0_i64;
    for (at, byte) in text[start..end].iter().enumerate().filter(|(_, byte)| **byte != b'.') {
        let in_fraction = at > integer_digits;
        if mantissa < 1_000_000_000_000_000_000_000_000_000_000 {
            mantissa = mantissa * 10 + u128::from(byte - b'0');
            exponent -= i64::from(in_fraction);
        } else {
            exponent += i64::from(!in_fraction);
        }
    }
    if let Some(b'e' | b'E') = text.get(end) {
        exponent = exponent.saturating_add(written_exponent(&text[end + 1..])?);
    } else if end != text.len() {
        return None;
    }
    Some(Decimal { negative, mantissa, exponent, integer_digits })
}

/// The signed digits after the `e`; far too large ones saturate.
fn written_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', digits) => (true, digits),
        (b'+', digits) => (false, digits),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let exponent = digits
        .iter()
        .fold(0_i64, |exponent, digit| exponent.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if negative { exponent.saturating_neg() } else { exponent })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_numbers() {
        for (text, value) in [
            ("21.5", 21.5),
            ("1e3", 1e3),
            ("+5", 5.0),
            (".5", 0.5),
            ("5.", 5.0),
            (" 7 ", 7.0),
            ("-007", -7.0),
            ("1e-400", 0.0),
        ] {
            assert_eq!(of_text(text, b'.'), Some(value), "{text}");
        }
        for text in [
            "",
            " ",
            "+",
            ".",
            "e5",
            "1e",
            "1e+",
            "NaN",
            "inf",
            "-Infinity",
            "0x10",
            "21,5",
            "21.5 C",
            "1_0",
            "--1",
            "+-1",
            "1e999",
            "1.2.3",
            "١",
        ] {
            assert_eq!(of_text(text, b'.'), None, "{text}");
        }
    }

    #[test]
    fn text_numbers_with_a_comma() {
        let long = format!("0,{}5", "0".repeat(80));
        for (text, value) in
            [("21,5", 21.5), ("-0,5", -0.5), (",5", 0.5), ("5,", 5.0), (" 1,5e3 ", 1500.0), ("7", 7.0), (&long, 5e-81)]
        {
            assert_eq!(of_text(text, b','), Some(value), "{text}");
        }
        for text in ["21.5", "1.234,5", "1,234,5", ",", "1,5,", "21,5 C", "NaN", "", "1\u{a0}234,5"] {
            assert_eq!(of_text(text, b','), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_finite_number_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            for text in [format!("{value:?}"), format!("{value:e}"), format!("{value}")] {
                prop_assert_eq!(json_end(text.as_bytes(), 0), Some(text.len()));
                prop_assert_eq!(finite(&text).map(f64::to_bits), Some(bits));
                prop_assert_eq!(of_text(&text, b'.').map(f64::to_bits), Some(bits));
            }
        }

        #[test]
        fn json_numbers_are_those_of_serde_json(text in "-?[0-9]{0,3}[.]?[0-9]{0,3}([eE][+-]?[0-9]{0,2})?") {
            let whole = json_end(text.as_bytes(), 0) == Some(text.len());
            prop_assert_eq!(whole, serde_json::from_str::<f64>(&text).is_ok());
        }
    }
}
