//! The contract of a source, as files keep it; compressions; what is said of broken input.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::*;
use crate::decode::Format;
use crate::{Kind, Records};

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
        match source.poll(Duration::from_millis(50)) {
            Ok(Polled::Idle) if source.once => {}
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
    // What a small one says is said while its kind is looked for.
    let mut small = gzip(line(1).as_bytes());
    *small.last_mut().expect("a length") ^= 1;
    for (name, packed) in [("s.gz", small.clone()), ("m.gz", [small, gzip(&many)].concat())] {
        let (_, message, _) = failure(&file(name, &packed), &json);
        assert!(message.contains("data in `PATH` break off or are damaged near byte"), "{name}: {message}");
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

    let latin = file("l.csv", b"device,sensor,ts,valu\xe9\n");
    let (_, message, hint) = failure(&latin, &csv);
    assert_eq!(message, "the first line of `PATH` is not a header: it is not UTF-8");
    assert!(hint.contains("iconv"), "{hint}");
    let excel = file("e.xlsx", b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml and more");
    for decode in [&json, &csv] {
        let (records, message, hint) = failure(&excel, decode);
        assert_eq!(message, "`PATH` is an Excel workbook (.xlsx), not rows of CSV, lines of JSON or Avro");
        assert!(records == 0 && hint.starts_with("save the sheet as CSV"), "{hint}");
    }
    let twice = file("twice.gz", &gzip(&gzip(&many)));
    assert!(failure(&twice, &json).1.contains("`PATH` is compressed twice"));
    let wide = decode::Config { shape: decode::Shape::Wide, ..csv.clone() };
    let same = file("s.csv", b"device,ts,temp,temp\n");
    assert_eq!(failure(&same, &wide).1, "the first line of `PATH` is not a header: `temp` stands in it twice");

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

// === what is no regular file ===

#[cfg(unix)]
mod pipes {
    use std::fs::OpenOptions;
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    /// A poll waits no longer than it was told to, and a little for a machine that is busy.
    const WAIT: Duration = Duration::from_millis(50);
    const PROMPT: Duration = Duration::from_secs(5);

    struct Pipe {
        _folder: tempfile::TempDir,
        path: PathBuf,
    }

    fn pipe() -> Pipe {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        Pipe { _folder: folder, path }
    }

    /// Writes from another thread: opening a pipe waits for its reader.
    fn feed(pipe: &Pipe, bytes: Vec<u8>) -> thread::JoinHandle<std::io::Result<()>> {
        let path = pipe.path.clone();
        thread::spawn(move || OpenOptions::new().write(true).open(path)?.write_all(&bytes))
    }

    fn lines(to: usize) -> Vec<u8> {
        (0..to).map(|n| line(n) + "\n").collect::<String>().into_bytes()
    }

    /// A source that was told to start, and what it is of.
    fn started(pipe: &Pipe, batch_records: usize) -> (FilesSource, PartitionId) {
        let mut source = json(&pipe.path, batch_records);
        let Ok(Polled::Gained(gained)) = source.poll(Duration::ZERO) else { panic!("gained comes first") };
        assert_eq!(source.content(&gained[0]).expect("nothing is read"), None);
        source.start(&gained[0], Position(0)).expect("start");
        (source, gained[0].clone())
    }

    /// The next records, within a prompt time.
    fn next(source: &mut FilesSource) -> Records {
        let begun = Instant::now();
        while begun.elapsed() < PROMPT {
            match source.poll(WAIT).expect("records") {
                Polled::Idle => {}
                Polled::Records(records) => return records,
                other => panic!("{other:?}"),
            }
        }
        panic!("nothing came");
    }

    #[test]
    fn a_pipe_is_read_whole_and_in_order_however_it_is_packed_and_batched() {
        let expected: Vec<(i64, String)> = (0..20_000).map(|n| (n as i64, line(n))).collect();
        for pack in [|bytes: Vec<u8>| bytes, |bytes: Vec<u8>| gzip(&bytes), |bytes: Vec<u8>| zstd(&bytes)] {
            for batch_records in [7, 4096] {
                let pipe = pipe();
                let writer = feed(&pipe, pack(lines(20_000)));
                let source = json(&pipe.path, batch_records);
                assert_eq!(source.progress().bytes_total(), 0);
                let read = read(source, 0);
                assert_eq!(read.end.expect("an end"), Position(20_000));
                assert!(read.records == expected, "{} records", read.records.len());
                assert!(read.batches.iter().all(|records| *records <= batch_records));
                writer.join().expect("a writer").expect("all is read");
            }
        }
    }

    #[test]
    fn what_has_come_is_handed_over_while_the_pipe_stays_open() {
        let pipe = pipe();
        let (mut source, partition) = started(&pipe, 4096);
        let begun = Instant::now();
        assert!(matches!(source.poll(WAIT), Ok(Polled::Idle)), "nobody has opened it for writing");
        assert!(begun.elapsed() < PROMPT);

        let mut writer = OpenOptions::new().write(true).open(&pipe.path).expect("the thread reads");
        for n in 0..3 {
            writer.write_all(format!("{}\n{{\"half", line(n)).as_bytes()).expect("it is read");
            let records = next(&mut source);
            assert_eq!((records.len(), records.next()), (1, Position(2 * n as i64 + 1)));
            assert!(matches!(source.poll(WAIT), Ok(Polled::Idle)), "half a record is none");
            writer.write_all(b"\":1}\n").expect("it is read");
            let records = next(&mut source);
            assert_eq!(records.iter().next().expect("a record").payload, Some(&b"{\"half\":1}"[..]));
        }
        source.pause(&partition);
        drop(writer);
        assert!(matches!(source.poll(WAIT), Ok(Polled::Idle)), "paused means paused");
        source.resume(&partition);
        assert!(matches!(source.poll(PROMPT), Ok(Polled::Ended { position: Position(6), .. })));
        assert!(matches!(source.poll(WAIT), Ok(Polled::Idle)), "it ends once");
    }

    #[test]
    fn errors_come_after_the_records_before_them() {
        let packed = gzip(&lines(20_000));
        let pipe = pipe();
        let writer = feed(&pipe, packed[..packed.len() / 2].to_vec());
        let read = read(json(&pipe.path, 100), 0);
        let error = read.end.expect_err("the data break off");
        assert!(error.to_string().contains("break off or are damaged"), "{error}");
        assert_eq!(read.records.last().expect("records").0, read.records.len() as i64 - 1);
        writer.join().expect("a writer").expect("all is read");
    }

    #[test]
    fn a_batch_has_one_header_and_files_around_a_pipe_keep_their_order() {
        let pipe = pipe();
        let folder = pipe.path.parent().expect("a folder");
        fs::write(folder.join("a.csv"), "device,sensor,ts,value\na,b,1,2\n").expect("a file");
        fs::write(folder.join("z.csv"), "value,ts,sensor,device\n1,2,3,4\n").expect("a file");
        let writer = feed(&pipe, b"ts,device,sensor,value\n1,d,s,2\n2,d,s,3\n".to_vec());
        let csv = decode::Config { format: Format::Csv, ..decode::Config::default() };
        let read = read(source(folder, &csv, 4096).expect("a source"), 0);
        let rows: Vec<&str> = read.records.iter().map(|(_, row)| row.as_str()).collect();
        assert_eq!(rows, ["a,b,1,2", "1,d,s,2", "2,d,s,3", "1,2,3,4"]);
        assert_eq!(read.columns.first().expect("a batch"), &["device", "sensor", "ts", "value"]);
        assert_eq!(read.columns.last().expect("a batch"), &["value", "ts", "sensor", "device"]);
        assert_eq!(read.end.expect("an end"), Position(4));
        writer.join().expect("a writer").expect("all is read");
    }

    #[test]
    fn a_poller_that_does_not_come_holds_the_writer_up_and_one_that_leaves_lets_go() {
        let pipe = pipe();
        let (mut source, partition) = started(&pipe, 10);
        // More than pipes and buffers take.
        let writer = feed(&pipe, lines(100_000));
        let first = next(&mut source);
        assert_eq!(first.iter().next().expect("a record").position, 0);
        thread::park_timeout(WAIT);
        assert!(!writer.is_finished());
        let again = source.start(&partition, Position(0)).expect_err("it is gone");
        assert!(again.to_string().contains("can be read only once"), "{again}");
        source.leave();
        let left = writer.join().expect("a writer").expect_err("nobody reads");
        assert_eq!(left.kind(), std::io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_position_counts_from_the_beginning_of_the_pipe() {
        for (position, expected) in [(90, 10), (100, 0)] {
            let pipe = pipe();
            let writer = feed(&pipe, lines(100));
            let read = read(json(&pipe.path, 7), position);
            assert_eq!((read.records.len(), read.end.expect("an end")), (expected, Position(100)));
            writer.join().expect("a writer").expect("all is read");
        }
        let pipe = pipe();
        let writer = feed(&pipe, lines(100));
        let error = read(json(&pipe.path, 7), 101).end.expect_err("too far");
        assert!(matches!(error, crate::Error::PositionAhead { high: Position(100), .. }), "{error}");
        writer.join().expect("a writer").expect("all is read");
    }
}

#[test]
fn records_know_the_file_and_the_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), "device,sensor,ts,value\n\na,b,1,2\nc,\"d\ne\",3,4\nf,g,5,6\n").unwrap();
    fs::write(folder.path().join("b.csv"), "device,sensor,ts,value\na,b,1,2").unwrap();
    let csv = decode::Config { format: Format::Csv, ..decode::Config::default() };
    let mut source = source(folder.path(), &csv, 4096).unwrap();
    let mut places = Vec::new();
    loop {
        match source.poll(Duration::ZERO).unwrap() {
            Polled::Gained(gained) => source.start(&gained[0], Position(0)).unwrap(),
            Polled::Records(records) => places.extend((0..records.len()).map(|number| {
                let (file, line) = records.line(number).expect("it stands in a file");
                format!("{}:{line}", file.file_name().unwrap().display())
            })),
            Polled::Ended { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(places, ["a.csv:3", "a.csv:4", "a.csv:6", "b.csv:2"]);
    let decode = decode::Config { shape: decode::Shape::Wide, sensors: vec!["value".into(), "x".into()], ..csv };
    let config = Config { path: folder.path().display().to_string(), assume_sorted: false };
    let missing = FilesSource::new(&config, &decode, 1).unwrap().missing_columns().unwrap();
    let missing: Vec<_> = missing.iter().map(|missing| (missing.setting, missing.name.as_str())).collect();
    assert_eq!(missing, [("sensors", "x"), ("sensors", "x")]);
}
