//! Frames of the connection: performatives read by position, and written at full length.
//!
//! Microsoft's Python client reads fields by position without asking how many there are, so every list goes out with all its
//! fields, nulls included. Reading is lenient: what is absent has the default of the specification.

use bytes::{BufMut, BytesMut};

use crate::codec::{Malformed, Reader, Value, put};

pub(crate) const AMQP: u8 = 0;
pub(crate) const SASL: u8 = 1;

pub(crate) const OPEN: u8 = 0x10;
pub(crate) const BEGIN: u8 = 0x11;
pub(crate) const ATTACH: u8 = 0x12;
pub(crate) const FLOW: u8 = 0x13;
pub(crate) const TRANSFER: u8 = 0x14;
pub(crate) const DISPOSITION: u8 = 0x15;
pub(crate) const DETACH: u8 = 0x16;
pub(crate) const END: u8 = 0x17;
pub(crate) const CLOSE: u8 = 0x18;

/// A performative as it came; the payload of a transfer follows it in the frame.
pub(crate) struct Performative {
    pub(crate) code: u8,
    fields: Value,
}

impl Performative {
    /// The performative at the front of a frame's body, and what follows it.
    pub(crate) fn read(body: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let mut reader = Reader::new(body);
        let code = reader.descriptor()?;
        let fields = reader.value()?;
        if !matches!(fields, Value::List(_)) {
            return Err(Malformed::Expected("a performative's list"));
        }
        let code = u8::try_from(code).map_err(|_| Malformed::Expected("a performative"))?;
        Ok((Self { code, fields }, reader.rest()))
    }

    pub(crate) fn field(&self, index: usize) -> Option<&Value> {
        self.fields.field(index)
    }

    /// A field as it came, null included.
    #[cfg(test)]
    pub(crate) fn value(&self, index: usize) -> Option<Value> {
        let Value::List(fields) = &self.fields else { return None };
        fields.get(index).cloned()
    }

    pub(crate) fn uint(&self, index: usize) -> Option<u32> {
        self.field(index)?.unsigned().and_then(|n| u32::try_from(n).ok())
    }

    pub(crate) fn flag(&self, index: usize) -> bool {
        self.field(index) == Some(&Value::Bool(true))
    }

    pub(crate) fn text(&self, index: usize) -> Option<&str> {
        self.field(index)?.text()
    }

    /// A copy of a field to be echoed.
    pub(crate) fn echo(&self, index: usize) -> Value {
        self.field(index).cloned().unwrap_or(Value::Null)
    }
}

/// An error of a link, session or connection: its condition and what people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) condition: String,
    pub(crate) description: String,
}

impl Refusal {
    pub(crate) fn new(condition: &str, description: impl Into<String>) -> Self {
        Self { condition: condition.to_owned(), description: description.into() }
    }

    pub(crate) fn value(&self) -> Value {
        let fields = vec![Value::symbol(&self.condition), Value::string(&self.description), Value::Null];
        Value::described(0x1d, Value::List(fields))
    }
}

/// A whole frame around what `body` writes.
pub(crate) fn frame(out: &mut BytesMut, kind: u8, channel: u16, body: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    out.put_u32(0);
    out.put_slice(&[2, kind]);
    out.put_u16(channel);
    body(out);
    let size = (out.len() - at) as u32;
    out[at..at + 4].copy_from_slice(&size.to_be_bytes());
}

pub(crate) fn performative(out: &mut BytesMut, kind: u8, channel: u16, code: u8, fields: Vec<Value>) {
    frame(out, kind, channel, |out| Value::described(code.into(), Value::List(fields)).write(out));
}

/// A transfer is written without a detour through values: there are hundreds of thousands a second.
pub(crate) struct Transfer {
    pub(crate) handle: u32,
    pub(crate) delivery_id: u32,
    pub(crate) settled: bool,
    pub(crate) more: bool,
}

/// Bytes of a transfer frame before its payload.
pub(crate) const TRANSFER_BYTES: usize = 8 + 3 + 9 + 2 * 5 + 6 + 5 + 2 + 2 + 3;

impl Transfer {
    pub(crate) fn write(&self, out: &mut BytesMut) {
        out.put_slice(&[0x00, 0x53, TRANSFER]);
        crate::codec::counted(out, 0xd0, 11, |out| {
            put::uint(out, self.handle);
            put::uint(out, self.delivery_id);
            put::binary(out, &self.delivery_id.to_be_bytes());
            put::uint(out, 0);
            put::bool(out, self.settled);
            put::bool(out, self.more);
            put::null(out);
            put::null(out);
            put::bool(out, false);
            put::bool(out, false);
            put::bool(out, false);
        });
    }
}

/// The state of a delivery that was taken.
pub(crate) fn accepted() -> Value {
    Value::described(0x24, Value::List(vec![]))
}

pub(crate) fn rejected(why: &Refusal) -> Value {
    Value::described(0x25, Value::List(vec![why.value()]))
}

pub(crate) fn disposition(out: &mut BytesMut, channel: u16, receiver: bool, first: u32, last: u32, state: Value) {
    let fields = vec![
        Value::Bool(receiver),
        Value::Uint(first),
        Value::Uint(last),
        Value::Bool(true),
        state,
        Value::Bool(false),
    ];
    performative(out, AMQP, channel, DISPOSITION, fields);
}

pub(crate) fn detach(out: &mut BytesMut, channel: u16, handle: u32, closed: bool, why: Option<&Refusal>) {
    let error = why.map_or(Value::Null, Refusal::value);
    performative(out, AMQP, channel, DETACH, vec![Value::Uint(handle), Value::Bool(closed), error]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_as_long_as_we_reckon() {
        let mut out = BytesMut::new();
        let transfer = Transfer { handle: 1, delivery_id: 2, settled: true, more: false };
        frame(&mut out, AMQP, 0, |out| transfer.write(out));
        assert_eq!(out.len(), TRANSFER_BYTES);
        let (read, rest) = Performative::read(&out[8..]).unwrap();
        assert_eq!(
            (read.code, read.uint(0), read.uint(1), read.flag(4), rest.len()),
            (TRANSFER, Some(1), Some(2), true, 0)
        );
    }

    #[test]
    fn lists_are_written_at_full_length() {
        let mut out = BytesMut::new();
        detach(&mut out, 3, 1, true, None);
        let (read, _) = Performative::read(&out[8..]).unwrap();
        assert_eq!(read.fields, Value::List(vec![Value::Uint(1), Value::Bool(true), Value::Null]));
    }
}
