//! Commit records: one immutable object that holds everything a commit is.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `ATALALOG` |
//! | 4 | version, 1 |
//! | 4 | number of sections |
//! | 4 + 8 + 4 + n | each section: kind, length, CRC32C of its bytes, its bytes |
//! | 32 | SHA-256 of all before |
//!
//! Numbers are little-endian. Kinds: 1 the header (JSON, always first), 2 the state (zstd), 3 a file, in the order of the
//! header's `files`. Numbers once given keep their meaning. A reader ignores header fields and section kinds that it does
//! not know, so a record is readable by the version before; what that one could not read without harm gets a new version.

mod header;
mod sections;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

pub use header::{Anchor, Careful, DrainFrom, FileEntry, Header, Hex32, Nonce, RecordKind, Resume, RunFacts, StateRef};
use sections::{FILE, HEADER, STATE};

use crate::machine::{Entry, Mark};

/// The largest record that is written or read.
pub const RECORD_BYTES_MAX: u64 = 256 << 20;
const MAGIC: &[u8; 8] = b"ATALALOG";
const VERSION: u32 = 1;
const HASH_BYTES: usize = 32;
/// States are stored compressed; this is the most that one may unfold to.
const STATE_BYTES_MAX: usize = 4 << 30;

/// A record whose bytes are final. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Record {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    header: Header,
    bytes: Bytes,
    hash: [u8; HASH_BYTES],
    state: Option<Range<usize>>,
    files: Vec<Range<usize>>,
}

/// What is wrong with a record's bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("it does not begin as a commit record does")]
    Magic,
    #[error("it has format {version}; this program reads up to {VERSION}")]
    Version { version: u32 },
    #[error("it is cut short")]
    Short,
    #[error("its checksum does not fit")]
    Hash,
    #[error("the checksum of section {index} does not fit")]
    Section { index: usize },
    #[error("its sections do not fit its header: {what}")]
    Sections { what: &'static str },
    #[error("its header cannot be read: {reason}")]
    Header { reason: String },
    #[error("its state cannot be unpacked: {reason}")]
    State { reason: String },
}

impl Record {
    /// Builds the bytes. `files` are in the order of `header.files`; `state` is packed already.
    ///
    /// # Panics
    /// If the header cannot be written as JSON, which no header can.
    #[must_use]
    pub(crate) fn seal(header: Header, state: Option<&[u8]>, files: &[Bytes]) -> Record {
        debug_assert_eq!(header.files.len(), files.len());
        let json = serde_json::to_vec(&header).expect("a header has string keys and finite numbers");
        let content = json.len() + state.map_or(0, <[u8]>::len) + files.iter().map(Bytes::len).sum::<usize>();
        let mut out = sections::Writer::new(content, 1 + usize::from(state.is_some()) + files.len());
        out.section(HEADER, &json);
        let state = state.map(|state| out.section(STATE, state));
        let files = files.iter().map(|file| out.section(FILE, file)).collect();
        let (bytes, hash) = out.finish();
        Record { inner: Arc::new(Inner { header, bytes, hash, state, files }) }
    }

