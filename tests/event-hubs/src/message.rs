//! Messages: the sections of what producers send, requests and replies, and events as they lie in a partition.
//!
//! The idea: of an event only the message annotations are read, since the service adds to them. Everything from the properties
//! on is kept as the bytes that came, so whatever a producer may write, a consumer reads.

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::{Malformed, Reader, Value, counted, put};

/// The message format of a batch: each data section holds a message.
const BATCH: u32 = 0x8001_3700;

const HEADER: u8 = 0x70;
const DELIVERY_ANNOTATIONS: u8 = 0x71;
const MESSAGE_ANNOTATIONS: u8 = 0x72;
const PROPERTIES: u8 = 0x73;
const APPLICATION_PROPERTIES: u8 = 0x74;
const DATA: u8 = 0x75;
const VALUE: u8 = 0x77;

const PARTITION_KEY: &str = "x-opt-partition-key";
const SEQUENCE_NUMBER: &str = "x-opt-sequence-number";
const OFFSET: &str = "x-opt-offset";
const ENQUEUED_TIME: &str = "x-opt-enqueued-time";

/// An event as a producer gave it, before it has a place.
pub(crate) struct Draft<'a> {
    pub(crate) partition_key: Option<String>,
    /// Annotations that the service does not write itself, values as they came.
    annotations: Vec<(String, &'a [u8])>,
    /// From the properties to the end.
    rest: &'a [u8],
}

/// What the service adds to an event.
pub(crate) struct Place<'a> {
    pub(crate) sequence_number: i64,
    pub(crate) offset: &'a str,
    pub(crate) enqueued_ms: i64,
}

/// The events of one delivery, in order; a partition key of the envelope holds for all of them.
pub(crate) fn drafts(format: u32, payload: &[u8]) -> Result<Vec<Draft<'_>>, Malformed> {
    if format != BATCH {
        return Ok(vec![draft(payload)?]);
    }
    let mut drafts = Vec::new();
    let mut envelope_key = None;
    for section in sections(payload) {
        let section = section?;
        match section.code {
            MESSAGE_ANNOTATIONS => envelope_key = annotations(section.value)?.0,
            DATA => drafts.push(draft(binary(section.value)?)?),
            _ => {}
        }
    }
    if envelope_key.is_some() {
        drafts.iter_mut().for_each(|draft| draft.partition_key.clone_from(&envelope_key));
    }
    Ok(drafts)
}

fn draft(message: &[u8]) -> Result<Draft<'_>, Malformed> {
    let mut draft = Draft { partition_key: None, annotations: Vec::new(), rest: &[] };
    let mut kept = 0;
    for section in sections(message) {
        let section = section?;
        match section.code {
            HEADER | DELIVERY_ANNOTATIONS => {}
            MESSAGE_ANNOTATIONS => (draft.partition_key, draft.annotations) = annotations(section.value)?,
            // Sections come in the order of their codes, so this is the tail; walking on checks that it is whole.
            _ => kept += section.length,
        }
    }
    draft.rest = &message[message.len() - kept..];
    Ok(draft)
}

type Annotations<'a> = (Option<String>, Vec<(String, &'a [u8])>);

fn annotations(map: &[u8]) -> Result<Annotations<'_>, Malformed> {
    let mut key = None;
    let mut others = Vec::new();
    for (name, value) in Reader::new(map).pairs()? {
        match name.text() {
            Some(PARTITION_KEY) => key = Reader::new(value).value()?.text().map(str::to_owned),
            Some(SEQUENCE_NUMBER | OFFSET | ENQUEUED_TIME) | None => {}
            Some(name) => others.push((name.to_owned(), value)),
        }
    }
    Ok((key, others))
}

impl Draft<'_> {
    /// The sections that every consumer gets.
    pub(crate) fn write(&self, place: &Place<'_>, out: &mut BytesMut) {
        let count = 3 + u32::from(self.partition_key.is_some()) + self.annotations.len() as u32;
        put::descriptor(out, MESSAGE_ANNOTATIONS);
        counted(out, 0xd1, count * 2, |out| {
            put::symbol(out, SEQUENCE_NUMBER);
            put::long(out, place.sequence_number);
            put::symbol(out, OFFSET);
            put::string(out, place.offset);
            put::symbol(out, ENQUEUED_TIME);
            put::timestamp(out, place.enqueued_ms);
            if let Some(key) = &self.partition_key {
                put::symbol(out, PARTITION_KEY);
                put::string(out, key);
            }
            for (name, value) in &self.annotations {
                put::symbol(out, name);
                out.put_slice(value);
            }
        });
        out.put_slice(self.rest);
    }
}

