//! Whether receivers of anomalies are on this machine, as their addresses are written: then the way to them needs no TLS.

use forward::config::{Kafka, Webhook};

/// All of them are.
#[must_use]
pub fn brokers_are_local(kafka: &Kafka) -> bool {
    let mut named = kafka.brokers.split(',').map(str::trim).filter(|broker| !broker.is_empty()).peekable();
    named.peek().is_some() && named.all(ingest::is_loopback)
}

#[must_use]
pub fn webhook_is_local(webhook: &Webhook) -> bool {
    webhook.url.as_deref().and_then(host_and_port).is_some_and(ingest::is_loopback)
}

/// None where readers of URLs may find different ones, as before an `@` or behind a `\`.
pub(crate) fn host_and_port(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let is_odd = |c: char| "@\\#".contains(c) || c.is_whitespace() || c.is_control();
    (!authority.is_empty() && !authority.starts_with(':') && !rest.contains(is_odd)).then_some(authority)
}
