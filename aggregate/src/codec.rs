//! Bytes of the snapshot: numbers as short as they are small, floats as their bits, texts with their length. Its layout is in
//! `snapshot`, which also says what times and bounds are relative to.

use types::{ClosedBy, Micros};

use crate::Error;
use crate::clock::{NEVER, in_range};
use crate::grid::Grid;
use crate::settings::TIME_MAX;
use crate::slots::Window;

/// Shapes of aggregates: of one reading, or which figure need not be written.
const SINGLE: u8 = 1;
const MIN_IS_FIRST: u8 = 2;
const MIN_IS_LAST: u8 = 4;
const MAX_IS_FIRST: u8 = 8;
const MAX_IS_LAST: u8 = 16;

pub(crate) struct Writer<'a>(pub(crate) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, x: u8) {
        self.0.push(x);
    }

    pub(crate) fn u16(&mut self, x: u16) {
        self.bytes(&x.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, x: i64) {
        self.bytes(&x.to_le_bytes());
    }

    pub(crate) fn f64(&mut self, x: f64) {
        self.bytes(&x.to_bits().to_le_bytes());
    }

    /// Seven bits a byte, the lowest first; all but the last byte have their highest bit set.
    #[inline]
    pub(crate) fn number(&mut self, mut x: u64) {
        while x >= 0x80 {
            self.u8(x as u8 | 0x80);
            x >>= 7;
        }
        self.u8(x as u8);
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }

    /// How far it is from `base`; both are in range.
    #[inline]
    pub(crate) fn time(&mut self, time: Micros, base: Micros) {
        self.distance((time != NEVER).then(|| time - base));
    }

    /// How many windows it is from `base`; both are on the grid.
    #[inline]
    pub(crate) fn bound(&mut self, bound: Micros, base: Micros, width: Micros) {
        self.distance((bound != NEVER).then(|| (bound - base) / width));
    }

    /// None is 0; else signs alternate, so that what is near is short on both sides. Distances are far below 2^63.
    #[inline]
    fn distance(&mut self, distance: Option<i64>) {
        self.number(distance.map_or(0, |distance| 1 + ((distance << 1) ^ (distance >> 63)) as u64));
    }

    /// Figures equal to the bit are written once.
    pub(crate) fn aggregates(&mut self, window: &Window) {
        let Window { start: _, count, sum, mean, m2, min, max, first, last } = *window;
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        let all = [sum, mean, min, max, last];
        if count == 1 && same(m2, 0.0) && all.into_iter().all(|figure| same(figure, first)) {
            self.u8(SINGLE);
            self.f64(first);
            return;
        }
        let from = |figure: f64, is_first: u8, is_last: u8| match figure {
            figure if same(figure, first) => is_first,
            figure if same(figure, last) => is_last,
            _ => 0,
        };
        let (min_from, max_from) = (from(min, MIN_IS_FIRST, MIN_IS_LAST), from(max, MAX_IS_FIRST, MAX_IS_LAST));
        self.u8(min_from | max_from);
        self.number(count);
        for figure in [sum, mean, m2, first, last] {
            self.f64(figure);
        }
        for (figure, from) in [(min, min_from), (max, max_from)] {
            if from == 0 {
                self.f64(figure);
            }
        }
    }

    pub(crate) fn cause(&mut self, by: ClosedBy) {
        self.u8(match by {
            ClosedBy::Device => 0,
            ClosedBy::Silence => 1,
            ClosedBy::Partition => 2,
            ClosedBy::Drain => 3,
            ClosedBy::Floor => 4,
        });
    }
}

