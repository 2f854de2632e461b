//! Model files of three versions of scikit-learn in all formats, hostile files, cut files, damaged files.
//!
//! The files are in `testdata/`; `ATALAIA_CORPUS` names a folder with more of both kinds, over which the same checks run.

mod shared;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::single::Single;
use crate::testing::key;

fn corpora(kind: &str) -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let more = std::env::var_os("ATALAIA_CORPUS").map(PathBuf::from);
    [Some(own), more].into_iter().flatten().map(|folder| folder.join(kind)).collect()
}

/// The folder's list of expectations, with each file's bytes.
fn expected(folder: &Path) -> Vec<(Json, Vec<u8>)> {
    let text = std::fs::read_to_string(folder.join("expected.json")).expect("expected.json");
    let mut json: Json = serde_json::from_str(&text).expect("json");
    let files = json["files"].as_array_mut().expect("files");
    let with_bytes = |file: Json| {
        let bytes = std::fs::read(folder.join(file["file"].as_str().expect("name"))).expect("file");
        (file, bytes)
    };
    std::mem::take(files).into_iter().map(with_bytes).collect()
}

fn floats(json: &Json) -> Vec<f64> {
    json.as_array().expect("list").iter().map(|number| number.as_f64().expect("number")).collect()
}

fn name(file: &Json) -> &str {
    file["file"].as_str().expect("name")
}

/// How many files of a format were read, were refused and may be, and must be refused and were.
type Table = BTreeMap<String, [usize; 3]>;

#[test]
fn every_model_gives_scikit_learn_s_numbers_or_is_refused_by_name() {
    for folder in corpora("models") {
        let mut table = Table::new();
        for (file, bytes) in expected(&folder) {
            let verdict = file["verdict"].as_str().expect("verdict");
            let packed =
                file["compression"].as_str().map(|compression| format!(" ({compression})")).unwrap_or_default();
            let format = format!("{}{packed}", file["format"].as_str().expect("format"));
            let counts = table.entry(format).or_default();
            match read(&bytes, key("d", "s")) {
                Ok(imported) => {
                    assert_ne!(verdict, "must_refuse", "{}", name(&file));
                    check_numbers(&file, &imported);
                    counts[0] += 1;
                }
                Err(refused) => {
                    assert_ne!(verdict, "must_read", "{}: {refused}", name(&file));
                    check_message(&refused, name(&file));
                    println!("    {:48} {refused}", name(&file));
                    counts[if verdict == "may_refuse" { 1 } else { 2 }] += 1;
                }
            }
        }
        println!("{}\n{:20} {:>8} {:>12} {:>12}", folder.display(), "format", "read", "may refuse", "must refuse");
        for (format, [read, may, must]) in &table {
            println!("{format:20} {read:8} {may:12} {must:12}");
        }
        let refused_by_choice: usize = table.values().map(|counts| counts[1]).sum();
        assert!(table.len() >= 8 && refused_by_choice == 0, "{table:?}");
    }
}

/// Trained on single precision: scikit-learn's own numbers, or none.
#[test]
fn single_precision_is_followed_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/single");
    let (mut read_files, mut refused_files) = (0, 0);
    for (file, bytes) in expected(&folder) {
        match (read(&bytes, key("d", "s")), file["verdict"].as_str()) {
            (Ok(imported), Some("must_read")) => {
                check_numbers(&file, &imported);
                read_files += 1;
            }
            (Err(refused @ Refused::Precision { .. }), Some("must_refuse")) => {
                check_message(&refused, name(&file));
                refused_files += 1;
            }
            (found, _) => panic!("{}: {:?}", name(&file), found.map(drop)),
        }
    }
    assert_eq!((read_files, refused_files), (16, 8));
}

