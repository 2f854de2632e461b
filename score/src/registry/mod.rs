//! Models as Parquet: a set of any size in a few objects, one row a model, numbers only; and which set is in use.
//!
//! Columns, version 1. The version stands in the file's metadata as `atalaia.models.version`, in a column `schema_version`, or in
//! the set's manifest; one of them is enough. Other columns are ignored.
//!
//! | column | type | may be missing | |
//! |---|---|---|---|
//! | `device`, `sensor` | text, or null | | the model key, once in a set; null: for every device, or for the whole of it |
//! | `features` | list of text, or null | yes | statistics in the vector's order; null: the configured ones |
//! | `kernel` | text | | `rbf`, `linear`, `poly`, `sigmoid` |
//! | `gamma`, `coef0`, `degree` | double, double, integer, or null | yes | null where the kernel has none |
//! | `steps` | list of {`step`: text, `numbers`: list of double} | | what is done before the kernel, see [`Step`](crate::Step); empty: nothing |
//! | `support_vectors` | list of double | | one vector after the other |
//! | `coefficients` | list of double | | one for each vector |
//! | `intercept` | double | | minus rho |
//! | `threshold`, `threshold_how`, `smoothing` | double, text, integer, or null | yes | null: judged by the sign of the decision |
//! | `trained_at` | timestamp, UTC, or null | yes | |
//! | `rows` | integer, or null | yes | rows it was trained on |
//! | `version` | text, or null | yes | tells models of one key apart; null: made from the numbers |
//! | `source` | text, or null | yes | where it came from |
//! | `checksum` | text, or null | yes | SHA-256 of all the above, see `checksum` below; null: only the manifest's hash of the file guards it |
//!
//! A place of models is a registry if it has a pointer (`layout`): immutable sets below `sets/`, each with a manifest, and numbered
//! pointers below `current/`, the highest of which names the set in use. Without one, the Parquet files under the prefix are the set.

mod columns;
mod diff;
mod layout;
mod manifest;
mod pointer;
mod publish;
mod read;
mod verify;
mod write;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use sha2::{Digest, Sha256};

use crate::Model;

pub use self::diff::{Difference, diff};
pub(crate) use self::layout::{file, is_inside};
pub(crate) use self::manifest::find as manifest;
pub use self::manifest::{FileEntry, Manifest};
pub use self::pointer::{History, Pointer, current, highest, history};
pub use self::publish::{Note, Published, point, previous, publish, publish_after};
pub(crate) use self::read::{Known, read_each, read_known};
pub use self::verify::{Problem, Verified, verify};
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
    #[error("it unpacks to {bytes} bytes, at most {max} are accepted: write smaller files")]
    TooLarge { bytes: i64, max: i64 },
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
    #[error("`{column}` of row {row} is below 0")]
    Negative { row: usize, column: &'static str },
    #[error("it has {found} bytes, the manifest says {expected}")]
    Bytes { found: u64, expected: u64 },
    #[error("its SHA-256 is `{found}`, the manifest says `{expected}`")]
    Hash { found: String, expected: String },
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
    sum.judgement(model);
    sum.option(model.trained_at, |sum, at| sum.number(at as u64));
    sum.option(model.rows, |sum, rows| sum.number(rows));
    sum.text(&model.version);
    sum.text(&model.source);
    hex(&sum.0.finalize())
}

/// The same over the key and what decides how windows are judged: equal for models that judge alike, whatever they are called.
pub(crate) fn numbers_hash(model: &Model) -> String {
    let mut sum = Sum(Sha256::new());
    sum.judgement(model);
    hex(&sum.0.finalize())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Sum(Sha256);

impl Sum {
    fn judgement(&mut self, model: &Model) {
        self.option(model.key.device.as_deref(), Sum::text);
        self.option(model.key.sensor.as_deref(), Sum::text);
        self.option(model.features.as_deref(), |sum, features| {
            sum.number(features.len() as u64);
            features.iter().for_each(|feature| sum.text(&feature.to_string()));
        });
        self.text(model.kernel.as_str());
        self.option(model.kernel.gamma(), |sum, gamma| sum.number(gamma.to_bits()));
        self.option(model.kernel.coef0(), |sum, coef0| sum.number(coef0.to_bits()));
        self.option(model.kernel.degree(), |sum, degree| sum.number(degree.into()));
        self.number(model.steps.len() as u64);
        for step in &model.steps {
            self.text(step.as_str());
            self.list(&step.numbers());
        }
        self.list(&model.support_vectors);
        self.list(&model.coefficients);
        self.number(model.intercept.to_bits());
        self.option(model.threshold.as_ref(), |sum, threshold| {
            sum.number(threshold.value.to_bits());
            sum.text(&threshold.how);
            sum.number(threshold.smoothing.into());
        });
    }

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
