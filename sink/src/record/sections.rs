//! The envelope of a record: magic, version, sections with their checksums, and the hash over all.

use std::ops::Range;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Damage, HASH_BYTES, MAGIC, VERSION};

pub(super) const HEADER: u32 = 1;
pub(super) const STATE: u32 = 2;
pub(super) const FILE: u32 = 3;

const BEGINNING_BYTES: usize = 16;
const SECTION_BYTES: usize = 16;
/// More sections than a record can have: its files are bounded by dates and datasets.
const SECTIONS_MAX: u32 = 4096;

#[derive(Debug)]
pub(super) struct Section {
    pub(super) kind: u32,
    /// Of its bytes within the record.
    pub(super) range: Range<usize>,
}

pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// `content`: bytes of all sections together.
    pub(super) fn new(content: usize, sections: usize) -> Self {
        let mut out = Vec::with_capacity(BEGINNING_BYTES + sections * SECTION_BYTES + content + HASH_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&u32::try_from(sections).unwrap_or(u32::MAX).to_le_bytes());
        Writer { out }
    }

    pub(super) fn section(&mut self, kind: u32, bytes: &[u8]) -> Range<usize> {
        self.out.extend_from_slice(&kind.to_le_bytes());
        self.out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.out.extend_from_slice(&crc32c::crc32c(bytes).to_le_bytes());
        let from = self.out.len();
        self.out.extend_from_slice(bytes);
        from..self.out.len()
    }

    pub(super) fn finish(mut self) -> (Bytes, [u8; HASH_BYTES]) {
        let hash: [u8; HASH_BYTES] = Sha256::digest(&self.out).into();
        self.out.extend_from_slice(&hash);
        (self.out.into(), hash)
    }
}

/// Magic and version: the latter comes before any checksum, since a later format may end in another way.
pub(super) fn check_beginning(bytes: &[u8]) -> Result<(), Damage> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.take(MAGIC.len()) != Some(MAGIC) {
        return Err(Damage::Magic);
    }
    match reader.u32() {
        Some(VERSION) => Ok(()),
        Some(version) => Err(Damage::Version { version }),
        None => Err(Damage::Short),
    }
}

/// Where the body ends and the hash begins.
pub(super) fn check_envelope(bytes: &[u8]) -> Result<usize, Damage> {
    check_beginning(bytes)?;
    bytes.len().checked_sub(HASH_BYTES).filter(|body| *body >= BEGINNING_BYTES).ok_or(Damage::Short)
}

/// The sections of a body; of a beginning only the first one.
pub(super) fn read(body: &[u8], whole: bool) -> Result<Vec<Section>, Damage> {
    let mut reader = Reader { bytes: body, at: MAGIC.len() + 4 };
    let count = reader.u32().ok_or(Damage::Short)?;
    if count > SECTIONS_MAX {
        return Err(Damage::Sections { what: "too many" });
    }
    let wanted = if whole { count } else { count.min(1) };
    let mut sections = Vec::new();
    for index in 0..wanted as usize {
        let (kind, length, crc) = reader.section_head().ok_or(Damage::Short)?;
        let length = usize::try_from(length).map_err(|_| Damage::Short)?;
        let from = reader.at;
        let content = reader.take(length).ok_or(Damage::Short)?;
        if crc32c::crc32c(content) != crc {
            return Err(Damage::Section { index });
        }
        sections.push(Section { kind, range: from..reader.at });
    }
    if whole && reader.at != body.len() {
        return Err(Damage::Sections { what: "bytes follow the last one" });
    }
    Ok(sections)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn section_head(&mut self) -> Option<(u32, u64, u32)> {
        Some((self.u32()?, self.u64()?, self.u32()?))
    }
}
