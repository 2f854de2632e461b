//! Models -> Parquet files under a prefix.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Float64Builder, Int32Array, Int64Array, ListArray, ListBuilder, RecordBatch, StringArray,
    StringBuilder, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::{Broken, VERSION, VERSION_KEY, checksum, list_of, schema, step_fields};
use crate::set::Builder;
use crate::{Error, Model, ModelSet};

/// Models in one file: some 50 MB of models of 60 support vectors.
pub(super) const FILE_MODELS: usize = 20_000;
/// Models, and numbers in their lists, that are encoded at a time.
const BATCH_MODELS: usize = 1_000;
const BATCH_NUMBERS: usize = 8 << 20;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The id that the set will have when it is loaded.
    pub set: String,
    pub models: usize,
    pub files: Vec<String>,
    pub bytes: u64,
}

/// Writes models as a registry under a prefix that holds none yet.
///
/// Files are created, never replaced. A failure half-way leaves files behind, and the prefix is then refused: take another.
///
/// # Errors
/// If a model does not pass [`Model::check`], a key comes twice, the prefix holds a registry already, or the store fails.
pub async fn write_registry(models: &[Model], store: &Arc<dyn ObjectStore>, prefix: &Path) -> Result<Written, Error> {
    let set = check(models)?;
    refuse_existing(store, prefix).await?;
    let mut order: Vec<&Model> = models.iter().collect();
    order.sort_by(|a, b| a.key.cmp(&b.key));
    let mut written = Written { set: set.id().to_owned(), models: models.len(), files: Vec::new(), bytes: 0 };
    for (number, part) in order.chunks(FILE_MODELS).enumerate() {
        let path = prefix.clone().join(format!("models-{}-{number:05}.parquet", set.id()));
        let bytes =
            encode(part).map_err(|broken| Error::Registry { file: path.to_string(), source: Box::new(broken) })?;
        written.bytes += bytes.len() as u64;
        let create = PutOptions::from(PutMode::Create);
        let put = store.put_opts(&path, bytes.into(), create).await;
        put.map_err(|source| Error::Store { action: "write", place: path.to_string(), source })?;
        written.files.push(path.to_string());
    }
    Ok(written)
}

/// The set that the models make: its id, and the certainty that it can be loaded again.
fn check(models: &[Model]) -> Result<ModelSet, Error> {
    let mut builder = Builder::new();
    for model in models {
        builder.add(model)?;
    }
    Ok(builder.finish(0))
}

async fn refuse_existing(store: &Arc<dyn ObjectStore>, prefix: &Path) -> Result<(), Error> {
    let failed = |source| Error::Store { action: "list", place: prefix.to_string(), source };
    let mut listing = store.list(Some(prefix));
    while let Some(meta) = listing.try_next().await.map_err(failed)? {
        if meta.location.extension() == Some("parquet") {
            return Err(Error::Exists { place: prefix.to_string(), file: meta.location.to_string() });
        }
    }
    Ok(())
}

pub(super) fn encode(models: &[&Model]) -> Result<Vec<u8>, Broken> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(parquet::basic::ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![KeyValue::new(VERSION_KEY.to_owned(), VERSION.to_owned())]))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::new(schema()), Some(properties))?;
    let mut rest = models;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(batch(rest));
        writer.write(&record_batch(now)?)?;
        writer.flush()?;
        rest = later;
    }
    Ok(writer.into_inner()?)
}

/// How many of the models come into the next batch; at least one.
fn batch(models: &[&Model]) -> usize {
    let mut numbers = 0;
    let fits = |model: &&&Model| {
        numbers += model.support_vectors.len();
        numbers <= BATCH_NUMBERS
    };
    models.iter().take(BATCH_MODELS).take_while(fits).count().max(1)
}

fn record_batch(models: &[&Model]) -> Result<RecordBatch, Broken> {
    let texts =
        |of: fn(&Model) -> String| Arc::new(StringArray::from_iter_values(models.iter().map(|m| of(m)))) as ArrayRef;
    let doubles =
        |of: fn(&Model) -> Option<f64>| Arc::new(Float64Array::from_iter(models.iter().map(|m| of(m)))) as ArrayRef;
    let texts_or_null = |of: for<'m> fn(&'m Model) -> Option<&'m str>| {
        Arc::new(StringArray::from_iter(models.iter().map(|m| of(m)))) as ArrayRef
    };
    let lists = |of: for<'m> fn(&'m Model) -> &'m [f64]| {
        let mut builder = ListBuilder::new(Float64Builder::new());
        for model in models {
            builder.values().append_slice(of(model));
            builder.append(true);
        }
        Arc::new(builder.finish()) as ArrayRef
    };
    let columns: Vec<ArrayRef> = vec![
        texts_or_null(|model| model.key.device.as_deref()),
        texts_or_null(|model| model.key.sensor.as_deref()),
        features(models),
        texts(|model| model.kernel.as_str().into()),
        doubles(|model| model.kernel.gamma()),
        doubles(|model| model.kernel.coef0()),
        Arc::new(Int32Array::from_iter(models.iter().map(|model| model.kernel.degree().map(|degree| degree as i32)))),
        steps(models)?,
        lists(|model| &model.support_vectors),
        lists(|model| &model.coefficients),
        doubles(|model| Some(model.intercept)),
        doubles(|model| model.threshold.as_ref().map(|threshold| threshold.value)),
        Arc::new(StringArray::from_iter(
            models.iter().map(|model| model.threshold.as_ref().map(|threshold| threshold.how.as_str())),
        )),
        Arc::new(Int32Array::from_iter(
            models.iter().map(|model| model.threshold.as_ref().map(|threshold| threshold.smoothing as i32)),
        )),
        Arc::new(
            TimestampMicrosecondArray::from_iter(models.iter().map(|model| model.trained_at)).with_timezone("UTC"),
        ),
        Arc::new(Int64Array::from_iter(models.iter().map(|model| model.rows.map(|rows| rows as i64)))),
        texts(|model| model.version.clone()),
        texts(|model| model.source.clone()),
        texts(checksum),
    ];
    Ok(RecordBatch::try_new(Arc::new(schema()), columns)?)
}

fn features(models: &[&Model]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for model in models {
        for feature in model.features.iter().flatten() {
            builder.values().append_value(feature.to_string());
        }
        builder.append(model.features.is_some());
    }
    Arc::new(builder.finish())
}

fn steps(models: &[&Model]) -> Result<ArrayRef, Broken> {
    let DataType::List(item) = list_of(DataType::Struct(step_fields())) else { unreachable!("a list is a list") };
    let (mut names, mut numbers) = (StringBuilder::new(), ListBuilder::new(Float64Builder::new()));
    for step in models.iter().flat_map(|model| &model.steps) {
        names.append_value(step.as_str());
        numbers.values().append_slice(&step.numbers());
        numbers.append(true);
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(names.finish()), Arc::new(numbers.finish())];
    let offsets = OffsetBuffer::from_lengths(models.iter().map(|model| model.steps.len()));
    Ok(Arc::new(ListArray::try_new(
        item,
        offsets,
        Arc::new(StructArray::try_new(step_fields(), columns, None)?),
        None,
    )?))
}
