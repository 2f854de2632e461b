//! Decoders: settings from bytes, and what must be true of whatever a record is decoded into.

use ingest::decode::{Config, Decoded, Format, Path, Reject, Shape, TimeUnit};
use types::{Micros, Reading};

use crate::Input;

/// 0001-01-01T00:00:00Z, and the first moment after the year 9999.
const TIMES: std::ops::Range<Micros> = -62_135_596_800_000_000..253_402_300_800_000_000;
/// As the documentation of `Reject` says.
const DETAIL_CHARS_MAX: usize = 200;

/// Settings that a pipeline may have, from the first six bytes; small limits are among them, because theirs are the edges.
pub fn config(input: &mut Input<'_>, format: Format) -> Config {
    let shape = if input.flag() { Shape::Wide } else { Shape::Long };
    let names = input.byte();
    let listed = shape == Shape::Wide && names & 1 == 1;
    let nested = format == Format::Json && names & 2 == 2;
    let limits = input.byte();
    let small = |bit: u8, small: usize, usual: usize| if limits & bit == 0 { usual } else { small };
    Config {
        format,
        shape,
        device: if nested { "dev.id".into() } else { "device".into() },
        sensor: if nested { Path::Keys(vec!["dev".into(), "a.b".into()]) } else { "sensor".into() },
        time: if nested { "body.t.ts".into() } else { "ts".into() },
        value: if nested { "body.value".into() } else { "value".into() },
        time_unit: input.one_of(&[TimeUnit::Auto, TimeUnit::S, TimeUnit::Ms, TimeUnit::Us, TimeUnit::Ns]),
        sensors: if listed { vec!["temp".into(), "é".into(), "a b".into()] } else { Vec::new() },
        delimiter: if format == Format::Json { ',' } else { input.one_of(&[',', ';', '\t', '|', ' ', 'x']) },
        record_bytes_max: small(1, 300, 1 << 20),
        depth_max: small(2, 2, 128),
        id_bytes_max: small(4, 4, 1024),
        fields_max: small(8, 3, 1024),
        ..Config::default()
    }
}

/// What every outcome of a record must keep to.
pub fn check(config: &Config, payload: &[u8], decoded: &Decoded<'_>) {
    match decoded {
        Decoded::One(reading) => check_reading(config, *reading),
        Decoded::Many(many) => {
            let rejects = many.rejects();
            let all = many.len() + rejects.len();
            let limit = payload.len() + config.columns.len();
            assert!(all <= limit, "{all} items of a record of {} bytes", payload.len());
            let mut seen = vec![false; all];
            let indices = many.iter().map(|(index, _)| index).chain(rejects.iter().map(|(index, _)| *index));
            for index in indices {
                let place = &mut seen[index as usize];
                assert!(!*place, "two items have the index {index}");
                *place = true;
            }
            many.iter().for_each(|(_, reading)| check_reading(config, reading));
            rejects.iter().for_each(|(_, reject)| check_reject(reject));
        }
        Decoded::Reject(reject) => check_reject(reject),
    }
}

fn check_reading(config: &Config, Reading { device, sensor, time, value }: Reading<'_>) {
    for id in [device, sensor] {
        assert!((1..=config.id_bytes_max).contains(&id.len()), "an id of {} bytes", id.len());
    }
    assert!(TIMES.contains(&time), "the time {time}");
    assert!(value.is_finite(), "the value {value}");
}

fn check_reject(reject: &Reject) {
    assert!(!reject.detail.is_empty() && reject.detail.chars().count() <= DETAIL_CHARS_MAX, "{reject:?}");
    let moves_a_cursor = |character: char| character.is_control();
    assert!(!reject.detail.contains(moves_a_cursor), "{reject:?}");
}

/// The outcome as text, numbers by their bits: equal texts are equal outcomes.
pub fn written(decoded: &Decoded<'_>) -> String {
    let reading = |Reading { device, sensor, time, value }: Reading<'_>| {
        format!("{device:?} {sensor:?} {time} {:016x}\n", value.to_bits())
    };
    match decoded {
        Decoded::One(one) => reading(*one),
        Decoded::Many(many) => {
            let readings = many.iter().map(|(index, one)| format!("{index}: {}", reading(one)));
            let rejects = many.rejects().iter().map(|(index, reject)| format!("{index}: {reject:?}\n"));
            readings.chain(rejects).collect()
        }
        Decoded::Reject(reject) => format!("{reject:?}\n"),
    }
}
