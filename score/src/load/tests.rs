//! Loading from stores, with the reference's models and data as the yardstick.

use std::sync::Mutex;

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, PutPayload};
use types::{Scores, Status, WindowRows};

use super::*;
use crate::testing::{Names, push_row};
use crate::{Scorer, Statistic, write_registry};

type Place = (Arc<dyn ObjectStore>, Path);

fn reference() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/reference")
}

fn reference_models() -> Place {
    let store = LocalFileSystem::new_with_prefix(reference().join("models")).expect("folder");
    (Arc::new(store), Path::default())
}

fn config() -> Config {
    Config { models: "a place".into(), ..Config::default() }
}

async fn load_from(config: &Config, place: &Place) -> Result<Arc<ModelSet>, Error> {
    load(config, Some(place.clone()), &|_, _| {}).await
}

/// A store with these files; contents are names of reference models, or the text itself.
async fn store_of(files: &[(&str, &str)]) -> Place {
    let store = InMemory::new();
    for (name, content) in files {
        let bytes =
            std::fs::read(reference().join("models").join(content)).unwrap_or_else(|_| content.as_bytes().into());
        store.put(&Path::from(format!("models/{name}")), PutPayload::from(bytes)).await.expect("put");
    }
    (Arc::new(store), Path::from("models"))
}

async fn failure(config: &Config, files: &[(&str, &str)]) -> String {
    let error = load_from(config, &store_of(files).await).await.expect_err("refused");
    let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    assert!(error.hint().is_some_and(|hint| !hint.is_empty()));
    format!("{error}{source}")
}

/// The reference's 17,768 rows, and what the original answered.
struct Golden {
    rows: WindowRows,
    names: Names,
    decisions: Vec<f64>,
    anomalies: Vec<bool>,
}

fn golden() -> Golden {
    let text = std::fs::read_to_string(reference().join("golden_predictions.csv")).expect("golden file");
    let (mut rows, mut names) = (WindowRows::default(), Names::default());
    let (mut decisions, mut anomalies) = (Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let series = (fields[1].to_owned(), fields[2].to_owned(), 0);
        let index = names.0.iter().position(|known| *known == series).unwrap_or_else(|| {
            names.0.push(series);
            names.0.len() - 1
        });
        push_row(&mut rows, index as u32, fields[3].parse().expect("value"));
        decisions.push(fields[4].parse().expect("decision"));
        anomalies.push(fields[5] == "1");
    }
    Golden { rows, names, decisions, anomalies }
}

fn check_golden(scores: &Scores, golden: &Golden) {
    assert_eq!(scores.is_anomaly, golden.anomalies);
    for (row, expected) in golden.decisions.iter().enumerate() {
        let decision = scores.decision[row].expect("scored");
        assert_eq!(decision.to_bits(), expected.to_bits(), "row {row}: {decision} for {expected}");
    }
    assert!(scores.status.iter().all(|&status| status == Status::Scored));
    assert_eq!(scores.is_anomaly.iter().filter(|&&anomaly| anomaly).count(), 6_757);
    assert_eq!(golden.decisions.iter().filter(|&&decision| decision == 0.0).count(), 7);
    assert_eq!(scores.models.len(), 15);
}

#[tokio::test]
async fn the_reference_comes_out_bit_for_bit_whatever_the_path() {
    let golden = golden();
    assert_eq!(golden.rows.len(), 17_768);
    for exact in [false, true] {
        let config = Config { exact, ..config() };
        let set = load_from(&config, &reference_models()).await.expect("15 models");
        assert_eq!(set.len(), 15);
        check_golden(&Scorer::new(set, &config).score(&golden.rows, &golden.names), &golden);
    }
}

#[tokio::test]
async fn a_registry_of_the_reference_scores_the_same() {
    let config = config();
    let models = read_models(&config, Some(reference_models()), &|_, _| {}).await.expect("15 models");
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let prefix = Path::from("registry/set");
    let written = write_registry(&models, &store, &prefix).await.expect("written");
    let set = load_from(&config, &(Arc::clone(&store), prefix.clone())).await.expect("read back");
    assert_eq!((written.set.as_str(), written.models), (set.id(), 15));
    let golden = golden();
    check_golden(&Scorer::new(set, &config).score(&golden.rows, &golden.names), &golden);
    let again = write_registry(&models, &store, &prefix).await.expect_err("written twice");
    assert!(again.to_string().contains("holds a registry already"), "{again}");
}

#[tokio::test]
async fn without_a_place_the_set_is_empty() {
    let set = load(&Config::default(), None, &|_, _| {}).await.expect("empty");
    assert_eq!((set.len(), set.id()), (0, "none"));
}

