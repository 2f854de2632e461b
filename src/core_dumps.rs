//! No core dumps: an image of this memory holds keys and tokens in plain.
//!
//! A limit of one byte, not of none: the kernel writes no file that is longer than its limit either way, but starts a
//! program that `core_pattern` names even with a limit of 0, and never with one of 1 (`do_coredump` in Linux' fs/coredump.c).

use rustix::process::{Resource, Rlimit, setrlimit};

/// For this process and good. Where the system refuses, nothing is lost but this.
pub fn off() {
    let no_file = Rlimit { current: Some(1), maximum: Some(1) };
    if setrlimit(Resource::Core, no_file).is_err() {
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
}
