//! Any bytes as a CSV row, under settings and columns from the first bytes: no panic, and what is said keeps its bounds.

#![no_main]

use ingest::decode::{Decoder, Format};
use laws::{Input, decoding};
use libfuzzer_sys::fuzz_target;

const COLUMNS: [&str; 8] = ["ts", "device", "sensor", "value", "temp", "é", "a b", "note"];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let format = if input.flag() { Format::Auto } else { Format::Csv };
    let mut config = decoding::config(&mut input, format);
    let (few, turn) = (input.flag(), usize::from(input.byte()));
    let wide = !config.sensors.is_empty() || config.shape == ingest::decode::Shape::Wide;
    let known = if few && !wide { &COLUMNS[..4] } else { &COLUMNS[..] };
    config.columns = (0..known.len()).map(|at| known[(at + turn) % known.len()].to_owned()).collect();
    let mut decoder = Decoder::new(&config).expect("settings that a pipeline may have");
    decoding::check(&config, input.0, &decoder.decode(input.0));
});
