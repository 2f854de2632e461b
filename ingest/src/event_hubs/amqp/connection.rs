//! One AMQP connection: TCP, TLS unless it is an emulator's, optionally a WebSocket, SASL ANONYMOUS, `open`.
//!
//! Who we are is shown later, by tokens over `$cbs` (`client`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fe2o3_amqp::Connection;
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp_types::definitions::Fields;
use fe2o3_amqp_ws::WebSocketStream;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_amqp::Value;
use serde_amqp::primitives::Symbol;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::{Class, Failure};
use super::tls;
use crate::Error;
use crate::event_hubs::config::{Config, Protocol};
use crate::event_hubs::place::{PORT_OF_WEBSOCKETS, Place};

/// As Microsoft's clients ask for.
const FRAME_BYTES_MAX: u32 = 1024 * 1024;

/// As the service allows: each partition that is read has a channel.
const CHANNEL_MAX: u16 = 4999;

/// How long is waited for what. Nothing is waited for without a bound: a peer that is gone half never answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) connect: Duration,
    pub(crate) request: Duration,
    /// A connection over which nothing at all was heard for this long is lost.
    pub(crate) idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { connect: Duration::from_secs(15), request: Duration::from_secs(15), idle: Duration::from_secs(60) }
    }
}

/// How the hub is come to.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) place: Place,
    pub(crate) patience: Patience,
    tls: Option<Arc<ClientConfig>>,
    is_websocket: bool,
}

impl Way {
    /// # Errors
    /// If settings are missing, contradict each other, or are refused.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let mut place = Place::of(config)?;
        let is_websocket = config.protocol == Protocol::AmqpWebsockets;
        if is_websocket && place.has_usual_port() {
            place.port = PORT_OF_WEBSOCKETS;
        }
        let tls = if place.is_emulator { None } else { Some(tls::client(config)?) };
        Ok(Way { place, patience: Patience::default(), tls, is_websocket })
    }

    /// Opens a connection.
    pub(crate) async fn open(&self, container: &str) -> Result<ConnectionHandle<()>, Failure> {
        let timeout = self.patience.connect;
        tokio::time::timeout(timeout, self.open_unbounded(container))
            .await
            .unwrap_or_else(|_| Err(Failure::silent("connecting", timeout)))
    }

    async fn open_unbounded(&self, container: &str) -> Result<ConnectionHandle<()>, Failure> {
        let Place { host, port, .. } = &self.place;
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((name, *port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let Some(config) = &self.tls else { return self.open_over(stream, "ws", container).await };
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| Failure::new(Class::Tls, "tls", error.to_string()))?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map_err(|error| {
            let class = if tls::is_mistrust(&error) { Class::Tls } else { Class::Lost };
            Failure::new(class, "tls", error.to_string())
        })?;
        self.open_over(stream, "wss", container).await
    }

    async fn open_over<S>(&self, stream: S, scheme: &str, container: &str) -> Result<ConnectionHandle<()>, Failure>
    where
        S: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static,
    {
        if !self.is_websocket {
            return self.open_amqp(stream, container).await;
        }
        let address = format!("{scheme}://{}/$servicebus/websocket/", self.place.address());
        let stream = WebSocketStream::connect_with_stream(address, stream)
            .await
            .map_err(|error| Failure::new(Class::Lost, "websocket", error.to_string()))?;
        self.open_amqp(stream, container).await
    }

    async fn open_amqp<S>(&self, stream: S, container: &str) -> Result<ConnectionHandle<()>, Failure>
    where
        S: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static,
    {
        let idle_millis = u32::try_from(self.patience.idle.as_millis()).unwrap_or(u32::MAX);
        let builder = Connection::builder()
            .container_id(container)
            .hostname(self.place.host.as_str())
            .max_frame_size(FRAME_BYTES_MAX)
            .channel_max(CHANNEL_MAX)
            // The peer is told half of it.
            .idle_time_out(idle_millis)
            .sasl_profile(SaslProfile::Anonymous)
            .properties(properties());
        Ok(builder.open_with_stream(stream).await?)
    }
}

fn properties() -> Fields {
    let mut properties = Fields::new();
    let version = env!("CARGO_PKG_VERSION");
    for (name, value) in [
        ("product", "atalaia".to_owned()),
        ("version", version.to_owned()),
        ("platform", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("user-agent", format!("atalaia/{version}")),
    ] {
        properties.insert(Symbol::from(name), Value::String(value));
    }
    properties
}

fn unreachable(error: io::Error) -> Failure {
    Failure::new(Class::Lost, "i/o", error.to_string())
}
