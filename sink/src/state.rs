//! The state object of a partition: everything that a restart needs, in one envelope that can tell whether it is whole.
//!
//! Layout, all numbers little-endian (a later format gets a new version; these numbers stay):
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `ATALAIAS` |
//! | 4 | version, 1 |
//! | 4 | genesis |
//! | 8 | seq |
//! | 8 | next position |
//! | 4 | partition |
//! | 4 + n | topic |
//! | 4 + n | pipeline id |
//! | 4 + n | fingerprint of the rules of windows |
//! | 8 + n | payload: the pipeline's own bytes |
//! | 32 | SHA-256 of all before |

use bytes::Bytes;
use sha2::{Digest, Sha256};
use types::{PartitionId, Position};

use crate::names::Genesis;
use crate::{Error, Identity};

const MAGIC: &[u8; 8] = b"ATALAIAS";
const VERSION: u32 = 1;
const HASH_BYTES: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) genesis: Genesis,
    pub(crate) seq: u64,
    pub(crate) next: Position,
    pub(crate) payload: Vec<u8>,
}

/// What a state must say of itself to be this partition's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) partition: &'a PartitionId,
    /// The object's place, for messages.
    pub(crate) place: &'a str,
}

pub(crate) struct Header {
    pub(crate) genesis: Genesis,
    pub(crate) seq: u64,
    pub(crate) next: Position,
}

pub(crate) fn write(header: &Header, owner: Owner<'_>, payload: &[u8]) -> Bytes {
    let Owner { identity, partition, place: _ } = owner;
    let mut out = Vec::with_capacity(128 + HASH_BYTES + payload.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&header.genesis.0.to_le_bytes());
    out.extend_from_slice(&header.seq.to_le_bytes());
    out.extend_from_slice(&header.next.0.to_le_bytes());
    out.extend_from_slice(&partition.index.to_le_bytes());
    for text in [&*partition.topic, &identity.pipeline, &identity.fingerprint] {
        let length = u32::try_from(text.len()).expect("names are checked, and a fingerprint is a line of settings");
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    out.extend_from_slice(payload);
    let hash = Sha256::digest(&out);
    out.extend_from_slice(&hash);
    out.into()
}

/// # Errors
/// If the bytes are not whole, or are another pipeline's or partition's, or were made under other rules.
pub(crate) fn read(bytes: &[u8], owner: Owner<'_>) -> Result<State, Error> {
    let corrupt = |reason| Error::StateCorrupt { place: owner.place.to_owned(), reason };
    let mut reader = Reader { rest: bytes };
    if reader.take(MAGIC.len()) != Some(MAGIC) {
        return Err(corrupt("it does not begin as a state does"));
    }
    // The version comes before the checksum: a later format may end in another way.
    let version = reader.u32().ok_or_else(|| corrupt("it is cut short"))?;
    if version != VERSION {
        return Err(Error::StateTooNew { place: owner.place.to_owned(), version, known: VERSION });
    }
    let (body, hash) = bytes.split_last_chunk::<HASH_BYTES>().ok_or_else(|| corrupt("it is cut short"))?;
    if Sha256::digest(body).as_slice() != hash {
        return Err(corrupt("its checksum does not fit"));
    }
    reader.rest = reader.rest.strip_suffix(hash).unwrap_or_default();
    let fields = reader.fields().ok_or_else(|| corrupt("its lengths do not fit"))?;
    fields.check(owner)?;
    Ok(State { genesis: fields.genesis, seq: fields.seq, next: fields.next, payload: fields.payload.to_vec() })
}

struct Fields<'a> {
    genesis: Genesis,
    seq: u64,
    next: Position,
    partition: u32,
    topic: &'a str,
    pipeline: &'a str,
    fingerprint: &'a str,
    payload: &'a [u8],
}

impl Fields<'_> {
    fn check(&self, owner: Owner<'_>) -> Result<(), Error> {
        let Owner { identity, partition, place } = owner;
        let name = |pipeline: &str, topic: &str, index: u32| format!("{pipeline}: {topic}-{index}");
        let found = name(self.pipeline, self.topic, self.partition);
        let expected = name(&identity.pipeline, &partition.topic, partition.index);
        if found != expected {
            return Err(Error::StateForeign { place: place.to_owned(), found, expected });
        }
        if self.fingerprint != identity.fingerprint {
            return Err(Error::RulesChanged {
                partition: partition.clone(),
                stored: self.fingerprint.to_owned(),
                configured: identity.fingerprint.clone(),
            });
        }
        Ok(())
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn fields(&mut self) -> Option<Fields<'a>> {
        let fields = Fields {
            genesis: Genesis(self.u32()?),
            seq: self.u64()?,
            next: Position(i64::from_le_bytes(self.u64()?.to_le_bytes())),
            partition: self.u32()?,
            topic: self.text()?,
            pipeline: self.text()?,
            fingerprint: self.text()?,
            payload: {
                let length = usize::try_from(self.u64()?).ok()?;
                self.take(length)?
            },
        };
        self.rest.is_empty().then_some(fields)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.u32()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok()
    }
}
