//! One event as a message within a batch, byte by byte (AMQP 1.0, parts 1.6 and 3.2).

/// What a data section has before its bytes.
pub(super) const SECTION_BYTES: usize = 8;

const KEY: &[u8] = b"x-opt-partition-key";

/// `None` for the payload of a tombstone.
pub(super) fn event(key: Option<&str>, payload: Option<&[u8]>) -> Vec<u8> {
    let (key_bytes, payload_bytes) = (key.map_or(0, str::len), payload.map_or(0, <[u8]>::len));
    let mut message = Vec::with_capacity(64 + key_bytes + payload_bytes);
    // header: a list of one, durable.
    message.extend([0x00, 0x53, 0x70, 0xc0, 2, 1, 0x41]);
    if let Some(key) = key {
        // message-annotations: a map of one.
        message.extend([0x00, 0x53, 0x72, 0xd1]);
        length(&mut message, 4 + 2 + KEY.len() + 5 + key.len());
        length(&mut message, 2);
        message.extend([0xa3, KEY.len() as u8]);
        message.extend(KEY);
        message.push(0xb1);
        length(&mut message, key.len());
        message.extend(key.as_bytes());
    }
    match payload {
        Some(payload) => {
            // data
            message.extend([0x00, 0x53, 0x75, 0xb0]);
            length(&mut message, payload.len());
            message.extend(payload);
        }
        // amqp-value: null
        None => message.extend([0x00, 0x53, 0x77, 0x40]),
    }
    message
}

fn length(message: &mut Vec<u8>, length: usize) {
    message.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp_types::messaging::annotations::OwnedKey;
    use fe2o3_amqp_types::messaging::message::DecodeIntoMessage;
    use fe2o3_amqp_types::messaging::{Body, Message};
    use serde_amqp::Value;
    use serde_amqp::primitives::Symbol;
    use serde_amqp::read::SliceReader;

    use super::*;

    #[test]
    fn another_reader_finds_the_same() {
        let long = "k".repeat(300);
        for (key, payload) in [
            (None, Some(b"x".as_slice())),
            (Some("köln"), Some(b"")),
            (Some(long.as_str()), Some(&[7; 70_000])),
            (None, None),
        ] {
            let bytes = event(key, payload);
            let message: Message<Body<Value>> =
                Body::<Value>::decode_message_from_reader(SliceReader::new(&bytes)).unwrap();
            assert!(message.header.unwrap().durable);
            let annotations = message.message_annotations.map(|annotations| annotations.0);
            let found = annotations
                .and_then(|annotations| annotations.get(&OwnedKey::from(Symbol::from("x-opt-partition-key"))).cloned());
            assert_eq!(found, key.map(|key| Value::String(key.into())));
            match (message.body, payload) {
                (Body::Data(sections), Some(payload)) => {
                    assert_eq!(sections.iter().map(|section| section.0.to_vec()).collect::<Vec<_>>(), [payload]);
                }
                (Body::Value(value), None) => assert_eq!(value.0, Value::Null),
                other => panic!("{other:?}"),
            }
        }
    }
}