    /// Reads and verifies every byte.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn open(bytes: Bytes) -> Result<Record, Damage> {
        let body = sections::check_envelope(&bytes)?;
        let hash: [u8; HASH_BYTES] = Sha256::digest(&bytes[..body]).into();
        if bytes[body..] != hash {
            return Err(Damage::Hash);
        }
        let found = sections::read(&bytes[..body], true)?;
        let header = header_of(&bytes, &found)?;
        let of_kind = |kind: u32| found.iter().filter(move |section| section.kind == kind).map(|s| s.range.clone());
        let (state, files): (Vec<_>, Vec<_>) = (of_kind(STATE).collect(), of_kind(FILE).collect());
        if files.len() != header.files.len() {
            return Err(Damage::Sections { what: "another number of files" });
        }
        let fits = |(range, file): (&Range<usize>, &FileEntry)| range.len() as u64 == file.length;
        if !files.iter().zip(&header.files).all(fits) {
            return Err(Damage::Sections { what: "a file of another length" });
        }
        let holds_state = header.state.seq == header.seq;
        if state.len() != usize::from(holds_state) {
            return Err(Damage::Sections { what: "its state" });
        }
        Ok(Record { inner: Arc::new(Inner { header, hash, state: state.into_iter().next(), files, bytes }) })
    }

    #[must_use]
    pub fn header(&self) -> &Header {
        &self.inner.header
    }

    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.inner.bytes
    }

    /// SHA-256 of the bytes before it, which the record ends with.
    #[must_use]
    pub fn hash(&self) -> [u8; HASH_BYTES] {
        self.inner.hash
    }

    /// The bytes of a file, by its place in the header.
    #[must_use]
    pub fn file(&self, index: usize) -> Bytes {
        self.inner.bytes.slice(self.inner.files[index].clone())
    }

    /// The state that this record holds itself, unpacked.
    ///
    /// # Errors
    /// If it cannot be unpacked.
    pub fn state(&self) -> Result<Option<Vec<u8>>, Damage> {
        let Some(range) = &self.inner.state else { return Ok(None) };
        let packed = &self.inner.bytes[range.clone()];
        let failed = |reason: String| Damage::State { reason };
        let size = usize::try_from(self.inner.header.state.bytes).unwrap_or(usize::MAX);
        if size > STATE_BYTES_MAX {
            return Err(failed(format!("{size} bytes are more than {STATE_BYTES_MAX}")));
        }
        let state = unpack(packed, size).map_err(|e| failed(e.to_string()))?;
        if state.len() == size { Ok(Some(state)) } else { Err(failed(format!("{} of {size} bytes", state.len()))) }
    }
}

/// Reads the header alone, from the beginning of a record: nothing but the header's own checksum is verified.
///
/// # Errors
/// What is wrong with it.
pub fn peek(beginning: &[u8]) -> Result<Header, Damage> {
    sections::check_beginning(beginning)?;
    let found = sections::read(beginning, false)?;
    header_of(beginning, &found)
}

fn header_of(bytes: &[u8], found: &[sections::Section]) -> Result<Header, Damage> {
    let Some(first) = found.first().filter(|section| section.kind == HEADER) else {
        return Err(Damage::Sections { what: "no header" });
    };
    serde_json::from_slice(&bytes[first.range.clone()]).map_err(|e| Damage::Header { reason: e.to_string() })
}

/// A state as records hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    pub(crate) bytes: Vec<u8>,
    /// How long it is unpacked.
    pub(crate) length: u64,
}

impl Packed {
    /// # Panics
    /// Never: compressing memory into memory cannot fail.
    #[must_use]
    pub fn new(state: &[u8]) -> Self {
        let bytes = zstd::bulk::compress(state, 1).expect("compressing memory into memory cannot fail");
        Packed { bytes, length: state.len() as u64 }
    }

    /// Bytes as packed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// At most one byte more than `size`. Room is made as it fills: what a header claims costs nothing.
fn unpack(packed: &[u8], size: usize) -> std::io::Result<Vec<u8>> {
    const LIKELY_RATIO: usize = 4;
    let mut state = Vec::with_capacity(size.min(packed.len().saturating_mul(LIKELY_RATIO)));
    let decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
    decoder.take(size as u64 + 1).read_to_end(&mut state)?;
    Ok(state)
}

impl Entry for Record {
    fn mark(&self) -> Mark {
        let header = self.header();
        Mark { seq: header.seq, hash: self.inner.hash, state_seq: header.state.seq }
    }

    fn nonce(&self) -> u128 {
        self.header().nonce.0
    }

    fn files(&self) -> usize {
        self.inner.files.len()
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.inner.bytes == other.inner.bytes
    }
}
