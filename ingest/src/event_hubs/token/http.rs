//! One question by HTTP and its answer, within bounds of time and size.

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Certificate, Client, Request, redirect};

use super::answer::Answer;

/// How long one question may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) connect: Duration,
    pub(super) total: Duration,
}

pub(super) const PATIENCE: Patience = Patience { connect: Duration::from_secs(5), total: Duration::from_secs(15) };

/// Tokens take some kilobytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// A client for the public internet: TLS by the system's certificates and these, through a proxy if the environment says so.
pub(super) fn outward(certificates: Vec<Certificate>, patience: Patience) -> Result<Client, String> {
    build(Client::builder().tls_certs_merge(certificates), patience)
}

/// A client for an endpoint beside us, which no proxy can reach, without TLS.
pub(super) fn nearby(patience: Patience) -> Result<Client, String> {
    build(Client::builder().no_proxy().tls_certs_only([]), patience)
}

fn build(builder: reqwest::ClientBuilder, patience: Patience) -> Result<Client, String> {
    let bounded = builder.connect_timeout(patience.connect).timeout(patience.total);
    // What we send is for one address, and nothing else.
    bounded.redirect(redirect::Policy::none()).build().map_err(|error| reason(&error))
}

/// # Errors
/// The reason, without the address and what was sent.
pub(super) async fn ask(client: &Client, request: Request) -> Result<Answer, String> {
    let mut response = client.execute(request).await.map_err(|error| reason(&error.without_url()))?;
    let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error.without_url()))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(format!("the answer is longer than {ANSWER_BYTES_MAX} bytes"));
        }
    }
    Ok(Answer { status: response.status().as_u16(), retry_after, body })
}

/// The innermost source says most.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".into();
    }
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    reason
}
