//! Files of Event Hubs Capture, and those that IoT Hub's routes write: events with their properties, recognised by their fields.

use std::io;

use types::Micros;

use super::json::Writer;
use super::schema::{Id, Schema, Type};
use super::stream::Stream;
use crate::decode::{TimeUnit, parse_time};
use crate::{Given, RawRecord, Wanted};

/// Longer names and values than any property has; what is beyond is cut.
const PROPERTY_BYTES_MAX: usize = 64 << 10;
/// The key by which the sender chose the partition.
const PARTITION_KEY: &str = "x-opt-partition-key";

/// What the file's fields are, and the event at hand.
pub(super) struct Capture {
    parts: Vec<(Part, Id)>,
    wanted: Wanted,
    event: Event,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    EnqueuedTime,
    /// The values' type.
    SystemProperties(Id),
    Properties(Id),
    Body,
    Other,
}

#[derive(Default)]
struct Event {
    broker_time: Option<Micros>,
    key: Vec<u8>,
    body: Vec<u8>,
    has_body: bool,
    device: Found,
    time: Found,
}

/// A property; one of the service's counts more than one of the sender's.
#[derive(Default)]
struct Found {
    system: Option<String>,
    sender: Option<String>,
}

impl Found {
    fn text(&self) -> Option<&str> {
        self.system.as_deref().or(self.sender.as_deref())
    }
}

impl Capture {
    /// None if the file holds something else.
    pub(super) fn of(schema: &Schema, wanted: &Wanted) -> Option<Capture> {
        let Type::Record(fields) = schema.get(schema.root()) else { return None };
        let values = |id: Id| match schema.get(id) {
            Type::Map(values) => Some(*values),
            _ => None,
        };
        let mut parts = Vec::new();
        for field in fields {
            let part = match field.name.as_str() {
                "EnqueuedTimeUtc" => Part::EnqueuedTime,
                "SystemProperties" => Part::SystemProperties(values(field.id)?),
                "Properties" => Part::Properties(values(field.id)?),
                "Body" => Part::Body,
                _ => Part::Other,
            };
            parts.push((part, field.id));
        }
        let named = parts.iter().filter(|(part, _)| *part != Part::Other).count();
        (named == 4).then(|| Capture { parts, wanted: wanted.clone(), event: Event::default() })
    }

    pub(super) fn read(&mut self, schema: &Schema, stream: &mut Stream, kept_bytes_max: usize) -> io::Result<()> {
        self.event.key.clear();
        self.event.body.clear();
        self.event.device = Found::default();
        self.event.time = Found::default();
        for at in 0..self.parts.len() {
            let (part, id) = self.parts[at];
            match part {
                Part::EnqueuedTime => {
                    let text = plain(schema, stream, id)?;
                    self.event.broker_time = text.as_deref().and_then(service_time);
                }
                Part::SystemProperties(values) => self.properties(schema, stream, values, true)?,
                Part::Properties(values) => self.properties(schema, stream, values, false)?,
                Part::Body => {
                    let mut writer = Writer::new(schema, stream, &mut self.event.body, kept_bytes_max);
                    self.event.has_body = writer.plain(id)?;
                }
                Part::Other => Writer::new(schema, stream, &mut Vec::new(), 0).json(id)?,
            }
        }
        Ok(())
    }

    fn properties(&mut self, schema: &Schema, stream: &mut Stream, values: Id, is_system: bool) -> io::Result<()> {
        loop {
            let items = stream.items()?;
            if items == 0 {
                return Ok(());
            }
            for _ in 0..items {
                let mut name = Vec::new();
                Writer::new(schema, stream, &mut name, PROPERTY_BYTES_MAX).raw()?;
                let is = |wanted: &Option<String>| wanted.as_deref().is_some_and(|wanted| wanted.as_bytes() == name);
                let (is_device, is_time) = (is(&self.wanted.device), is(&self.wanted.time));
                let is_key = is_system && name == PARTITION_KEY.as_bytes();
                if !(is_device || is_time || is_key) {
                    Writer::new(schema, stream, &mut Vec::new(), 0).json(values)?;
                    continue;
                }
                let Some(text) = plain(schema, stream, values)? else { continue };
                if is_key {
                    self.event.key = text.clone().into_bytes();
                }
                if is_device {
                    self.event.device.put(text.clone(), is_system);
                }
                if is_time {
                    self.event.time.put(rewritten(&text).unwrap_or(text), is_system);
                }
            }
        }
    }

    pub(super) fn record(&self, position: i64) -> (RawRecord<'_>, Given<'_>) {
        let Event { broker_time, key, body, has_body, device, time } = &self.event;
        let payload = has_body.then_some(body.as_slice());
        let record = RawRecord { position, broker_time: *broker_time, key, payload };
        (record, Given { device: device.text(), time: time.text() })
    }
}

impl Found {
    fn put(&mut self, text: String, is_system: bool) {
        *if is_system { &mut self.system } else { &mut self.sender } = Some(text);
    }
}

/// A value as text; none for null, or what is no text.
fn plain(schema: &Schema, stream: &mut Stream, id: Id) -> io::Result<Option<String>> {
    let mut text = Vec::new();
    let is_some = Writer::new(schema, stream, &mut text, PROPERTY_BYTES_MAX).plain(id)?;
    Ok(String::from_utf8(text).ok().filter(|_| is_some))
}

/// The service writes times as RFC 3339, or as .NET prints them: `8/22/2018 1:55:43 PM`.
fn service_time(text: &str) -> Option<Micros> {
    parse_time(rewritten(text).as_deref().unwrap_or(text), TimeUnit::Auto).ok()
}

/// A time that .NET printed, as RFC 3339; none if it is something else.
fn rewritten(text: &str) -> Option<String> {
    let mut words = text.split(' ');
    let (date, clock, half) = (words.next()?, words.next()?, words.next()?);
    let [month, day, year] = numbers(date, '/')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let hour = match half {
        _ if !(1..=12).contains(&hour) || words.next().is_some() => return None,
        "AM" => hour % 12,
        "PM" => hour % 12 + 12,
        _ => return None,
    };
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

fn numbers(text: &str, separator: char) -> Option<[u16; 3]> {
    let mut parts = text.split(separator).map(|part| {
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| is_number)
    });
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_the_service_writes_them() {
        // 2018-08-22T13:55:43Z
        let time = 1_534_946_143_000_000;
        for (text, expected) in [
            ("8/22/2018 1:55:43 PM", Some(time)),
            ("08/22/2018 01:55:43 PM", Some(time)),
            ("2018-08-22T13:55:43Z", Some(time)),
            ("2018-08-22T13:55:43.1230000Z", Some(time + 123_000)),
            ("8/22/2018 12:55:43 AM", Some(time - 13 * 3_600_000_000)),
            ("8/22/2018 12:55:43 PM", Some(time - 3_600_000_000)),
            ("22/8/2018 1:55:43 PM", None),
            ("8/22/2018 13:55:43 PM", None),
            ("8/22/2018 1:55:43", None),
            ("-8/22/2018 1:55:43 PM", None),
            ("", None),
        ] {
            assert_eq!(service_time(text), expected, "{text}");
        }
    }
}
