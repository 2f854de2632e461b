//! The contract of a source, as files keep it; compressions; what is said of broken input.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::*;
use crate::Kind;

fn line(n: usize) -> String {
    format!(r#"{{"device":"d{}","sensor":"s","ts":{n},"value":{n}}}"#, n % 3)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory")
}

/// Several files, all ways of compression, 100 records in all.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = |from: usize, to: usize, end: &str| (from..to).map(|n| line(n) + end).collect::<String>().into_bytes();
    let write = |name: &str, parts: &[Vec<u8>]| fs::write(folder.path().join(name), parts.concat()).expect("a file");
    write("1.jsonl", &[lines(0, 20, "\n")]);
    write("2.jsonl.gz", &[gzip(&lines(20, 30, "\r\n")), gzip(b""), gzip(&lines(30, 40, "\n"))]);
    write(
        "3",
        &[zstd(&lines(40, 50, "\n\n")), vec![0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7], zstd(&lines(50, 60, "\n"))],
    );
    write("4.empty", &[]);
    write("5.jsonl", &["\u{feff}".into(), lines(60, 99, "\n"), line(99).into()]);
    folder
}

fn json(path: &Path, batch_records: usize) -> FilesSource {
    source(path, &decode::Config::default(), batch_records).expect("a source")
}

fn source(path: &Path, decode: &decode::Config, batch_records: usize) -> Result<FilesSource, crate::Error> {
    FilesSource::new(&Config { path: path.display().to_string(), assume_sorted: false }, decode, batch_records)
}

struct Read {
    /// Position and text of each record.
    records: Vec<(i64, String)>,
    batches: Vec<usize>,
    columns: Vec<Vec<String>>,
    end: Result<Position, crate::Error>,
}

fn read(mut source: FilesSource, position: i64) -> Read {
    let mut read = Read { records: Vec::new(), batches: Vec::new(), columns: Vec::new(), end: Ok(Position(-1)) };
    loop {
        match source.poll(Duration::ZERO) {
            Ok(Polled::Gained(gained)) => {
                assert_eq!(gained.len(), 1);
                assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Idle)), "nothing before `start`");
                if let Err(error) = source.start(&gained[0], Position(position)) {
                    return Read { end: Err(error), ..read };
                }
            }
            Ok(Polled::Records(batch)) => {
                assert!(!batch.is_empty());
                read.batches.push(batch.len());
                read.columns.push(batch.columns().map_or_else(Vec::new, |columns| columns.to_vec()));
                for record in batch.iter() {
                    assert_eq!((record.broker_time, record.key), (None, &[][..]));
                    let payload = String::from_utf8_lossy(record.payload.expect("a payload"));
                    read.records.push((record.position, payload.into_owned()));
                }
                assert_eq!(batch.next().0, read.records.last().expect("records").0 + 1);
            }
            Ok(Polled::Ended { position, .. }) => {
                assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Idle)), "it ends once");
                return Read { end: Ok(position), ..read };
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => return Read { end: Err(error), ..read },
        }
    }
}

#[test]
fn all_records_in_order_in_batches_of_any_size() {
    let folder = folder();
    let expected: Vec<(i64, String)> = (0..100).map(|n| (n as i64, line(n))).collect();
    for batch_records in [1, 7, 4096] {
        let source = json(folder.path(), batch_records);
        let progress = source.progress();
        let read = read(source, 0);
        assert_eq!(read.records, expected);
        assert_eq!(read.end.expect("an end"), Position(100));
        assert!(read.batches.iter().all(|records| *records <= batch_records));
        assert_eq!(progress.bytes_done(), progress.bytes_total());
        assert_ne!(progress.bytes_total(), 0);
    }
}

#[test]
fn a_restart_anywhere_gives_the_same_tail() {
    let folder = folder();
    let whole = read(json(folder.path(), 7), 0).records;
    for position in 0..=100 {
        let tail = read(json(folder.path(), 7), position);
        assert_eq!(tail.records, whole[position as usize..]);
        assert_eq!(tail.end.expect("an end"), Position(100));
    }
    let error = read(json(folder.path(), 7), 101).end.expect_err("too far");
    assert!(matches!(error, crate::Error::PositionAhead { high: Position(100), .. }), "{error}");
}

#[test]
fn paused_means_paused() {
    let folder = folder();
    let mut source = json(folder.path(), 7);
    let Ok(Polled::Gained(gained)) = source.poll(Duration::ZERO) else { panic!("gained comes first") };
    source.start(&gained[0], Position(0)).expect("start");
    source.pause(&gained[0]);
    assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Idle)));
    source.resume(&gained[0]);
    assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Records(_))));
    assert_eq!(source.resolve(&gained[0], Start::Earliest).expect("earliest"), Position(0));
    assert!(source.resolve(&gained[0], Start::Latest).is_err());
}

#[test]
fn each_csv_file_has_its_own_header() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.csv"), "device,sensor,ts,value\na,b,1,2\n\nc,\"d\ne\",3,4\n").expect("a file");
    fs::write(folder.path().join("b.csv.gz"), gzip(b"")).expect("a file");
    fs::write(folder.path().join("c.csv"), "\u{feff}\"value\",ts,sensor,x,device\r\n1,2,3,4,5").expect("a file");
    let csv = decode::Config { format: Format::Csv, ..decode::Config::default() };
    for batch_records in [1, 2, 4096] {
        let read = read(source(folder.path(), &csv, batch_records).expect("a source"), 0);
        let rows: Vec<&str> = read.records.iter().map(|(_, row)| row.as_str()).collect();
        assert_eq!(rows, ["a,b,1,2", "c,\"d\ne\",3,4", "1,2,3,4,5"]);
        assert_eq!(read.columns.first().expect("a batch"), &["device", "sensor", "ts", "value"]);
        assert_eq!(read.columns.last().expect("a batch"), &["value", "ts", "sensor", "x", "device"]);
    }
    let columns = ["a", "device", "sensor", "ts", "value"].map(str::to_owned).to_vec();
    let headless = decode::Config { columns, ..csv };
    let read = read(source(folder.path(), &headless, 4096).expect("a source"), 0);
    assert_eq!(read.records.len(), 5, "the first lines are rows then");
    assert_eq!(read.batches, [5]);
}

