//! Bytes of the snapshot: little-endian integers, floats as their bits, texts with their length. Its layout is in `snapshot`.

use types::{ClosedBy, Micros};

use crate::Error;

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

    pub(crate) fn u32(&mut self, x: u32) {
        self.bytes(&x.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, x: u64) {
        self.bytes(&x.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, x: i64) {
        self.bytes(&x.to_le_bytes());
    }

    pub(crate) fn f64(&mut self, x: f64) {
        self.u64(x.to_bits());
    }

    /// Names come from records and series, whose sizes and counts are below 2^32.
    pub(crate) fn count(&mut self, count: usize) {
        self.u32(count as u32);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
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
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
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

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<Micros, Error> {
        Ok(Micros::from_le_bytes(self.array()?))
    }

    pub(crate) fn f64(&mut self) -> Result<f64, Error> {
        Ok(f64::from_bits(self.u64()?))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Error> {
        let length = self.u32()? as usize;
        let bytes = self.bytes(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.damaged("a name is not UTF-8"))
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
