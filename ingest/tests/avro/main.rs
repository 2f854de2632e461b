//! Avro files, written and read by fastavro (`make.py`) beside our reading of them; and files that mean harm.

mod hostile;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ingest::decode::{Config, Decoded, Decoder, Format};
use ingest::files::{self, FilesSource};
use ingest::{Polled, Source, Start};
use serde_json::{Value, json};

/// A record as the pipeline sees it.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    position: i64,
    time: Option<i64>,
    key: Vec<u8>,
    payload: Option<Vec<u8>>,
    device: Option<String>,
    given_time: Option<String>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/avro").join(name)
}

fn expected(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(fixture(name)).expect(name);
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// All records up to the end or an error.
fn read(path: &Path, decode: &Config) -> (Vec<Seen>, Result<(), String>) {
    let files = files::Config { path: path.display().to_string(), ..files::Config::default() };
    let mut source = match FilesSource::new(&files, decode, 7) {
        Ok(source) => source,
        Err(error) => return (Vec::new(), Err(said(&error))),
    };
    let mut all = Vec::new();
    loop {
        match source.poll(Duration::from_secs(1)) {
            Ok(Polled::Gained(partitions)) => {
                let start = source.resolve(&partitions[0], Start::Earliest).expect("a start");
                if let Err(error) = source.start(&partitions[0], start) {
                    return (all, Err(said(&error)));
                }
            }
            Ok(Polled::Records(records)) => {
                assert!(records.len() <= 7);
                for (number, raw) in records.iter().enumerate() {
                    let given = records.given(number);
                    all.push(Seen {
                        position: raw.position,
                        time: raw.broker_time,
                        key: raw.key.to_vec(),
                        payload: raw.payload.map(<[u8]>::to_vec),
                        device: given.device.map(str::to_owned),
                        given_time: given.time.map(str::to_owned),
                    });
                }
            }
            Ok(Polled::Ended { position, .. }) => {
                assert_eq!(position.0, all.len() as i64);
                return (all, Ok(()));
            }
            Ok(_) => {}
            Err(error) => return (all, Err(said(&error))),
        }
    }
}

/// An error with its causes, and its hint.
fn said(error: &ingest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    format!("{text} ({})", error.hint().unwrap_or_default())
}

fn payloads(seen: &[Seen]) -> Vec<Value> {
    let payload = |seen: &Seen| serde_json::from_slice(seen.payload.as_deref().expect("a payload")).expect("JSON");
    seen.iter().map(payload).collect()
}

#[test]
fn every_type_in_every_codec_is_what_fastavro_reads() {
    let expected = expected("types.jsonl");
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"] {
        let (seen, end) = read(&fixture(&format!("types-{codec}.avro")), &Config::default());
        end.expect(codec);
        let ours = payloads(&seen);
        assert_eq!(ours.len(), expected.len());
        for (number, (ours, theirs)) in ours.iter().zip(&expected).enumerate() {
            let Value::Object(theirs) = theirs else { panic!("an object") };
            for (name, theirs) in theirs {
                assert_eq!(&ours[name], theirs, "{codec}, record {number}, `{name}`");
            }
        }
        assert!(seen.iter().zip(0..).all(|(seen, position)| seen.position == position));
    }
    let (seen, end) = read(&fixture("numbers.avro"), &Config::default());
    end.expect("an end");
    assert_eq!(payloads(&seen), [json!([1.5, 2.5]), json!([])]);
    let (seen, end) = read(&fixture("empty.avro"), &Config::default());
    assert!(seen.is_empty() && end.is_ok());
}

#[test]
fn values_are_read_by_the_rules_for_json() {
    let config = Config {
        device: "id".into(),
        sensor: "state".into(),
        time: "at_us".into(),
        value: "double".into(),
        ..Config::default()
    };
    let theirs = expected("types.jsonl");
    let (seen, _) = read(&fixture("types-xz.avro"), &config);
    let mut decoder = Decoder::new(&config).expect("a decoder");
    let (mut readings, mut refused) = (0, 0);
    for (seen, theirs) in seen.iter().zip(&theirs) {
        match decoder.decode(seen.payload.as_deref().expect("a payload")) {
            Decoded::One(reading) => {
                assert_eq!(reading.device, theirs["id"]);
                assert_eq!(reading.sensor, theirs["state"]);
                assert_eq!(reading.value, theirs["double"].as_f64().expect("a number"));
                let time = jiff_micros(theirs["at_us"].as_str().expect("a text"));
                assert_eq!(reading.time, time);
                readings += 1;
            }
            Decoded::Reject(reject) => {
                assert_eq!(reject.reason.as_str(), "bad_value", "{reject:?}");
                assert!(theirs["double"].is_string(), "{theirs}");
                refused += 1;
            }
            Decoded::Many(_) => panic!("one reading each"),
        }
    }
    assert!(readings > 5 && refused > 5, "{readings} readings, {refused} refused");
}