#[tokio::test]
async fn sets_of_the_same_models_have_the_same_id() {
    let flat = store_of(&[("model_1_1", "model_1_1"), ("model_1_2", "model_1_2")]).await;
    let nested = store_of(&[("1/2/model.pkl", "model_1_2"), ("1/1/model.pkl", "model_1_1"), ("notes.txt", "x")]).await;
    let template = Config { template: "{device}/{sensor}/model.pkl".into(), ..config() };
    let one = load_from(&config(), &flat).await.expect("flat");
    let other = load_from(&template, &nested).await.expect("nested");
    assert_eq!(one.id(), other.id());
    assert_eq!(one.iter().filter_map(|m| m.sensor).collect::<Vec<_>>(), ["1", "2"]);
    let single = load_from(&config(), &store_of(&[("model_1_1", "model_1_1")]).await).await.expect("one");
    assert_ne!(one.id(), single.id());
}

#[tokio::test]
async fn what_cannot_be_used_is_named() {
    let config = config();
    assert_eq!(
        failure(&config, &[("model_1_1", "model_1_1"), ("model_1_2", "not a pickle")]).await,
        "cannot use the model file `a place/model_1_2`: it is not a pickle (protocol 2 to 5), joblib, skops or ONNX file"
    );
    assert_eq!(
        failure(&config, &[("readme.md", "")]).await,
        "no model in `a place`: none of its 1 files fits `model_{device}_{sensor}`, for example `readme.md` does not"
    );
    assert_eq!(failure(&config, &[]).await, "no model in `a place`: it is empty");
    assert_eq!(
        failure(&config, &[("model_a_b_c", "model_1_1")]).await,
        "the name `model_a_b_c` fits `model_{device}_{sensor}` in two ways: as `a/b_c` and as `a_b/c`"
    );
    assert_eq!(
        failure(&config, &[("model_1_1", "model_1_1"), ("x.parquet", "")]).await,
        "`a place` holds a registry (`a place/x.parquet`) and scikit-learn files (`a place/model_1_1`)"
    );
    let two = Config { features: vec![Statistic::Mean.into(), Statistic::Max.into()], ..config.clone() };
    assert_eq!(
        failure(&two, &[("model_1_1", "model_1_1")]).await,
        "cannot use the model of `1/1` in `models/model_1_1`: the model wants 1 features, `score.features` names 2"
    );
    assert_eq!(
        failure(&config, &[("x.parquet", "PAR1 nonsense PAR1")]).await,
        "cannot use the registry file `a place/x.parquet`: it is not Parquet"
    );
}

#[tokio::test]
async fn columns_of_a_data_frame_are_features_or_the_model_is_refused() {
    let (store, prefix) = store_of(&[]).await;
    let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/models/s10-dataframe-joblib.joblib");
    let bytes = std::fs::read(own).expect("file");
    store.put(&Path::from("models/model_1_1.joblib"), PutPayload::from(bytes)).await.expect("put");
    // As many features as columns: they must not be taken for the columns.
    let mut config =
        Config { features: vec![Statistic::Mean.into(), Statistic::Std.into(), Statistic::Max.into()], ..config() };
    let place = (store, prefix);
    let error = load_from(&config, &place).await.expect_err("what are its columns?");
    assert_eq!(
        std::error::Error::source(&error).map(ToString::to_string).as_deref(),
        Some("it was trained on a column named `temp_mean`, which is no feature")
    );
    assert_eq!(
        error.hint().as_deref(),
        Some("say in `score.feature_names` what its columns are, such as `temp_mean = \"temp.mean\"`")
    );
    for (column, feature) in [("temp_mean", "mean"), ("temp_std", "std"), ("pressure", "last")] {
        config.feature_names.insert(column.into(), feature.parse().expect("feature"));
    }
    let set = load_from(&config, &place).await.expect("named");
    let features = set.get(Some("1"), Some("1")).and_then(|model| model.features).expect("its own list");
    assert_eq!(features.iter().map(ToString::to_string).collect::<Vec<_>>(), ["mean", "std", "last"]);
}

#[tokio::test]
async fn bad_models_can_be_skipped_and_are_counted() {
    let config = Config { on_bad_model: OnBadModel::Skip, ..config() };
    let place = store_of(&[("model_1_1", "model_1_1"), ("model_1_2", "bad"), ("model_1_3", "model_1_3")]).await;
    let set = load_from(&config, &place).await.expect("two are left");
    assert_eq!((set.len(), set.skipped()), (2, 1));
    assert!(set.get(Some("1"), Some("2")).is_none() && set.get(Some("1"), Some("3")).is_some());
}

#[tokio::test]
async fn progress_counts_up_to_all_files() {
    let seen = Mutex::new(Vec::new());
    let note = |done, total| seen.lock().expect("no panic before").push((done, total));
    load(&config(), Some(reference_models()), &note).await.expect("15 models");
    let seen = seen.into_inner().expect("no panic before");
    assert_eq!(seen, (0..=15).map(|done| (done, 15)).collect::<Vec<_>>());
}
