//! The other side: one request to a running service, over plain HTTP with the standard library's socket.
//!
//! For commands that look at a service on this machine or through a tunnel. Its time and its answer are bounded, whoever
//! listens there.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use axum::http::Uri;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first line of its body. Shown on a terminal, and whoever listens on that port may have said it.
    pub(crate) fn first_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect()
    }
}

/// Asks, within this time in all; of the answer no more than so many bytes are read.
///
/// # Errors
/// If the URL is none of plain HTTP, nobody answers in time, or what answers is not HTTP.
pub(crate) fn ask(url: &str, timeout: Duration, answer_bytes_max: u64) -> anyhow::Result<Answer> {
    let deadline = Instant::now() + timeout;
    let uri: Uri = url.parse().context("read the URL")?;
    let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else {
        bail!("the URL does not begin with `http://` and a host");
    };
    let port = uri.port_u16().unwrap_or(80);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());

    let mut stream = connect(host, port, deadline)?;
    stream.set_write_timeout(Some(left(deadline)?)).context("limit the time of the request")?;
    // In one piece: who answers the first of several and closes would reset the connection under the answer.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).context("send the request")?;
    parse(&read(stream, deadline, answer_bytes_max)?)
}

/// To the first of the host's addresses that takes the connection.
fn connect(host: &str, port: u16, deadline: Instant) -> anyhow::Result<TcpStream> {
    // An IPv6 address stands in brackets in a URL.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let mut failure = None;
    for address in (name, port).to_socket_addrs().context("find the host")? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) => Err(error).context("connect"),
        None => bail!("the host has no address"),
    }
}

/// Until the service closes the connection, or has said enough.
fn read(stream: TcpStream, deadline: Instant, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    let mut limited = stream.take(bytes_max);
    loop {
        // Anew for each piece: who answers byte by byte must not keep the check waiting.
        limited.get_ref().set_read_timeout(Some(left(deadline)?)).context("limit the time of the answer")?;
        match limited.read(&mut piece) {
            Ok(0) => return Ok(answer),
            Ok(bytes) => answer.extend_from_slice(&piece[..bytes]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("read the answer"),
        }
    }
}

fn left(deadline: Instant) -> anyhow::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        bail!("no answer in time");
    }
    Ok(left)
}

fn parse(answer: &[u8]) -> anyhow::Result<Answer> {
    const END: &[u8] = b"\r\n\r\n";
    let end = answer.windows(END.len()).position(|bytes| bytes == END);
    let (head, body) = end.map_or((answer, &[][..]), |end| (&answer[..end], &answer[end + END.len()..]));
    let head = String::from_utf8_lossy(head);
    let mut words = head.split_ascii_whitespace();
    let status = match (words.next(), words.next().map(str::parse)) {
        (Some(version), Some(Ok(status))) if version.starts_with("HTTP/1.") => status,
        _ => bail!("the answer is not HTTP"),
    };
    // As what stands between may send it.
    let is_chunked = head.lines().any(|line| {
        let (name, value) = line.split_once(':').unwrap_or_default();
        name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked")
    });
    let body = if is_chunked { joined(body).context("the answer is cut short")? } else { body.to_vec() };
    Ok(Answer { status, body })
}

/// What came in chunks, each behind its length. None: it ends before its end.
fn joined(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = chunks.windows(2).position(|bytes| bytes == b"\r\n")?;
        let length = std::str::from_utf8(&chunks[..line]).ok()?.split(';').next()?.trim();
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        let chunk = chunks.get(line + 2..)?;
        body.extend_from_slice(chunk.get(..length)?);
        chunks = chunk.get(length + 2..)?;
    }
}

#[cfg(test)]
mod tests;
