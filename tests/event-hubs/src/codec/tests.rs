//! AMQP values as we and others write them, and what is malformed.

use bytes::BytesMut;

use super::{Malformed, Reader, Value};

fn written(value: &Value) -> Vec<u8> {
    let mut out = BytesMut::new();
    value.write(&mut out);
    out.to_vec()
}

fn read(bytes: &[u8]) -> Result<Value, Malformed> {
    Reader::new(bytes).value()
}

fn samples() -> Vec<Value> {
    vec![
        Value::Null,
        Value::Bool(true),
        Value::Ubyte(7),
        Value::Ushort(300),
        Value::Uint(70_000),
        Value::Ulong(u64::MAX),
        Value::Byte(-1),
        Value::Short(-300),
        Value::Int(i32::MIN),
        Value::Long(i64::MIN),
        Value::Float(1.5),
        Value::Double(-2.25),
        Value::Decimal(0x84, vec![1; 8]),
        Value::Char('ü' as u32),
        Value::Timestamp(-62_135_596_800_000),
        Value::Uuid([9; 16]),
        Value::Binary(vec![0; 300]),
        Value::string("Guten Tag"),
        Value::Symbol("s".repeat(256)),
        Value::List(vec![Value::Null, Value::string("")]),
        Value::Map(vec![(Value::symbol("key"), Value::List(vec![]))]),
        Value::symbols(&["a", "longer"]),
        Value::Array(vec![Value::Bool(true), Value::Bool(false)]),
        Value::Array(vec![Value::symbols(&["x"]), Value::symbols(&["y", "z"])]),
        Value::described(0x28, Value::List(vec![Value::Uint(0)])),
    ]
}

#[test]
fn what_was_written_is_read_and_skipped_alike() {
    for value in samples() {
        let bytes = written(&value);
        assert_eq!(read(&bytes).unwrap(), value);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.skip().unwrap(), bytes);
        assert!(reader.is_empty(), "{value:?}");
    }
}

#[test]
fn every_prefix_of_a_value_is_malformed_and_nothing_panics() {
    for value in samples() {
        let bytes = written(&value);
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{value:?} cut at {end}");
            assert!(Reader::new(&bytes[..end]).skip().is_err());
        }
    }
}

/// Bytes of the specification's own examples and of clients, not of our writer.
#[test]
fn short_forms_of_other_writers_are_read() {
    for (bytes, value) in [
        (&[0x43][..], Value::Uint(0)),
        (&[0x52, 0x80], Value::Uint(128)),
        (&[0x53, 0x10], Value::Ulong(16)),
        (&[0x54, 0xff], Value::Int(-1)),
        (&[0x55, 0x9c], Value::Long(-100)),
        (&[0x56, 0x01], Value::Bool(true)),
        (&[0x45], Value::List(vec![])),
        (&[0xc0, 0x03, 0x02, 0x41, 0x40], Value::List(vec![Value::Bool(true), Value::Null])),
        (&[0xc1, 0x05, 0x02, 0xa3, 0x01, b'k', 0x43], Value::Map(vec![(Value::symbol("k"), Value::Uint(0))])),
        (&[0xe0, 0x06, 0x02, 0xa3, 0x01, b'a', 0x01, b'b'], Value::symbols(&["a", "b"])),
        (&[0x00, 0x53, 0x24, 0x45], Value::described(0x24, Value::List(vec![]))),
        (
            // From the specification, 1.3.2: an array of described URLs.
            &[0xe0, 0x0a, 0x01, 0x00, 0xa1, 0x03, b'U', b'R', b'L', 0xa1, 0x01, b'x'],
            Value::Array(vec![Value::Described(Box::new((Value::string("URL"), Value::string("x"))))]),
        ),
    ] {
        assert_eq!(read(bytes).unwrap(), value, "{bytes:02x?}");
    }
}

#[test]
fn announced_counts_and_depths_are_bounded() {
    assert!(matches!(read(&[0xd0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]), Err(Malformed::Count { .. })));
    assert!(matches!(read(&[0xf0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x40]), Err(Malformed::Count { .. })));
    assert_eq!(read(&[0x00; 1000]), Err(Malformed::Deep(32)));
    let lists: Vec<u8> = (0..100).flat_map(|n| [0xc0, 201 - 2 * n as u8, 1]).collect();
    assert!(read(&lists).is_err());
    assert_eq!(read(&[0x57]), Err(Malformed::Constructor(0x57)));
    assert_eq!(read(&[0xa1, 0x01, 0xff]), Err(Malformed::Text));
}
