//! What is written comes back; what was changed on the way is refused.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Float64Array, Int8Array, Int32Array, ListArray, NullArray, RecordBatch, StringArray, StructArray,
};
use arrow::buffer::OffsetBuffer;
use bytes::Bytes;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::*;
use crate::testing::{Random, key};
use crate::{Kernel, ModelKey, Statistic, Step, Threshold};

fn models() -> Vec<Model> {
    let mut random = Random::new(7);
    let mut models = vec![
        random.model(key("d", "a"), Kernel::Rbf { gamma: 0.1 }, 60, 2),
        random.model(key("d", "b"), Kernel::Linear, 3, 1),
        random.model(key("d", "c"), Kernel::Poly { gamma: 1.0, coef0: -0.5, degree: 4 }, 17, 3),
        random.model(key("dé vice", "s/1"), Kernel::Sigmoid { gamma: 0.25, coef0: 0.0 }, 1, 1),
    ];
    models[0].features = Some(vec![Statistic::Mean.into(), Statistic::StdPop.into()]);
    models[0].threshold = Some(Threshold { value: 0.7, how: "a test".into(), smoothing: 3 });
    models[0].trained_at = Some(1_700_000_000_000_000);
    models[0].rows = Some(500);
    models[1].steps.remove(0);
    models[2].steps = vec![
        Step::Multiply(vec![0.5, 2.0, 1.0, 3.0]),
        Step::Add(vec![-1.0; 4]),
        Step::Clip { low: 0.0, high: 1.0 },
        Step::Project { rows: 3, matrix: random.numbers(12) },
        Step::Divide(vec![1.5; 3]),
    ];
    models[3].key = ModelKey { device: None, sensor: Some("s/1".into()) };
    models
}

async fn written(models: &[Model]) -> Bytes {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let written = write_registry(models, &store, &Path::from("p")).await.expect("written");
    let file = store.get(&Path::from(written.files[0].as_str())).await.expect("there");
    file.bytes().await.expect("bytes")
}

#[tokio::test]
async fn what_is_written_comes_back() {
    let mut expected = models();
    expected.reverse();
    let bytes = written(&expected).await;
    // Defaults first.
    expected.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(read(bytes).expect("readable"), expected);
}

#[tokio::test]
async fn a_key_twice_is_refused() {
    let mut twice = models();
    twice.push(twice[0].clone());
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let error = write_registry(&twice, &store, &Path::from("p")).await.expect_err("twice");
    assert_eq!(error.to_string(), "two models of the key `d/a`: in `a test` and in `a test`");
}

/// Writes the models' only batch again, changed, with this version in the metadata.
async fn rewritten(change: impl Fn(&RecordBatch) -> RecordBatch, version: Option<&str>) -> Result<Vec<Model>, Broken> {
    let bytes = written(&models()).await;
    let mut batches = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("parquet").build().expect("reader");
    let batch = change(&batches.next().expect("a batch").expect("rows"));
    let pairs = version.map(|version| vec![KeyValue::new(VERSION_KEY.to_owned(), version.to_owned())]);
    let properties = WriterProperties::builder().set_key_value_metadata(pairs).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("writer");
    writer.write(&batch).expect("written");
    read(writer.into_inner().expect("closed").into())
}

#[tokio::test]
async fn changed_files_are_refused() {
    let same = |batch: &RecordBatch| batch.clone();
    assert_eq!(rewritten(same, Some("1")).await.expect("unchanged").len(), 4);
    let without_intercept = |batch: &RecordBatch| {
        let mut batch = batch.clone();
        batch.remove_column(batch.schema().index_of("intercept").expect("intercept"));
        batch
    };
    let other_number = |batch: &RecordBatch| {
        let at = batch.schema().index_of("intercept").expect("intercept");
        let mut columns = batch.columns().to_vec();
        columns[at] = Arc::new(Float64Array::from(vec![-1.0; 4])) as ArrayRef;
        RecordBatch::try_new(batch.schema(), columns).expect("batch")
    };
    for (outcome, expected) in [
        (rewritten(same, Some("2")).await, "its version is `2`, this program reads `1`"),
        (rewritten(same, None).await, "it is not a registry of models: the metadata have no `atalaia.models.version`"),
        (
            rewritten(without_intercept, Some("1")).await,
            "the column `intercept` is missing, or not of the type Float64",
        ),
        (rewritten(other_number, Some("1")).await, "the checksum of row 0 does not fit its numbers"),
    ] {
        assert_eq!(outcome.expect_err(expected).to_string(), expected);
    }
}

