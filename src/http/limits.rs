//! What a request may be, and how long its answer may take. Nothing here writes, and no handler reads a body.

use std::time::Duration;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

/// The same for both listeners, and no setting: what is asked for here is small and quick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// More wait in the system's queue until one is done.
    pub(super) connections_max: usize,
    /// The head of a request must be there by then; so long a connection may be idle, too.
    pub(super) head_timeout: Duration,
    pub(super) head_bytes_max: usize,
    /// A body that nobody asked for is refused above this, and never read.
    pub(super) body_bytes_max: u64,
    pub(super) answer_timeout: Duration,
    /// Then a connection ends after the answer at hand, and is cut off one `answer_timeout` later: for those who do not read.
    pub(super) connection_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 64,
            head_timeout: Duration::from_secs(5),
            head_bytes_max: 64 << 10,
            body_bytes_max: 1 << 20,
            answer_timeout: Duration::from_secs(5),
            connection_timeout: Duration::from_secs(30),
        }
    }
}

/// Puts the limits before the routes, also before those that do not exist.
pub(super) fn guard(routes: Router, limits: Limits) -> Router {
    routes.layer(middleware::from_fn_with_state(limits, check))
}

async fn check(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allow = [(header::ALLOW, HeaderValue::from_static("GET, HEAD"))];
        return (StatusCode::METHOD_NOT_ALLOWED, allow, "read-only: GET and HEAD\n").into_response();
    }
    match request.body().size_hint().upper() {
        None => return (StatusCode::LENGTH_REQUIRED, "a body without a length is not taken\n").into_response(),
        Some(bytes) if bytes > limits.body_bytes_max => {
            return (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n").into_response();
        }
        Some(_) => {}
    }
    match timeout(limits.answer_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the answer took too long\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;
    use crate::http::testing::{Served, head, serve};

    fn hello() -> Served {
        let limits = Limits { answer_timeout: Duration::from_millis(100), ..Limits::default() };
        let routes = Router::new()
            .route("/hello", get(|| async { "hello\n" }))
            .route("/never", get(|| async { std::future::pending::<&str>().await }));
        serve(routes, limits)
    }

    #[test]
    fn the_limits_are_those_that_are_promised() {
        let limits = Limits::default();
        assert_eq!((limits.connections_max, limits.body_bytes_max), (64, 1_048_576));
        assert_eq!([limits.head_timeout, limits.answer_timeout], [Duration::from_secs(5); 2]);
    }

    #[test]
    fn only_get_and_head_are_taken() {
        let served = hello();
        for (method, expected) in [
            ("GET", "HTTP/1.1 200"),
            ("HEAD", "HTTP/1.1 200"),
            ("POST", "HTTP/1.1 405"),
            ("PUT", "HTTP/1.1 405"),
            ("DELETE", "HTTP/1.1 405"),
            ("OPTIONS", "HTTP/1.1 405"),
            ("TRACE", "HTTP/1.1 405"),
            ("BREW", "HTTP/1.1 405"),
        ] {
            for path in ["/hello", "/nothing"] {
                let answer = served.ask(&format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
                let expected = if path == "/nothing" { expected.replace("200", "404") } else { expected.to_owned() };
                assert!(answer.starts_with(&expected), "{method} {path}: {answer}");
                assert_eq!(head(&answer).contains("allow: GET, HEAD"), expected.ends_with("405"), "{answer}");
            }
        }
        assert!(served.get("/hello").ends_with("\r\n\r\nhello\n"));
    }

    #[test]
    fn a_body_is_refused_above_its_limit_or_without_a_length() {
        let served = hello();
        let ask = |header: &str| served.ask(&format!("GET /hello HTTP/1.1\r\nhost: a\r\n{header}\r\n\r\n"));
        assert!(ask("content-length: 1048577").starts_with("HTTP/1.1 413"));
        assert!(ask("content-length: 99999999999").starts_with("HTTP/1.1 413"));
        assert!(ask("transfer-encoding: chunked").starts_with("HTTP/1.1 411"));
        // What is within the limit is left alone, and its sender is answered without it.
        assert!(ask("content-length: 1048576").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn a_handler_that_does_not_end_is_given_up() {
        let served = hello();
        assert!(served.get("/never").starts_with("HTTP/1.1 503"));
        assert!(served.get("/hello").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn a_head_without_end_is_refused() {
        let served = hello();
        let long = "a".repeat(128 << 10);
        let answer = served.ask(&format!("GET /hello HTTP/1.1\r\nhost: a\r\nlong: {long}\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}
