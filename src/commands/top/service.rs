//! A running service as `top` asks it: all documents in one go, now and then, each service by a thread of its own.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use super::documents::{Documents, NAMES};
use crate::{failure, http};

/// For each document; a service that is well answers in milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Thousands of partitions.
const ANSWER_BYTES_MAX: u64 = 32 << 20;
/// Answers that wait to be shown.
const WAITING_MAX: usize = 16;

/// What a service said: as it said it, and as far as it is shown.
pub(super) struct Said {
    pub(super) raw: Map<String, Value>,
    pub(super) documents: Documents,
}

/// What the service of this number said, or why it did not.
pub(super) type News = (usize, Result<Said, String>);

/// The threads that ask; dropped, they end.
pub(super) struct Asking {
    news: Receiver<News>,
    _stop: Vec<SyncSender<()>>,
}

/// The address in its full form: `http://` may be left out, a path is none of ours.
pub(super) fn address(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.starts_with("https://") {
        return Err("services speak plain HTTP: write `http://`, and a tunnel's address where TLS is between".into());
    }
    let host = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    match host.is_empty() || host.contains(['/', ' ', '?', '#']) {
        true => Err("write the address of a service like `http://127.0.0.1:9465`".into()),
        false => Ok(format!("http://{host}")),
    }
}

/// # Errors
/// If the service does not answer, or not as a service does.
pub(super) fn ask(url: &str) -> anyhow::Result<Said> {
    let mut raw = Map::new();
    for name in NAMES {
        raw.insert(name.to_owned(), document(url, name)?);
    }
    let documents = Documents::read(raw.clone()).context("read what the service says")?;
    Ok(Said { raw, documents })
}

fn document(url: &str, name: &str) -> anyhow::Result<Value> {
    let answer = http::ask(&format!("{url}/api/v1/{name}"), ANSWER_WITHIN, ANSWER_BYTES_MAX)?;
    match answer.status {
        200 => serde_json::from_slice(&answer.body).context("read what the service says"),
        404 => bail!("what answers there has no status page"),
        status => bail!("it answers with status {status}: {}", answer.first_line()),
    }
}

impl Asking {
    /// Asks each of them again and again, the first time after an interval.
    ///
    /// # Errors
    /// If there are no more threads.
    pub(super) fn begin(urls: &[String], interval: Duration) -> anyhow::Result<Asking> {
        let (sender, news) = mpsc::sync_channel(WAITING_MAX);
        let mut stops = Vec::new();
        for (number, url) in urls.iter().cloned().enumerate() {
            let (stop, stopped) = mpsc::sync_channel::<()>(0);
            stops.push(stop);
            let sender = sender.clone();
            let ask_again = move || {
                while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                    let said = ask(&url).map_err(|error| failure::chain(&error));
                    if sender.send((number, said)).is_err() {
                        return;
                    }
                }
            };
            thread::Builder::new().name(format!("asks-{number}")).spawn(ask_again).context("start a thread")?;
        }
        Ok(Asking { news, _stop: stops })
    }

    /// What was said since the last time.
    pub(super) fn news(&self) -> Vec<News> {
        self.news.try_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_in_several_forms() {
        for text in ["http://127.0.0.1:9465", "127.0.0.1:9465", "http://127.0.0.1:9465/", " 127.0.0.1:9465"] {
            assert_eq!(address(text).as_deref(), Ok("http://127.0.0.1:9465"));
        }
        assert_eq!(address("[::1]:9465").as_deref(), Ok("http://[::1]:9465"));
        for text in ["", "http://", "https://host:1", "host:9465/api/v1/status", "host:9465?x"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nobody_there_is_told_with_the_reason() {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let asking = Asking::begin(&[format!("http://{address}")], Duration::from_millis(1)).unwrap();
        let (number, said) = asking.news.recv_timeout(Duration::from_secs(60)).unwrap();
        let why = said.map(|_| ()).unwrap_err();
        assert_eq!(number, 0);
        assert!(why.starts_with("connect: "), "{why}");
    }
}
