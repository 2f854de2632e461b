//! The container: a header with schema and codec, then blocks of values, each packed by itself and followed by the file's marker.

use std::collections::HashMap;
use std::io::{self, BufRead, Cursor, Read};

use super::stream::{Stream, cut_short, damaged, long};
use super::{Fault, MAGIC};

/// Schemas have kilobytes; whoever has more of them has no schema.
const HEADER_BYTES_MAX: u64 = 16 << 20;
/// Writers make blocks of kilobytes to some megabytes. A block lies in memory as it is packed.
const BLOCK_BYTES_MAX: u64 = 256 << 20;
/// More than any setting of xz asks for (`-9`: 65 MiB).
const XZ_MEMORY_MAX_KIB: u32 = 128 << 10;
/// A snappy element of 3 bytes stands for 64 at most.
const SNAPPY_RATIO_MAX: usize = 22;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
    Bzip2,
    Xz,
}

pub(super) struct Blocks {
    reader: Counted,
    codec: Codec,
    marker: [u8; 16],
    /// The block at hand; none: the next one is to be opened.
    block: Option<Block>,
    /// Blocks opened.
    number: u64,
}

struct Block {
    stream: Stream,
    /// Where it begins in the file, unpacked where the whole file is packed.
    at: u64,
    values: u64,
    values_left: u64,
}

impl Blocks {
    /// Reads the header; gives the schema's text as well.
    pub(super) fn open(reader: Box<dyn BufRead + Send>) -> Result<(Blocks, Vec<u8>), Fault> {
        let mut reader = Counted { reader, at: 0 };
        if reader.array()? != *MAGIC {
            return Err(damaged("it does not begin as Avro files do").into());
        }
        let mut metadata = metadata(&mut reader)?;
        let marker = reader.array()?;
        let schema = metadata.remove("avro.schema").ok_or_else(|| Fault::Header("its header has no schema".into()))?;
        let codec = metadata.remove("avro.codec").unwrap_or_default();
        let codec = match codec.as_slice() {
            b"" | b"null" => Codec::Null,
            b"deflate" => Codec::Deflate,
            b"snappy" => Codec::Snappy,
            b"zstandard" => Codec::Zstandard,
            b"bzip2" => Codec::Bzip2,
            b"xz" => Codec::Xz,
            other => {
                let name: String = String::from_utf8_lossy(other).chars().take(40).collect();
                return Err(Fault::Header(format!("its codec is `{}`", name.escape_debug())));
            }
        };
        Ok((Blocks { reader, codec, marker, block: None, number: 0 }, schema))
    }

    /// Reads the next value by `read`; false at the end of the file.
    pub(super) fn value(&mut self, read: impl FnOnce(&mut Stream) -> io::Result<()>) -> io::Result<bool> {
        let block = loop {
            match &mut self.block {
                Some(block) if block.values_left > 0 => break block,
                Some(block) => {
                    let is_read = block.stream.is_at_end().map_err(|error| block.located(self.number, error))?;
                    if !is_read {
                        return Err(block.located(self.number, damaged("it holds more than its values")));
                    }
                    self.block = None;
                }
                None => match self.next_block()? {
                    Some(block) => self.block = Some(block),
                    None => return Ok(false),
                },
            }
        };
        block.values_left -= 1;
        let before = block.stream.taken();
        let read = read(&mut block.stream).and_then(|()| block.stream.count_empty(before));
        read.map(|()| true).map_err(|error| block.located(self.number, error))
    }

    fn next_block(&mut self) -> io::Result<Option<Block>> {
        if self.reader.fill_buf()?.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let at = self.reader.at;
        let opened = self.open_block();
        let (stream, values) =
            opened.map_err(|error| located(error, &format!("block {} at byte {at}", self.number)))?;
        Ok(Some(Block { stream, at, values, values_left: values }))
    }

