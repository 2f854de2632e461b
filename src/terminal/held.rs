//! Standard error for log lines: what is said while a view has the terminal waits in memory until it is given back, so that
//! it does not tear the view and is not lost with it. A bar makes room for a line and goes on below it.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

use super::guard;

/// What is said beyond this is lost; a view is short, and its program says little.
const HELD_BYTES_MAX: usize = 64 << 10;

static HELD: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// What is drawn over the last line.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// From now on standard error is this bar's, too; or nobody's.
pub(crate) fn share_with(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// A line is said where no bar is drawn over it, if there is one.
pub(crate) fn beside_bar<R>(say: impl FnOnce() -> R) -> R {
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bar {
        Some(bar) => bar.suspend(say),
        None => say(),
    }
}

pub(crate) struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !guard::is_taken() {
            return beside_bar(|| io::stderr().write(bytes));
        }
        hold(&mut HELD.lock().unwrap_or_else(PoisonError::into_inner), bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Says what was held back.
pub(super) fn release() {
    let held = std::mem::take(&mut *HELD.lock().unwrap_or_else(PoisonError::into_inner));
    // There is nobody left to tell if standard error is closed.
    let _ = io::stderr().write_all(&held);
}

/// Whole lines only: a subscriber writes each in one piece.
fn hold(held: &mut Vec<u8>, line: &[u8]) {
    if held.len() + line.len() <= HELD_BYTES_MAX {
        held.extend_from_slice(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_has_a_bound_and_is_never_half_a_line() {
        let mut held = Vec::new();
        for _ in 0..HELD_BYTES_MAX {
            hold(&mut held, b"seven..\n");
        }
        assert_eq!(held.len(), HELD_BYTES_MAX);
        let mut held = vec![b'x'; HELD_BYTES_MAX - 3];
        hold(&mut held, b"long\n");
        hold(&mut held, b"ab\n");
        assert!(held.ends_with(b"xab\n"));
    }
}