fn check_numbers(file: &Json, imported: &Imported) {
    let (name, model) = (name(file), &imported.model);
    assert_eq!(imported.is_float32, file["format"] == "onnx", "{name}");
    assert_eq!(model.coefficients.len() as u64, file["n_support"].as_u64().expect("n_support"), "{name}");
    assert_eq!(model.inputs() as u64, file["n_features"].as_u64().expect("n_features"), "{name}");
    assert_eq!(model.kernel.as_str(), file["kernel"], "{name}");
    assert_eq!(serde_json::to_value(&imported.names).expect("json"), file["feature_names"], "{name}");
    let fragile: Vec<u64> = file["fragile_rows"].as_array().expect("rows").iter().filter_map(Json::as_u64).collect();
    let tolerance = file["tolerance"].as_f64().expect("tolerance");
    let (decisions, sizes) = (floats(&file["decision_function"]), floats(&file["magnitude"]));
    let single = Single::new(model);
    for (row, x) in file["inputs"].as_array().expect("inputs").iter().enumerate() {
        for exact in [true, false] {
            let decision = single.sum(&floats(x), exact) + model.intercept;
            let difference = (decision - decisions[row]).abs();
            assert!(difference <= tolerance * sizes[row], "{name} row {row}: {decision} for {}", decisions[row]);
            let label = if decision > 0.0 { 1 } else { -1 };
            let is_fragile = fragile.contains(&(row as u64));
            assert!(is_fragile || file["predict"][row] == label, "{name} row {row}: {decision}");
        }
    }
}

/// Short, on one line, and nothing in it that a terminal would obey.
fn check_message(refused: &Refused, name: &str) {
    let message = refused.to_string();
    assert!(message.len() < 400 && !message.chars().any(char::is_control), "{name}: {message:?}");
    assert!(!refused.hint().is_empty());
}

#[test]
fn every_hostile_file_is_refused_within_a_second() {
    for folder in corpora("hostile_models") {
        for (file, bytes) in expected(&folder) {
            let began = Instant::now();
            let Err(refused) = read(&bytes, key("d", "s")) else { panic!("{} was read", name(&file)) };
            assert!(began.elapsed() < Duration::from_secs(1), "{}", name(&file));
            check_message(&refused, name(&file));
        }
    }
}

/// Two files of each format, compression, protocol and version; with `ATALAIA_CORPUS` all files, and all prefixes.
#[test]
fn every_proper_prefix_is_refused() {
    let all = std::env::var_os("ATALAIA_CORPUS").is_some();
    let mut kinds = Vec::new();
    let mut files = expected(corpora("models").last().expect("a folder"));
    files.sort_by_key(|(_, bytes)| bytes.len());
    for (file, bytes) in files {
        let kind = [&file["format"], &file["compression"], &file["protocol"], &file["sklearn"]].map(Json::to_string);
        let is_known = kinds.iter().filter(|known| **known == kind).count() >= 2;
        if file["verdict"] != "must_read" || is_known && !all {
            continue;
        }
        let stride = if all { 1 } else { bytes.len().div_ceil(2_000) };
        for end in (0..bytes.len()).step_by(stride).chain(bytes.len().saturating_sub(100)..bytes.len()) {
            assert!(read(&bytes[..end], key("d", "s")).is_err(), "{} cut at {end}", name(&file));
        }
        kinds.push(kind);
    }
    assert!(kinds.len() > 40, "{}", kinds.len());
}

#[test]
fn messages_name_what_is_not_supported() {
    let folder = &corpora("models")[0];
    let files = expected(folder);
    for (start, expected) in [
        ("s19-refuse-svc", "it names `sklearn.svm._classes.SVC`, which is not on the list of classes that are read"),
        ("s19-refuse-precomputed", "the kernel `precomputed` is not supported; rbf, linear, poly and sigmoid are"),
        ("s19-refuse-not-fitted", "`OneClassSVM` has no `support_vectors_`: it was not fitted, or is not complete"),
        ("s19-refuse-scaler-alone", "it holds StandardScaler, not a one-class SVM or a pipeline that ends in one"),
        (
            "s19-skops-refuse-custom",
            "it names `oddmodule.Winsorize`, which is not on the list of classes that are read",
        ),
        (
            "s19-onnx-refuse-svc",
            "the graph uses the operator `SVMClassifier`, which is not on the list of those that are read",
        ),
    ] {
        let (_, bytes) = files.iter().find(|(file, _)| name(file).starts_with(start)).expect(start);
        assert_eq!(read(bytes, key("d", "s")).expect_err(start).to_string(), expected);
    }
}

