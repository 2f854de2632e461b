//! A partition on disk: events one after another, written before a producer hears of success.
//!
//! A record: length of the sections (u32), sequence number, offset, enqueued time (i64 each, little-endian), the sections. A tail
//! cut by a kill is dropped on the next start: nobody was told that it was kept. Beside it, once events expired, a small file
//! with the first number held.

use std::fs::{self, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::log::Event;
use crate::clock;

const HEAD_BYTES: usize = 4 + 3 * 8;

/// When the hub in a folder was made: written down by the first that opens it, since clients take another time for another hub.
pub(crate) fn created_ms(folder: &Path) -> io::Result<i64> {
    fs::create_dir_all(folder)?;
    let path = folder.join("created");
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let now = clock::now_ms();
            fs::write(&path, now.to_string())?;
            Ok(now)
        }
        Err(error) => Err(error),
    }
}

pub(crate) struct File {
    path: PathBuf,
    first: i64,
    out: fs::File,
}

impl File {
    /// `<folder>/<partition>.events`
    pub(crate) fn open(folder: &Path, partition: usize) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{partition}.events"));
        let out = OpenOptions::new().create(true).append(true).open(&path)?;
        let first = match fs::read_to_string(path.with_extension("first")) {
            Ok(text) => text.trim().parse().map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self { path, first, out })
    }

    /// How many partitions a folder holds.
    pub(crate) fn partitions(folder: &Path) -> usize {
        (0..).take_while(|partition| folder.join(format!("{partition}.events")).exists()).count()
    }

    /// All whole events, expired ones included; gives the first number still held.
    pub(crate) fn read(&mut self, mut take: impl FnMut(Event)) -> io::Result<i64> {
        let total = fs::metadata(&self.path)?.len();
        let mut input = BufReader::new(fs::File::open(&self.path)?);
        let mut whole = 0;
        loop {
            let mut head = [0; HEAD_BYTES];
            if whole + HEAD_BYTES as u64 > total {
                break;
            }
            input.read_exact(&mut head)?;
            let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
            let end = whole + HEAD_BYTES as u64 + u64::from(length);
            if end > total {
                break;
            }
            let mut sections = vec![0; length as usize];
            input.read_exact(&mut sections)?;
            take(Event {
                sequence_number: number(&head, 4),
                offset: number(&head, 12),
                enqueued_ms: number(&head, 20),
                sections: Bytes::from(sections),
            });
            whole = end;
        }
        if whole < total {
            self.out.set_len(whole)?;
        }
        Ok(self.first)
    }

    pub(crate) fn append(&mut self, events: &[Event]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for event in events {
            bytes.extend((event.sections.len() as u32).to_le_bytes());
            for number in [event.sequence_number, event.offset, event.enqueued_ms] {
                bytes.extend(number.to_le_bytes());
            }
            bytes.extend_from_slice(&event.sections);
        }
        self.out.write_all(&bytes)
    }

    pub(crate) fn set_first(&mut self, first: i64) -> io::Result<()> {
        if first != self.first {
            let fresh = self.path.with_extension("first-new");
            fs::write(&fresh, first.to_string())?;
            fs::rename(fresh, self.path.with_extension("first"))?;
            self.first = first;
        }
        Ok(())
    }
}

fn number(head: &[u8; HEAD_BYTES], at: usize) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&head[at..at + 8]);
    i64::from_le_bytes(bytes)
}