/// Reads what is there and never asks for more memory than that; all that is wrong is an error with its place.
///
/// It reads version 1 too, in which every number has its full width and nothing is relative.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    pub(crate) version: u16,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0, version: 0 }
    }

    pub(crate) fn damaged(&self, what: &'static str) -> Error {
        Error::SnapshotDamaged { at: self.at, what }
    }

    pub(crate) fn check(&self, holds: bool, what: &'static str) -> Result<(), Error> {
        if holds { Ok(()) } else { Err(self.damaged(what)) }
    }

    pub(crate) fn at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let bytes = self.bytes[self.at..].get(..count).ok_or_else(|| self.damaged("it ends too early"))?;
        self.at += count;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let bytes = self.bytes(N)?;
        Ok(bytes.try_into().expect("as many bytes as were asked for"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Error> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(crate) fn f64(&mut self) -> Result<f64, Error> {
        Ok(f64::from_bits(u64::from_le_bytes(self.array()?)))
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Result<u64, Error> {
        if self.version == 1 {
            return Ok(u64::from_le_bytes(self.array()?));
        }
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            self.check(shift < 63 || bits < 2, "a number out of range")?;
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.damaged("a number out of range"))
    }

    pub(crate) fn count(&mut self) -> Result<u32, Error> {
        if self.version == 1 {
            return Ok(u32::from_le_bytes(self.array()?));
        }
        let count = self.number()?;
        u32::try_from(count).map_err(|_| self.damaged("a count out of range"))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Error> {
        let length = self.count()? as usize;
        let bytes = self.bytes(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.damaged("a name is not UTF-8"))
    }

    /// A time in range, or none.
    #[inline]
    pub(crate) fn time(&mut self, base: Micros) -> Result<Micros, Error> {
        let time = if self.version == 1 { self.i64()? } else { self.from(base, 1)? };
        self.check(time == NEVER || in_range(time), "a time out of range")?;
        Ok(time)
    }

    /// A window's start or end, or none.
    #[inline]
    pub(crate) fn bound(&mut self, base: Micros, grid: Grid) -> Result<Micros, Error> {
        let bound = if self.version == 1 { self.i64()? } else { self.from(base, grid.width)? };
        // Windows may reach beyond the range of event times by their width and more.
        let near = (-2 * TIME_MAX..=2 * TIME_MAX).contains(&bound);
        self.check(bound == NEVER || near && grid.aligned(bound), "not a bound of a window")?;
        Ok(bound)
    }

    #[inline]
    fn from(&mut self, base: Micros, unit: Micros) -> Result<Micros, Error> {
        let Some(distance) = self.number()?.checked_sub(1) else { return Ok(NEVER) };
        let distance = (distance >> 1) as i64 ^ -((distance & 1) as i64);
        let time = distance.checked_mul(unit).and_then(|distance| base.checked_add(distance));
        time.ok_or_else(|| self.damaged("a time out of range"))
    }

    pub(crate) fn aggregates(&mut self, start: Micros) -> Result<Window, Error> {
        let shape = if self.version == 1 { 0 } else { self.u8()? };
        if shape == SINGLE {
            return Ok(Window::new(start, self.f64()?));
        }
        let known = MIN_IS_FIRST | MIN_IS_LAST | MAX_IS_FIRST | MAX_IS_LAST;
        self.check(shape & !known == 0, "aggregates of an unknown shape")?;
        let count = self.number()?;
        self.check(count > 0, "a window without readings")?;
        let (sum, mean, m2) = (self.f64()?, self.f64()?, self.f64()?);
        if self.version == 1 {
            let (min, max, first, last) = (self.f64()?, self.f64()?, self.f64()?, self.f64()?);
            return Ok(Window { start, count, sum, mean, m2, min, max, first, last });
        }
        let (first, last) = (self.f64()?, self.f64()?);
        let mut figure = |is_first: u8, is_last: u8| match shape {
            shape if shape & is_first != 0 => Ok(first),
            shape if shape & is_last != 0 => Ok(last),
            _ => self.f64(),
        };
        let (min, max) = (figure(MIN_IS_FIRST, MIN_IS_LAST)?, figure(MAX_IS_FIRST, MAX_IS_LAST)?);
        Ok(Window { start, count, sum, mean, m2, min, max, first, last })
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Error> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.damaged("a flag is neither 0 nor 1")),
        }
    }

    pub(crate) fn cause(&mut self) -> Result<ClosedBy, Error> {
        Ok(match self.u8()? {
            0 => ClosedBy::Device,
            1 => ClosedBy::Silence,
            2 => ClosedBy::Partition,
            3 => ClosedBy::Drain,
            4 => ClosedBy::Floor,
            _ => return Err(self.damaged("an unknown cause of closing")),
        })
    }
}
