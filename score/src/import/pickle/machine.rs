//! The pickle machine, without calls: protocols 2 to 5, opcode by opcode.
//!
//! REDUCE, NEWOBJ and BUILD, which in Python call what the file names, only fill in the shapes that numpy's and
//! scikit-learn's own files have. What else such an opcode is asked to do is refused.

use std::collections::HashMap;

use crate::import::globals::Global;
use crate::import::heap::{Heap, Id, Value};
use crate::import::refused::shown;
use crate::import::{Limits, Refused};

pub(super) const USED: &str = "a value is changed after it was used";

/// Runs a whole pickle.
pub(in crate::import) fn run(bytes: &[u8], limits: Limits) -> Result<Heap<'_>, Refused> {
    let mut machine = Machine::new(bytes, 0, Heap::new(limits), limits.steps);
    machine.heap.root = machine.run(limits.steps)?;
    match bytes.len() - machine.at {
        0 => Ok(machine.heap),
        extra => Err(Refused::Trailing { extra }),
    }
}

pub(super) struct Machine<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) heap: Heap<'a>,
    pub(super) steps_left: usize,
    /// It runs the pickle of one array within another file.
    pub(super) is_inner: bool,
    begin: usize,
    stack: Vec<Id>,
    /// Heights of the stack at which marks lie.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

// === impl Machine ===

