//! The bytes of one block, unpacked as they are read, and Avro's numbers in them.

use std::io::{self, BufRead, BufReader, Read};

const BUFFER_BYTES: usize = 32 << 10;
/// A value may take no bytes (null, a record without fields), and a few bytes may claim any number of them.
const EMPTY_VALUES_MAX: u32 = 1 << 16;

pub(super) struct Stream {
    reader: BufReader<Box<dyn Read + Send>>,
    /// Bytes read so far.
    taken: u64,
    empty_values: u32,
}

impl Stream {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Stream { reader: BufReader::with_capacity(BUFFER_BYTES, reader), taken: 0, empty_values: 0 }
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.reader.fill_buf()?.is_empty())
    }

    /// Counts a value that took no bytes since `before`.
    pub(super) fn count_empty(&mut self, before: u64) -> io::Result<()> {
        self.empty_values += u32::from(self.taken == before);
        if self.empty_values > EMPTY_VALUES_MAX {
            return Err(damaged(format!("more than {EMPTY_VALUES_MAX} values take no bytes")));
        }
        Ok(())
    }

    pub(super) fn long(&mut self) -> io::Result<i64> {
        let long = long(&mut self.reader)?;
        self.taken += long.1;
        Ok(long.0)
    }

    pub(super) fn int(&mut self) -> io::Result<i32> {
        self.long()?.try_into().map_err(|_| damaged("an int has more than 32 bits"))
    }

    /// A length or a count.
    pub(super) fn length(&mut self) -> io::Result<u64> {
        let length = self.long()?;
        length.try_into().map_err(|_| damaged(format!("a length is {length}")))
    }

    /// The number of the next items of an array or a map; 0 ends it.
    pub(super) fn items(&mut self) -> io::Result<u64> {
        let items = self.long()?;
        if items < 0 {
            // The size in bytes, for those who skip.
            self.long()?;
        }
        Ok(items.unsigned_abs())
    }

    pub(super) fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.taken += N as u64;
        Ok(bytes)
    }

    /// Shows the next `length` bytes to `take`, as they come.
    pub(super) fn chunks(&mut self, length: u64, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Err(cut_short());
            }
            let part = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            take(&chunk[..part]);
            self.reader.consume(part);
            self.taken += part as u64;
            left -= part as u64;
        }
        Ok(())
    }
}

/// Seven bits a byte, the lowest first; odd numbers are negative. And how many bytes that were.
pub(super) fn long(reader: &mut impl BufRead) -> io::Result<(i64, u64)> {
    let (mut bits, mut shift, mut taken) = (0_u64, 0_u32, 0_u64);
    loop {
        let byte = *reader.fill_buf()?.first().ok_or_else(cut_short)?;
        reader.consume(1);
        taken += 1;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return Err(damaged("a number has more than 64 bits"));
        }
        bits |= part << shift;
        if byte & 0x80 == 0 {
            return Ok(((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed(), taken));
        }
        shift += 7;
        if shift > 63 {
            return Err(damaged("a number has more than 64 bits"));
        }
    }
}

pub(super) fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

pub(super) fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it ends too early")
}
