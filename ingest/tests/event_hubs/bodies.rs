//! Whatever senders write: every kind of body, properties, keys, large messages, and messages of Microsoft's own client.

use std::process::Command;

use fe2o3_amqp_types::messaging::message::__private::Serializable;
use fe2o3_amqp_types::messaging::{
    AmqpSequence, AmqpValue, ApplicationProperties, Batch, Body, Data, Message, MessageAnnotations,
};
use ingest::contract::gain;
use ingest::event_hubs::{Outgoing, Static};
use ingest::{Bound, Polled, Records, Source, Wanted};
use serde_amqp::Value;
use serde_amqp::primitives::Timestamp;
use types::Position;

use crate::{POLL, Service, WAIT, partition};

/// The first records of the partition, in batches.
fn batches(source: &mut dyn Source, records: usize) -> Vec<Records> {
    gain(source, 1);
    source.start(&partition(0), Position(0)).unwrap();
    let mut batches: Vec<Records> = Vec::new();
    while batches.iter().map(Records::len).sum::<usize>() < records {
        if let Polled::Records(batch) = source.poll(POLL).unwrap() {
            batches.push(batch);
        }
    }
    batches
}

#[test]
fn every_kind_of_body_comes_over() {
    let service = Service::start(1);
    let data = |sections: &[&[u8]]| {
        Body::Data(Batch::new(sections.iter().map(|bytes| Data(bytes.to_vec().into())).collect::<Vec<_>>()))
    };
    let value = |value| Body::Value(AmqpValue(value));
    let sequence =
        |values: Vec<Vec<Value>>| Body::Sequence(Batch::new(values.into_iter().map(AmqpSequence).collect::<Vec<_>>()));
    let cases: Vec<(Body<Value>, Option<&[u8]>)> = vec![
        (data(&[b"{\"a\":1}"]), Some(b"{\"a\":1}")),
        (data(&[b"{\"a\":", b"1}"]), Some(b"{\"a\":1}")),
        (data(&[b""]), Some(b"")),
        (value(Value::String("text".into())), Some(b"text")),
        (value(Value::Binary(vec![0, 255].into())), Some(&[0, 255])),
        (value(Value::Double(2.5.into())), Some(b"2.5")),
        (value(Value::List(vec![Value::Long(-1), Value::Null])), Some(b"[-1,null]")),
        (sequence(vec![vec![Value::Int(1)], vec![Value::Int(2)]]), Some(b"[1,2]")),
        (value(Value::Null), None),
    ];
    let mut producer = service.producer();
    for (body, _) in &cases {
        let message = Message::builder().body(body.clone()).build();
        producer.send_encoded(0, &serde_amqp::to_vec(&Serializable(message)).unwrap()).unwrap();
    }
    producer.flush(WAIT).unwrap();

    let mut source = service.source(Bound::Unbounded);
    let batches = batches(&mut *source, cases.len());
    let found: Vec<_> =
        batches.iter().flat_map(Records::iter).map(|record| record.payload.map(<[u8]>::to_vec)).collect();
    let expected: Vec<_> = cases.iter().map(|(_, payload)| payload.map(<[u8]>::to_vec)).collect();
    assert_eq!(found, expected);
    source.leave();
}

