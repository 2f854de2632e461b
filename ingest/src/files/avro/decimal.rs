//! Decimal numbers of any size: an unscaled integer, big-endian in two's complement, and a scale.

use std::io::Write;

/// 300 digits, beyond what any double holds.
const BYTES_MAX: usize = 128;
const SCALE_MAX: u32 = 400;

/// Writes the number as JSON; false, and nothing, if it is beyond all measure.
pub(super) fn write(bytes: &[u8], scale: u32, out: &mut Vec<u8>) -> bool {
    let is_negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    if bytes.len() > BYTES_MAX || scale > SCALE_MAX {
        return false;
    }
    if is_negative {
        out.push(b'-');
    }
    let digits = digits(bytes, is_negative);
    let scale = scale as usize;
    // At least one digit before the point.
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    // Writing to memory does not fail.
    let _ = if fraction.is_empty() { write!(out, "{whole}") } else { write!(out, "{whole}.{fraction}") };
    true
}

/// The digits of the absolute value.
fn digits(bytes: &[u8], is_negative: bool) -> String {
    const BASE: u64 = 1_000_000_000;
    // Nine digits each, the lowest first.
    let mut parts: Vec<u64> = vec![0];
    for byte in bytes {
        let mut carry = u64::from(if is_negative { !byte } else { *byte });
        for part in &mut parts {
            let value = *part * 256 + carry;
            *part = value % BASE;
            carry = value / BASE;
        }
        if carry > 0 {
            parts.push(carry);
        }
    }
    if is_negative {
        // The complement is one short of the absolute value.
        for at in 0..=parts.len() {
            if at == parts.len() {
                parts.push(0);
            }
            parts[at] += 1;
            if parts[at] < BASE {
                break;
            }
            parts[at] = 0;
        }
    }
    let mut text = String::new();
    for part in parts.iter().rev() {
        text += &if text.is_empty() { part.to_string() } else { format!("{part:09}") };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_of_all_sizes() {
        let check = |bytes: &[u8], scale, expected: &str| {
            let mut out = Vec::new();
            assert!(write(bytes, scale, &mut out));
            assert_eq!(String::from_utf8(out).expect("text"), expected);
        };
        check(b"", 2, "0.00");
        check(&[0x00], 0, "0");
        check(&[0xff], 2, "-0.01");
        check(&[0x80], 1, "-12.8");
        check(&[0xff, 0x00], 0, "-256");
        check(&1_234_567_890_123_i64.to_be_bytes(), 3, "1234567890.123");
        check(&i128::MIN.to_be_bytes(), 0, "-170141183460469231731687303715884105728");
        let mut wide = vec![0x01];
        wide.extend([0; 16]);
        check(&wide, 30, "340282366.920938463463374607431768211456");
        assert!(!write(&[1; 129], 0, &mut Vec::new()));
    }

    proptest::proptest! {
        #[test]
        fn decimals_are_integers_with_a_point(value in proptest::prelude::any::<i128>(), scale in 0_u32..45) {
            let mut out = Vec::new();
            assert!(write(&value.to_be_bytes(), scale, &mut out));
            let text = String::from_utf8(out).expect("text");
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            assert_eq!(fraction.len(), scale as usize);
            assert_eq!(format!("{whole}{fraction}").parse::<i128>().expect("digits"), value);
        }
    }
}
