//! The format as it is stored: golden files, and everything that damage or malice may make of a record.

use std::path::PathBuf;

use rand::{RngExt, SeedableRng};
use types::{Ledger, Position};

use super::sections::Writer;
use super::*;
use crate::names::Genesis;

/// Bytes of the beginning, and of what stands before each section.
const HEAD: usize = 16;

fn header(seq: u64, kind: RecordKind) -> Header {
    Header {
        pipeline: "plant-7".to_owned(),
        fingerprint: "width=5s".to_owned(),
        topic: "plant.readings".to_owned(),
        partition: 3,
        partitions: Some(8),
        genesis: Genesis(0x00c0_ffee),
        seq,
        previous: seq.checked_sub(1).map(|_| Hex32([seq as u8; 32])),
        nonce: Nonce(0x0123_4567_89ab_cdef_0011_2233_4455_6677),
        owner: Nonce(42),
        instance: "host/17".to_owned(),
        kind,
        claims: 0,
        lagging: false,
        written_at: 1_535_414_400_000_000,
        resume: Resume {
            next: Position(1000),
            anchor: Some(Anchor { position: 998, time: Some(1_535_414_399_000_000), crc: 0xdead_beef }),
            arrival_clock: Some(1_535_414_399_500_000),
            complete_to: Some(1_535_414_395_000_000),
            wall_steps: vec![(700, 1_535_414_390_000_000)],
            open_windows: 2,
            ..Resume::default()
        },
        ledger: Ledger { records: 10, decoded: 9, tombstones: 1, readings: 20, open: 20, ..Ledger::default() },
        run: RunFacts { records: 4, ..RunFacts::default() },
        model_set: None,
        state: StateRef { seq, hash: None, bytes: FROZEN.len() as u64 },
        files: Vec::new(),
    }
}

const FROZEN: &[u8] = b"a state, as the pipeline froze it; opaque here, opaque here, opaque here";

fn file(dataset: &str, name: &str, bytes: &'static [u8], rows: u64) -> (FileEntry, Bytes) {
    let bytes = Bytes::from_static(bytes);
    let (length, crc) = (bytes.len() as u64, crc32c::crc32c(&bytes));
    let entry = FileEntry {
        dataset: dataset.to_owned(),
        name: name.to_owned(),
        length,
        crc,
        rows,
        from: (rows > 0).then_some(1_535_414_380_000_000),
        to: (rows > 0).then_some(1_535_414_385_000_000),
    };
    (entry, bytes)
}

fn sealed(mut header: Header, files: Vec<(FileEntry, Bytes)>) -> Record {
    let (entries, bytes): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    header.files = entries;
    let own = header.state.seq == header.seq;
    Record::seal(header, own.then(|| Packed::new(FROZEN).bytes).as_deref(), &bytes)
}

fn refers(header: Header, seq: u64) -> Header {
    Header { state: StateRef { seq, hash: Some(Hex32([7; 32])), bytes: FROZEN.len() as u64 }, ..header }
}

fn data() -> Record {
    let name = "date=2018-08-28/plant.readings-00003-00c0ffee-0000000007.parquet";
    let files = vec![
        file("predictions", name, b"PAR1 rows of one date PAR1", 5),
        file("late", name, b"PAR1 late PAR1", 1),
        file("runs", name, b"PAR1 runs PAR1", 1),
    ];
    sealed(Header { model_set: Some("set-3".to_owned()), ..header(7, RecordKind::Data) }, files)
}

/// As a later version of this program may write it: header fields and a kind of section that this one does not know.
fn later() -> Bytes {
    let record = data();
    let mut json = serde_json::to_value(record.header()).expect("JSON");
    json["weather"] = serde_json::json!({ "wind": [1, 2] });
    json["files"][0]["colour"] = "blue".into();
    json["state"]["dialect"] = 3.into();
    let mut out = Writer::new(0, 6);
    out.section(HEADER, &serde_json::to_vec(&json).expect("JSON"));
    out.section(77, b"nobody knows what this is");
    out.section(STATE, &Packed::new(FROZEN).bytes);
    for index in 0..3 {
        out.section(FILE, &record.file(index));
    }
    out.finish().0
}

fn samples() -> Vec<(&'static str, Bytes)> {
    let marker = file("markers", "plant.readings-3", br#"{"genesis":"00c0ffee","partitions":8}"#, 0);
    let gap = |header: Header| {
        let gap = Some((Position(1000), Position(1200)));
        let resume = Resume { next: Position(1200), gap, ..header.resume.clone() };
        Header { resume, ..header }
    };
    let claim = Header { claims: 2, lagging: true, ..refers(header(8, RecordKind::Claim), 7) };
    let records = [
        ("genesis", sealed(header(0, RecordKind::Genesis), vec![marker])),
        ("data", data()),
        ("claim", sealed(claim, Vec::new())),
        ("gap", sealed(gap(header(9, RecordKind::Gap)), Vec::new())),
        ("release", sealed(refers(header(10, RecordKind::Release), 9), Vec::new())),
    ];
    let mut samples: Vec<_> = records.into_iter().map(|(name, record)| (name, record.bytes().clone())).collect();
    samples.push(("later", later()));
    samples
}

fn golden(name: &str, extension: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("record-v1-{name}.{extension}"))
}

