//! An AMQP message as a record: what is its payload, its position, its time, and what else decoding asks for.
//!
//! Data sections are bytes, and are the payload one after the other. An `amqp-value` that is a string or bytes is these; any
//! other, and sequences, are their JSON text, so that the decoder finds the same whichever client sent it. A null, or no body at
//! all, is a tombstone.

use std::borrow::Cow;

use fe2o3_amqp_types::messaging::annotations::OwnedKey;
use fe2o3_amqp_types::messaging::message::DecodeIntoMessage;
use fe2o3_amqp_types::messaging::{AmqpValue, Body, Message};
use serde_amqp::Value;
use serde_amqp::primitives::Symbol;
use serde_json::Value as Json;
use types::{Micros, PartitionId};

use super::text;
use crate::{Given, RawRecord, Records, TraceContext, Wanted};

pub(super) type Incoming = Message<Body<Value>>;

/// The record in an encoded message, read as a link reads it: for fuzzing.
#[doc(hidden)]
#[must_use]
pub fn read_message(encoded: &[u8], partition: &PartitionId, wanted: &Wanted) -> Option<Records> {
    let reader = serde_amqp::read::SliceReader::new(encoded);
    let message: Incoming = Body::<Value>::decode_message_from_reader(reader).ok()?;
    let event = Event::of(message)?;
    let mut records = Records::new(partition.clone());
    event.push(&mut records, wanted);
    Some(records)
}

/// A message and the annotations that make it an event of a partition.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) sequence_number: i64,
    pub(super) offset: Option<String>,
    pub(super) enqueued: Option<Micros>,
    message: Incoming,
}

impl Event {
    /// `None` if the service gave it no sequence number: then it is none of a partition's.
    pub(super) fn of(mut message: Incoming) -> Option<Self> {
        let annotations = &mut message.message_annotations.as_mut()?.0;
        let Some(Value::Long(sequence_number)) = get(annotations, "x-opt-sequence-number") else { return None };
        let sequence_number = *sequence_number;
        let enqueued = match get(annotations, "x-opt-enqueued-time") {
            Some(Value::Timestamp(time)) => Some(time.milliseconds().saturating_mul(1000)),
            _ => None,
        };
        let offset = match get(annotations, "x-opt-offset") {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Long(number)) => Some(number.to_string()),
            _ => None,
        };
        Some(Event { sequence_number, offset, enqueued, message })
    }

    /// One that cannot be read, where one has to be: nothing is left out without a trace.
    pub(super) fn unreadable(sequence_number: i64) -> Self {
        let message = Message::builder().body(Body::Value(AmqpValue(Value::Binary(Vec::new().into())))).build();
        Event { sequence_number, offset: None, enqueued: None, message }
    }

    #[cfg(test)]
    pub(super) fn test(sequence_number: i64, payload: &[u8]) -> Self {
        let message = Message::builder().body(Body::Value(AmqpValue(Value::Binary(payload.to_vec().into())))).build();
        Event { sequence_number, offset: Some(format!("o{sequence_number}")), enqueued: Some(1), message }
    }

    /// Shows the record that this is.
    pub(super) fn show<T>(&self, see: impl FnOnce(RawRecord<'_>) -> T) -> T {
        let payload = self.payload();
        see(RawRecord {
            position: self.sequence_number,
            broker_time: self.enqueued,
            key: self.key(),
            payload: payload.as_deref(),
        })
    }

    pub(super) fn push(&self, records: &mut Records, wanted: &Wanted) {
        self.push_record(records, wanted);
        if wanted.trace && records.wants_trace() {
            records.note_trace(TraceContext::find(|name| self.property(name.to_str().ok()?)));
        }
    }

    fn push_record(&self, records: &mut Records, wanted: &Wanted) {
        self.show(|record| {
            if wanted.is_nothing() {
                records.push(record);
                return;
            }
            let [device, time] = [&wanted.device, &wanted.time].map(|name| self.property(name.as_deref()?));
            records.push_given(record, Given { device: device.as_deref(), time: time.as_deref() });
        });
    }

    fn key(&self) -> &[u8] {
        let annotations = self.message.message_annotations.as_ref();
        match annotations.and_then(|annotations| get(&annotations.0, "x-opt-partition-key")) {
            Some(Value::String(text)) => text.as_bytes(),
            Some(Value::Symbol(text)) => text.as_str().as_bytes(),
            Some(Value::Binary(bytes)) => bytes,
            _ => &[],
        }
    }

    fn payload(&self) -> Option<Cow<'_, [u8]>> {
        match &self.message.body {
            Body::Data(sections) => {
                let mut sections = sections.iter().map(|section| section.0.as_slice());
                let first = sections.next().unwrap_or_default();
                match sections.next() {
                    None => Some(Cow::Borrowed(first)),
                    Some(second) => {
                        let rest = [first, second].into_iter().chain(sections);
                        Some(Cow::Owned(rest.flatten().copied().collect()))
                    }
                }
            }
            Body::Value(value) => match &value.0 {
                Value::Null => None,
                Value::String(text) => Some(Cow::Borrowed(text.as_bytes())),
                Value::Binary(bytes) => Some(Cow::Borrowed(bytes)),
                value => Some(Cow::Owned(text::json(value).to_string().into_bytes())),
            },
            Body::Sequence(sections) => {
                let values = sections.iter().flat_map(|section| &section.0).map(text::json);
                Some(Cow::Owned(Json::Array(values.collect()).to_string().into_bytes()))
            }
            Body::Empty => None,
        }
    }

    /// The service's annotation of this name, else the sender's property.
    fn property(&self, name: &str) -> Option<String> {
        let annotations = self.message.message_annotations.as_ref();
        if let Some(value) = annotations.and_then(|annotations| get(&annotations.0, name)) {
            return text::of(value);
        }
        let properties = self.message.application_properties.as_ref()?;
        text::of(&properties.0.get(name)?.clone().into())
    }
}

type Annotations = fe2o3_amqp_types::messaging::Annotations;

fn get<'a>(annotations: &'a Annotations, name: &str) -> Option<&'a Value> {
    // A handful: comparing them is quicker than making a key to look up.
    annotations.iter().find_map(|(key, value)| match key {
        OwnedKey::Symbol(Symbol(key)) if key == name => Some(value),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
