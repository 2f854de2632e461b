//! Model files of three versions of scikit-learn, hostile files, cut files, damaged files.
//!
//! The files are in `testdata/`; `ATALAIA_CORPUS` names a folder with more of both kinds, over which the same checks run.

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

#[test]
fn every_model_gives_scikit_learn_s_numbers_or_is_refused_by_name() {
    for folder in corpora("models") {
        let (mut read_files, mut refused_files) = (0, 0);
        for (file, bytes) in expected(&folder) {
            let is_ours = file["format"] == "pickle" && file["compression"].is_null();
            let verdict = file["verdict"].as_str().expect("verdict");
            match read(&bytes, key("d", "s")) {
                Ok(model) => {
                    assert_ne!(verdict, "must_refuse", "{}", name(&file));
                    check_numbers(&file, &model);
                    read_files += 1;
                }
                Err(refused) => {
                    assert!(!is_ours || verdict != "must_read", "{}: {refused}", name(&file));
                    check_message(&refused, name(&file));
                    if !is_ours && verdict == "must_read" {
                        assert!(refused.to_string().contains("not supported yet"), "{}: {refused}", name(&file));
                    }
                    refused_files += 1;
                }
            }
        }
        println!("{}: {read_files} read, {refused_files} refused", folder.display());
        assert!(read_files > 50 && refused_files > 15);
    }
}

fn check_numbers(file: &Json, model: &Model) {
    let name = name(file);
    assert_eq!(model.coefficients.len() as u64, file["n_support"].as_u64().expect("n_support"), "{name}");
    assert_eq!(model.dimensions() as u64, file["n_features"].as_u64().expect("n_features"), "{name}");
    assert_eq!(model.kernel.as_str(), file["kernel"], "{name}");
    assert_eq!(Some(model.intercept), file["intercept"].as_f64(), "{name}");
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
            let refused = read(&bytes, key("d", "s")).expect_err(name(&file));
            assert!(began.elapsed() < Duration::from_secs(1), "{}", name(&file));
            check_message(&refused, name(&file));
        }
    }
}

#[test]
fn every_proper_prefix_is_refused() {
    let folder = &corpora("models")[0];
    for (file, bytes) in expected(folder) {
        if file["verdict"] == "must_read" && bytes.len() < 2_600 {
            for end in 0..bytes.len() {
                assert!(read(&bytes[..end], key("d", "s")).is_err(), "{} cut at {end}", name(&file));
            }
        }
    }
}

#[test]
fn messages_name_what_is_not_supported() {
    let folder = &corpora("models")[0];
    let files = expected(folder);
    for (start, expected) in [
        (
            "s19-other-pca-whiten",
            "it names `sklearn.decomposition._pca.PCA`, which is not on the list of classes that are read",
        ),
        ("s19-refuse-svc", "it names `sklearn.svm._classes.SVC`, which is not on the list of classes that are read"),
        ("s19-refuse-precomputed", "the kernel `precomputed` is not supported; rbf, linear, poly and sigmoid are"),
        ("s19-refuse-not-fitted", "`OneClassSVM` has no `support_vectors_`: it was not fitted, or is not complete"),
        ("s19-refuse-scaler-alone", "it holds StandardScaler, not a one-class SVM or a pipeline that ends in one"),
        ("s019-joblib-raw", "it is a joblib file: not supported yet by this version"),
        ("s019-joblib-gzip", "it is compressed with gzip: not supported yet by this version"),
    ] {
        let (_, bytes) = files.iter().find(|(file, _)| name(file).starts_with(start)).expect(start);
        assert_eq!(read(bytes, key("d", "s")).expect_err(start).to_string(), expected);
    }
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever bytes come, the reader answers.
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), protocol in 2_u8..6) {
        let mut file = vec![0x80, protocol];
        file.extend(bytes);
        let _ = read(&file, key("d", "s"));
    }

    /// Nor do a few wrong bytes in a file that is right, which reach further; what is read then has passed the model's check.
    #[test]
    fn no_damage_makes_the_reader_panic(
        file in 0_usize..60,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let files = expected(&corpora("models")[0]);
        let mut bytes = files[file % files.len()].1.clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(model) = read(&bytes, key("d", "s")) {
            prop_assert!(model.check().is_ok());
        }
    }
}
