//! scikit-learn's pickles, read as data.
//!
//! A pickle is a program for a small machine whose instructions can call anything. This reader has a machine without
//! calls: it builds numbers, texts, lists and a fixed list of classes as inert values (`machine`, `heap`, `globals`),
//! then looks up the few attributes that make a one-class SVM (`numpy`, `sklearn`). Every name that is not on the list is
//! refused with its name. Nothing is copied until it is asked for, nothing recurses, and every amount has a bound, so a
//! small file cannot grow.

mod globals;
mod heap;
mod machine;
mod numpy;
mod refused;
mod sklearn;
#[cfg(test)]
mod tests;

use crate::{Model, ModelKey};

pub use refused::Refused;

/// Largest file that is looked at.
pub const BYTES_MAX: usize = 64 << 20;

/// Reads one pickled one-class SVM, alone or as the last step of a pipeline behind a standard scaler. The result has passed
/// [`Model::check`]; version and source are the caller's to fill in.
///
/// # Errors
/// Says what is not supported or not right.
pub fn read(bytes: &[u8], key: ModelKey) -> Result<Model, Refused> {
    if bytes.len() > BYTES_MAX {
        return Err(Refused::TooLarge { what: "bytes in the file", max: BYTES_MAX });
    }
    refuse_other_formats(bytes)?;
    let pickled = machine::run(bytes)?;
    let model = sklearn::model(&pickled, key)?;
    model.check()?;
    Ok(model)
}

/// Names what a file is when it is not a pickle: clearer than "unknown opcode".
fn refuse_other_formats(bytes: &[u8]) -> Result<(), Refused> {
    const FORMATS: [(&[u8], &str); 10] = [
        (b"PK\x03\x04", "a skops file (or another zip archive)"),
        (b"\x1f\x8b", "compressed with gzip"),
        (b"BZh", "compressed with bzip2"),
        (b"\xfd7zXZ\x00", "compressed with xz"),
        (b"\x5d\x00\x00", "compressed with lzma"),
        (b"\x78\x01", "compressed with zlib"),
        (b"\x78\x5e", "compressed with zlib"),
        (b"\x78\x9c", "compressed with zlib"),
        (b"\x78\xda", "compressed with zlib"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    ];
    if bytes.is_empty() {
        return Err(Refused::Empty);
    }
    for (magic, format) in FORMATS {
        if bytes.starts_with(magic) {
            return Err(Refused::Format { format });
        }
    }
    // An ONNX file begins with its format version, a small number in field 1.
    if bytes[0] == 0x08 && bytes.get(1).is_some_and(|&version| (1..0x40).contains(&version)) {
        return Err(Refused::Format { format: "an ONNX file" });
    }
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(Refused::Pointer);
    }
    match bytes {
        [0x80, 2..=5, ..] => Ok(()),
        [0x80, protocol, ..] => Err(Refused::Protocol { protocol: *protocol }),
        [0x80] => Err(Refused::Truncated { at: 1 }),
        _ => Err(Refused::NotPickle),
    }
}
