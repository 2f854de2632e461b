//! Headers that decoding asks for come with their records, and no others; sent by librdkafka's own producer.

use std::time::{Duration, Instant};

use ingest::kafka::KafkaSource;
use ingest::{Bound, Given, Polled, Source, Start, Wanted};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{POLL, WAIT, brokers, config, create};

/// A record's headers, and what is read of them.
type Case<'a> = (&'a [(&'a str, Option<&'a [u8]>)], Given<'a>);

#[test]
fn headers_come_with_their_records() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "headers");
    drop(create(&config, 1));
    let cases: [Case<'_>; 6] = [
        (&[], Given::default()),
        (
            &[("id", Some(b"pump-1")), ("at", Some(b"1514764800"))],
            Given { device: Some("pump-1"), time: Some("1514764800") },
        ),
        (
            &[("ID", Some(b"x")), ("id", Some(b"first")), ("id", Some(b"second"))],
            Given { device: Some("first"), time: None },
        ),
        (&[("at", None), ("id", Some(b"\xff"))], Given::default()),
        (&[("id", Some(b"\xa1\x06pump-2"))], Given { device: Some("pump-2"), time: None }),
        (&[("id", Some(b""))], Given { device: Some(""), time: None }),
    ];
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", &config.brokers).create().unwrap();
    for (number, (headers, _)) in cases.iter().enumerate() {
        let owned =
            headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: *value }));
        let payload = number.to_string();
        producer
            .send(BaseRecord::to(&config.topic).key("k").payload(&payload).headers(owned))
            .map_err(|(e, _)| e)
            .unwrap();
    }
    producer.flush(WAIT).unwrap();

    for asked in [true, false] {
        let wanted = Wanted { device: Some("id".into()), time: Some("at".into()), trace: false };
        let wanted = if asked { wanted } else { Wanted::default() };
        let mut source = KafkaSource::new(&config, 0, Bound::PresentEnd, 64).unwrap().with_headers(&wanted).unwrap();
        let begun = Instant::now();
        let mut seen = 0;
        while seen < cases.len() {
            assert!(begun.elapsed() < WAIT + Duration::from_secs(20), "{seen} records");
            match source.poll(POLL).unwrap() {
                Polled::Gained(partitions) => {
                    for partition in partitions {
                        let position = source.resolve(&partition, Start::Earliest).unwrap();
                        source.start(&partition, position).unwrap();
                    }
                }
                Polled::Records(records) => {
                    for (number, raw) in records.iter().enumerate() {
                        assert_eq!(raw.payload, Some(seen.to_string().as_bytes()));
                        let expected = if asked { cases[seen].1 } else { Given::default() };
                        assert_eq!(records.given(number), expected, "record {seen}");
                        seen += 1;
                    }
                }
                _ => {}
            }
        }
        source.leave();
    }
    let no_name = Wanted { device: Some("a\0b".into()), time: None, trace: false };
    let refused = KafkaSource::new(&config, 0, Bound::PresentEnd, 64).unwrap().with_headers(&no_name).map(drop);
    assert!(refused.unwrap_err().to_string().starts_with("`ingest.decode.device_property` holds a character"));
}
