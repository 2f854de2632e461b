//! Connections: taken up to a number at once, given up when their client is too slow.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::limits::{self, Limits};

/// After an error that is not of one connection: no descriptors are left, say.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Serves in the background until the runtime ends; `off` serves nothing. Returns the address that was bound.
///
/// # Errors
/// If the address cannot be bound.
pub(super) fn serve(
    address: &str,
    setting: &str,
    routes: Router,
    runtime: &Handle,
) -> anyhow::Result<Option<SocketAddr>> {
    if address == "off" {
        return Ok(None);
    }
    // Advice stands on a line of its own: `report` shows it as the hint.
    let listener = runtime.block_on(TcpListener::bind(address)).with_context(|| {
        format!(
            "listen on `{address}` (`{setting}`)\nset `{setting}` to an address of this machine and a port that no other program \
             or instance has, or to `off`"
        )
    })?;
    let bound = listener.local_addr().context("read the listener's address")?;
    runtime.spawn(accept(listener, routes, Limits::default()));
    Ok(Some(bound))
}

/// Takes connections for ever.
pub(super) async fn accept(listener: TcpListener, routes: Router, limits: Limits) {
    let routes = limits::guard(routes, limits);
    let places = Arc::new(Semaphore::new(limits.connections_max));
    // Never closed: there is always a place again.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let routes = routes.clone();
                tokio::spawn(async move {
                    converse(stream, routes, limits).await;
                    drop(place);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot take HTTP connections: it is tried again");
                sleep(TRY_AGAIN).await;
            }
        }
    }
}

/// What goes wrong in a conversation is the client's to see: it is not logged.
async fn converse(stream: TcpStream, routes: Router, limits: Limits) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(limits.head_bytes_max);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)));
    if timeout(limits.connection_timeout, &mut connection).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(limits.answer_timeout, connection).await;
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use axum::routing::get;

    use super::*;
    use crate::http::testing::{self, Served};

    const SOON: Duration = Duration::from_millis(200);
    /// So large that nothing in these tests waits for it.
    const NEVER: Duration = Duration::from_secs(3600);

    fn served(limits: Limits) -> Served {
        // More than what lies in the buffers of two sockets.
        let large = "x".repeat(64 << 20);
        let routes = Router::new()
            .route("/hello", get(|| async { "hello\n" }))
            .route("/large", get(move || std::future::ready(large.clone())));
        testing::serve(routes, limits)
    }

    #[test]
    fn a_client_that_drips_its_request_is_cut_off() {
        let limits = Limits { head_timeout: SOON, connection_timeout: NEVER, ..Limits::default() };
        let served = served(limits);
        let mut stream = served.connect();
        let mut dripped = 0;
        // A byte now and then keeps an idle timeout away; the head has to be there in time all the same.
        for byte in "GET /hello HTTP/1.1\r\n".bytes().chain(std::iter::repeat(b'a')) {
            if stream.write_all(&[byte]).is_err() {
                break;
            }
            dripped += 1;
            std::thread::park_timeout(SOON / 10);
            assert!(dripped < 2000, "nobody cuts it off");
        }
        assert!(served.get("/hello").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn an_idle_connection_ends() {
        for silence in [&b""[..], b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n"] {
            let served = served(Limits { head_timeout: SOON, connection_timeout: NEVER, ..Limits::default() });
            let mut stream = served.connect();
            stream.write_all(silence).expect("it is open");
            let mut answer = String::new();
            // Up to the end of the connection, or a failure at the test's own timeout.
            stream.read_to_string(&mut answer).expect("the service ends it");
            assert_eq!(answer.is_empty(), silence.is_empty());
        }
    }

    #[test]
    fn a_client_that_does_not_read_is_cut_off() {
        let limits = Limits { answer_timeout: SOON, connection_timeout: SOON, connections_max: 1, ..Limits::default() };
        let served = served(limits);
        let mut stream = served.connect();
        stream.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").expect("it is open");
        // Answered only once the only place is free again.
        assert!(served.get("/hello").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn more_connections_than_there_are_places_wait_for_one() {
        let limits = Limits { connections_max: 3, head_timeout: NEVER, connection_timeout: NEVER, ..Limits::default() };
        let served = served(limits);
        let mut held: Vec<_> = (0..3).map(|_| served.connect()).collect();
        for stream in &mut held {
            // An answer proves that it has its place.
            stream.write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\n\r\n").expect("it is open");
            stream.read_exact(&mut [0; 12]).expect("an answer");
        }
        let mut waiting = served.connect();
        waiting.write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").expect("queued");
        waiting.set_read_timeout(Some(SOON)).expect("a timeout");
        let nothing = waiting.read(&mut [0]).expect_err("no place is free");
        assert!(matches!(nothing.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{nothing}");
        held.pop();
        waiting.set_read_timeout(Some(testing::PATIENCE)).expect("a timeout");
        let mut answer = String::new();
        waiting.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
