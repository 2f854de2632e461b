//! What an emulator is started with.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Partitions that a hub may have, more than the service's largest tier gives.
pub const PARTITIONS_MAX: usize = 2048;

#[derive(Debug, Clone)]
pub struct Options {
    /// Where AMQP is served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where faults are asked for.
    pub control: SocketAddr,
    pub hubs: Vec<HubOptions>,
    /// Beside `$Default`.
    pub consumer_groups: Vec<String>,
    pub key_name: String,
    pub key: String,
    /// Unsigned tokens of this audience are taken.
    pub accept_jwt: Option<String>,
    /// Offsets that are no numbers, as namespaces with geo-replication have.
    pub geo_offsets: bool,
    /// Events are kept here, and are there again after a restart.
    pub data: Option<PathBuf>,
    pub tls: Option<TlsFiles>,
    /// The largest frame that a client may send.
    pub max_frame_size: u32,
    /// A client silent for this long is let go.
    pub idle_time_out_ms: u32,
}

#[derive(Debug, Clone)]
pub struct HubOptions {
    pub name: String,
    pub partitions: usize,
}

#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Options {
    /// One hub on free ports, in memory.
    pub fn hub(name: &str, partitions: usize) -> Self {
        Self { hubs: vec![HubOptions { name: name.to_owned(), partitions }], ..Self::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            control: SocketAddr::from(([127, 0, 0, 1], 0)),
            hubs: Vec::new(),
            consumer_groups: Vec::new(),
            key_name: "RootManageSharedAccessKey".to_owned(),
            key: "SAS_KEY_VALUE".to_owned(),
            accept_jwt: None,
            geo_offsets: false,
            data: None,
            tls: None,
            max_frame_size: 65_536,
            idle_time_out_ms: 240_000,
        }
    }
}
