//! JSON records into readings: one walk over the tokens that keeps the wanted fields and checks all others.
//!
//! Nothing counts until the record is known to be valid to its last byte.

use types::{Micros, Reason};

use super::Shape;
use super::decoded::{Buffers, Ignored, Item, Reject, Text};
use super::fields::{self, Field};
use super::json::{Fault, Key, Scanner, Span, Token, unescape};
use super::plan::{Plan, Role};

/// Buffers for one record, used again for the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) text: String,
    /// A key whose escapes were resolved.
    key: String,
    pub(super) items: Vec<(u32, Item)>,
    pub(super) rejects: Vec<(u32, Reject)>,
    /// Cells of wide records that are neither, and why.
    pub(super) ignored: Vec<(Text, Ignored)>,
    /// `wide` with listed sensors: what each one's field holds.
    pub(super) slots: Vec<Field>,
    /// `wide` without a list: all fields that may be sensors.
    found: Vec<Found>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    /// Of the name: comparing it first makes looking for duplicates cheap.
    hash: u64,
    name: Text,
    field: Field,
}

impl Scratch {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.items.clear();
        self.rejects.clear();
        self.ignored.clear();
    }

    pub(super) fn ignore(&mut self, name: Text, why: Ignored) {
        self.ignored.push((name, why));
    }

    pub(super) fn next_index(&self) -> u32 {
        (self.items.len() + self.rejects.len()) as u32
    }

    pub(super) fn reject(&mut self, reject: Reject) {
        self.rejects.push((self.next_index(), reject));
    }

    pub(super) fn item(&mut self, item: Item) {
        self.items.push((self.next_index(), item));
    }
}

/// How a record's readings are to be handed over.
#[derive(Debug)]
pub(super) enum Outcome {
    /// `fields` are what the item was made from: the fast path learns where they stand.
    One {
        item: Item,
        fields: [Field; 4],
    },
    Many,
}

/// Reads the whole record. Rejects of single elements go to the scratch.
pub(super) fn decode(
    plan: &Plan,
    record: &str,
    time: Option<Micros>,
    scratch: &mut Scratch,
) -> Result<Outcome, Reject> {
    let mut scanner = Scanner::new(record, plan.depth_max, plan.fields_max);
    let mut walk = Walk { plan, record, time, scratch };
    walk.record(&mut scanner)
}

struct Walk<'a> {
    plan: &'a Plan,
    record: &'a str,
    /// Of the whole record, if it stands outside.
    time: Option<Micros>,
    scratch: &'a mut Scratch,
}

