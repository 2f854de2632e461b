//! AMQP values as text: properties that stand for a device or a time, and bodies that are neither bytes nor a string.

use std::fmt::Write;

use jiff::Timestamp;
use serde_amqp::Value;
use serde_json::{Map, Number, Value as Json};

/// A property as text: strings and symbols as they are, bytes if they are text, a timestamp as RFC 3339, lists and maps as JSON,
/// everything else as it is written; `None` for null.
pub(crate) fn of(value: &Value) -> Option<String> {
    match value {
        Value::Described(described) => of(&described.value),
        value => match json(value) {
            Json::Null => None,
            Json::String(text) => Some(text),
            other => Some(other.to_string()),
        },
    }
}

/// A value as JSON. Bytes that are no text become hexadecimal digits, a timestamp RFC 3339; what JSON has no word for (infinities,
/// decimal numbers of IEEE 754) becomes null.
pub(crate) fn json(value: &Value) -> Json {
    match value {
        Value::Null | Value::Decimal32(_) | Value::Decimal64(_) | Value::Decimal128(_) => Json::Null,
        Value::Described(described) => json(&described.value),
        Value::Bool(value) => Json::Bool(*value),
        Value::Ubyte(number) => Json::from(*number),
        Value::Ushort(number) => Json::from(*number),
        Value::Uint(number) => Json::from(*number),
        Value::Ulong(number) => Json::from(*number),
        Value::Byte(number) => Json::from(*number),
        Value::Short(number) => Json::from(*number),
        Value::Int(number) => Json::from(*number),
        Value::Long(number) => Json::from(*number),
        // By its digits: 0.1 as a float stays 0.1.
        Value::Float(number) => {
            number.to_string().parse().ok().and_then(Number::from_f64).map_or(Json::Null, Json::Number)
        }
        Value::Double(number) => Number::from_f64(number.0).map_or(Json::Null, Json::Number),
        Value::Char(value) => Json::String(value.to_string()),
        Value::Timestamp(time) => match Timestamp::from_millisecond(time.milliseconds()) {
            Ok(time) => Json::String(time.to_string()),
            Err(_) => Json::from(time.milliseconds()),
        },
        Value::Uuid(id) => Json::String(uuid(id.as_inner())),
        Value::Binary(bytes) => Json::String(match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => hexadecimal(bytes),
        }),
        Value::String(text) => Json::String(text.clone()),
        Value::Symbol(text) => Json::String(text.as_str().to_owned()),
        Value::List(values) => Json::Array(values.iter().map(json).collect()),
        Value::Array(values) => Json::Array(values.iter().map(json).collect()),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| (of(key).unwrap_or_default(), json(value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

fn uuid(bytes: &[u8; 16]) -> String {
    let mut text = hexadecimal(bytes);
    for at in [8, 13, 18, 23] {
        text.insert(at, '-');
    }
    text
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use serde_amqp::described::Described;
    use serde_amqp::descriptor::Descriptor;
    use serde_amqp::primitives::{Array, OrderedMap, Symbol, Timestamp, Uuid};

    use super::*;

    #[test]
    fn any_value_becomes_text() {
        let mut map = OrderedMap::new();
        map.insert(Value::Symbol(Symbol::from("a")), Value::List(vec![Value::Null, Value::Bool(true)]));
        map.insert(Value::Uint(7), Value::Double(f64::NAN.into()));
        let described = Described { descriptor: Descriptor::Code(1), value: Value::Int(-3) };
        let id = Uuid::from([0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8]);
        for (value, expected) in [
            (Value::Null, None),
            (Value::String("köln".into()), Some("köln")),
            (Value::Symbol(Symbol::from("s")), Some("s")),
            (Value::Binary(b"bytes".to_vec().into()), Some("bytes")),
            (Value::Binary(vec![0xff, 0x01].into()), Some("ff01")),
            (Value::Timestamp(Timestamp::from_milliseconds(1_700_000_000_123)), Some("2023-11-14T22:13:20.123Z")),
            (Value::Ulong(u64::MAX), Some("18446744073709551615")),
            (Value::Long(i64::MIN), Some("-9223372036854775808")),
            (Value::Float(0.1.into()), Some("0.1")),
            (Value::Double(2.5.into()), Some("2.5")),
            (Value::Bool(false), Some("false")),
            (Value::Char('x'), Some("x")),
            (Value::Uuid(id), Some("12345678-9abc-def0-0102-030405060708")),
            (Value::Array(Array::from(vec![Value::Int(1)])), Some("[1]")),
            (Value::Map(map), Some(r#"{"7":null,"a":[null,true]}"#)),
            (Value::Described(Box::new(described)), Some("-3")),
        ] {
            assert_eq!(of(&value).as_deref(), expected, "{value:?}");
        }
    }
}