/// They were written once, by the first version that wrote records. `make bless` adds what is missing, and changes none:
/// what was released stays readable.
#[test]
fn records_of_every_released_version_are_read() {
    for (name, bytes) in samples() {
        let (stored, told) = (golden(name, "bin"), golden(name, "json"));
        if std::env::var_os("ATALAIA_BLESS").is_some() && !stored.exists() {
            let header = Record::open(bytes.clone()).expect("opens").header().clone();
            std::fs::write(&stored, &bytes).expect("written");
            std::fs::write(&told, serde_json::to_string_pretty(&header).expect("JSON") + "\n").expect("written");
        }
        let bytes = std::fs::read(&stored).unwrap_or_else(|e| panic!("{}: {e}; `make bless`", stored.display()));
        let record = Record::open(bytes.into()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let want: serde_json::Value = serde_json::from_slice(&std::fs::read(&told).expect("beside it")).expect("JSON");
        let found = serde_json::to_value(record.header()).expect("JSON");
        // What was not known then may be there now.
        for (field, value) in want.as_object().expect("an object") {
            assert_eq!(&found[field], value, "{name}: {field}");
        }
        let own = record.header().state.seq == record.header().seq;
        assert_eq!(record.state().expect("unpacks").as_deref(), own.then_some(FROZEN), "{name}");
        for (index, entry) in record.header().files.iter().enumerate() {
            assert_eq!(crc32c::crc32c(&record.file(index)), entry.crc, "{name}: {}", entry.name);
        }
    }
}

/// A record of the next version is readable by this one, so long as it calls itself version 1.
#[test]
fn what_a_later_version_adds_is_ignored() {
    let record = Record::open(later()).expect("opens");
    assert_eq!(record.header(), data().header());
    assert_eq!(record.state(), Ok(Some(FROZEN.to_vec())));
    assert_eq!(record.file(2), data().file(2));
    assert_eq!(peek(&later()), Ok(data().header().clone()));
    let mut bytes = data().bytes().to_vec();
    bytes[8..12].copy_from_slice(&2u32.to_le_bytes());
    assert_eq!(Record::open(bytes.clone().into()).err(), Some(Damage::Version { version: 2 }), "before any checksum");
    assert_eq!(peek(&bytes), Err(Damage::Version { version: 2 }));
}

#[test]
fn every_cut_and_every_flipped_byte_is_refused() {
    for (name, whole) in samples() {
        for cut in 0..whole.len() {
            assert!(Record::open(whole.slice(..cut)).is_err(), "{name}: cut to {cut}");
        }
        let longer: Vec<u8> = whole.iter().copied().chain([0]).collect();
        assert!(Record::open(longer.into()).is_err(), "{name}: a byte too many");
        for at in 0..whole.len() {
            for bit in [1, 0x80, 0xff] {
                let mut changed = whole.to_vec();
                changed[at] ^= bit;
                assert!(Record::open(changed.into()).is_err(), "{name}: byte {at}");
            }
        }
    }
}

#[test]
fn a_header_is_read_from_the_beginning_alone() {
    let record = data();
    let whole = record.bytes();
    let length = u64::from_le_bytes(whole[HEAD + 4..HEAD + 12].try_into().expect("eight bytes")) as usize;
    let end = HEAD + 16 + length;
    assert!(end < whole.len() - 200);
    assert_eq!(peek(&whole[..end]).as_ref(), Ok(record.header()));
    for cut in 0..end {
        let peeked = peek(&whole[..cut]);
        assert!(matches!(peeked, Err(Damage::Short | Damage::Magic)), "{cut}: {peeked:?}");
    }
    for at in 0..end {
        let mut changed = whole[..end].to_vec();
        changed[at] ^= 1;
        // How many sections follow is nothing to a reader of the first.
        let may_pass = (12..HEAD).contains(&at);
        assert!(may_pass || peek(&changed).is_err(), "byte {at}");
    }
}

/// As somebody who can compute hashes would make it.
fn rehashed(mut bytes: Vec<u8>) -> Bytes {
    let body = bytes.len() - HASH_BYTES;
    let hash = Sha256::digest(&bytes[..body]);
    bytes[body..].copy_from_slice(&hash);
    bytes.into()
}

#[test]
fn hostile_lengths_and_counts_are_refused() {
    let whole = data().bytes().to_vec();
    let sections = 5;
    for count in [0, 1, sections - 1, sections + 1, 4096, 4097, u32::MAX] {
        let mut changed = whole.clone();
        changed[12..16].copy_from_slice(&count.to_le_bytes());
        assert!(Record::open(rehashed(changed)).is_err(), "{count} sections");
    }
    let mut at = HEAD;
    for section in 0..sections {
        let length = u64::from_le_bytes(whole[at + 4..at + 12].try_into().expect("eight bytes"));
        for lie in [0, length - 1, length + 1, 1 << 31, 1 << 63, u64::MAX - 15, u64::MAX] {
            let mut changed = whole.clone();
            changed[at + 4..at + 12].copy_from_slice(&lie.to_le_bytes());
            assert!(Record::open(rehashed(changed)).is_err(), "section {section} says {lie}");
        }
        for kind in [0, HEADER, STATE, FILE, u32::MAX] {
            let mut changed = whole.clone();
            let same = changed[at..at + 4] == kind.to_le_bytes();
            changed[at..at + 4].copy_from_slice(&kind.to_le_bytes());
            assert!(same || Record::open(rehashed(changed)).is_err(), "section {section} is a {kind}");
        }
        at += 16 + length as usize;
    }
}

#[test]
fn headers_that_lie_about_files_or_state_are_refused() {
    let record = data();
    let files: Vec<Bytes> = (0..3).map(|index| record.file(index)).collect();
    let with = |change: &dyn Fn(&mut Header)| {
        let mut header = record.header().clone();
        change(&mut header);
        Record::open(Record::seal(header, Some(&Packed::new(FROZEN).bytes), &files).bytes().clone())
    };
    assert!(with(&|_| {}).is_ok());
    assert!(with(&|header| header.files[1].length += 1).is_err());
    assert!(with(&|header| header.state.seq -= 1).is_err(), "it refers to another, and holds one");
    let none = Record::seal(record.header().clone(), None, &files);
    assert!(Record::open(none.bytes().clone()).is_err(), "it says it holds one");
    for lie in [0, 1, FROZEN.len() as u64 - 1, FROZEN.len() as u64 + 1, 1 << 32, 1 << 40, u64::MAX] {
        let lying = with(&|header| header.state.bytes = lie).expect("the packed bytes are whole");
        assert!(matches!(lying.state(), Err(Damage::State { .. })), "{lie}");
    }
}

/// What a header says costs no memory; only what really comes out does, up to what it said.
#[test]
fn a_state_takes_no_more_memory_than_it_has() {
    let small = unpack(&Packed::new(FROZEN).bytes, STATE_BYTES_MAX).expect("unpacks");
    assert_eq!(small, FROZEN);
    assert!(small.capacity() < 1 << 16, "{}", small.capacity());
    let bomb = Packed::new(&vec![0; 32 << 20]).bytes;
    assert!(bomb.len() < 1 << 14);
    let cut = unpack(&bomb, 1000).expect("unpacks");
    assert_eq!(cut.len(), 1001, "one more than it may have, and that is seen");
    assert!(cut.capacity() < 1 << 16);
    let large: Vec<u8> = (0..3_000_000u32).flat_map(|i| i.wrapping_mul(i).to_le_bytes()).collect();
    assert_eq!(unpack(&Packed::new(&large).bytes, large.len()).expect("unpacks"), large);
    assert!(unpack(b"no zstd", 10).is_err());
    assert!(unpack(&Packed::new(FROZEN).bytes[..20], FROZEN.len()).is_err());
}

/// Bytes changed at random, hashes and checksums set right again: refused or read, never a panic.
#[test]
fn no_bytes_make_it_panic() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
    let samples = samples();
    let (mut read, mut refused) = (0, 0);
    for turn in 0..60_000 {
        let mut bytes = samples[turn % samples.len()].1.to_vec();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
        mend_header(&mut bytes);
        let _ = peek(&bytes);
        match Record::open(rehashed(bytes)) {
            Ok(record) => {
                read += 1;
                let _ = record.state();
                (0..record.header().files.len()).for_each(|file| drop(record.file(file)));
            }
            Err(_) => refused += 1,
        }
    }
    assert!(read > 500 && refused > 500, "{read} read, {refused} refused");
}

fn mend_header(bytes: &mut [u8]) {
    let length = u64::from_le_bytes(bytes[HEAD + 4..HEAD + 12].try_into().expect("eight bytes")) as usize;
    if let Some(json) = bytes.get(HEAD + 16..(HEAD + 16).saturating_add(length)) {
        let crc = crc32c::crc32c(json);
        bytes[HEAD + 12..HEAD + 16].copy_from_slice(&crc.to_le_bytes());
    }
}
