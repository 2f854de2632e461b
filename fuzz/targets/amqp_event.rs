//! Any bytes as an encoded message of an event hub: no panic, and a record that the decoder takes or refuses.

#![no_main]

use ingest::decode::{Config, Decoded, Decoder};
use ingest::{Wanted, event_hubs};
use libfuzzer_sys::fuzz_target;
use types::PartitionId;

fuzz_target!(|bytes: &[u8]| {
    let decode = Config { device_property: Some("d".into()), time_property: Some("t".into()), ..Config::default() };
    let partition = PartitionId { topic: "hub".into(), index: 0 };
    for wanted in [Wanted::default(), Wanted::of(&decode)] {
        let Some(records) = event_hubs::read_message(bytes, &partition, &wanted) else { continue };
        assert_eq!(records.len(), 1);
        let record = records.last().expect("there is one");
        // What a message says it holds is believed as far as there are bytes; JSON text of a value is longer, in proportion.
        assert!(records.bytes() <= 64 * bytes.len() + 64, "{} bytes of {}", records.bytes(), bytes.len());
        let mut decoder = Decoder::new(&decode).expect("settings that can be");
        if let Some(payload) = record.payload {
            match decoder.decode_given(payload, records.given(0)) {
                Decoded::One(reading) => assert!(reading.value.is_finite()),
                Decoded::Many(_) | Decoded::Reject(_) => {}
            }
        }
    }
});
