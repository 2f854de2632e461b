//! Models as Parquet: a set of any size in a few objects, one row a model, numbers only.
//!
//! Columns, version 1 (the version stands in the file's metadata as `atalaia.models.version`):
//!
//! | column | type | |
//! |---|---|---|
//! | `device`, `sensor` | text, or null | the model key, once in a set; null: for every device, or for the whole of it |
//! | `features` | list of text, or null | statistics in the vector's order; null: the configured ones |
//! | `kernel` | text | `rbf`, `linear`, `poly`, `sigmoid` |
//! | `gamma`, `coef0`, `degree` | double, double, int32, or null | null where the kernel has none |
//! | `steps` | list of {`step`: text, `numbers`: list of double} | what is done before the kernel, see [`Step`](crate::Step) |
//! | `support_vectors` | list of double | one vector after the other |
//! | `coefficients` | list of double | one for each vector |
//! | `intercept` | double | minus rho |
//! | `threshold`, `threshold_how`, `smoothing` | double, text, int32, or null | null: judged by the sign of the decision |
//! | `trained_at` | timestamp (µs, UTC), or null | |
//! | `rows` | int64, or null | rows it was trained on |
//! | `version`, `source` | text | where it came from |
//! | `checksum` | text | SHA-256 of all the above, see `checksum` below |
//!
//! Which set is in use, and its history, is the caller's: here a set is the Parquet files under one prefix.

mod read;
mod write;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use sha2::{Digest, Sha256};

use crate::Model;

/// For the fuzzer; others load a set through [`load`](crate::load), which also survives a panic of the Parquet library.
#[doc(hidden)]
pub use read::read;
pub use write::{Written, write_registry};

const VERSION_KEY: &str = "atalaia.models.version";
const VERSION: &str = "1";

/// Why a registry file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("it is not Parquet")]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error("its rows cannot be read")]
    Arrow(#[from] arrow::error::ArrowError),
    #[error("the Parquet library cannot make sense of it")]
    Decoder,
    #[error("it is not a registry of models: the metadata have no `{VERSION_KEY}`")]
    NoVersion,
    #[error("its version is `{found}`, this program reads `{VERSION}`")]
    Version { found: String },
    #[error("the column `{column}` is missing, or not of the type {expected}")]
    Column { column: &'static str, expected: DataType },
    #[error("row {row} has no `{column}`")]
    Null { row: usize, column: &'static str },
    #[error("row {row} wants the feature `{feature}`, which is unknown")]
    Feature { row: usize, feature: String },
    #[error("row {row} has the step `{step}`, which is unknown or lacks a number")]
    Step { row: usize, step: String },
    #[error("row {row} has the kernel `{kernel}`, which is unknown or lacks a parameter")]
    Kernel { row: usize, kernel: String },
    #[error("the checksum of row {row} does not fit its numbers")]
    Checksum { row: usize },
}

/// The columns, in order.
fn schema() -> Schema {
    let text = |name, null| Field::new(name, DataType::Utf8, null);
    let double = |name, null| Field::new(name, DataType::Float64, null);
    let doubles = |name, null| Field::new(name, list_of(DataType::Float64), null);
    Schema::new(vec![
        text("device", true),
        text("sensor", true),
        Field::new("features", list_of(DataType::Utf8), true),
        text("kernel", false),
        double("gamma", true),
        double("coef0", true),
        Field::new("degree", DataType::Int32, true),
        Field::new("steps", list_of(DataType::Struct(step_fields())), false),
        doubles("support_vectors", false),
        doubles("coefficients", false),
        double("intercept", false),
        double("threshold", true),
        text("threshold_how", true),
        Field::new("smoothing", DataType::Int32, true),
        Field::new("trained_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("rows", DataType::Int64, true),
        text("version", false),
        text("source", false),
        text("checksum", false),
    ])
}

fn step_fields() -> Fields {
    Fields::from(vec![
        Field::new("step", DataType::Utf8, false),
        Field::new("numbers", list_of(DataType::Float64), false),
    ])
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// SHA-256 over every field in the order of the columns: texts and lists with their lengths, numbers by their bits, little-endian;
/// what is null as one byte 0, what is not after one byte 1.
pub(crate) fn checksum(model: &Model) -> String {
    let mut sum = Sum(Sha256::new());
    sum.option(model.key.device.as_deref(), Sum::text);
    sum.option(model.key.sensor.as_deref(), Sum::text);
    sum.option(model.features.as_deref(), |sum, features| {
        sum.number(features.len() as u64);
        features.iter().for_each(|feature| sum.text(&feature.to_string()));
    });
    sum.text(model.kernel.as_str());
    sum.option(model.kernel.gamma(), |sum, gamma| sum.number(gamma.to_bits()));
    sum.option(model.kernel.coef0(), |sum, coef0| sum.number(coef0.to_bits()));
    sum.option(model.kernel.degree(), |sum, degree| sum.number(degree.into()));
    sum.number(model.steps.len() as u64);
    for step in &model.steps {
        sum.text(step.as_str());
        sum.list(&step.numbers());
    }
    sum.list(&model.support_vectors);
    sum.list(&model.coefficients);
    sum.number(model.intercept.to_bits());
    sum.option(model.threshold.as_ref(), |sum, threshold| {
        sum.number(threshold.value.to_bits());
        sum.text(&threshold.how);
        sum.number(threshold.smoothing.into());
    });
    sum.option(model.trained_at, |sum, at| sum.number(at as u64));
    sum.option(model.rows, |sum, rows| sum.number(rows));
    sum.text(&model.version);
    sum.text(&model.source);
    sum.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Sum(Sha256);

impl Sum {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text);
    }

    fn list(&mut self, numbers: &[f64]) {
        self.number(numbers.len() as u64);
        numbers.iter().for_each(|number| self.number(number.to_bits()));
    }

    fn option<T>(&mut self, value: Option<T>, add: impl FnOnce(&mut Sum, T)) {
        self.0.update([u8::from(value.is_some())]);
        if let Some(value) = value {
            add(self, value);
        }
    }
}

#[cfg(test)]
mod tests;
