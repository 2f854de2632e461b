//! `[telemetry]`: what the service says about itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::Span;

/// What the service says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address of `/metrics`, `/livez` and `/readyz`, or `off`. `0.0.0.0:9464` lets other machines in: containers need it.
    pub metrics: String,
    /// Address of the status page and the API behind it, such as `127.0.0.1:9465`, or `off`. Read-only, but it shows names of devices and
    /// the configuration (without secrets) to everybody who reaches it.
    pub status: String,
    /// `/livez` fails when a worker thread has not got round to its partitions for this long: the process is stuck and should be started anew. That a
    /// broker or a store is away never takes a worker so long. At least `10s`.
    pub stuck_after: Span,
    /// How log lines look: `text` for people, `json` for machines.
    pub log_format: LogFormat,
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or levels by part of the program, like `info,ingest=debug`.
    pub log: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            metrics: "127.0.0.1:9464".into(),
            status: "off".into(),
            stuck_after: Span::from_secs(120),
            log_format: LogFormat::Text,
            log: "info".into(),
        }
    }
}
