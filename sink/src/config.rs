//! `[sink]`: where results go, and how often.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::Span;

/// Where results go, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A folder or URL (`az://container/prefix/`, `abfss://…`, `s3://…`, `https://…`): the datasets and the state are folders below it, unless set
    /// one by one.
    pub url: String,
    /// Default `<url>/predictions`.
    pub predictions: Option<String>,
    /// Default `<url>/late`.
    pub late: Option<String>,
    /// Default `<url>/quarantine`.
    pub quarantine: Option<String>,
    /// Default `<url>/runs`: how each commit went, a row a commit.
    pub runs: Option<String>,
    /// Default `<url>/state`. Never inside a dataset.
    pub state: Option<String>,
    /// Id of the pipeline that this one takes over from (`atalaia state drain`): partitions begin where its drain began, and
    /// readings before its boundary are left to it. The state of both lies in the same place.
    pub predecessor: Option<String>,
    /// How often position and state become durable.
    pub commit_interval: Span,
    /// Closed rows wait until there are this many, or for `max_delay`.
    pub min_rows: usize,
    /// The longest that a closed row waits for company. `0` writes at once: many small files.
    pub max_delay: Span,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            url: String::new(),
            predictions: None,
            late: None,
            quarantine: None,
            runs: None,
            state: None,
            predecessor: None,
            commit_interval: Span::from_secs(60),
            min_rows: 10_000,
            max_delay: Span::from_secs(300),
        }
    }
}
