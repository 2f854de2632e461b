//! Files cut short, with flipped bits, and with lengths that are lies: an error or records, never a panic, and never much memory.

use std::fs;

use ingest::decode::Config;

use super::{Seen, fixture, read};

/// What the process held at most, ever.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number");
    kib << 10
}

fn read_bytes(bytes: &[u8]) -> (Vec<Seen>, Result<(), String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hostile.avro");
    fs::write(&path, bytes).expect("a file");
    read(&path, &Config::default())
}

#[test]
fn a_file_cut_anywhere_gives_the_records_before_and_one_error() {
    for name in ["capture-1.avro", "types-xz.avro", "types-snappy.avro"] {
        let bytes = fs::read(fixture(name)).expect(name);
        let (all, _) = read_bytes(&bytes);
        let mut ends = 0;
        let step = if bytes.len() > 4000 { 7 } else { 1 };
        for length in (4..bytes.len()).step_by(step) {
            let (seen, end) = read_bytes(&bytes[..length]);
            assert_eq!(seen, all[..seen.len()], "{name} cut at {length}");
            match end {
                // Between two blocks it ends in good order.
                Ok(()) => ends += 1,
                Err(error) => {
                    assert!(error.contains("the Avro data in") && error.contains("break off"), "{error}");
                    assert!(error.contains("copy the file anew"), "{error}");
                }
            }
        }
        assert!(ends <= 30, "{name}: {ends} good ends");
    }
}

#[test]
fn flipped_bits_are_errors_or_other_values() {
    for name in [
        "capture-0.avro",
        "types-null.avro",
        "types-deflate.avro",
        "types-snappy.avro",
        "types-zstandard.avro",
        "types-bzip2.avro",
        "types-xz.avro",
    ] {
        let bytes = fs::read(fixture(name)).expect(name);
        let mut errors = 0;
        for at in (0..bytes.len()).step_by(29) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            errors += usize::from(read_bytes(&damaged).1.is_err());
        }
        assert!(errors > 10, "{name}: {errors} errors");
    }
}

/// Avro's numbers, as their specification has them.
fn long(number: i64) -> Vec<u8> {
    let mut bits = ((number << 1) ^ (number >> 63)).cast_unsigned();
    let mut bytes = Vec::new();
    while bits >= 0x80 {
        bytes.push((bits & 0x7f) as u8 | 0x80);
        bits >>= 7;
    }
    bytes.push(bits as u8);
    bytes
}

fn text(text: &[u8]) -> Vec<u8> {
    [long(text.len() as i64), text.to_vec()].concat()
}

fn file(schema: &str, codec: &str, values: i64, length: Option<i64>, block: &[u8]) -> Vec<u8> {
    let marker = [7; 16];
    [
        b"Obj\x01".to_vec(),
        long(2),
        text(b"avro.schema"),
        text(schema.as_bytes()),
        text(b"avro.codec"),
        text(codec.as_bytes()),
        long(0),
        marker.to_vec(),
        long(values),
        long(length.unwrap_or(block.len() as i64)),
        block.to_vec(),
        marker.to_vec(),
    ]
    .concat()
}

#[test]
fn what_lies_about_its_size_is_refused_in_little_memory() {
    let huge = i64::MAX / 2;
    let recursive = r#"{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}"#;
    let endless = r#"{"type":"record","name":"N","fields":[{"name":"n","type":"N"}]}"#;
    let nulls = r#"{"type":"array","items":"null"}"#;
    let snappy_bomb = [long(1)[..0].to_vec(), vec![0xff, 0xff, 0xff, 0xff, 0x0f], vec![0; 40]].concat();
    let before = peak_bytes();
    let cases: [(&str, Vec<u8>, &str); 22] = [
        ("a text", file("\"string\"", "null", 1, None, &long(huge)), "ends too early"),
        ("a negative text", file("\"string\"", "null", 1, None, &long(-5)), "a length is -5"),
        ("a block", file("\"string\"", "null", 1, Some(huge), b""), "more than 268435456"),
        ("a block within the bound", file("\"string\"", "null", 1, Some(200 << 20), b""), "ends too early"),
        ("a negative block", file("\"string\"", "null", 1, Some(-1), b""), "its length is negative"),
        ("values", file("\"string\"", "null", huge, None, &text(b"x")), "ends too early"),
        ("values without bytes", file("\"null\"", "null", huge, None, b""), "values take no bytes"),
        ("a negative number of values", file("\"null\"", "null", -1, None, b""), "number of values is negative"),
        ("items without bytes", file(nulls, "null", 1, None, &[long(huge), long(0)].concat()), "values take no bytes"),
        (
            "the least number of items",
            file(nulls, "null", 1, None, &[long(i64::MIN), long(0), long(0)].concat()),
            "values take no bytes",
        ),
        ("depth", file(recursive, "null", 1, None, &vec![2; 100_000]), "nested more than 128"),
        ("depth without bytes", file(endless, "null", 1, None, b""), "nested more than 128"),
        ("a branch", file(recursive, "null", 1, None, &long(2)), "there is no branch 2"),
        (
            "bytes behind",
            file("\"string\"", "null", 1, None, &[text(b"x"), text(b"y")].concat()),
            "more than its values",
        ),
        ("a number", file("\"long\"", "null", 1, None, &[0xff; 20]), "more than 64 bits"),
        ("snappy", file("\"string\"", "snappy", 1, None, &snappy_bomb), "claim to hold"),
        ("a codec", file("\"string\"", "lzo", 1, None, b""), "its codec is `lzo`"),
        ("no schema", file("{", "null", 1, None, b""), "its schema is not JSON"),
        ("an unknown type", file("\"Other\"", "null", 1, None, b""), "there is no type `Other`"),
        ("a type in itself", file(&"[".repeat(10_000), "null", 1, None, b""), "its schema is not JSON"),
        ("a header", [b"Obj\x01".to_vec(), long(huge), long(huge)].concat(), "its header has no end"),
        ("no marker", file("\"string\"", "null", 1, None, &text(b"x"))[..70].to_vec(), "ends too early"),
    ];
    for (what, bytes, expected) in cases {
        let (seen, end) = read_bytes(&bytes);
        let error = end.expect_err(what);
        assert!(error.contains(expected), "{what}: {error}");
        assert!(seen.len() <= 1 << 16, "{what}: {} records", seen.len());
    }
    // A gigabyte of blanks, packed: read as one record that is too large.
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, &long(1 << 30)).expect("memory");
    for _ in 0..1 << 10 {
        std::io::Write::write_all(&mut packed, &vec![b' '; 1 << 20]).expect("memory");
    }
    let bomb = file("\"string\"", "deflate", 1, None, &packed.finish().expect("memory"));
    let (seen, end) = read_bytes(&bomb);
    end.expect("an end");
    assert_eq!(seen[0].payload.as_ref().map(Vec::len), Some((1 << 20) + 1));
    let grown = peak_bytes() - before;
    assert!(grown < 200 << 20, "{grown} bytes");
}
