//! AMQP messages of every shape, and the events that they are.

use fe2o3_amqp_types::messaging::{AmqpSequence, AmqpValue, ApplicationProperties, Batch, Data, MessageAnnotations};
use fe2o3_amqp_types::primitives::SimpleValue;
use serde_amqp::primitives::Timestamp;
use types::PartitionId;

use super::*;

fn message(body: Body<Value>) -> Incoming {
    let annotations = MessageAnnotations::builder()
        .insert("x-opt-sequence-number", 41_i64)
        .insert("x-opt-offset", "8589934592".to_owned())
        .insert("x-opt-enqueued-time", Timestamp::from_milliseconds(1_700_000_000_123))
        .insert("x-opt-partition-key", "plant 7".to_owned())
        .insert("iothub-connection-device-id", "pump-3".to_owned())
        .insert("iothub-enqueuedtime", Timestamp::from_milliseconds(1_700_000_000_000))
        .build();
    let properties = ApplicationProperties::builder()
        .insert("site", "north")
        .insert("count", SimpleValue::Int(5))
        .insert("iothub-connection-device-id", "what the sender says")
        .build();
    Message::builder().message_annotations(annotations).application_properties(properties).body(body).build()
}

fn data(sections: &[&[u8]]) -> Body<Value> {
    Body::Data(Batch::new(sections.iter().map(|section| Data(section.to_vec().into())).collect::<Vec<_>>()))
}

fn payload(body: Body<Value>) -> Option<Vec<u8>> {
    Event::of(message(body)).unwrap().show(|record| record.payload.map(<[u8]>::to_vec))
}

#[test]
fn every_kind_of_body_is_a_payload() {
    let value = |value| Body::Value(AmqpValue(value));
    let sequence =
        |values: Vec<Vec<Value>>| Body::Sequence(Batch::new(values.into_iter().map(AmqpSequence).collect::<Vec<_>>()));
    for (body, expected) in [
        (data(&[b"{}"]), Some("{}")),
        (data(&[b"ab", b"", b"cd"]), Some("abcd")),
        (data(&[b""]), Some("")),
        (value(Value::String("{\"a\":1}".into())), Some("{\"a\":1}")),
        (value(Value::Binary(b"[]".to_vec().into())), Some("[]")),
        (value(Value::Int(3)), Some("3")),
        (value(Value::List(vec![Value::Int(3), Value::String("x".into())])), Some("[3,\"x\"]")),
        (sequence(vec![vec![Value::Int(1)], vec![Value::Bool(true)]]), Some("[1,true]")),
        (value(Value::Null), None),
        (Body::Empty, None),
    ] {
        let name = format!("{body:?}");
        assert_eq!(payload(body).as_deref(), expected.map(str::as_bytes), "{name}");
    }
}

#[test]
fn annotations_make_it_an_event() {
    let event = Event::of(message(data(&[b"x"]))).unwrap();
    assert_eq!((event.sequence_number, event.offset.as_deref()), (41, Some("8589934592")));
    event.show(|record| {
        assert_eq!(record.position, 41);
        assert_eq!(record.broker_time, Some(1_700_000_000_123_000));
        assert_eq!(record.key, b"plant 7");
    });
    assert!(Event::of(Message::builder().body(data(&[b"x"])).build()).is_none());
}

#[test]
fn what_decoding_asks_for_comes_with_the_record() {
    let event = Event::of(message(data(&[b"x"]))).unwrap();
    let given = |device: Option<&str>, time: Option<&str>| {
        let mut records = Records::new(PartitionId { topic: "hub".into(), index: 0 });
        event.push(&mut records, &Wanted { device: device.map(Into::into), time: time.map(Into::into), trace: false });
        let given = records.given(0);
        (given.device.map(str::to_owned), given.time.map(str::to_owned))
    };
    let text = |text: &str| Some(text.to_owned());
    // The service's word goes before the sender's.
    assert_eq!(
        given(Some("iothub-connection-device-id"), Some("iothub-enqueuedtime")),
        (text("pump-3"), text("2023-11-14T22:13:20Z"))
    );
    assert_eq!(given(Some("site"), Some("count")), (text("north"), text("5")));
    assert_eq!(given(Some("nothing"), None), (None, None));
    assert_eq!(given(None, None), (None, None));
}

#[test]
fn the_trace_that_an_event_belongs_to_is_found_by_either_name() {
    let parent = |digit: char| format!("00-{}-00f067aa0ba902b7-01", digit.to_string().repeat(32));
    let traces = |properties: &[(&str, String)], trace: bool| {
        let all = properties
            .iter()
            .fold(ApplicationProperties::builder(), |all, (name, value)| all.insert(*name, value.clone()));
        let mut message = message(data(&[b"x"]));
        message.application_properties = Some(all.build());
        let mut records = Records::new(PartitionId { topic: "hub".into(), index: 0 });
        Event::of(message).unwrap().push(&mut records, &Wanted { trace, ..Wanted::default() });
        records.traces().iter().map(|context| (context.trace_id[0], context.state.to_string())).collect::<Vec<_>>()
    };
    let state = ("tracestate", "a=b".to_owned());
    let both = [("traceparent", parent('4')), ("Diagnostic-Id", parent('5')), state.clone()];
    assert_eq!(traces(&both, true), [(0x44, "a=b".to_owned())]);
    assert_eq!(traces(&both[1..2], true), [(0x55, String::new())]);
    assert_eq!(traces(&[("Diagnostic-Id", "|a.b.".to_owned()), state], true), []);
    assert_eq!(traces(&both, false), []);
}
