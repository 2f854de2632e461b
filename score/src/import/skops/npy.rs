//! numpy's own file format: a header that is a Python dict in writing, then the bytes of one array.

/// A parsed header, and what follows it.
#[derive(Debug, PartialEq)]
pub(super) struct Npy<'a> {
    /// Such as `<f8`.
    pub(super) descr: &'a str,
    pub(super) is_fortran: bool,
    pub(super) shape: Vec<i64>,
    pub(super) data: &'a [u8],
}

/// Far more than a header of an array of numbers takes.
const HEADER_BYTES_MAX: usize = 4_096;
const SIDES_MAX: usize = 4;

pub(super) fn parse(bytes: &[u8]) -> Option<Npy<'_>> {
    let rest = bytes.strip_prefix(b"\x93NUMPY")?;
    let (length, rest) = match rest {
        [1, 0, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, 0, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return None,
    };
    if length > HEADER_BYTES_MAX {
        return None;
    }
    let (header, data) = rest.split_at_checked(length)?;
    let mut text = Text(std::str::from_utf8(header).ok()?);
    let (mut descr, mut is_fortran, mut shape) = (None, None, None);
    text.expect('{')?;
    while text.expect('}').is_none() {
        let key = text.quoted()?;
        text.expect(':')?;
        match key {
            "descr" => descr = Some(text.quoted()?),
            "fortran_order" => is_fortran = Some(text.truth()?),
            "shape" => shape = Some(text.whole_numbers()?),
            _ => return None,
        }
        if text.expect(',').is_none() {
            text.expect('}')?;
            break;
        }
    }
    text.0.trim().is_empty().then_some(Npy { descr: descr?, is_fortran: is_fortran?, shape: shape?, data })
}

/// What is left to be read.
struct Text<'a>(&'a str);

// === impl Text ===

impl<'a> Text<'a> {
    fn expect(&mut self, sign: char) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(sign)?;
        Some(())
    }

    fn quoted(&mut self) -> Option<&'a str> {
        self.expect('\'')?;
        let (text, rest) = self.0.split_once('\'')?;
        self.0 = rest;
        Some(text)
    }

    fn truth(&mut self) -> Option<bool> {
        let text = self.0.trim_start();
        for (word, truth) in [("True", true), ("False", false)] {
            if let Some(rest) = text.strip_prefix(word) {
                self.0 = rest;
                return Some(truth);
            }
        }
        None
    }

    fn whole_numbers(&mut self) -> Option<Vec<i64>> {
        self.expect('(')?;
        let (inside, rest) = self.0.split_once(')')?;
        self.0 = rest;
        let inside = inside.trim();
        let numbers = inside.strip_suffix(',').unwrap_or(inside).split(',').map(str::trim);
        // Python 2 wrote long integers with an L.
        let numbers = numbers.filter(|_| !inside.is_empty()).map(|n| n.strip_suffix('L').unwrap_or(n).parse().ok());
        numbers.take(SIDES_MAX + 1).collect::<Option<Vec<i64>>>().filter(|shape| shape.len() <= SIDES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_or_refused() {
        let file = |header: &str| {
            let length = (header.len() as u16).to_le_bytes();
            [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), b"ab"].concat()
        };
        for (header, expected) in [
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }   \n", Some(("<f8", false, vec![3, 2]))),
            ("{'descr': '|b1', 'fortran_order': True, 'shape': ()}", Some(("|b1", true, vec![]))),
            ("{'shape': (7,), 'descr': '>f4', 'fortran_order': False,}", Some((">f4", false, vec![7]))),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2, 3, 4, 5), }", None),
            ("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,), }", None),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), } x", None),
            ("{'descr': '<f8', 'fortran_order': False, }", None),
            ("{'descr': '<f8'", None),
            ("", None),
        ] {
            let bytes = file(header);
            let found = parse(&bytes);
            let expected = expected.map(|(descr, is_fortran, shape)| Npy { descr, is_fortran, shape, data: b"ab" });
            assert_eq!(found, expected, "{header}");
        }
    }
}