/// Half a gigabyte of zeros in a text that a pickle begins with, packed in all ways.
#[test]
fn bombs_are_refused() {
    let packed = |pack: &mut dyn FnMut(&[u8])| {
        pack(b"\x80\x04\x8e\x00\x00\x00\x20\x00\x00\x00\x00");
        let zeros = vec![0; 1 << 20];
        (0..512).for_each(|_| pack(&zeros));
    };
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed(&mut |bytes| zlib.write_all(bytes).expect("zlib"));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed(&mut |bytes| gzip.write_all(bytes).expect("gzip"));
    for bytes in [zlib.finish().expect("zlib"), gzip.finish().expect("gzip")] {
        let refused = read(&bytes, key("d", "s")).expect_err("a bomb");
        assert!(matches!(refused, Refused::TooLarge { .. }), "{refused}");
    }
}

#[test]
fn columns_become_features_or_are_refused_by_name() {
    let files = expected(&corpora("models")[0]);
    let read_named = || {
        let (_, bytes) = files.iter().find(|(file, _)| name(file) == "s19-skops-dataframe.skops").expect("file");
        read(bytes, key("d", "s")).expect("read")
    };
    let translation = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|&(name, feature)| (name.to_owned(), feature.parse().expect("feature"))).collect()
    };
    let imported = read_named();
    assert_eq!((imported.names.as_ref().map(Vec::len), imported.model.features), (Some(3), None));
    let all = translation(&[("temp_mean", "temp.mean"), ("temp_std", "temp.std"), ("pressure", "pressure.last")]);
    let features = read_named().named_by(&all).expect("named").features.expect("features");
    assert_eq!(
        features.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["temp.mean", "temp.std", "pressure.last"]
    );
    let some = translation(&[("temp_mean", "mean"), ("temp_std", "std")]);
    let refused = read_named().named_by(&some).expect_err("a column without a meaning");
    assert_eq!(refused.to_string(), "it was trained on a column named `pressure`, which is no feature");
    let twice = translation(&[("temp_mean", "mean"), ("temp_std", "mean"), ("pressure", "max")]);
    let refused = read_named().named_by(&twice).expect_err("two columns of one meaning");
    assert_eq!(refused.to_string(), "the feature `mean` is named twice");
}

#[test]
fn names_from_a_file_are_shortened_and_escaped() {
    let mut bytes = b"\x80\x02c".to_vec();
    bytes.extend_from_slice(b"\x1b[2Jos\n");
    bytes.extend_from_slice("x".repeat(1_000).as_bytes());
    bytes.extend_from_slice(b"\n.");
    let message = read(&bytes, key("d", "s")).expect_err("an unknown name").to_string();
    assert!(message.starts_with("it names `\\u{1b}[2Jos.xxx") && message.len() < 250, "{message}");
}

/// Read once for all cases.
static FILES: std::sync::OnceLock<Vec<(Json, Vec<u8>)>> = std::sync::OnceLock::new();

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever bytes come, the reader answers.
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), protocol in 2_u8..6) {
        let beginnings: [&[u8]; 4] = [&[0x80, protocol], b"PK\x03\x04", b"\x08\x0a\x3a", b"\xfd7zXZ\x00\x00"];
        for beginning in beginnings {
            let _ = read(&[beginning, &bytes].concat(), key("d", "s"));
        }
    }

    /// Nor do a few wrong bytes in a file that is right, which reach further; what is read then has passed the model's check.
    #[test]
    fn no_damage_makes_the_reader_panic(
        file in 0_usize..300,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let files = FILES.get_or_init(|| expected(&corpora("models")[0]));
        let mut bytes = files[file % files.len()].1.clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(imported) = read(&bytes, key("d", "s")) {
            prop_assert!(imported.model.check().is_ok());
        }
    }
}