#[test]
fn properties_come_with_the_record_if_they_are_asked_for() {
    let service = Service::start(1);
    let mut producer = service.producer();
    for number in 0..3_i64 {
        let message = Message::builder()
            .message_annotations(
                MessageAnnotations::builder()
                    .insert("iothub-connection-device-id", format!("pump-{number}"))
                    .insert("iothub-enqueuedtime", Timestamp::from_milliseconds(1_700_000_000_000 + number))
                    .build(),
            )
            .application_properties(ApplicationProperties::builder().insert("line", number).build())
            .body(Body::<Value>::Data(Batch::new(vec![Data(b"{}".to_vec().into())])))
            .build();
        producer.send_encoded(0, &serde_amqp::to_vec(&Serializable(message)).unwrap()).unwrap();
    }
    producer.flush(WAIT).unwrap();
    for (device, time, expected) in [
        ("iothub-connection-device-id", "iothub-enqueuedtime", ("pump-2", "2023-11-14T22:13:20.002Z")),
        ("line", "iothub-connection-device-id", ("2", "pump-2")),
    ] {
        let wanted = Wanted { device: Some(device.into()), time: Some(time.into()), trace: false };
        let config = service.config();
        let mut source = service.source_with(&config, Bound::Unbounded, wanted, Box::new(Static::new(0, 1)));
        let batches = batches(&mut *source, 3);
        let last = batches.last().unwrap();
        let given = last.given(last.len() - 1);
        assert_eq!((given.device, given.time), (Some(expected.0), Some(expected.1)));
        source.leave();
    }
}

#[test]
fn messages_of_many_frames_come_whole() {
    let service = Service::start(1);
    let mut producer = service.producer();
    let large = |seed: usize| -> Vec<u8> { (0..900_000 + seed).map(|place| (place * 31 + seed) as u8).collect() };
    let sizes = [0, 1, 2, 3, 4, 5, 6, 7];
    for seed in sizes {
        let payload = large(seed);
        producer.send(Outgoing { key: Some(b"k"), payload: Some(&payload), ..Outgoing::default() }).unwrap();
        producer.send(Outgoing { payload: Some(b"small"), ..Outgoing::default() }).unwrap();
    }
    producer.flush(WAIT).unwrap();
    let mut source = service.source(Bound::Unbounded);
    let batches = batches(&mut *source, 2 * sizes.len());
    let found: Vec<_> = batches.iter().flat_map(Records::iter).map(|record| record.payload.unwrap()).collect();
    for seed in sizes {
        assert!(found[2 * seed] == large(seed), "message {seed}");
        assert_eq!(found[2 * seed + 1], b"small");
    }
    source.leave();
}

/// Sends three events to partition 0 and says nothing.
const SENDER: &str = r#"
import sys
from azure.eventhub import EventHubProducerClient, EventData
producer = EventHubProducerClient.from_connection_string(sys.argv[1])
with producer:
    batch = producer.create_batch(partition_id="0")
    for text in ['{"n":1}', '', 'köln']:
        event = EventData(text)
        event.properties = {"device": "pump-" + str(len(text)), "line": 7}
        batch.add(event)
    producer.send_batch(batch)
"#;

#[test]
fn events_of_microsofts_client_are_read() {
    let Ok(python) = std::env::var("ATALAIA_TEST_PYTHON") else {
        assert!(!std::env::var("ATALAIA_TEST_REQUIRED").is_ok_and(|required| required == "1"), "no Python with judges");
        eprintln!(
            "SKIPPED events_of_microsofts_client_are_read: Python with Microsoft's client is missing; `make test` provides it"
        );
        return;
    };
    let service = Service::start(1);
    let output = Command::new(python).args(["-c", SENDER, &service.connection_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let wanted = Wanted { device: Some("device".into()), time: Some("line".into()), trace: false };
    let config = service.config();
    let mut source = service.source_with(&config, Bound::Unbounded, wanted, Box::new(Static::new(0, 1)));
    let found: Vec<_> = batches(&mut *source, 3)
        .iter()
        .flat_map(|batch| {
            batch.iter().enumerate().map(|(number, record)| {
                let given = batch.given(number);
                let payload = record.payload.map(|payload| String::from_utf8_lossy(payload).into_owned());
                (record.position, payload, given.device.map(str::to_owned), given.time.map(str::to_owned))
            })
        })
        .collect();
    let expected = |position, payload: &str, device: &str| {
        (position, Some(payload.to_owned()), Some(device.to_owned()), Some("7".to_owned()))
    };
    assert_eq!(found, [expected(0, r#"{"n":1}"#, "pump-7"), expected(1, "", "pump-0"), expected(2, "köln", "pump-4")]);
    source.leave();
}
