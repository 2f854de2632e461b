//! A record as small as it can be: what the protocol and its invariants look at, and nothing else.

use std::hash::{Hash, Hasher};

use sink::machine::{Entry, Mark};

/// The file that says that a log was begun; its name holds no seq.
pub(crate) const MARKER: u8 = 3;
/// Windows and the marker.
pub(crate) const FILES: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Genesis,
    Claim,
    Data,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) seq: u8,
    /// No other record of this seq that still exists anywhere has the same.
    pub(crate) nonce: u8,
    pub(crate) kind: Kind,
    /// Digest of the record before.
    pub(crate) previous: u32,
    pub(crate) next: u8,
    /// The record that holds the state, and its digest; its own has none.
    pub(crate) state_seq: u8,
    pub(crate) state_of: u32,
    /// Its state, if it holds one: the windows that are closed and in no record yet, as bits.
    pub(crate) held: u8,
    /// One a window, as bits.
    pub(crate) files: u8,
}

impl Record {
    /// Of everything but the links to other records; with the seq, as good as a hash.
    pub(crate) fn digest(&self) -> u32 {
        let Record { nonce, kind, next, state_seq, held, files, .. } = *self;
        let low = u32::from(nonce) | (kind as u32) << 5 | u32::from(next) << 7 | u32::from(state_seq) << 10;
        low | u32::from(held) << 15 | u32::from(files) << 19 | 1 << 31
    }

    pub(crate) fn nonce_in(digest: u32) -> u8 {
        (digest & 31) as u8
    }

    pub(crate) fn holds_state(&self) -> bool {
        self.state_seq == self.seq
    }

    /// The machine counts a record's files; here they are known by their window.
    pub(crate) fn file_at(&self, index: usize) -> u8 {
        bits(self.files).nth(index).expect("the machine asks for files that the record has")
    }

    pub(crate) fn index_of(&self, file: u8) -> usize {
        (self.files & ((1 << file) - 1)).count_ones() as usize
    }
}

/// The whole record in two words, for speed.
impl Hash for Record {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(u64::from(self.digest()) << 32 | u64::from(self.previous));
        hasher.write_u64(u64::from(self.seq) << 32 | u64::from(self.state_of));
    }
}

impl Entry for Record {
    fn mark(&self) -> Mark {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&self.digest().to_le_bytes());
        Mark { seq: self.seq.into(), hash, state_seq: self.state_seq.into() }
    }

    fn nonce(&self) -> u128 {
        self.nonce.into()
    }

    fn files(&self) -> usize {
        self.files.count_ones() as usize
    }
}

/// The log's first record.
pub(crate) fn genesis(nonce: u8) -> Record {
    Record {
        seq: 0,
        nonce,
        kind: Kind::Genesis,
        previous: 0,
        next: 0,
        state_seq: 0,
        state_of: 0,
        held: 0,
        files: 1 << MARKER,
    }
}

pub(crate) fn bits(mask: u8) -> impl Iterator<Item = u8> {
    (0..8).filter(move |bit| mask & (1 << bit) != 0)
}