/// The batch as other writers would have it: large texts and lists, dictionaries, wide integers, other and fewer columns.
fn as_others_write(batch: &RecordBatch) -> RecordBatch {
    let list = |item: DataType| DataType::LargeList(Arc::new(Field::new("element", item, true)));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let nanoseconds = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let types = [
        ("device", DataType::LargeUtf8),
        ("sensor", DataType::Utf8View),
        ("features", list(DataType::LargeUtf8)),
        ("kernel", dictionary),
        ("degree", DataType::UInt8),
        ("support_vectors", list(DataType::Float64)),
        ("trained_at", nanoseconds),
        ("smoothing", DataType::Int64),
        ("rows", DataType::Int32),
    ];
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let name = field.name().as_str();
        let other = types.iter().find(|(of, _)| *of == name).map(|(_, other)| other);
        let column = match other {
            Some(other) => arrow::compute::cast(column, other).expect("castable"),
            None if name == "steps" => steps_the_other_way_round(column),
            None => Arc::clone(column),
        };
        if !["version", "source", "checksum"].contains(&name) {
            columns.push((name.to_owned(), column));
        }
    }
    let rows = batch.num_rows();
    columns.insert(0, ("schema_version".into(), Arc::new(Int8Array::from(vec![1; rows])) as ArrayRef));
    columns.push(("owner".into(), Arc::new(StringArray::from(vec!["somebody"; rows])) as ArrayRef));
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn steps_the_other_way_round(column: &ArrayRef) -> ArrayRef {
    let list = column.as_list::<i32>();
    let items = list.values().as_struct();
    let fields: Fields = items.fields().iter().rev().cloned().collect();
    let columns = items.columns().iter().rev().cloned().collect();
    let items = StructArray::try_new(fields.clone(), columns, None).expect("structs");
    let item = Arc::new(Field::new("element", DataType::Struct(fields), true));
    let list = ListArray::try_new(item, list.offsets().clone(), Arc::new(items), None).expect("a list");
    Arc::new(list)
}

#[tokio::test]
async fn whoever_wrote_them_rows_are_the_same_models() {
    let mut expected = models();
    expected.sort_by(|a, b| a.key.cmp(&b.key));
    let mut found = rewritten(as_others_write, None).await.expect("readable");
    for (found, expected) in found.iter_mut().zip(&expected) {
        assert_eq!((found.version.len(), found.source.as_str()), (12, ""), "derived");
        (found.version, found.source) = (expected.version.clone(), expected.source.clone());
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn what_would_change_a_value_is_refused() {
    let replaced = |name: &'static str, column: ArrayRef| {
        move |batch: &RecordBatch| {
            let schema = batch.schema();
            let columns = schema.fields().iter().zip(batch.columns()).map(|(field, old)| {
                let new = if field.name() == name { &column } else { old };
                (field.name().clone(), Arc::clone(new), true)
            });
            RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).expect("columns of one length")
        }
    };
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["1.5"; 4]));
    let halves: ArrayRef = Arc::new(Float64Array::from(vec![2.5; 4]));
    let below: ArrayRef = Arc::new(Int32Array::from(vec![-1; 4]));
    let nulls: ArrayRef = Arc::new(NullArray::new(4));
    for (name, column, expected) in [
        ("intercept", &texts, "the column `intercept` is missing, or not of the type Float64"),
        ("degree", &halves, "the column `degree` is missing, or not of the type Int64"),
        ("rows", &below, "`rows` of row 0 is below 0"),
        ("kernel", &nulls, "row 0 has no `kernel`"),
        ("coefficients", &nulls, "row 0 has no `coefficients`"),
    ] {
        let outcome = rewritten(replaced(name, Arc::clone(column)), Some("1")).await;
        assert_eq!(outcome.expect_err(expected).to_string(), expected);
    }
    // All of them null where null means something.
    for name in ["features", "threshold", "checksum", "version", "trained_at"] {
        let outcome = rewritten(replaced(name, Arc::clone(&nulls)), Some("1")).await;
        let is_fine = match outcome {
            Ok(_) => true,
            // The checksum of what was there is there still.
            Err(Broken::Checksum { .. }) => name != "checksum",
            Err(_) => false,
        };
        assert!(is_fine, "{name}");
    }
    let no_steps = |batch: &RecordBatch| {
        let lists: ArrayRef = Arc::new(ListArray::new(
            Arc::new(Field::new("item", DataType::Null, true)),
            OffsetBuffer::from_lengths([0; 4]),
            Arc::new(NullArray::new(0)),
            None,
        ));
        let batch = replaced("steps", lists)(batch);
        replaced("checksum", Arc::clone(&nulls))(&batch)
    };
    let read = rewritten(no_steps, Some("1")).await.expect("a writer that never saw a step");
    assert!(read.iter().all(|model| model.steps.is_empty()));
}
