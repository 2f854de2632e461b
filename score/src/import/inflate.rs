//! Decompression that ends: at a bound on what comes out, with an error where the stream is cut, damaged or followed by more.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

use super::Refused;
use super::format::Compression;

/// The largest dictionary of xz's and lzma's own presets is 64 MiB; it is allocated as it fills.
const DICTIONARY_KIB_MAX: u32 = 80 << 10;
/// Numbers hardly compress. What grows more than this, beyond a few MiB, was made to.
const RATIO_MAX: usize = 100;
const ALWAYS_ALLOWED_BYTES: usize = 4 << 20;

pub(super) fn unpack(compression: Compression, bytes: &[u8], max: usize) -> Result<Vec<u8>, Refused> {
    let max = max.min(ALWAYS_ALLOWED_BYTES + bytes.len().saturating_mul(RATIO_MAX));
    let name = compression.as_str();
    let rest = &mut &*bytes;
    let unpacked = match compression {
        Compression::Zlib => read(Inflate::new(rest, true), max),
        Compression::Gzip => read(flate2::bufread::GzDecoder::new(&mut *rest), max),
        Compression::Bzip2 => read(bzip2::bufread::BzDecoder::new(&mut *rest), max),
        Compression::Xz => read(lzma_rust2::XzReader::new_mem_limit(&mut *rest, false, DICTIONARY_KIB_MAX), max),
        Compression::Lzma => match lzma_rust2::LzmaReader::new_mem_limit(&mut *rest, DICTIONARY_KIB_MAX, None) {
            Ok(reader) => read(reader, max),
            Err(error) => Err(error.into()),
        },
    };
    let unpacked = unpacked.map_err(|failed| failed.refused(name, max))?;
    match rest.len() {
        0 => Ok(unpacked),
        extra => Err(Refused::Trailing { extra }),
    }
}

/// A member of a zip archive: deflate without a header, of a known size.
pub(super) fn deflated(bytes: &[u8], max: usize) -> Result<Vec<u8>, Refused> {
    let rest = &mut &*bytes;
    read(Inflate::new(rest, false), max).map_err(|failed| failed.refused("deflate", max))
}

enum Failed {
    TooLarge,
    Cut,
    Damaged,
}

// The decoders' own words may hold anything.
fn read(mut reader: impl Read, max: usize) -> Result<Vec<u8>, Failed> {
    let mut unpacked = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        match reader.read(&mut chunk)? {
            0 => return Ok(unpacked),
            length if length > max - unpacked.len() => return Err(Failed::TooLarge),
            length => unpacked.extend_from_slice(&chunk[..length]),
        }
    }
}

/// zlib or bare deflate. The crate's own reader takes a cut stream for a whole one.
struct Inflate<'r, 'a> {
    rest: &'r mut &'a [u8],
    state: Decompress,
    is_done: bool,
}

// === impl Failed ===

impl Failed {
    fn refused(self, format: &'static str, max: usize) -> Refused {
        match self {
            Failed::TooLarge => Refused::TooLarge { what: "bytes when it is unpacked", max },
            Failed::Cut => Refused::Packed { format, problem: "ends early" },
            Failed::Damaged => Refused::Packed { format, problem: "is damaged" },
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Failed::Cut,
            io::ErrorKind::OutOfMemory => Failed::TooLarge,
            _ => Failed::Damaged,
        }
    }
}

// === impl Inflate ===

impl<'r, 'a> Inflate<'r, 'a> {
    fn new(rest: &'r mut &'a [u8], has_header: bool) -> Inflate<'r, 'a> {
        Inflate { rest, state: Decompress::new(has_header), is_done: false }
    }
}

impl Read for Inflate<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.is_done && !out.is_empty() {
            let (read, written) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(self.rest, out, FlushDecompress::None)?;
            let read = (self.state.total_in() - read) as usize;
            let written = (self.state.total_out() - written) as usize;
            *self.rest = &self.rest[read..];
            self.is_done = status == Status::StreamEnd;
            if written > 0 {
                return Ok(written);
            }
            if read == 0 && !self.is_done {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}
