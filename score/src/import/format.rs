//! What a file is, told from its first bytes.

use super::Refused;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Written by pickle or, with arrays between its opcodes, by joblib.
    Pickle,
    Skops,
    Onnx,
    Compressed(Compression),
}

/// How joblib compresses whole files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Zlib,
    Gzip,
    Bzip2,
    Xz,
    Lzma,
}

/// What is read only in parts, or not at all, and what it is called.
const OTHERS: [(&[u8], &str); 6] = [
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\x04\x22\x4d\x18", "compressed with lz4"),
    (b"ZF0x", "a compressed file of joblib before 0.10"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a file of one numpy array"),
    (b"PAR1", "a Parquet file"),
];

pub(super) fn of(bytes: &[u8]) -> Result<Format, Refused> {
    if bytes.is_empty() {
        return Err(Refused::Empty);
    }
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(Refused::Pointer);
    }
    if let Some((_, format)) = OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(Refused::Format { format });
    }
    match bytes {
        [0x80, 2..=5, ..] => Ok(Format::Pickle),
        [0x80, protocol, ..] => Err(Refused::Protocol { protocol: *protocol }),
        [0x80] => Err(Refused::Truncated { at: 1 }),
        [b'P', b'K', 3, 4, ..] => Ok(Format::Skops),
        [0x1f, 0x8b, ..] => Ok(Format::Compressed(Compression::Gzip)),
        [b'B', b'Z', b'h', ..] => Ok(Format::Compressed(Compression::Bzip2)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(Format::Compressed(Compression::Xz)),
        [0x5d, 0, 0, ..] => Ok(Format::Compressed(Compression::Lzma)),
        // A zlib header is a multiple of 31.
        [0x78, flags, ..] if (0x7800 + u16::from(*flags)).is_multiple_of(31) => {
            Ok(Format::Compressed(Compression::Zlib))
        }
        // The version of its format, a small number in field 1.
        [0x08, 1..0x40, ..] => Ok(Format::Onnx),
        _ => Err(Refused::Unknown),
    }
}

// === impl Compression ===

impl Compression {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Compression::Zlib => "zlib",
            Compression::Gzip => "gzip",
            Compression::Bzip2 => "bzip2",
            Compression::Xz => "xz",
            Compression::Lzma => "lzma",
        }
    }
}
