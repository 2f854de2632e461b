//! The wire format of protocol buffers, as far as ONNX needs it: fields one after the other, borrowed from the file.

use crate::import::Refused;

/// A message that is not looked into yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    rest: &'a [u8],
    /// Where `rest` begins in the file.
    at: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) content: Content<'a>,
    at: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Content<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    /// A text, bytes, packed numbers or a message.
    Bytes(Message<'a>),
}

// === impl Message ===

impl<'a> Message<'a> {
    pub(super) fn new(file: &'a [u8]) -> Message<'a> {
        Message { rest: file, at: 0 }
    }

    pub(super) fn bytes(self) -> &'a [u8] {
        self.rest
    }

    /// The next field; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, Refused> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let at = self.at;
        let tag = self.varint()?;
        let content = match tag & 7 {
            0 => Content::Varint(self.varint()?),
            1 => Content::Fixed64(u64::from_le_bytes(self.take_chunk()?)),
            2 => {
                let length = self.varint()?;
                Content::Bytes(self.take(length)?)
            }
            5 => Content::Fixed32(u32::from_le_bytes(self.take_chunk()?)),
            _ => return Err(Refused::Damaged { at, problem: "a field of a kind that does not exist" }),
        };
        Ok(Some(Field { number: tag >> 3, content, at }))
    }

    pub(super) fn varint(&mut self) -> Result<u64, Refused> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take_chunk()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Refused::Damaged { at: self.at, problem: "a number that does not end" })
    }

    /// Packed numbers of so many bytes each.
    pub(super) fn chunks<const BYTES: usize>(
        self,
    ) -> Result<impl Iterator<Item = [u8; BYTES]> + use<'a, BYTES>, Refused> {
        match self.rest.as_chunks::<BYTES>() {
            (chunks, []) => Ok(chunks.iter().copied()),
            _ => Err(Refused::Damaged { at: self.at, problem: "packed numbers that are cut" }),
        }
    }

    fn take(&mut self, length: u64) -> Result<Message<'a>, Refused> {
        let taken = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let Some((taken, rest)) = taken else { return Err(Refused::Truncated { at: self.at + self.rest.len() }) };
        let message = Message { rest: taken, at: self.at };
        self.at += taken.len();
        self.rest = rest;
        Ok(message)
    }

    fn take_chunk<const BYTES: usize>(&mut self) -> Result<[u8; BYTES], Refused> {
        let Some((chunk, rest)) = self.rest.split_first_chunk() else {
            return Err(Refused::Truncated { at: self.at + self.rest.len() });
        };
        self.at += BYTES;
        self.rest = rest;
        Ok(*chunk)
    }
}

// === impl Field ===

impl<'a> Field<'a> {
    pub(super) fn message(&self) -> Result<Message<'a>, Refused> {
        match self.content {
            Content::Bytes(message) => Ok(message),
            _ => Err(self.of_another_kind()),
        }
    }

    pub(super) fn text(&self) -> Result<&'a str, Refused> {
        std::str::from_utf8(self.message()?.bytes())
            .map_err(|_| Refused::Damaged { at: self.at, problem: "a text that is not UTF-8" })
    }

    pub(super) fn int(&self) -> Result<i64, Refused> {
        match self.content {
            Content::Varint(int) => Ok(int as i64),
            _ => Err(self.of_another_kind()),
        }
    }

    pub(super) fn float(&self) -> Result<f32, Refused> {
        match self.content {
            Content::Fixed32(bits) => Ok(f32::from_bits(bits)),
            _ => Err(self.of_another_kind()),
        }
    }

    /// One number, or many packed ones.
    pub(super) fn floats(&self, floats: &mut Vec<f64>) -> Result<(), Refused> {
        match self.content {
            Content::Bytes(message) => floats.extend(message.chunks()?.map(|bits| f64::from(f32::from_le_bytes(bits)))),
            _ => floats.push(f64::from(self.float()?)),
        }
        Ok(())
    }

    pub(super) fn doubles(&self, doubles: &mut Vec<f64>) -> Result<(), Refused> {
        match self.content {
            Content::Bytes(message) => doubles.extend(message.chunks()?.map(f64::from_le_bytes)),
            Content::Fixed64(bits) => doubles.push(f64::from_bits(bits)),
            _ => return Err(self.of_another_kind()),
        }
        Ok(())
    }

    pub(super) fn ints(&self, ints: &mut Vec<i64>, count_max: usize) -> Result<(), Refused> {
        match self.content {
            Content::Bytes(mut message) => {
                while !message.rest.is_empty() && ints.len() <= count_max {
                    ints.push(message.varint()? as i64);
                }
            }
            _ => ints.push(self.int()?),
        }
        match ints.len() > count_max {
            true => Err(Refused::Damaged { at: self.at, problem: "more numbers than have a place there" }),
            false => Ok(()),
        }
    }

    fn of_another_kind(&self) -> Refused {
        Refused::Damaged { at: self.at, problem: "a field of another kind than ONNX has there" }
    }
}
