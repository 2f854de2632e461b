//! Parts of a reading from a record's headers.
//!
//! A header's value is bytes, and text by custom. The Kafka endpoint of Event Hubs hands over the properties of events that came by
//! AMQP, and their values may still be encoded as AMQP does. Only such encodings are looked for as no UTF-8 text begins with, so
//! that text is always what it seems: `pump1` has the form of an AMQP integer, and is left alone.

use std::borrow::Cow;
use std::ffi::{CStr, CString};

use jiff::Timestamp;

use crate::{Error, Given, Wanted};

/// The headers that are asked for; none: records are taken without.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    device: Option<CString>,
    time: Option<CString>,
}

impl Names {
    pub(super) fn of(wanted: &Wanted) -> Result<Option<Names>, Error> {
        let name = |key: &str, name: &Option<String>| {
            name.as_deref().map(CString::new).transpose().map_err(|_| Error::Setting {
                setting: format!("ingest.decode.{key}"),
                reason: "holds a character that no header's name can hold".into(),
            })
        };
        let names =
            Names { device: name("device_property", &wanted.device)?, time: name("time_property", &wanted.time)? };
        Ok((!wanted.is_nothing()).then_some(names))
    }

    /// Looks the headers up with `first`, which gives the value of the first one of a name, and shows their texts to `take`.
    pub(super) fn read<'h>(&self, first: impl Fn(&CStr) -> Option<&'h [u8]>, take: impl FnOnce(Given<'_>)) {
        let part = |name: &Option<CString>| text(first(name.as_deref()?)?);
        let (device, time) = (part(&self.device), part(&self.time));
        take(Given { device: device.as_deref(), time: time.as_deref() });
    }
}

/// What a header's value says; none if it is no text.
pub(super) fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    if let Ok(text) = std::str::from_utf8(value) {
        return Some(Cow::Borrowed(text));
    }
    let (code, rest) = value.split_first()?;
    let eight = || rest.try_into().ok().map(i64::from_be_bytes);
    match code {
        // ulong, long, timestamp
        0x80 => eight().map(|number| number.cast_unsigned().to_string().into()),
        0x81 => eight().map(|number| number.to_string().into()),
        0x83 => Some(Timestamp::from_millisecond(eight()?).ok()?.to_string().into()),
        0x98 => uuid(rest.try_into().ok()?),
        // string and symbol, short and long
        0xa1 | 0xa3 => {
            let (length, text) = rest.split_first()?;
            (usize::from(*length) == text.len()).then(|| utf8(text))?
        }
        0xb1 | 0xb3 => {
            let (length, text) = rest.split_first_chunk()?;
            (u32::from_be_bytes(*length) as usize == text.len()).then(|| utf8(text))?
        }
        _ => None,
    }
}

fn utf8(text: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(text).ok().map(Cow::Borrowed)
}

fn uuid(bytes: [u8; 16]) -> Option<Cow<'static, str>> {
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &hex[range]);
    Some(parts.join("-").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_it_seems_and_amqp_is_what_it_says() {
        let cases: [(&[u8], Option<&str>); 18] = [
            (b"dev-1", Some("dev-1")),
            (b"", Some("")),
            // Each has the form of an AMQP integer.
            (b"pump1", Some("pump1")),
            (b"T5", Some("T5")),
            (b"\xa1\x05dev-1", Some("dev-1")),
            (b"\xa3\x05dev-1", Some("dev-1")),
            (b"\xb1\x00\x00\x00\x05dev-1", Some("dev-1")),
            (b"\xb3\x00\x00\x00\x05dev-1", Some("dev-1")),
            (b"\xa1\x02\xc3\xa9", Some("\u{e9}")),
            // 2018-08-22T13:55:43Z
            (b"\x83\x00\x00\x01\x65\x61\xeb\x6b\x18", Some("2018-08-22T13:55:43Z")),
            (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff", Some("-1")),
            (b"\x80\xff\xff\xff\xff\xff\xff\xff\xff", Some("18446744073709551615")),
            (
                b"\x98\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f",
                Some("00010203-0405-0607-0809-0a0b0c0d0e0f"),
            ),
            // Not exactly: too short, too long, no text inside, a time beyond all.
            (b"\xa1\x06dev-1", None),
            (b"\xa1\x04dev-1", None),
            (b"\xa1\x01\xff", None),
            (b"\x83\x7f\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\xb1\x00\x00", None),
        ];
        for (value, expected) in cases {
            assert_eq!(text(value).as_deref(), expected, "{value:x?}");
        }
    }
}