fn jiff_micros(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().expect("a time").as_microsecond()
}

#[test]
fn events_of_capture_files_are_records_with_their_properties() {
    let folder = tempfile::tempdir().expect("a folder");
    for partition in [0, 1] {
        let name = format!("capture-{partition}.avro");
        fs::copy(fixture(&name), folder.path().join(name)).expect("a copy");
    }
    let theirs = [expected("capture-0.jsonl"), expected("capture-1.jsonl")].concat();
    for (format, time_property) in
        [(Format::Json, "iothub-enqueuedtime"), (Format::Auto, "count"), (Format::Csv, "iothub-enqueuedtime")]
    {
        let config = Config {
            format,
            device_property: Some("iothub-connection-device-id".into()),
            time_property: Some(time_property.into()),
            ..Config::default()
        };
        let (seen, end) = read(folder.path(), &config);
        end.expect("an end");
        assert_eq!(seen.len(), theirs.len());
        for (seen, theirs) in seen.iter().zip(&theirs) {
            let of = |key: &str| theirs[key].as_str().map(str::to_owned);
            assert_eq!(seen.time, theirs["time"].as_i64());
            assert_eq!(seen.key, of("key").expect("a key").into_bytes());
            assert_eq!(seen.payload, of("payload").map(String::into_bytes));
            assert_eq!(seen.device, of("device"));
            assert_eq!(seen.given_time, of(if time_property == "count" { "count" } else { "enqueued" }));
        }
    }
    // Where nothing is asked for, nothing is handed over.
    let (seen, _) = read(folder.path(), &Config::default());
    assert!(seen.iter().all(|seen| seen.device.is_none() && seen.given_time.is_none()));

    let config = Config { device_property: Some("connectionDeviceId".into()), ..Config::default() };
    let (seen, end) = read(&fixture("routed.avro"), &config);
    end.expect("an end");
    assert_eq!((seen[0].time, seen[0].device.as_deref()), (Some(1_534_946_143_123_000), Some("pump-1")));
}

#[test]
fn avro_is_told_by_its_content_also_packed_and_among_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let avro = fs::read(fixture("numbers.avro")).expect("a file");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &avro).expect("memory");
    fs::write(at("a.gz"), gzip.finish().expect("memory")).expect("a file");
    fs::write(at("b.jsonl"), "{\"a\":1}\nObj\n").expect("a file");
    fs::write(at("c"), &avro).expect("a file");
    fs::write(at("d"), "Obj").expect("a file");
    fs::write(at("e"), "Object\n").expect("a file");
    let (seen, end) = read(folder.path(), &Config::default());
    end.expect("an end");
    let texts: Vec<_> =
        seen.iter().map(|seen| String::from_utf8_lossy(seen.payload.as_deref().unwrap_or_default())).collect();
    assert_eq!(texts, ["[1.5,2.5]", "[]", "{\"a\":1}", "Obj", "[1.5,2.5]", "[]", "Obj", "Object"]);

    let csv = Config { format: Format::Csv, ..Config::default() };
    let (_, end) = read(&at("c"), &csv);
    let error = end.expect_err("JSON");
    assert!(error.contains("is an Avro file, whose records are read as JSON") && error.contains("`auto`"), "{error}");
}

#[test]
fn a_record_that_is_too_large_is_cut_and_the_next_one_is_whole() {
    let small = Config { record_bytes_max: 600, ..Config::default() };
    let (all, end) = read(&fixture("types-null.avro"), &Config::default());
    end.expect("an end");
    let (seen, end) = read(&fixture("types-null.avro"), &small);
    end.expect("an end");
    let mut cut = 0;
    for (seen, all) in seen.iter().zip(&all) {
        let (seen, all) = (seen.payload.as_deref().expect("a payload"), all.payload.as_deref().expect("a payload"));
        assert_eq!(seen, &all[..all.len().min(601)]);
        cut += usize::from(all.len() > 600);
    }
    assert!(cut > 5 && cut < all.len(), "{cut} cut");
}
