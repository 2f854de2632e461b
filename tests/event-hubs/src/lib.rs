//! An Event Hubs namespace for the tests: an AMQP 1.0 server that Microsoft's own clients take for the service.
//!
//! The idea: it shares no code with the client it judges. It writes its own frames, stores events as the bytes that came, and
//! answers refusals in the words of the service. What the service does beyond that (quotas, capture, the Kafka endpoint, roles)
//! is left out; `README.md` has the list.

mod clock;
mod codec;
mod connection;
mod control;
mod faults;
mod frames;
mod hash;
mod hub;
mod message;
mod nodes;
mod options;
mod sas;
mod selector;
mod shared;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub use faults::{Command, Links};
pub use hash::partition as partition_of_key;
pub use options::{HubOptions, Options, PARTITIONS_MAX, TlsFiles};

use shared::Shared;

/// A running emulator. It ends, and drops its connections, when this is dropped.
pub struct Emulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    control: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Emulator {
    /// Starts on the current runtime.
    pub async fn start(options: Options) -> io::Result<Self> {
        let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
        let listener = TcpListener::bind(options.listen).await?;
        let control = TcpListener::bind(options.control).await?;
        let (address, control_address) = (listener.local_addr()?, control.local_addr()?);
        let hubs = hub::Hubs::open(&options)?;
        let shared = Arc::new(Shared::new(options, hubs));
        let tasks = vec![
            tokio::spawn(accept(listener, tls, Arc::clone(&shared))),
            tokio::spawn(control::serve(control, Arc::clone(&shared))),
        ];
        Ok(Self { shared, address, control: control_address, tasks })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn control_address(&self) -> SocketAddr {
        self.control
    }

    /// For a hub, as Microsoft's clients take it; over plain TCP unless there is a certificate.
    pub fn connection_string(&self, hub: &str) -> String {
        let options = &self.shared.options;
        let plain = if options.tls.is_none() { "UseDevelopmentEmulator=true;" } else { "" };
        format!(
            "Endpoint=sb://{};SharedAccessKeyName={};SharedAccessKey={};EntityPath={hub};{plain}",
            self.address, options.key_name, options.key
        )
    }

    /// Ends it and waits until its ports are free again, for another one in its place.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // Cancelled, which is no news.
            let _ = task.await;
        }
    }

    /// Does what the control channel can do, directly; steals that last need the runtime.
    pub fn apply(&self, command: Command) -> Result<serde_json::Value, String> {
        self.shared.apply(command)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        let _ = self.shared.apply(Command::Drop { connection: None });
    }
}

async fn accept(listener: TcpListener, tls: Option<tls::Acceptor>, shared: Arc<Shared>) {
    loop {
        // Too many open files, for one: that passes.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        tokio::spawn(converse(stream, tls.clone(), Arc::clone(&shared)));
    }
}

async fn converse(stream: TcpStream, tls: Option<tls::Acceptor>, shared: Arc<Shared>) {
    let handle = shared.connected();
    // How a connection ends is seen by its client; here it is nobody's error.
    let _ = stream.set_nodelay(true);
    let _ = match tls {
        None => connection::serve(stream, Arc::clone(&shared), Arc::clone(&handle)).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => connection::serve(stream, Arc::clone(&shared), Arc::clone(&handle)).await,
            Err(error) => Err(error),
        },
    };
    shared.disconnected(&handle);
}