/// The end of a partition, for consumers that asked to be told with each event.
pub(crate) struct LastEnqueued {
    pub(crate) sequence_number: i64,
    pub(crate) offset: String,
    pub(crate) enqueued_ms: i64,
}

impl LastEnqueued {
    pub(crate) fn write(&self, now_ms: i64, out: &mut BytesMut) {
        put::descriptor(out, DELIVERY_ANNOTATIONS);
        counted(out, 0xd1, 8, |out| {
            put::symbol(out, "last_enqueued_sequence_number");
            put::long(out, self.sequence_number);
            put::symbol(out, "last_enqueued_offset");
            put::string(out, &self.offset);
            put::symbol(out, "last_enqueued_time_utc");
            put::timestamp(out, self.enqueued_ms);
            put::symbol(out, "runtime_info_retrieval_time_utc");
            put::timestamp(out, now_ms);
        });
    }
}

/// A message to `$cbs` or `$management`.
pub(crate) struct Request {
    pub(crate) message_id: Value,
    pub(crate) reply_to: Option<String>,
    pub(crate) properties: Value,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let mut request =
            Self { message_id: Value::Null, reply_to: None, properties: Value::Map(vec![]), body: Value::Null };
        for section in sections(payload) {
            let section = section?;
            match section.code {
                PROPERTIES => {
                    let properties = Reader::new(section.value).value()?;
                    request.message_id = properties.field(0).cloned().unwrap_or(Value::Null);
                    request.reply_to = properties.field(4).and_then(Value::text).map(str::to_owned);
                }
                APPLICATION_PROPERTIES => request.properties = Reader::new(section.value).value()?,
                VALUE => request.body = Reader::new(section.value).value()?,
                _ => {}
            }
        }
        Ok(request)
    }

    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name)?.text()
    }
}

/// The answer of a node: a status, and a body when there is one to give.
pub(crate) struct Reply {
    pub(crate) status: i32,
    pub(crate) description: String,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn new(status: i32, description: impl Into<String>) -> Self {
        Self { status, description: description.into(), body: Value::Null }
    }

    pub(crate) fn write(&self, correlation_id: &Value) -> Bytes {
        let mut out = BytesMut::new();
        let mut properties = vec![Value::Null; 13];
        properties[5] = correlation_id.clone();
        Value::described(PROPERTIES.into(), Value::List(properties)).write(&mut out);
        let status = vec![
            (Value::string("status-code"), Value::Int(self.status)),
            (Value::string("status-description"), Value::string(&self.description)),
        ];
        Value::described(APPLICATION_PROPERTIES.into(), Value::Map(status)).write(&mut out);
        Value::described(VALUE.into(), self.body.clone()).write(&mut out);
        out.freeze()
    }
}

struct Section<'a> {
    code: u8,
    value: &'a [u8],
    /// Of the whole section, its descriptor included.
    length: usize,
}

fn sections(message: &[u8]) -> impl Iterator<Item = Result<Section<'_>, Malformed>> {
    let mut reader = Reader::new(message);
    std::iter::from_fn(move || {
        let before = reader.rest().len();
        (before > 0).then(|| {
            let code = reader.descriptor()?;
            let code = u8::try_from(code).map_err(|_| Malformed::Expected("a section of a message"))?;
            let value = reader.skip()?;
            Ok(Section { code, value, length: before - reader.rest().len() })
        })
    })
    // After an error the reader stands anywhere.
    .scan(false, |failed, section| {
        let over = std::mem::replace(failed, section.is_err());
        (!over).then_some(section)
    })
}

fn binary(value: &[u8]) -> Result<&[u8], Malformed> {
    let header = match value.first() {
        Some(0xa0) => 2,
        Some(0xb0) => 5,
        _ => return Err(Malformed::Expected("a binary data section")),
    };
    value.get(header..).ok_or(Malformed::Short { wanted: header, held: value.len() })
}

/// A data section alone: what a fault command fills partitions with.
pub(crate) fn plain_event(body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    put::descriptor(&mut out, DATA);
    put::binary(&mut out, body);
    out.to_vec()
}
