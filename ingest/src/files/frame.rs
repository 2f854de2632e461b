//! Cuts a stream of bytes into records: lines, or CSV rows whose quoted cells may hold newlines.
//!
//! Memory stays bounded whatever the input: of a record that is too large only so much is kept that the decoder sees
//! it is.

use std::io::{self, BufRead};

/// How records end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Lines,
    Rows { delimiter: u8 },
}

#[derive(Debug)]
pub(super) struct Framer {
    framing: Framing,
    record_bytes_max: usize,
    record: Vec<u8>,
    /// The record is longer than what is kept.
    cut: bool,
    place: Place,
    /// Line ends read so far, and the line in which the record begins, from 1.
    line_ends: u64,
    line: u64,
}

/// Where in a row the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    CellStart,
    Plain,
    Quoted,
    /// After a quote in a quoted cell: its end, or the first half of a doubled one.
    Quote,
}

impl Framer {
    pub(super) fn new(framing: Framing, record_bytes_max: usize) -> Self {
        Framer {
            framing,
            record_bytes_max,
            record: Vec::new(),
            cut: false,
            place: Place::CellStart,
            line_ends: 0,
            line: 0,
        }
    }

    /// Reads the next record that is not blank; false at the end of the input.
    pub(super) fn advance(&mut self, reader: &mut dyn BufRead) -> io::Result<bool> {
        loop {
            self.line = self.line_ends + 1;
            let ended = self.fill(reader)?;
            if !self.cut && self.record.last() == Some(&b'\r') {
                self.record.pop();
            }
            if !self.record.trim_ascii().is_empty() || self.cut {
                return Ok(true);
            }
            if ended {
                return Ok(false);
            }
        }
    }

    /// The record that was read last, without its line ending.
    pub(super) fn record(&self) -> &[u8] {
        &self.record
    }

    /// The line in which it begins, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Reads to the end of a record or of the input; true for the latter.
    fn fill(&mut self, reader: &mut dyn BufRead) -> io::Result<bool> {
        self.record.clear();
        self.cut = false;
        self.place = Place::CellStart;
        loop {
            let chunk = match reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                return Ok(true);
            }
            // The cut comes at the same byte however the input arrives: positions depend on it.
            let room = self.kept_bytes_max() - self.record.len();
            let looked_at = if self.cut { chunk } else { &chunk[..chunk.len().min(room)] };
            let end = self.end_in(looked_at);
            let content = end.unwrap_or(looked_at.len());
            if !self.cut {
                self.record.extend_from_slice(&looked_at[..content]);
                self.cut = end.is_none() && content == room;
            }
            reader.consume(content + usize::from(end.is_some()));
            if end.is_some() {
                self.line_ends += 1;
                return Ok(false);
            }
        }
    }

    /// Enough to hold the largest record with its carriage return, and one byte that proves it larger.
    fn kept_bytes_max(&self) -> usize {
        self.record_bytes_max + 2
    }

    /// Where in the chunk the record ends with a newline.
    fn end_in(&mut self, chunk: &[u8]) -> Option<usize> {
        match self.framing {
            // A row that is too large most likely has a quote too many: the next line is the place to go on.
            _ if self.cut => memchr::memchr(b'\n', chunk),
            Framing::Lines => memchr::memchr(b'\n', chunk),
            Framing::Rows { delimiter } => self.row_end_in(chunk, delimiter),
        }
    }

    fn row_end_in(&mut self, chunk: &[u8], delimiter: u8) -> Option<usize> {
        let mut at = 0;
        while at < chunk.len() {
            // Whole runs at once, where nothing can happen within.
            let run = match self.place {
                Place::Plain => memchr::memchr2(delimiter, b'\n', &chunk[at..]).unwrap_or(chunk.len() - at),
                Place::Quoted => memchr::memchr(b'"', &chunk[at..]).unwrap_or(chunk.len() - at),
                Place::CellStart | Place::Quote => 0,
            };
            if self.place == Place::Quoted {
                self.line_ends += memchr::memchr_iter(b'\n', &chunk[at..at + run]).count() as u64;
            }
            at += run;
            let Some(byte) = chunk.get(at) else { break };
            self.place = match (self.place, *byte) {
                (Place::Quoted, _) => Place::Quote,
                (Place::CellStart | Place::Quote, b'"') => Place::Quoted,
                (_, b'\n') => return Some(at),
                (_, byte) if byte == delimiter => Place::CellStart,
                _ => Place::Plain,
            };
            at += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn frames(input: &[u8], framing: Framing, max: usize, chunk: usize) -> Vec<Vec<u8>> {
        let mut reader = BufReader::with_capacity(chunk, input);
        let mut framer = Framer::new(framing, max);
        let mut records = Vec::new();
        while framer.advance(&mut reader).expect("memory") {
            records.push(framer.record().to_vec());
        }
        records
    }

    const ROWS: Framing = Framing::Rows { delimiter: b',' };

    #[test]
    fn lines_and_rows() {
        let check = |input: &str, framing, expected: &[&str]| {
            for chunk in [1, 2, 3, 64] {
                let records = frames(input.as_bytes(), framing, 10, chunk);
                let records: Vec<_> = records.iter().map(|record| String::from_utf8_lossy(record)).collect();
                assert_eq!(records, expected, "{input:?}");
            }
        };
        check("", Framing::Lines, &[]);
        check("a\n\n \t\r\nb\r\nc", Framing::Lines, &["a", "b", "c"]);
        check(
            "0123456789\r\n0123456789abcdef\n0123456789\rx\nd\n",
            Framing::Lines,
            &["0123456789", "0123456789ab", "0123456789\rx", "d"],
        );
        check("a,\"b\nc\"\nd\"\n", ROWS, &["a,\"b\nc\"", "d\""]);
        check("\"a\"\"\n\",b\r\n\r\nc,\"\"\n", ROWS, &["\"a\"\"\n\",b", "c,\"\""]);
        check("a,\"open\nb,1\nc,2\nd,3\n", ROWS, &["a,\"open\nb,1\n", "d,3"]);
    }

    #[test]
    fn records_know_their_lines() {
        let input = b"h,x\n\na,1\r\n\"b\nc\",\"\n\n\"\n\nd,4";
        for chunk in [1, 2, 3, 64] {
            let mut reader = BufReader::with_capacity(chunk, &input[..]);
            let mut framer = Framer::new(ROWS, 100);
            let mut lines = Vec::new();
            while framer.advance(&mut reader).expect("memory") {
                lines.push(framer.line());
            }
            assert_eq!(lines, [1, 3, 4, 9]);
        }
    }

    proptest! {
        #[test]
        fn records_do_not_depend_on_the_chunks(
            input in "[a\",\n\r]{0,60}", chunk in 1_usize..9, max in 1_usize..70
        ) {
            for framing in [Framing::Lines, ROWS] {
                prop_assert_eq!(
                    frames(input.as_bytes(), framing, max, chunk),
                    frames(input.as_bytes(), framing, max, 1000)
                );
            }
        }
    }
}
