//! Records of a sample that are text, but not in UTF-8: which the decoder refuses, and nobody can guess from.

use super::{Sample, Unknown};

/// What to do about them.
pub(super) const REMEDY: &str = "write a file in UTF-8 first, of Latin-1 and its like with `iconv -f WINDOWS-1252 -t UTF-8 IN > OUT`; of a topic, have the sender do so";

/// Records that are not UTF-8.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    pub(super) samples: Vec<Sample>,
    /// Of the first one, its number in the sample, from 1.
    pub(super) first: usize,
}

impl Lost {
    /// Those of a sample, if it has some.
    pub(super) fn of(samples: &[Sample]) -> Option<Lost> {
        let is_lost = |sample: &&Sample| std::str::from_utf8(&sample.payload).is_err();
        let first = samples.iter().position(|sample| is_lost(&sample))? + 1;
        Some(Lost { samples: samples.iter().filter(is_lost).cloned().collect(), first })
    }

    /// Where too little of the sample is left, or its header is among them.
    pub(super) fn too_many(&self, of: usize, names_columns: bool) -> Option<Unknown> {
        let count = self.samples.len();
        let is_text = self.samples.iter().all(|sample| is_text(&sample.payload));
        let is_too_many = count * 2 > of || names_columns && self.first == 1;
        (is_text && is_too_many).then_some(Unknown::Encoding { count, of, first: self.first })
    }

    pub(super) fn said(&self, of: usize) -> String {
        let (count, first) = (self.samples.len(), self.first);
        let (are, they) = if count == 1 { ("is", "it") } else { ("are", "they") };
        format!(
            "{count} of {of} records {are} not UTF-8, the first of them in line {first} of the sample, and {they} would be refused: {REMEDY}"
        )
    }
}

/// Mostly letters as all encodings of the West have them, and nothing that is none.
fn is_text(payload: &[u8]) -> bool {
    let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\r' | b'\n');
    !payload.iter().any(is_control) && payload.iter().filter(|byte| byte.is_ascii()).count() * 2 > payload.len()
}
