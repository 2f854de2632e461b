//! AMQP 1.0 values, and how they are read and written.
//!
//! The idea: what passes through in bulk (bodies, annotations of devices) stays bytes, since a value can be skipped without
//! being understood; only what the emulator decides on becomes a `Value`. Frames and messages are built on this.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use read::Reader;
pub(crate) use write::{counted, put};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Ubyte(u8),
    Ushort(u16),
    Uint(u32),
    Ulong(u64),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    /// Constructor and bytes; nothing here computes with decimals.
    Decimal(u8, Vec<u8>),
    Char(u32),
    /// Milliseconds since 1970.
    Timestamp(i64),
    Uuid([u8; 16]),
    Binary(Vec<u8>),
    String(String),
    Symbol(String),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Array(Vec<Value>),
    /// Descriptor and value.
    Described(Box<(Value, Value)>),
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Malformed {
    #[error("{wanted} more bytes were announced, {held} are there")]
    Short { wanted: usize, held: usize },
    #[error("unknown constructor 0x{0:02x}")]
    Constructor(u8),
    #[error("text is not UTF-8")]
    Text,
    #[error("values are nested deeper than {0}")]
    Deep(usize),
    #[error("{count} elements do not fit into {bytes} bytes")]
    Count { count: usize, bytes: usize },
    #[error("expected {0}")]
    Expected(&'static str),
}

impl Value {
    pub(crate) fn symbol(text: &str) -> Self {
        Self::Symbol(text.to_owned())
    }

    pub(crate) fn string(text: &str) -> Self {
        Self::String(text.to_owned())
    }

    pub(crate) fn symbols(names: &[&str]) -> Self {
        Self::Array(names.iter().map(|name| Self::symbol(name)).collect())
    }

    pub(crate) fn described(code: u64, value: Self) -> Self {
        Self::Described(Box::new((Self::Ulong(code), value)))
    }

    /// The text of a string or a symbol: peers use either for keys and names.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Symbol(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn unsigned(&self) -> Option<u64> {
        match *self {
            Self::Ubyte(n) => Some(n.into()),
            Self::Ushort(n) => Some(n.into()),
            Self::Uint(n) => Some(n.into()),
            Self::Ulong(n) => Some(n),
            _ => None,
        }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        match *self {
            Self::Byte(n) => Some(n.into()),
            Self::Short(n) => Some(n.into()),
            Self::Int(n) => Some(n.into()),
            Self::Long(n) | Self::Timestamp(n) => Some(n),
            _ => self.unsigned().and_then(|n| i64::try_from(n).ok()),
        }
    }

    /// What a map holds for a key, which may be a string or a symbol.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(k, _)| k.text() == Some(key)).map(|(_, v)| v)
    }

    /// A list's field; absent and null are the same.
    pub(crate) fn field(&self, index: usize) -> Option<&Self> {
        let Self::List(fields) = self else { return None };
        fields.get(index).filter(|value| **value != Self::Null)
    }

    /// Names in an array, or one alone: both spellings of a `multiple` field.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Array(many) => many.iter().filter_map(Self::text).collect(),
            one => one.text().into_iter().collect(),
        }
    }
}
