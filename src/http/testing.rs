//! Routes behind a real socket, and a client that sends what it is told, byte by byte if need be.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::limits::Limits;
use super::listener;

/// Longer than any answer takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Served {
    address: SocketAddr,
    _runtime: Runtime,
}

pub(super) fn serve(routes: Router, limits: Limits) -> Served {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().expect("its address");
    runtime.spawn(listener::accept(listener, routes, limits));
    Served { address, _runtime: runtime }
}

impl Served {
    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the service listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// Sends a request as it is, and reads up to the end of the connection.
    pub(super) fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        // It may be refused before all of it is written.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        // A client that is refused with bytes unread sees a reset after the answer.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).expect("UTF-8")
    }

    pub(super) fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
    }
}

pub(super) fn head(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or(answer, |(head, _)| head)
}

pub(super) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
