//! Reading values from bytes of a peer: nothing here panics or allocates beyond what the bytes hold.

use super::{Malformed, Value};

const DEPTH_MAX: usize = 32;
/// Of elements that take no byte each (an array of nulls), so that four bytes cannot ask for gigabytes.
const EMPTY_ELEMENTS_MAX: usize = 4096;

pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn value(&mut self) -> Result<Value, Malformed> {
        self.value_at(0)
    }

    /// Passes over a value and gives its bytes.
    pub(crate) fn skip(&mut self) -> Result<&'a [u8], Malformed> {
        let begin = self.rest;
        let mut code = self.byte()?;
        // Each described value has one more value before it; a loop, since they can be nested at no cost to the sender.
        while code == 0 {
            let descriptor = self.byte()?;
            if descriptor == 0 {
                return Err(Malformed::Expected("a plain descriptor"));
            }
            self.skip_payload(descriptor)?;
            code = self.byte()?;
        }
        self.skip_payload(code)?;
        Ok(&begin[..begin.len() - self.rest.len()])
    }

    /// The descriptor of a described value, as a number.
    pub(crate) fn descriptor(&mut self) -> Result<u64, Malformed> {
        if self.byte()? != 0 {
            return Err(Malformed::Expected("a described value"));
        }
        self.value()?.unsigned().ok_or(Malformed::Expected("a numeric descriptor"))
    }

    /// The pairs of a map, keys read and values left as bytes.
    pub(crate) fn pairs(&mut self) -> Result<Vec<(Value, &'a [u8])>, Malformed> {
        let code = self.byte()?;
        let (count, mut body) = match code {
            0xc1 | 0xd1 => self.compound(code)?,
            _ => return Err(Malformed::Expected("a map")),
        };
        let mut pairs = Vec::with_capacity((count / 2).min(64));
        for _ in 0..count / 2 {
            pairs.push((body.value()?, body.skip()?));
        }
        Ok(pairs)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or(Malformed::Short { wanted: count, held: self.rest.len() })?;
        self.rest = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn length(&mut self, wide: bool) -> Result<usize, Malformed> {
        Ok(if wide { u32::from_be_bytes(self.fixed()?) as usize } else { self.byte()?.into() })
    }

    fn skip_payload(&mut self, code: u8) -> Result<(), Malformed> {
        let length = match code >> 4 {
            0x4 => 0,
            0x5 => 1,
            0x6 => 2,
            0x7 => 4,
            0x8 => 8,
            0x9 => 16,
            0xa | 0xc | 0xe => self.length(false)?,
            0xb | 0xd | 0xf => self.length(true)?,
            _ => return Err(Malformed::Constructor(code)),
        };
        self.take(length).map(drop)
    }

    /// The count of a list, map or array, and a reader of what follows it.
    fn compound(&mut self, code: u8) -> Result<(usize, Reader<'a>), Malformed> {
        let wide = matches!(code >> 4, 0xd | 0xf);
        let size = self.length(wide)?;
        let mut body = Reader::new(self.take(size)?);
        let count = body.length(wide)?;
        let bytes = body.rest.len();
        if count > bytes.max(EMPTY_ELEMENTS_MAX) || (code >> 4 < 0xe && count > bytes) {
            return Err(Malformed::Count { count, bytes });
        }
        Ok((count, body))
    }

    fn value_at(&mut self, depth: usize) -> Result<Value, Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed::Deep(DEPTH_MAX));
        }
        let code = self.byte()?;
        if code == 0 {
            let descriptor = self.value_at(depth + 1)?;
            return Ok(Value::Described(Box::new((descriptor, self.value_at(depth + 1)?))));
        }
        self.payload(code, depth)
    }

    fn payload(&mut self, code: u8, depth: usize) -> Result<Value, Malformed> {
        Ok(match code {
            0x40 => Value::Null,
            0x41 => Value::Bool(true),
            0x42 => Value::Bool(false),
            0x56 => Value::Bool(self.byte()? != 0),
            0x50 => Value::Ubyte(self.byte()?),
            0x60 => Value::Ushort(u16::from_be_bytes(self.fixed()?)),
            0x43 => Value::Uint(0),
            0x52 => Value::Uint(self.byte()?.into()),
            0x70 => Value::Uint(u32::from_be_bytes(self.fixed()?)),
            0x44 => Value::Ulong(0),
            0x53 => Value::Ulong(self.byte()?.into()),
            0x80 => Value::Ulong(u64::from_be_bytes(self.fixed()?)),
            0x51 => Value::Byte(i8::from_be_bytes(self.fixed()?)),
            0x61 => Value::Short(i16::from_be_bytes(self.fixed()?)),
            0x54 => Value::Int(i8::from_be_bytes(self.fixed()?).into()),
            0x71 => Value::Int(i32::from_be_bytes(self.fixed()?)),
            0x55 => Value::Long(i8::from_be_bytes(self.fixed()?).into()),
            0x81 => Value::Long(i64::from_be_bytes(self.fixed()?)),
            0x72 => Value::Float(f32::from_be_bytes(self.fixed()?)),
            0x82 => Value::Double(f64::from_be_bytes(self.fixed()?)),
            0x74 => Value::Decimal(code, self.take(4)?.to_vec()),
            0x84 => Value::Decimal(code, self.take(8)?.to_vec()),
            0x94 => Value::Decimal(code, self.take(16)?.to_vec()),
            0x73 => Value::Char(u32::from_be_bytes(self.fixed()?)),
            0x83 => Value::Timestamp(i64::from_be_bytes(self.fixed()?)),
            0x98 => Value::Uuid(self.fixed()?),
            0xa0 | 0xb0 => Value::Binary(self.variable(code)?.to_vec()),
            0xa1 | 0xb1 => Value::String(self.utf8(code)?),
            0xa3 | 0xb3 => Value::Symbol(self.utf8(code)?),
            0x45 => Value::List(Vec::new()),
            0xc0 | 0xd0 => {
                let (count, mut body) = self.compound(code)?;
                Value::List((0..count).map(|_| body.value_at(depth + 1)).collect::<Result<_, _>>()?)
            }
            0xc1 | 0xd1 => {
                let (count, mut body) = self.compound(code)?;
                let pairs = (0..count / 2).map(|_| Ok((body.value_at(depth + 1)?, body.value_at(depth + 1)?)));
                Value::Map(pairs.collect::<Result<_, Malformed>>()?)
            }
            0xe0 | 0xf0 => self.array(code, depth)?,
            _ => return Err(Malformed::Constructor(code)),
        })
    }

    /// One constructor, perhaps described, and then payloads.
    fn array(&mut self, code: u8, depth: usize) -> Result<Value, Malformed> {
        let (count, mut body) = self.compound(code)?;
        if body.is_empty() {
            return Ok(Value::Array(Vec::new()));
        }
        let mut element = body.byte()?;
        let mut descriptor = None;
        if element == 0 {
            descriptor = Some(body.value_at(depth + 1)?);
            element = body.byte()?;
        }
        if depth >= DEPTH_MAX {
            return Err(Malformed::Deep(DEPTH_MAX));
        }
        let mut elements = Vec::new();
        for _ in 0..count {
            let value = body.payload(element, depth + 1)?;
            elements.push(match &descriptor {
                Some(descriptor) => Value::Described(Box::new((descriptor.clone(), value))),
                None => value,
            });
        }
        Ok(Value::Array(elements))
    }

    fn variable(&mut self, code: u8) -> Result<&'a [u8], Malformed> {
        let length = self.length(code >> 4 == 0xb)?;
        self.take(length)
    }

    fn utf8(&mut self, code: u8) -> Result<String, Malformed> {
        let bytes = self.variable(code)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Malformed::Text)
    }
}