    fn open_block(&mut self) -> io::Result<(Stream, u64)> {
        let values =
            u64::try_from(long(&mut self.reader)?.0).map_err(|_| damaged("its number of values is negative"))?;
        let length = u64::try_from(long(&mut self.reader)?.0).map_err(|_| damaged("its length is negative"))?;
        if length > BLOCK_BYTES_MAX {
            return Err(damaged(format!("it has {length} bytes, more than {BLOCK_BYTES_MAX}")));
        }
        let packed = self.reader.exactly(length)?;
        if self.reader.array()? != self.marker {
            return Err(damaged("the marker behind it is not the file's"));
        }
        Ok((Stream::new(unpack(self.codec, packed)?), values))
    }
}

impl Block {
    fn located(&self, number: u64, error: io::Error) -> io::Error {
        let value = self.values - self.values_left;
        located(error, &format!("block {number} at byte {}, value {value} of {}", self.at, self.values))
    }
}

/// What the operating system says stays as it is.
fn located(error: io::Error, place: &str) -> io::Error {
    if error.raw_os_error().is_some() {
        return error;
    }
    io::Error::new(error.kind(), format!("{place}: {error}"))
}

fn unpack(codec: Codec, packed: Vec<u8>) -> io::Result<Box<dyn Read + Send>> {
    Ok(match codec {
        Codec::Null => Box::new(Cursor::new(packed)),
        Codec::Deflate => Box::new(flate2::bufread::DeflateDecoder::new(Cursor::new(packed))),
        Codec::Snappy => Box::new(Cursor::new(unpack_snappy(&packed)?)),
        Codec::Zstandard => Box::new(zstd::stream::read::Decoder::with_buffer(Cursor::new(packed))?),
        Codec::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(Cursor::new(packed))),
        Codec::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(Cursor::new(packed), true, XZ_MEMORY_MAX_KIB)),
    })
}

/// Raw snappy, which comes in one piece, and the checksum of what was packed.
fn unpack_snappy(packed: &[u8]) -> io::Result<Vec<u8>> {
    let (packed, checksum) = packed.split_last_chunk().ok_or_else(cut_short)?;
    let length = snap::raw::decompress_len(packed).map_err(|error| damaged(error.to_string()))?;
    if length / SNAPPY_RATIO_MAX > packed.len() {
        return Err(damaged(format!("{} bytes claim to hold {length}", packed.len())));
    }
    let bytes = snap::raw::Decoder::new().decompress_vec(packed).map_err(|error| damaged(error.to_string()))?;
    if crc32fast::hash(&bytes) != u32::from_be_bytes(*checksum) {
        return Err(damaged("its checksum is another one"));
    }
    Ok(bytes)
}

fn metadata(reader: &mut Counted) -> io::Result<HashMap<String, Vec<u8>>> {
    let mut metadata = HashMap::new();
    loop {
        let mut items = long(reader)?.0;
        if items < 0 {
            long(reader)?;
            items = items.checked_neg().ok_or_else(|| damaged("its header has no length"))?;
        }
        if items == 0 {
            return Ok(metadata);
        }
        for _ in 0..items {
            let [key, value] = [reader.text_bytes()?, reader.text_bytes()?];
            metadata.insert(String::from_utf8_lossy(&key).into_owned(), value);
        }
    }
}

/// Knows where it is.
struct Counted {
    reader: Box<dyn BufRead + Send>,
    at: u64,
}

impl Counted {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)
            .map_err(|error| if error.raw_os_error().is_some() { error } else { cut_short() })?;
        Ok(bytes)
    }

    /// So many bytes, whose number is believed only as far as they come.
    fn exactly(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.by_ref().take(length).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < length { Err(cut_short()) } else { Ok(bytes) }
    }

    fn text_bytes(&mut self) -> io::Result<Vec<u8>> {
        let length = long(self)?.0;
        match u64::try_from(length) {
            Ok(length) if self.at.saturating_add(length) <= HEADER_BYTES_MAX => self.exactly(length),
            _ => Err(damaged("its header has no end")),
        }
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.at += length as u64;
        Ok(length)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount as u64;
        self.reader.consume(amount);
    }
}
