//! `[telemetry]`: what the service says about itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::Span;

use crate::otlp;

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
    /// broker or a store is away never takes a worker so long. At least `1m`.
    pub stuck_after: Span,
    /// How log lines look: `text` for people, `json` for machines.
    pub log_format: LogFormat,
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or levels by part of the program, like `info,ingest=debug`.
    pub log: String,
    /// Most lines that one place in the program may log in ten seconds; how many more there were is said in one line then. Debugging lines are not
    /// counted. 0: no limit.
    pub log_repeats_max: u64,
    /// Where log lines are kept as well, as JSON lines in `date=…/<instance>-….jsonl`: a folder or a URL like `az://logs`, with the credentials of
    /// `[storage]`. All jobs and instances may share it; only new objects are created there. Left out: nowhere.
    pub logs: Option<String>,
    /// How often they are written there. Beyond what a few MiB hold, lines are dropped and counted.
    pub logs_interval: Span,
    pub otlp: otlp::Config,
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
            log_repeats_max: 100,
            logs: None,
            logs_interval: Span::from_secs(60),
            otlp: otlp::Config::default(),
        }
    }
}
