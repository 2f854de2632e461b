//! Any bytes as a JSON record, under settings from the first bytes: no panic, and what is said keeps its bounds.
//!
//! The record comes twice: the second time the fast path may have learned from the first.

#![no_main]

use ingest::decode::{Decoder, Format};
use laws::{Input, decoding};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let format = if input.flag() { Format::Auto } else { Format::Json };
    let config = decoding::config(&mut input, format);
    let mut decoder = Decoder::new(&config).expect("settings that a pipeline may have");
    let payload = input.0;
    decoding::check(&config, payload, &decoder.decode(payload));
    decoding::check(&config, payload, &decoder.decode(payload));
});
