//! Files as one bounded input (skeleton).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Files of readings: one bounded input without broker times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A file, a folder (read in the order of names, recursively), a glob like `data/*.csv.gz`, or `-` for standard input.
    /// Plain, gzip and zstd are told apart by their content.
    pub path: String,
    /// Each device's readings are in order of time (up to `aggregate.out_of_orderness`), so that windows may close before the end of
    /// the input and memory stays small. Readings that break the promise are late.
    pub assume_sorted: bool,
}
