//! Any bytes as a commit record: refused with a reason, or whole. Once as they are, and once in an envelope whose checksums
//! fit, so that what is behind them is reached too.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use sink::record::{Record, peek};

/// Kinds of sections that there are, and one that there is not.
const KINDS: u32 = 4;

fuzz_target!(|bytes: &[u8]| {
    look(bytes.to_vec());
    look(enveloped(bytes));
});

fn look(bytes: Vec<u8>) {
    let peeked = peek(&bytes);
    match Record::open(Bytes::from(bytes)) {
        Ok(record) => {
            assert_eq!(peeked.as_ref(), Ok(record.header()), "the beginning says the same as the whole");
            for index in 0..record.header().files.len() {
                assert_eq!(record.file(index).len() as u64, record.header().files[index].length);
            }
            if let Ok(Some(state)) = record.state() {
                assert_eq!(state.len() as u64, record.header().state.bytes);
            }
        }
        Err(damage) => assert!(!damage.to_string().is_empty()),
    }
}

/// The bytes as sections of lengths that they say themselves: kind, two bytes of length, content.
fn enveloped(mut rest: &[u8]) -> Vec<u8> {
    let (mut body, mut count) = (Vec::new(), 0_u32);
    while let Some((&[kind, low, high], behind)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_le_bytes([low, high])).min(behind.len());
        let (content, behind) = behind.split_at(length);
        // The first section is mostly a header, or nothing would be reached.
        let kind = if count == 0 && kind < 250 { 1 } else { 1 + u32::from(kind) % KINDS };
        body.extend_from_slice(&kind.to_le_bytes());
        body.extend_from_slice(&(length as u64).to_le_bytes());
        body.extend_from_slice(&crc32c::crc32c(content).to_le_bytes());
        body.extend_from_slice(content);
        (rest, count) = (behind, count + 1);
    }
    let mut record = b"ATALALOG".to_vec();
    record.extend_from_slice(&1_u32.to_le_bytes());
    record.extend_from_slice(&count.to_le_bytes());
    record.extend_from_slice(&body);
    let hash = Sha256::digest(&record);
    record.extend_from_slice(&hash);
    record
}