#[test]
fn a_record_that_is_too_large_is_cut_and_the_next_one_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.jsonl");
    fs::write(&path, [vec![b'x'; 3_000_000], b"\n{}\n".to_vec()].concat()).expect("a file");
    let decode = decode::Config { record_bytes_max: 1000, ..decode::Config::default() };
    let read = read(source(&path, &decode, 10).expect("a source"), 0);
    assert_eq!(read.records[0].1.len(), 1002);
    assert_eq!(read.records[1], (1, "{}".to_owned()));
    let mut decoder = decode::Decoder::new(&decode).expect("a decoder");
    let decode::Decoded::Reject(reject) = decoder.decode(read.records[0].1.as_bytes()) else { panic!("a reject") };
    assert_eq!(reject.reason, types::Reason::TooLarge);
}

fn failure(path: &Path, decode: &decode::Config) -> (usize, String, String) {
    let read = match source(path, decode, 10) {
        Ok(source) => read(source, 0),
        Err(error) => Read { records: Vec::new(), batches: Vec::new(), columns: Vec::new(), end: Err(error) },
    };
    let error = read.end.expect_err("an error");
    assert_eq!(error.kind(), Kind::Input);
    let shown = error.to_string().replace(&path.display().to_string(), "PATH");
    (read.records.len(), shown, error.hint().expect("a hint"))
}

#[test]
fn failures_name_the_file_and_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| -> PathBuf {
        fs::write(folder.path().join(name), bytes).expect("a file");
        folder.path().join(name)
    };
    let json = decode::Config::default();
    let csv = decode::Config { format: Format::Csv, ..decode::Config::default() };
    let many: Vec<u8> = (0..20_000).map(|n| line(n) + "\n").collect::<String>().into_bytes();

    for (name, packed) in [("x.gz", gzip(&many)), ("x.zst", zstd(&many))] {
        let cut = file(name, &packed[..packed.len() / 2]);
        let (records, message, hint) = failure(&cut, &json);
        assert!(records > 0, "what came before the damage is read");
        assert!(message.contains("data in `PATH` break off or are damaged near byte"), "{message}");
        assert!(hint.contains("copy the file anew"));
    }

    let header = file("h.csv", b"Device,sensor,TS,val\n1,2,3,4\n");
    let (_, message, hint) = failure(&header, &csv);
    assert_eq!(message, "the header of `PATH` has no column `device`: did you mean `Device`?");
    assert!(
        hint.starts_with("set `ingest.decode.device` to one of its columns, `Device`, `sensor`, `TS`, `val`"),
        "{hint}"
    );
    let twice = file("t.csv", b"device,sensor,ts,value,ts\n");
    assert_eq!(failure(&twice, &csv).1, "the first line of `PATH` is not a header: `ts` stands in it twice");
    let open = file("o.csv", b"device,\"sensor,ts,value\n");
    assert_eq!(failure(&open, &csv).1, "the first line of `PATH` is not a header: the quote at byte 7 is not closed");

    assert_eq!(failure(&folder.path().join("none"), &json).1, "there is no `PATH`");
    let odd = decode::Config { sensors: vec!["a".into()], ..json };
    assert!(failure(&header, &odd).1.contains("`ingest.decode.sensors` has no use"));
}

#[test]
fn with_columns_by_configuration_a_row_of_their_names_is_a_header_and_any_other_a_record() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), "value,ts,device,sensor\n1,1514764800,d,s\n").unwrap();
    fs::write(folder.path().join("b.csv"), "1514764801,d,s,2\n1514764802,d,s,3\n").unwrap();
    let columns = ["ts", "device", "sensor", "value"].map(str::to_owned).to_vec();
    let decode = decode::Config { format: Format::Csv, columns, ..decode::Config::default() };
    let values = |decode: &decode::Config| values(folder.path(), decode);
    assert_eq!(values(&decode), [1.0, 2.0, 3.0]);

    fs::write(folder.path().join("c.jsonl"), "\n{\"device\":\"d\",\"sensor\":\"s\",\"ts\":1514764803,\"value\":4}\n")
        .unwrap();
    assert_eq!(values(&decode::Config { format: Format::Auto, ..decode }), [1.0, 2.0, 3.0, 4.0]);
}

fn values(folder: &Path, decode: &decode::Config) -> Vec<f64> {
    let config = Config { path: folder.display().to_string(), assume_sorted: false };
    let mut source = FilesSource::new(&config, decode, 4096).unwrap();
    let mut decoder = decode::Decoder::new(decode).unwrap();
    let mut values = Vec::new();
    loop {
        match source.poll(Duration::ZERO).unwrap() {
            Polled::Gained(gained) => source.start(&gained[0], Position(0)).unwrap(),
            Polled::Records(records) => {
                decoder.begin(&records);
                for record in records.iter() {
                    match decoder.decode(record.payload.unwrap()) {
                        decode::Decoded::One(reading) => values.push(reading.value),
                        other => panic!("{other:?}"),
                    }
                }
            }
            Polled::Ended { .. } => return values,
            other => panic!("{other:?}"),
        }
    }
}