impl Walk<'_> {
    fn record(&mut self, scanner: &mut Scanner<'_>) -> Result<Outcome, Reject> {
        match scanner.value().map_err(refused)? {
            Token::Object => {
                let fields = self.top_object(scanner).map_err(refused)?;
                scanner.end().map_err(refused)?;
                if self.plan.shape == Shape::Long {
                    return self.long(fields).map(|item| Outcome::One { item, fields });
                }
                self.wide(fields)?;
            }
            Token::Array => {
                let mut first = true;
                while scanner.element(first).map_err(refused)? {
                    first = false;
                    self.element(scanner).map_err(refused)?;
                }
                scanner.end().map_err(refused)?;
            }
            token => {
                scanner.end().map_err(refused)?;
                return Err(not_an_object("the record", token));
            }
        }
        Ok(Outcome::Many)
    }

    fn element(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        scanner.reset_fields();
        let token = scanner.value()?;
        if token != Token::Object {
            scanner.skip(token)?;
            self.scratch.reject(not_an_object("an element", token));
            return Ok(());
        }
        let ignored = self.scratch.ignored.len();
        let fields = self.top_object(scanner)?;
        match self.plan.shape {
            Shape::Long => match self.long(fields) {
                Ok(item) => self.scratch.item(item),
                Err(reject) => self.scratch.reject(reject),
            },
            Shape::Wide => {
                if let Err(reject) = self.wide(fields) {
                    // Refused as a whole, its cells are in quarantine with it.
                    self.scratch.ignored.truncate(ignored);
                    self.scratch.reject(reject);
                }
            }
        }
        Ok(())
    }

    fn long(&self, fields: [Field; 4]) -> Result<Item, Reject> {
        let [device, sensor, time, value] = fields;
        let buffers = &self.buffers();
        Ok(Item {
            device: fields::id(self.plan, Role::Device, device, buffers)?,
            sensor: fields::id(self.plan, Role::Sensor, sensor, buffers)?,
            time: self.time(time)?,
            value: fields::value(
                self.plan,
                self.plan.path(Role::Value).last().map_or("", String::as_str),
                value,
                buffers,
            )?,
        })
    }

    fn time(&self, field: Field) -> Result<Micros, Reject> {
        match self.time {
            Some(time) => Ok(time),
            None => fields::time(self.plan, field, &self.buffers()),
        }
    }

    /// Turns the row whose sensors' fields lie in the scratch into readings.
    fn wide(&mut self, fields: [Field; 4]) -> Result<(), Reject> {
        let [device, _, time, _] = fields;
        let device = fields::id(self.plan, Role::Device, device, &self.buffers())?;
        let time = self.time(time)?;
        if self.plan.sensors.is_empty() {
            self.wide_found(device, time)
        } else {
            wide_slots(self.plan, self.record, self.scratch, (device, time))
        }
    }

    fn wide_found(&mut self, device: Text, time: Micros) -> Result<(), Reject> {
        if self.scratch.found.is_empty() {
            return Err(Reject::new(Reason::MissingField, "no field besides device and time is a sensor"));
        }
        for at in 0..self.scratch.found.len() {
            let Found { name, field, .. } = self.scratch.found[at];
            if !matches!(field, Field::Number(_)) && fields::is_empty(field, &self.buffers()) {
                self.scratch.ignore(name, Ignored::Empty);
                continue;
            }
            let text = name.of(&self.buffers());
            let read = match text.len() {
                0 => Err(Reject::new(Reason::MissingField, "a sensor's name is empty")),
                length if length > self.plan.id_bytes_max => Err(fields::too_long(self.plan, text, length)),
                _ => fields::value(self.plan, text, field, &self.buffers()),
            };
            match read {
                Ok(value) => self.scratch.item(Item { device, sensor: name, time, value }),
                Err(reject) => self.scratch.reject(reject),
            }
        }
        Ok(())
    }

    /// The wanted fields of an object of readings, which was just opened.
    fn top_object(&mut self, scanner: &mut Scanner<'_>) -> Result<[Field; 4], Fault> {
        let mut fields = [Field::Absent; 4];
        let mut wanted = 0;
        for role in self.plan.roles() {
            wanted |= 1 << role as u8;
        }
        if self.plan.shape == Shape::Wide {
            self.scratch.found.clear();
            self.scratch.slots.clear();
            self.scratch.slots.resize(self.plan.sensors.len(), Field::Absent);
        }
        self.object(scanner, wanted, 0, &mut fields)?;
        Ok(fields)
    }

    /// Walks over the fields of an object that lies `level` keys below the top, looking for the roles in `wanted`.
    fn object(
        &mut self,
        scanner: &mut Scanner<'_>,
        wanted: u8,
        level: usize,
        fields: &mut [Field; 4],
    ) -> Result<(), Fault> {
        let mut first = true;
        while let Some(key) = scanner.key(first)? {
            first = false;
            let (hit, ends) = self.matching(key, wanted, level, fields);
            let token = scanner.value()?;
            if hit != 0 && ends.is_none() && token == Token::Object {
                self.object(scanner, hit, level + 1, fields)?;
                continue;
            }
            if let Some(role) = ends {
                fields[role as usize] = self.field(token);
            } else if hit == 0 && self.plan.shape == Shape::Wide {
                match level {
                    0 => self.sensor(key, token),
                    _ => self.scratch.ignore(Text::Record(key.span), Ignored::Nested),
                }
            }
            scanner.skip(token)?;
        }
        Ok(())
    }

    /// Which of the wanted paths go through this key, and which one ends there. An earlier field of the same name is
    /// forgotten with all below it: the last one counts.
    fn matching(&mut self, key: Key, wanted: u8, level: usize, fields: &mut [Field; 4]) -> (u8, Option<Role>) {
        let name = if key.escaped {
            self.scratch.key.clear();
            if !unescape(key.span.of(self.record), &mut self.scratch.key) {
                return (0, None);
            }
            &self.scratch.key
        } else {
            key.span.of(self.record)
        };
        let (mut hit, mut ends, mut again) = (0, None, false);
        for role in Role::ALL {
            let path = self.plan.path(role);
            if wanted & 1 << role as u8 != 0 && path.get(level).is_some_and(|part| part == name) {
                hit |= 1 << role as u8;
                again |= std::mem::take(&mut fields[role as usize]) != Field::Absent;
                if path.len() == level + 1 {
                    ends = Some(role);
                }
            }
        }
        if again && self.plan.shape == Shape::Wide {
            self.scratch.ignore(Text::Record(key.span), Ignored::Repeated);
        }
        (hit, ends)
    }

    /// A top-level field of a wide row that is neither device nor time.
    fn sensor(&mut self, key: Key, token: Token) {
        let listed = !self.plan.sensors.is_empty();
        let name = if key.escaped {
            let start = self.scratch.text.len();
            if !unescape(key.span.of(self.record), &mut self.scratch.text) {
                self.scratch.ignore(Text::Record(key.span), Ignored::Nameless);
                return;
            }
            Text::Scratch(Span::new(start, self.scratch.text.len()))
        } else {
            Text::Record(key.span)
        };
        if listed {
            let Some(slot) = self.plan.slot(name.of(&self.buffers())) else {
                self.scratch.ignore(name, Ignored::Unlisted);
                return;
            };
            let field = self.field(token);
            if std::mem::replace(&mut self.scratch.slots[slot], field) != Field::Absent {
                self.scratch.ignore(name, Ignored::Repeated);
            }
            return;
        }
        if self.plan.ignores(name.of(&self.buffers())) {
            self.scratch.ignore(name, Ignored::Named);
            return;
        }
        let field = self.field(token);
        let text = name.of(&self.buffers());
        let hash = self.plan.hash(text);
        let known = self.scratch.found.iter().position(|f| f.hash == hash && f.name.of(&self.buffers()) == text);
        match known {
            Some(at) => {
                self.scratch.found[at].field = field;
                self.scratch.ignore(name, Ignored::Repeated);
            }
            None => self.scratch.found.push(Found { hash, name, field }),
        }
    }

    fn field(&mut self, token: Token) -> Field {
        match token {
            Token::Null => Field::Null,
            Token::Bool => Field::Bool,
            Token::Number(span) => Field::Number(Text::Record(span)),
            Token::Text { span, escaped: false } => Field::Text(Text::Record(span)),
            Token::Text { span, escaped: true } => {
                let start = self.scratch.text.len();
                if unescape(span.of(self.record), &mut self.scratch.text) {
                    Field::Text(Text::Scratch(Span::new(start, self.scratch.text.len())))
                } else {
                    Field::Broken
                }
            }
            Token::Array => Field::Array,
            Token::Object => Field::Object,
        }
    }

    fn buffers(&self) -> Buffers<'_> {
        Buffers { names: &self.plan.sensors, ..Buffers::reading(self.record, &self.scratch.text) }
    }
}

