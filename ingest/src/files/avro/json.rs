//! Avro's values as JSON text, written while they are read.
//!
//! A union is its value; bytes are text where they are UTF-8, else one character a byte; timestamps are RFC 3339, so that they need no
//! unit; decimals are numbers with all their digits. Not a number and infinity, which JSON has no word for, are text that no
//! decoder takes for a number.

use std::io;

use jiff::Timestamp;

use super::decimal;
use super::schema::{Fixed, Form, Id, Schema, Type};
use super::stream::{Stream, damaged};

/// As deep as any decoder of ours reads JSON.
const DEPTH_MAX: u32 = 128;

pub(super) struct Writer<'a> {
    schema: &'a Schema,
    stream: &'a mut Stream,
    out: &'a mut Vec<u8>,
    /// What is written beyond is dropped: reading goes on, since the next value lies behind this one.
    bytes_max: usize,
    depth: u32,
}

impl<'a> Writer<'a> {
    pub(super) fn new(schema: &'a Schema, stream: &'a mut Stream, out: &'a mut Vec<u8>, bytes_max: usize) -> Self {
        Writer { schema, stream, out, bytes_max, depth: 0 }
    }

    /// The value as itself: texts and bytes as they are, all others as in JSON. False for null, which writes nothing.
    pub(super) fn plain(&mut self, id: Id) -> io::Result<bool> {
        match self.schema.get(id) {
            Type::Null => return Ok(false),
            Type::Union(branches) => {
                let branch = self.branch(branches)?;
                return self.plain(branch);
            }
            Type::String | Type::Bytes(None) => self.raw()?,
            _ => self.json(id)?,
        }
        Ok(true)
    }

    pub(super) fn json(&mut self, id: Id) -> io::Result<()> {
        match self.schema.get(id) {
            Type::Null => self.put(b"null"),
            Type::Boolean => match self.stream.array()? {
                [0] => self.put(b"false"),
                [1] => self.put(b"true"),
                _ => return Err(damaged("a boolean is neither true nor false")),
            },
            Type::Int(form) => {
                let number = self.stream.int()?;
                self.number(number.into(), *form);
            }
            Type::Long(form) => {
                let number = self.stream.long()?;
                self.number(number, *form);
            }
            Type::Float => {
                let number = f32::from_le_bytes(self.stream.array()?);
                self.float(number.into());
            }
            Type::Double => {
                let number = f64::from_le_bytes(self.stream.array()?);
                self.float(number);
            }
            Type::String => {
                self.put(b"\"");
                let length = self.stream.length()?;
                let (out, most) = (&mut *self.out, self.bytes_max);
                self.stream.chunks(length, |chunk| escape(chunk, out, most))?;
                self.put(b"\"");
            }
            Type::Bytes(scale) => {
                let length = self.stream.length()?;
                self.bytes(length, *scale)?;
            }
            Type::Fixed(size, Fixed::Bytes) => self.bytes(*size, None)?,
            Type::Fixed(size, Fixed::Decimal(scale)) => self.bytes(*size, Some(*scale))?,
            Type::Fixed(_, Fixed::Uuid) => {
                let hex = format!("{:032x}", u128::from_be_bytes(self.stream.array()?));
                let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &hex[range]);
                self.text(&parts.join("-"));
            }
            Type::Fixed(_, Fixed::Duration) => {
                let parts: [[u8; 4]; 3] = [self.stream.array()?, self.stream.array()?, self.stream.array()?];
                let [months, days, millis] = parts.map(u32::from_le_bytes);
                self.put(format!("[{months},{days},{millis}]").as_bytes());
            }
            Type::Enum(symbols) => {
                let at = self.stream.int()?;
                let symbol = usize::try_from(at).ok().and_then(|at| symbols.get(at));
                self.text(symbol.ok_or_else(|| damaged(format!("there is no symbol {at}")))?);
            }
            Type::Union(branches) => {
                let branch = self.branch(branches)?;
                self.deeper(|writer| writer.json(branch))?;
            }
            Type::Array(items) => self.deeper(|writer| writer.array(*items))?,
            Type::Map(values) => self.deeper(|writer| writer.map(*values))?,
            Type::Record(fields) => self.deeper(|writer| {
                writer.put(b"{");
                for (at, field) in fields.iter().enumerate() {
                    writer.put(if at == 0 { b"" } else { b"," });
                    writer.text(&field.name);
                    writer.put(b":");
                    writer.json(field.id)?;
                }
                writer.put(b"}");
                Ok(())
            })?,
            Type::Unfinished => return Err(damaged("a type has no end")),
        }
        Ok(())
    }

    /// The branch of a union that comes now.
    pub(super) fn branch(&mut self, branches: &[Id]) -> io::Result<Id> {
        let at = self.stream.long()?;
        let branch = usize::try_from(at).ok().and_then(|at| branches.get(at));
        branch.copied().ok_or_else(|| damaged(format!("there is no branch {at}")))
    }

    /// A text or bytes as they are.
    pub(super) fn raw(&mut self) -> io::Result<()> {
        let length = self.stream.length()?;
        let (out, most) = (&mut *self.out, self.bytes_max);
        self.stream.chunks(length, |chunk| put(chunk, out, most))
    }

    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        if self.depth == DEPTH_MAX {
            return Err(damaged(format!("it is nested more than {DEPTH_MAX} deep")));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn array(&mut self, of: Id) -> io::Result<()> {
        self.items([b"[", b"]"], |writer| {
            let before = writer.stream.taken();
            writer.json(of)?;
            writer.stream.count_empty(before)
        })
    }

    fn map(&mut self, of: Id) -> io::Result<()> {
        self.items([b"{", b"}"], |writer| {
            writer.put(b"\"");
            let length = writer.stream.length()?;
            let (out, most) = (&mut *writer.out, writer.bytes_max);
            writer.stream.chunks(length, |chunk| escape(chunk, out, most))?;
            writer.put(b"\":");
            writer.json(of)
        })
    }

    /// What comes in blocks of items, the last of which has none.
    fn items(&mut self, [open, close]: [&[u8]; 2], item: impl Fn(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.put(open);
        let mut is_first = true;
        loop {
            let items = self.stream.items()?;
            if items == 0 {
                break;
            }
            for _ in 0..items {
                self.put(if is_first { b"" } else { b"," });
                is_first = false;
                item(self)?;
            }
        }
        self.put(close);
        Ok(())
    }

    /// Bytes as text, or as a decimal number.
    fn bytes(&mut self, length: u64, scale: Option<u32>) -> io::Result<()> {
        let (mut bytes, most) = (Vec::new(), self.bytes_max);
        self.stream.chunks(length, |chunk| put(chunk, &mut bytes, most))?;
        let mut number = Vec::new();
        if scale.is_some_and(|scale| decimal::write(&bytes, scale, &mut number)) {
            self.put(&number);
            return Ok(());
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) if scale.is_none() => self.text(text),
            _ => self.text(&bytes.iter().copied().map(char::from).collect::<String>()),
        }
        Ok(())
    }

    fn number(&mut self, number: i64, form: Form) {
        let text = match form {
            Form::Number => None,
            Form::Date => date(number),
            Form::TimeOfDay { per_second } => time_of_day(number, per_second),
            Form::Timestamp { per_second, is_local } => timestamp(number, per_second, is_local),
        };
        match text {
            Some(text) => self.text(&text),
            None if form == Form::Number => self.put(number.to_string().as_bytes()),
            // Not as a number, which could be taken for a time in another unit.
            None => self.text(&format!("{number}, which is no time")),
        }
    }

    fn float(&mut self, number: f64) {
        match number.is_finite() {
            true => self.put(format!("{number:?}").as_bytes()),
            false => self.text(&number.to_string()),
        }
    }

    fn text(&mut self, text: &str) {
        self.put(b"\"");
        escape(text.as_bytes(), self.out, self.bytes_max);
        self.put(b"\"");
    }

    fn put(&mut self, bytes: &[u8]) {
        put(bytes, self.out, self.bytes_max);
    }
}

