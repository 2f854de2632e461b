//! `[storage]`: credentials and endpoints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::{Secret, Span};

/// Credentials and endpoints of object stores. Without any, the environment's own are used (workload identity, managed identity, instance
/// profiles).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Azure: the storage account's name, or `env:NAME`. Not needed where the URL names it (`abfss://…`, `https://…`).
    pub account: Option<String>,
    /// Azure: the account's key.
    pub key: Option<Secret>,
    /// Azure: a shared access signature.
    pub sas: Option<Secret>,
    /// The service's address, if it is not the cloud's own: an emulator or an S3-compatible server.
    pub endpoint: Option<String>,
    /// Azure: the Azurite emulator with its well-known account and key; `endpoint` names its address (default `http://127.0.0.1:10000`).
    pub emulator: bool,
    /// S3: the region.
    pub region: Option<String>,
    /// S3: the access key id.
    pub access_key_id: Option<Secret>,
    /// S3: the secret access key.
    pub secret_access_key: Option<Secret>,
    /// Plain http is refused unless this is set; the emulator needs no leave.
    pub allow_plaintext: bool,
    /// How long one request may take. One for a large object is given a second more for each MB of it.
    pub request_timeout: Span,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            account: None,
            key: None,
            sas: None,
            endpoint: None,
            emulator: false,
            region: None,
            access_key_id: None,
            secret_access_key: None,
            allow_plaintext: false,
            request_timeout: Span::from_secs(60),
        }
    }
}
