//! Opens one input: finds the compression and Avro by the first bytes, counts what is read, skips a byte order mark.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::Error;
use super::expand::{Input, STANDARD_INPUT};
use super::{avro, kind};

const BUFFER_BYTES: usize = 256 * 1024;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How far reading has come, for a progress bar on another thread. Counts bytes of files, compressed ones as they lie
/// there.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    done: Arc<AtomicU64>,
    total: u64,
}

impl Progress {
    pub(super) fn new(inputs: &[Input]) -> Self {
        let bytes = |input: &Input| match input {
            Input::File { bytes, .. } => Some(*bytes),
            Input::Stream { .. } => None,
        };
        Progress { done: Arc::default(), total: inputs.iter().map(bytes).sum::<Option<u64>>().unwrap_or(0) }
    }

    #[must_use]
    pub fn bytes_done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Zero with standard input or another pipe, whose size nobody knows.
    #[must_use]
    pub fn bytes_total(&self) -> u64 {
        self.total
    }

    pub(super) fn restart(&self) {
        self.done.store(0, Ordering::Relaxed);
    }
}

/// An open input, decompressed.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) reader: Box<dyn BufRead + Send>,
    /// It begins as Avro files do.
    pub(super) is_avro: bool,
    compression: Option<&'static str>,
    /// Bytes read of this file.
    at: Arc<AtomicU64>,
}

impl Opened {
    pub(super) fn new(input: &Input, progress: &Progress) -> Result<Self, Error> {
        let (Input::File { path, .. } | Input::Stream { path }) = input;
        let unreadable = |source| Error::Unreadable { path: path.clone(), source };
        let inner: Box<dyn Read + Send> = match input {
            Input::Stream { path } if path.as_os_str() == STANDARD_INPUT => Box::new(io::stdin()),
            Input::File { path, .. } | Input::Stream { path } => Box::new(File::open(path).map_err(unreadable)?),
        };
        let at = Arc::<AtomicU64>::default();
        let counted = Counted { inner, counters: [Arc::clone(&progress.done), Arc::clone(&at)] };
        let (magic, reader) = begin(BufReader::with_capacity(BUFFER_BYTES, counted), 4).map_err(unreadable)?;
        let buffered = |reader| BufReader::with_capacity(BUFFER_BYTES, reader);
        let (compression, reader): (_, Box<dyn BufRead + Send>) = if magic.starts_with(GZIP) {
            let gzip: Box<dyn Read + Send> = Box::new(flate2::bufread::MultiGzDecoder::new(reader));
            (Some("gzip"), Box::new(buffered(gzip)))
        } else if magic.starts_with(ZSTD) || is_skippable_frame(&magic) {
            let zstd = zstd::stream::read::Decoder::with_buffer(reader).map_err(unreadable)?;
            let zstd: Box<dyn Read + Send> = Box::new(zstd);
            (Some("zstd"), Box::new(buffered(zstd)))
        } else {
            (None, Box::new(reader))
        };
        let mut opened = Opened { path: path.clone(), reader: Box::new(io::empty()), is_avro: false, compression, at };
        let (start, reader) = begin(reader, BYTE_ORDER_MARK.len() as u64).map_err(|source| opened.failed(source))?;
        // Of a pipe no more is waited for than it takes.
        let looks = kind::may_be(&start) || matches!(input, Input::File { .. });
        let (whole, mut reader) = peek(reader, if looks { kind::BYTES } else { start.len() as u64 });
        if let Some(kind) = kind::of(&whole) {
            return Err(Error::OtherKind { path: opened.path, name: kind.name, advice: kind.advice });
        }
        if start == BYTE_ORDER_MARK {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        opened.reader = Box::new(reader);
        if start == avro::MAGIC[..start.len()] {
            let all = std::mem::replace(&mut opened.reader, Box::new(io::empty()));
            let (start, reader) = begin(all, avro::MAGIC.len() as u64).map_err(|source| opened.failed(source))?;
            opened.is_avro = start == avro::MAGIC;
            opened.reader = Box::new(reader);
        }
        Ok(opened)
    }

    /// What is wrong with an Avro file.
    pub(super) fn failed_as_avro(&self, fault: avro::Fault) -> Error {
        match fault {
            avro::Fault::Header(problem) => Error::Avro { path: self.path.clone(), problem },
            avro::Fault::Broken(source) if source.raw_os_error().is_none() => {
                let at = self.at.load(Ordering::Relaxed);
                Error::Broken { path: self.path.clone(), compression: "Avro", at, source }
            }
            avro::Fault::Broken(source) => self.failed(source),
        }
    }

    /// What a failure to read means: the file's content, or the way to it.
    pub(super) fn failed(&self, source: io::Error) -> Error {
        match self.compression {
            // The operating system says so, not the decompressor.
            Some(compression) if source.raw_os_error().is_none() => {
                Error::Broken { path: self.path.clone(), compression, at: self.at.load(Ordering::Relaxed), source }
            }
            _ => Error::Unreadable { path: self.path.clone(), source },
        }
    }
}

/// Frames of user data before or between the compressed ones, as parallel compressors write them.
fn is_skippable_frame(magic: &[u8]) -> bool {
    matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

/// A reader with its first bytes before it again.
type Rewound<R> = Chain<Cursor<Vec<u8>>, R>;

/// Up to `length` first bytes, and a reader that still begins with them.
fn begin<R: BufRead>(mut reader: R, length: u64) -> io::Result<(Vec<u8>, Rewound<R>)> {
    let mut start = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut start)?;
    Ok((start.clone(), Cursor::new(start).chain(reader)))
}

/// The same; a failure meanwhile is kept for its place, since decompressors tell it once and then seem to be at their end.
fn peek<R: BufRead>(mut reader: R, length: u64) -> (Vec<u8>, impl BufRead + use<R>) {
    let mut start = Vec::new();
    let failure = reader.by_ref().take(length).read_to_end(&mut start).err();
    (start.clone(), Cursor::new(start).chain(Kept(failure).chain(reader)))
}

/// Fails once, if at all.
struct Kept(Option<io::Error>);

impl Read for Kept {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl BufRead for Kept {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.take().map_or(Ok(&[]), Err)
    }

    fn consume(&mut self, _: usize) {}
}

struct Counted {
    inner: Box<dyn Read + Send>,
    counters: [Arc<AtomicU64>; 2],
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        for counter in &self.counters {
            counter.fetch_add(length as u64, Ordering::Relaxed);
        }
        Ok(length)
    }
}
