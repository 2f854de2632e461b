//! Any bytes as an Avro file, plain or of Capture: no panic, little memory (the fuzzer's own bounds), and records that keep theirs.
//!
//! The source reads files, so the bytes lie in one: in memory, where the machine has such a folder.

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use ingest::decode::Config;
use ingest::files::{self, FilesSource};
use ingest::{Polled, Source, Start};
use libfuzzer_sys::fuzz_target;

const RECORD_BYTES_MAX: usize = 1 << 12;

fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        folder.join(format!("atalaia-fuzz-{}.avro", std::process::id()))
    })
}

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(path(), [b"Obj\x01", bytes].concat()).expect("a file");
    let decode = Config {
        record_bytes_max: RECORD_BYTES_MAX,
        device_property: Some("d".into()),
        time_property: Some("t".into()),
        ..Config::default()
    };
    let config = files::Config { path: path().display().to_string(), ..files::Config::default() };
    let mut source = FilesSource::new(&config, &decode, 1 << 10).expect("a source");
    let Ok(Polled::Gained(partitions)) = source.poll(Duration::ZERO) else { panic!("a partition") };
    let start = source.resolve(&partitions[0], Start::Earliest).expect("a start");
    source.start(&partitions[0], start).expect("nothing is read to begin with");
    let mut position = 0;
    loop {
        match source.poll(Duration::ZERO) {
            Ok(Polled::Records(records)) => {
                for (number, record) in records.iter().enumerate() {
                    assert_eq!(record.position, position);
                    position += 1;
                    assert!(record.payload.is_none_or(|payload| payload.len() <= RECORD_BYTES_MAX + 1));
                    let given = records.given(number);
                    assert!(given.device.is_none_or(|device| device.len() <= 1 << 16));
                }
            }
            Ok(Polled::Ended { .. }) => break,
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert!(error.hint().is_some(), "{error}");
                break;
            }
        }
    }
});
