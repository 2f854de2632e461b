//! `atalaia health`: asks a running service how it is. The health check of an image that has no shell and no curl.
//!
//! One request over plain HTTP, with the standard library's socket: the answer's status decides, and its text is shown.
//! It reads no configuration: a container's health check has no arguments to find it by.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use axum::http::Uri;

use super::output::Output;

/// The probes answer with a line or two.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Asks a running service how it is; exit status 1 if it is not well or does not answer
///
/// It prints what the service says. The probes are described in docs/running.md.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  atalaia health                                             alive?
  atalaia health --url http://127.0.0.1:9464/readyz          ready?")]
pub(crate) struct Args {
    /// What to ask: `/livez` or `/readyz` of the listener that `telemetry.metrics` names
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464/livez")]
    url: String,

    /// How long it may take in all
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout_seconds: u64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let answer = ask(&args.url, Duration::from_secs(args.timeout_seconds))
        .with_context(|| format!("ask `{}` how the service is", args.url))?;
    let mut output = Output::new();
    output.line(&answer.text);
    output.finish()?;
    Ok(if answer.status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    /// The first line of its body.
    text: String,
}

fn ask(url: &str, timeout: Duration) -> anyhow::Result<Answer> {
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
    parse(&read(stream, deadline)?)
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
fn read(stream: TcpStream, deadline: Instant) -> anyhow::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    let mut limited = stream.take(ANSWER_BYTES_MAX);
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
    let answer = String::from_utf8_lossy(answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut words = head.split_ascii_whitespace();
    let status = match (words.next(), words.next().map(str::parse)) {
        (Some(version), Some(Ok(status))) if version.starts_with("HTTP/1.") => status,
        _ => bail!("the answer is not HTTP"),
    };
    // Shown on a terminal, and whoever listens on that port may have said it.
    let text = body.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    Ok(Answer { status, text })
}

#[cfg(test)]
mod tests;
