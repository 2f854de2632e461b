//! What the targets share: settings picked from the first bytes of an input, and the laws that their outcomes must keep.
//!
//! A law is an assertion about what is said, not about which inputs are refused: the regression tests beside the code do that.

pub mod decoding;
pub mod scoring;

/// The rest of an input, from whose front settings are picked. Exhausted, it gives zeros, so that every input means something.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(pub &'a [u8]);

// === impl Input ===

impl<'a> Input<'a> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// One of the choices.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// A number of at most two bytes.
    pub fn small(&mut self) -> i64 {
        i64::from(i16::from_le_bytes([self.byte(), self.byte()]))
    }

    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
