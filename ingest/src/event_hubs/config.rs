//! `[ingest.event_hubs]`: one event hub, and by which of its two faces it is read.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::{Secret, Span};

/// Azure Event Hubs. The namespace and the hub come from the connection string, where there is one; otherwise both are named here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The namespace's full host name, `plant.servicebus.windows.net`, with `:PORT` where it is not the usual one. Left out where a
    /// connection string names it.
    pub namespace: Option<String>,
    /// The event hub. Left out where the connection string has an `EntityPath`. Its partitions must have numbers for names, as the
    /// service gives them.
    pub hub: Option<String>,
    /// The consumer group: instances of one pipeline share it, and no other program may read in it.
    pub consumer_group: String,
    /// How the service is talked to: `amqp`, `amqp-websockets` (through port 443, where a firewall lets nothing else through) or `kafka`
    /// (several times as fast; the group's members share the partitions by Kafka's own protocol).
    pub protocol: Protocol,
    /// By its place, the connection string of a policy with the right to listen. With `UseDevelopmentEmulator=true` in it, an emulator is
    /// talked to, without TLS.
    pub connection_string: Option<Secret>,
    /// By its place, a shared access signature made elsewhere, instead of the key that makes them. A file is read anew before
    /// the signature in it expires.
    pub sas_token: Option<Secret>,
    /// Microsoft Entra ID, where there is neither a connection string nor a signature.
    pub entra: Entra,
    /// Events of a partition that may be on the way to us or wait here. Fewer where events are large: all partitions of a worker share
    /// 64 MiB, of which each has at least 2 MiB.
    pub prefetch: u32,
    /// Instances share the partitions by notes in a blob container. Without, all partitions are this instance's.
    pub ownership: Ownership,
    /// Certificates (PEM) to trust besides the public ones.
    pub ca_file: Option<String>,
    /// With `protocol = "kafka"`: passed to librdkafka, in addition to what Event Hubs wants.
    pub properties: BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            namespace: None,
            hub: None,
            consumer_group: "$Default".into(),
            protocol: Protocol::default(),
            connection_string: None,
            sas_token: None,
            entra: Entra::default(),
            prefetch: 2000,
            ownership: Ownership::default(),
            ca_file: None,
            properties: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    #[default]
    Amqp,
    AmqpWebsockets,
    Kafka,
}

/// Who we are to Microsoft Entra ID.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Entra {
    /// `auto` takes the first that the environment has: a workload identity, else a managed identity.
    pub method: EntraMethod,
    /// The application's (workload identity, client secret) or the user-assigned identity's (managed identity) client id. Left out: the
    /// environment's `AZURE_CLIENT_ID`, or the system-assigned identity.
    pub client_id: Option<String>,
    /// The directory. Left out: the environment's `AZURE_TENANT_ID`.
    pub tenant_id: Option<String>,
    /// By its place, the secret of the application, for `client-secret`.
    pub client_secret: Option<Secret>,
    /// The file with the token of a workload identity. Left out: the environment's `AZURE_FEDERATED_TOKEN_FILE`. It is read anew each time.
    pub token_file: Option<String>,
    /// Where tokens are asked for. Left out: the environment's `AZURE_AUTHORITY_HOST`, else `https://login.microsoftonline.com`.
    pub authority: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EntraMethod {
    #[default]
    Auto,
    WorkloadIdentity,
    ManagedIdentity,
    ClientSecret,
}

/// How instances share partitions: by notes in blobs, in the layout of Microsoft's own clients. They balance the load and tell
/// others how far reading got; that a partition is never committed by two does not rest on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ownership {
    /// The container, such as `az://checkpoints`. It must exist.
    pub url: Option<String>,
    /// `greedy` takes a fair share at once; `balanced` one partition each `renew_interval`, which moves fewer partitions while many
    /// instances come and go.
    pub strategy: Strategy,
    /// How often each claim is renewed, and others are looked at.
    pub renew_interval: Span,
    /// A claim that was not renewed for this long is anybody's. It must be longer than `renew_interval`, and as long as that of
    /// other programs in the consumer group.
    pub expiry: Span,
}

impl Default for Ownership {
    fn default() -> Self {
        Ownership {
            url: None,
            strategy: Strategy::default(),
            renew_interval: Span::from_secs(10),
            expiry: Span::from_secs(60),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    Balanced,
    #[default]
    Greedy,
}
