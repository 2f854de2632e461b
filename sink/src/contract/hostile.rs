//! A million hostile topics, pipelines and ids: no name of an object ever leaves its prefix.

use object_store::path::Path;
use rand::{RngExt, SeedableRng};
use types::PartitionId;

use crate::names::{self, Date, Genesis};

const NAMES: usize = 1_000_000;

/// Pieces that have made trouble somewhere, and characters that names may hold.
const PIECES: [&str; 40] = [
    "..", ".", "/", "\\", "%2e", "%2F", "%00", "\0", "\n", " ", "~", "#", "?", "*", "$", "date=", "log", "markers",
    "state", "-", "_", "@", ":", "|", "<", ">", "\"", "'", "é", "\u{202e}", "\u{ff0f}", "\u{2025}", "a", "readings",
    "0", "7", "CON", ".parquet", "+", "Z",
];

fn hostile(rng: &mut impl rand::Rng) -> String {
    let pieces = rng.random_range(0..6);
    // Half of them could be topics: those matter, since the others name nothing.
    let plain = rng.random_bool(0.5);
    let mut text: String = (0..pieces)
        .map(|_| PIECES[rng.random_range(0..PIECES.len())])
        .filter(|piece| !plain || piece.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)))
        .collect();
    if rng.random_bool(0.01) {
        text = text.repeat(80);
    }
    text
}

#[test]
fn no_name_escapes_its_prefix() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let (mut usable, mut refused) = (0, 0);
    for _ in 0..NAMES {
        let (pipeline, topic) = (hostile(&mut rng), hostile(&mut rng));
        if names::check_pipeline(&pipeline).is_err() || names::check_topic(&topic).is_err() {
            refused += 1;
            continue;
        }
        usable += 1;
        let partition = PartitionId { topic: topic.as_str().into(), index: rng.random() };
        let (genesis, seq, date) = (Genesis(rng.random()), rng.random(), Date::of(rng.random()));
        let folder = names::partition(&pipeline, &partition);
        let file = names::data_file(date, &partition, genesis, seq);
        below("datasets", &file, 2);
        assert!(names::is_file_of(&file, "predictions", &partition, genesis, seq), "{file}");
        let in_file = file.split_once('/').expect("a folder").1;
        assert!(!in_file.starts_with(['_', '.']) && file.ends_with(".parquet"), "{file}: hidden from readers");
        below("state", &names::record(&folder, seq), 5);
        below("state", &names::complete_to(&folder), 4);
        below("state", &names::preflight(&pipeline, seq), 3);
        below("state", &names::drain(&pipeline), 3);
        let marker = names::marker_path(&pipeline, &partition);
        below("state", &marker, 3);
        assert_eq!(names::partition_of_marker(&marker), Some((topic.as_str(), partition.index)));
        assert_eq!(names::seq_of(&Path::parse(names::record(&folder, seq)).expect("plain")), Some(seq));
    }
    assert!(usable > NAMES / 20 && refused > NAMES / 20, "{usable} usable, {refused} refused");
}

/// As a store takes it: so many parts below the prefix, none of them special, none changed on the way.
fn below(prefix: &str, name: &str, parts: usize) {
    let path = Path::parse(format!("{prefix}/{name}")).unwrap_or_else(|e| panic!("{name:?}: {e}"));
    let kept = path.as_ref().strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
    assert_eq!(kept, Some(name));
    let found: Vec<&str> = name.split('/').collect();
    assert_eq!(found.len(), parts, "{name:?}");
    assert!(found.iter().all(|part| !part.is_empty() && *part != "." && *part != ".."), "{name:?}");
    assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"./_-@=".contains(&b)), "{name:?}");
}

/// Nothing of a message is in a name: ids come only as rows. The encoder is given ids that would all escape.
#[test]
fn no_id_gets_into_a_name() {
    use super::batch::Batch;
    use super::fixture::Bench;
    let stage = Bench::memory().anew();
    let mut sink = stage.begun();
    let record = crate::Sink::encode(&mut sink, &Batch::of(60).with_refusals(9).with_runs().commit(1));
    for file in &record.expect("encodes").record.header().files {
        below("datasets", &file.name, 2);
        assert!(!file.name.contains("pump") && !file.name.contains("tag"), "{}", file.name);
    }
}