fn put(bytes: &[u8], out: &mut Vec<u8>, bytes_max: usize) {
    let room = bytes_max.saturating_sub(out.len());
    out.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// As a JSON text holds it; what is no UTF-8 stays, and the decoder will say so.
fn escape(text: &[u8], out: &mut Vec<u8>, bytes_max: usize) {
    let mut from = 0;
    for (at, byte) in text.iter().enumerate() {
        let escaped = match byte {
            b'"' => b"\\\"".to_vec(),
            b'\\' => b"\\\\".to_vec(),
            0..0x20 => format!("\\u{byte:04x}").into_bytes(),
            _ => continue,
        };
        put(&text[from..at], out, bytes_max);
        put(&escaped, out, bytes_max);
        from = at + 1;
    }
    put(&text[from..], out, bytes_max);
}

fn date(days: i64) -> Option<String> {
    let midnight = timestamp(days.checked_mul(86_400)?, 1, false)?;
    midnight.split('T').next().map(str::to_owned)
}

fn time_of_day(number: i64, per_second: i64) -> Option<String> {
    let seconds = number / per_second;
    if !(0..86_400).contains(&seconds) || number < 0 {
        return None;
    }
    let fraction = (number % per_second) * (1_000_000 / per_second);
    Some(format!("{:02}:{:02}:{:02}.{fraction:06}", seconds / 3600, seconds / 60 % 60, seconds % 60))
}

fn timestamp(number: i64, per_second: i64, is_local: bool) -> Option<String> {
    let nanoseconds = i128::from(number) * i128::from(1_000_000_000 / per_second);
    let text = Timestamp::from_nanosecond(nanoseconds).ok()?.to_string();
    // With a fifth digit of the year or a sign it is no RFC 3339.
    let text = Some(text).filter(|text| text.as_bytes().get(4) == Some(&b'-'))?;
    Some(if is_local { text.trim_end_matches('Z').to_owned() } else { text })
}
