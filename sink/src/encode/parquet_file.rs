//! One batch -> the bytes of one Parquet file, with the commit it belongs to in the footer, for audits.

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::{Dataset, Origin};
use crate::Error;

/// Columns of computed numbers, which hardly ever repeat: looking for repetitions would cost more than it saves.
const COMPUTED: [&str; 6] = ["value_sum", "value_mean", "value_std", "value_delta", "decision", "severity"];

pub(super) fn write(dataset: Dataset, batch: &RecordBatch, origin: Origin<'_>) -> Result<Bytes, Error> {
    try_write(batch, origin).map_err(|e| Error::Encode { dataset, reason: e.to_string() })
}

fn try_write(batch: &RecordBatch, origin: Origin<'_>) -> Result<Bytes, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_created_by(concat!("atalaia ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(footer(origin)));
    for column in COMPUTED {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    let properties = properties.build();
    // About what a row takes when compressed, so that the buffer rarely moves.
    let buffer = Vec::with_capacity(4096 + batch.num_rows() * 64);
    let mut writer = ArrowWriter::try_new(buffer, batch.schema(), Some(properties))?;
    writer.write(batch)?;
    Ok(writer.into_inner()?.into())
}

fn footer(origin: Origin<'_>) -> Vec<KeyValue> {
    let Origin { pipeline, partition, genesis, seq, next } = origin;
    [
        ("atalaia.pipeline", pipeline.to_owned()),
        ("atalaia.topic", partition.topic.to_string()),
        ("atalaia.partition", partition.index.to_string()),
        ("atalaia.genesis", genesis.to_string()),
        ("atalaia.seq", seq.to_string()),
        ("atalaia.next", next.to_string()),
    ]
    .map(|(key, value)| KeyValue::new(key.to_owned(), value))
    .into()
}