/// Readings of a row whose listed sensors lie in the scratch's slots.
pub(super) fn wide_slots(
    plan: &Plan,
    record: &str,
    scratch: &mut Scratch,
    (device, time): (Text, Micros),
) -> Result<(), Reject> {
    if scratch.slots.iter().all(|field| *field == Field::Absent) {
        return Err(Reject::new(Reason::MissingField, "none of the listed sensors is there"));
    }
    for slot in 0..scratch.slots.len() {
        let field = scratch.slots[slot];
        if field == Field::Absent {
            continue;
        }
        let buffers = &Buffers::reading(record, &scratch.text);
        if !matches!(field, Field::Number(_)) && fields::is_empty(field, buffers) {
            scratch.ignore(Text::Name(slot as u32), Ignored::Empty);
            continue;
        }
        match fields::value(plan, &plan.sensors[slot], field, buffers) {
            Ok(value) => scratch.item(Item { device, sensor: Text::Name(slot as u32), time, value }),
            Err(reject) => scratch.reject(reject),
        }
    }
    Ok(())
}

fn not_an_object(what: &str, token: Token) -> Reject {
    let noun = match token {
        Token::Null => "null",
        Token::Bool => "a boolean",
        Token::Number(_) => "a number",
        Token::Text { .. } => "a text",
        Token::Array => "an array",
        Token::Object => "an object",
    };
    Reject::new(Reason::WrongType, format!("{what} is {noun}, not an object"))
}

fn refused(fault: Fault) -> Reject {
    let reason = match fault {
        Fault::Syntax { .. } => Reason::InvalidJson,
        Fault::TooDeep { .. } => Reason::TooDeep,
        Fault::TooManyFields { .. } => Reason::TooManyFields,
    };
    Reject::new(reason, fault.to_string())
}
