//! Writing values. Compound values take the 32-bit form, whose size and count are filled in afterwards.

use bytes::{BufMut, BytesMut};

use super::Value;

/// Each writes one value of its type.
pub(crate) mod put {
    use super::{BufMut, BytesMut};

    pub(crate) fn null(out: &mut BytesMut) {
        out.put_u8(0x40);
    }

    pub(crate) fn bool(out: &mut BytesMut, value: bool) {
        out.put_u8(if value { 0x41 } else { 0x42 });
    }

    pub(crate) fn uint(out: &mut BytesMut, value: u32) {
        out.put_u8(0x70);
        out.put_u32(value);
    }

    pub(crate) fn long(out: &mut BytesMut, value: i64) {
        out.put_u8(0x81);
        out.put_i64(value);
    }

    pub(crate) fn timestamp(out: &mut BytesMut, milliseconds: i64) {
        out.put_u8(0x83);
        out.put_i64(milliseconds);
    }

    pub(crate) fn binary(out: &mut BytesMut, bytes: &[u8]) {
        variable(out, 0xa0, bytes);
    }

    pub(crate) fn string(out: &mut BytesMut, text: &str) {
        variable(out, 0xa1, text.as_bytes());
    }

    pub(crate) fn symbol(out: &mut BytesMut, text: &str) {
        variable(out, 0xa3, text.as_bytes());
    }

    /// The mark of a described value with a small descriptor; its value has to follow.
    pub(crate) fn descriptor(out: &mut BytesMut, code: u8) {
        out.put_slice(&[0x00, 0x53, code]);
    }

    fn variable(out: &mut BytesMut, narrow: u8, bytes: &[u8]) {
        match u8::try_from(bytes.len()) {
            Ok(length) => out.put_slice(&[narrow, length]),
            Err(_) => {
                out.put_u8(narrow + 0x10);
                out.put_u32(bytes.len() as u32);
            }
        }
        out.put_slice(bytes);
    }
}

/// A compound value: constructor, size, count, and what `body` writes.
pub(crate) fn counted(out: &mut BytesMut, constructor: u8, count: u32, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(constructor);
    let at = out.len();
    out.put_u32(0);
    out.put_u32(count);
    body(out);
    let size = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&size.to_be_bytes());
}

impl Value {
    pub(crate) fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Null => put::null(out),
            Self::Bool(value) => put::bool(out, *value),
            Self::List(fields) => {
                counted(out, 0xd0, fields.len() as u32, |out| fields.iter().for_each(|value| value.write(out)));
            }
            Self::Map(pairs) => counted(out, 0xd1, pairs.len() as u32 * 2, |out| {
                for (key, value) in pairs {
                    key.write(out);
                    value.write(out);
                }
            }),
            Self::Array(elements) => write_array(elements, out),
            Self::Described(both) => {
                out.put_u8(0);
                both.0.write(out);
                both.1.write(out);
            }
            Self::Binary(bytes) => put::binary(out, bytes),
            Self::String(text) => put::string(out, text),
            Self::Symbol(text) => put::symbol(out, text),
            // Microsoft's Python client reads a descriptor in this form alone.
            Self::Ulong(n @ 0..=255) => out.put_slice(&[0x53, *n as u8]),
            plain => {
                out.put_u8(plain.constructor());
                plain.write_payload(out);
            }
        }
    }

    /// The widest form of each type, which fits all elements of an array.
    fn constructor(&self) -> u8 {
        match self {
            Self::Null => 0x40,
            Self::Bool(_) => 0x56,
            Self::Ubyte(_) => 0x50,
            Self::Ushort(_) => 0x60,
            Self::Uint(_) => 0x70,
            Self::Ulong(_) => 0x80,
            Self::Byte(_) => 0x51,
            Self::Short(_) => 0x61,
            Self::Int(_) => 0x71,
            Self::Long(_) => 0x81,
            Self::Float(_) => 0x72,
            Self::Double(_) => 0x82,
            Self::Decimal(code, _) => *code,
            Self::Char(_) => 0x73,
            Self::Timestamp(_) => 0x83,
            Self::Uuid(_) => 0x98,
            Self::Binary(_) => 0xb0,
            Self::String(_) => 0xb1,
            Self::Symbol(_) => 0xb3,
            Self::List(_) => 0xd0,
            Self::Map(_) => 0xd1,
            Self::Array(_) => 0xf0,
            Self::Described(_) => 0x00,
        }
    }

    fn write_payload(&self, out: &mut BytesMut) {
        match self {
            Self::Null => {}
            Self::Bool(value) => out.put_u8((*value).into()),
            Self::Ubyte(n) => out.put_u8(*n),
            Self::Ushort(n) => out.put_u16(*n),
            Self::Uint(n) | Self::Char(n) => out.put_u32(*n),
            Self::Ulong(n) => out.put_u64(*n),
            Self::Byte(n) => out.put_i8(*n),
            Self::Short(n) => out.put_i16(*n),
            Self::Int(n) => out.put_i32(*n),
            Self::Long(n) | Self::Timestamp(n) => out.put_i64(*n),
            Self::Float(n) => out.put_f32(*n),
            Self::Double(n) => out.put_f64(*n),
            Self::Decimal(_, bytes) => out.put_slice(bytes),
            Self::Uuid(bytes) => out.put_slice(bytes),
            Self::Binary(bytes) => put_wide(out, bytes),
            Self::String(text) | Self::Symbol(text) => put_wide(out, text.as_bytes()),
            // The payload of a compound value is what follows its constructor.
            Self::List(_) | Self::Map(_) | Self::Array(_) | Self::Described(_) => {
                let mut whole = BytesMut::new();
                self.write(&mut whole);
                out.put_slice(&whole[1..]);
            }
        }
    }
}

fn put_wide(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}

/// Elements of one type; of an empty array the type is a symbol, which is what all our arrays hold.
fn write_array(elements: &[Value], out: &mut BytesMut) {
    counted(out, 0xf0, elements.len() as u32, |out| {
        out.put_u8(elements.first().map_or(0xb3, Value::constructor));
        elements.iter().for_each(|element| element.write_payload(out));
    });
}