impl<'a> Machine<'a> {
    /// Begins at a byte of the file, and adds to these values.
    pub(super) fn new(bytes: &'a [u8], at: usize, heap: Heap<'a>, steps_left: usize) -> Machine<'a> {
        let (stack, marks, memo) = (Vec::new(), Vec::new(), HashMap::new());
        Machine { bytes, at, heap, steps_left, is_inner: false, begin: at, stack, marks, memo }
    }

    /// Up to the end of the pickle: the value that it stands for.
    pub(super) fn run(&mut self, steps_max: usize) -> Result<Id, Refused> {
        while self.steps_left > 0 {
            self.steps_left -= 1;
            if let Some(root) = self.step()? {
                return Ok(root);
            }
        }
        Err(Refused::TooLarge { what: "steps in a pickle", max: steps_max })
    }

    /// One opcode; the value that the pickle stands for at its end.
    fn step(&mut self) -> Result<Option<Id>, Refused> {
        let at = self.at;
        let opcode = self.byte()?;
        match opcode {
            0x80 if at == self.begin => self.header()?,
            0x80 => return Err(self.damaged("a second header")),
            0x95 => self.frame()?,
            b'.' => return self.stop().map(Some),
            b'(' => self.mark()?,
            b'0' => self.pop_any()?,
            b'1' => drop(self.pop_mark()?),
            b'2' => self.duplicate()?,
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'K' => self.unsigned::<1>().and_then(|int| self.push(Value::Int(int as i64)))?,
            b'M' => self.unsigned::<2>().and_then(|int| self.push(Value::Int(int as i64)))?,
            b'J' => self.unsigned::<4>().and_then(|int| self.push(Value::Int(i64::from(int as u32 as i32))))?,
            0x8a => self.unsigned::<1>().and_then(|length| self.long(length))?,
            0x8b => self.unsigned::<4>().and_then(|length| self.long(length))?,
            b'G' => self.float()?,
            b'U' | b'C' => self.unsigned::<1>().and_then(|length| self.push_bytes(length))?,
            b'T' | b'B' => self.unsigned::<4>().and_then(|length| self.push_bytes(length))?,
            0x8e | 0x96 => self.unsigned::<8>().and_then(|length| self.push_bytes(length))?,
            0x8c => self.unsigned::<1>().and_then(|length| self.push_text(length))?,
            b'X' => self.unsigned::<4>().and_then(|length| self.push_text(length))?,
            0x8d => self.unsigned::<8>().and_then(|length| self.push_text(length))?,
            b']' => self.push(Value::List(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b')' => self.push(Value::Tuple(Box::default()))?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b't' => self.tuple_of_mark()?,
            b'a' => self.append()?,
            b'e' => self.appends()?,
            b's' => self.set_item()?,
            b'u' => self.set_items()?,
            b'q' => self.unsigned::<1>().and_then(|index| self.remember(index as u32))?,
            b'r' => self.unsigned::<4>().and_then(|index| self.remember(index as u32))?,
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => self.unsigned::<1>().and_then(|index| self.recall(index as u32))?,
            b'j' => self.unsigned::<4>().and_then(|index| self.recall(index as u32))?,
            b'c' => self.global()?,
            0x93 => self.stack_global()?,
            0x81 => self.new_object()?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            _ => return Err(refused_opcode(opcode, at)),
        }
        Ok(None)
    }

    fn stop(&mut self) -> Result<Id, Refused> {
        let root = self.pop()?;
        if !self.stack.is_empty() || !self.marks.is_empty() {
            return Err(self.damaged("values are left over at the end"));
        }
        Ok(root)
    }

    // Reading the file.

    fn header(&mut self) -> Result<(), Refused> {
        match self.byte()? {
            2..=5 => Ok(()),
            protocol => Err(Refused::Protocol { protocol }),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Refused> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], Refused> {
        let rest = &self.bytes[self.at..];
        match usize::try_from(length) {
            Ok(length) if length <= rest.len() => {
                self.at += length;
                Ok(&rest[..length])
            }
            _ => Err(Refused::Truncated { at: self.bytes.len() }),
        }
    }

    /// A little-endian number of so many bytes.
    fn unsigned<const BYTES: usize>(&mut self) -> Result<u64, Refused> {
        let taken = self.take(BYTES as u64)?;
        Ok(taken.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A frame only says how much of the file belongs together; all of it must be there.
    fn frame(&mut self) -> Result<(), Refused> {
        let length = self.unsigned::<8>()?;
        let at = self.at;
        self.take(length)?;
        self.at = at;
        Ok(())
    }

    fn float(&mut self) -> Result<(), Refused> {
        let bits = self.unsigned::<8>()?.swap_bytes();
        self.push(Value::Float(f64::from_bits(bits)))
    }

    /// A whole number in two's complement, little-endian.
    fn long(&mut self, length: u64) -> Result<(), Refused> {
        let bytes = self.take(length)?;
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let value = if bytes.len() <= 8 {
            let mut filled = [if negative { 0xff } else { 0 }; 8];
            filled[..bytes.len()].copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(filled))
        } else {
            Value::Huge
        };
        self.push(value)
    }

    fn push_bytes(&mut self, length: u64) -> Result<(), Refused> {
        let bytes = self.take(length)?;
        self.push(Value::Bytes(bytes))
    }

    fn push_text(&mut self, length: u64) -> Result<(), Refused> {
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.damaged("a text that is not UTF-8"))?;
        self.push(Value::Text(text))
    }

    // The stack. Nothing below the last mark can be reached.

    pub(super) fn push(&mut self, value: Value<'a>) -> Result<(), Refused> {
        let id = self.heap.add(value)?;
        self.stack.push(id);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Result<Id, Refused> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.damaged("a value is taken that is not there"));
        }
        Ok(self.stack.pop().expect("above the floor"))
    }

    pub(super) fn top(&mut self) -> Result<Id, Refused> {
        let top = self.pop()?;
        self.stack.push(top);
        Ok(top)
    }

    fn mark(&mut self) -> Result<(), Refused> {
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, Refused> {
        match self.marks.pop() {
            Some(floor) => Ok(self.stack.split_off(floor)),
            None => Err(self.damaged("a mark is taken that is not there")),
        }
    }

    /// POP also takes a mark that lies on top.
    fn pop_any(&mut self) -> Result<(), Refused> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn duplicate(&mut self) -> Result<(), Refused> {
        let top = self.top()?;
        self.stack.push(top);
        Ok(())
    }

    fn remember(&mut self, index: u32) -> Result<(), Refused> {
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), Refused> {
        match self.memo.get(&index) {
            Some(&id) => self.stack.push(id),
            None => return Err(self.damaged("the memo is asked for a value that it does not hold")),
        }
        Ok(())
    }

    // Containers.

    fn tuple(&mut self, length: usize) -> Result<(), Refused> {
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Value::Tuple(items.into()))
    }

    fn tuple_of_mark(&mut self) -> Result<(), Refused> {
        let items = self.pop_mark()?;
        self.push(Value::Tuple(items.into()))
    }

    fn append(&mut self) -> Result<(), Refused> {
        let item = self.pop()?;
        self.extend_list(&[item])
    }

    fn appends(&mut self) -> Result<(), Refused> {
        let items = self.pop_mark()?;
        self.extend_list(&items)
    }

    fn extend_list(&mut self, items: &[Id]) -> Result<(), Refused> {
        let list = self.top()?;
        let list = match self.heap.get_mut(list) {
            Some(Value::List(list)) => list,
            Some(_) => return Err(self.damaged("something is appended to what is not a list")),
            None => return Err(self.damaged(USED)),
        };
        list.extend_from_slice(items);
        Ok(())
    }

    fn set_item(&mut self) -> Result<(), Refused> {
        let value = self.pop()?;
        let key = self.pop()?;
        self.extend_dict(&[key, value])
    }

    fn set_items(&mut self) -> Result<(), Refused> {
        let items = self.pop_mark()?;
        self.extend_dict(&items)
    }

    fn extend_dict(&mut self, items: &[Id]) -> Result<(), Refused> {
        let dict = self.top()?;
        let (pairs, odd) = items.as_chunks::<2>();
        if !odd.is_empty() {
            return Err(self.damaged("a key without a value"));
        }
        let dict = match self.heap.get_mut(dict) {
            Some(Value::Dict(dict)) => dict,
            Some(_) => return Err(self.damaged("an item is set in what is not a dict")),
            None => return Err(self.damaged(USED)),
        };
        dict.extend(pairs.iter().map(|&[key, value]| (key, value)));
        Ok(())
    }

    // Names.

    fn global(&mut self) -> Result<(), Refused> {
        let module = self.line()?;
        let name = self.line()?;
        self.push_global(module, name)
    }

    fn line(&mut self) -> Result<&'a str, Refused> {
        let rest = &self.bytes[self.at..];
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(Refused::Truncated { at: self.bytes.len() });
        };
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| self.damaged("a name that is not UTF-8"))
    }

    fn stack_global(&mut self) -> Result<(), Refused> {
        let (name, module) = (self.pop()?, self.pop()?);
        match (self.heap.text(module), self.heap.text(name)) {
            (Some(module), Some(name)) => self.push_global(module, name),
            _ => Err(self.damaged("a name that is not a text")),
        }
    }

    fn push_global(&mut self, module: &str, name: &str) -> Result<(), Refused> {
        match Global::named(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => Err(Refused::Global { name: format!("{}.{}", shown(module), shown(name)) }),
        }
    }

    pub(super) fn damaged(&self, problem: &'static str) -> Refused {
        Refused::Damaged { at: self.at, problem }
    }
}

fn refused_opcode(opcode: u8, at: usize) -> Refused {
    let what = match opcode {
        b'P' | b'Q' => "a persistent id",
        0x82..=0x84 => "the extension registry",
        b'i' | b'o' | 0x92 => "a way to make objects",
        0x8f..=0x91 => "a set",
        0x97 | 0x98 => "an out-of-band buffer",
        b'I' | b'L' | b'F' | b'S' | b'V' | b'p' | b'g' | b'l' | b'd' => "an opcode of protocol 0",
        _ => return Refused::Opcode { opcode, at },
    };
    Refused::Unsupported { what, at }
}
