//! A GET and a look at the metrics: enough of HTTP to watch a running service, without a client library.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// `None` if nothing answers at `address` (`host:port`).
pub(crate) fn get(address: &str, path: &str) -> Option<Response> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    // HTTP/1.0: the body ends with the connection, without chunks.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Response { status, body: body.to_owned() })
}

/// The sum over all series of one metric whose labels hold `label` (empty: any); `None` if there is no such series.
pub(crate) fn metric(exposition: &str, name: &str, label: &str) -> Option<f64> {
    let value = |line: &str| -> Option<f64> {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.split_once('}')?,
            None => ("", rest),
        };
        // Another metric whose name begins alike has no space here.
        (value.starts_with(' ') && labels.contains(label)).then(|| value.trim().parse().ok()).flatten()
    };
    exposition.lines().filter_map(value).reduce(|a, b| a + b)
}

#[test]
fn metrics_are_summed_over_series() {
    let text = "# TYPE a_total counter\na_total{p=\"0\"} 2\na_total{p=\"1\"} 3\na_totals 9\nb 1.5\n";
    assert_eq!(metric(text, "a_total", ""), Some(5.0));
    assert_eq!(metric(text, "a_total", "p=\"1\""), Some(3.0));
    assert_eq!(metric(text, "b", ""), Some(1.5));
    assert_eq!(metric(text, "a", ""), None);
}
