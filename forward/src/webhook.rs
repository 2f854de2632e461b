//! Events by POST: one a request, or an array of them.
//!
//! What an answer means: 2xx, taken; 400, 413 and 422, refused for good, since these bytes will never be taken; everything else is tried
//! again: soon what may pass by itself (408, 425, 429, 5xx, no answer), seldom what somebody has to mend (a token, a path, a redirect).

mod sign;

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE as HEADER_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, Url, redirect};
use sha2::{Digest, Sha256};
use types::{Micros, Secret};

use crate::config::Webhook as Config;
use crate::event::{CONTENT_TYPE, CONTENT_TYPE_BATCH};
use crate::{Error, Event, Failure, Receiver, Refusal};

const NAME: &str = "webhook";
/// Of what a receiver says about a failure.
const REASON_CHARS_MAX: usize = 200;
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The way to a URL.
pub struct Webhook {
    client: Client,
    url: Url,
    config: Config,
    /// The wall clock: signatures carry the time.
    now: fn() -> Micros,
}

/// What became of one request.
enum Answer {
    Taken,
    Refused(String),
    Failed(Failure),
}

impl Webhook {
    /// # Errors
    /// If the URL or the certificates cannot be used. Nothing is asked yet.
    pub fn new(config: &Config, is_local: bool, now: fn() -> Micros) -> Result<Webhook, Error> {
        let setting = |setting: &str, reason: String| Error::Setting { setting: setting.to_owned(), reason };
        let url = config.url.as_deref().unwrap_or_default();
        let url = Url::parse(url).map_err(|error| setting("forward.webhook.url", format!("is no URL: {error}")))?;
        let timeout = config.timeout.duration();
        let mut builder = Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout.min(CONNECT_WITHIN))
            .user_agent(concat!("atalaia/", env!("CARGO_PKG_VERSION")))
            // Where secrets may go was configured, and a POST that is redirected would become a GET.
            .redirect(redirect::Policy::none());
        if let Some(file) = &config.ca_file {
            let wrong = |error: String| setting("forward.webhook.ca_file", format!("cannot be read: {error}"));
            let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
            builder = builder.tls_certs_merge(authorities);
        }
        if is_local {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| setting("forward.webhook", told(&error)))?;
        Ok(Webhook { client, url, config: config.clone(), now })
    }

    /// Asks whether anybody is there, without an event: that there is an answer is enough, since few answer OPTIONS well.
    ///
    /// # Errors
    /// If there is no answer, or a secret cannot be read.
    pub async fn check(&self) -> Result<String, Error> {
        let failed = |reason: String| Error::Receiver {
            receiver: NAME,
            reason,
            hint: "check `forward.webhook.url`, that the service runs, and its certificate".to_owned(),
        };
        let headers = self.headers().map_err(|failure| failed(failure.reason))?;
        if let Some(secret) = &self.config.signing_secret {
            reveal("signing_secret", secret).map_err(|failure| failed(failure.reason))?;
        }
        let request = self.client.request(Method::OPTIONS, self.url.clone()).headers(headers);
        let answer = request.send().await.map_err(|error| failed(told(&error)))?;
        Ok(format!("`{}` answers OPTIONS with {}", self.place(), answer.status()))
    }

    /// The URL without what may be secret in it.
    #[must_use]
    pub fn place(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{host}{port}{}", self.url.scheme(), self.url.path())
    }

    async fn post(&self, events: &[Event]) -> Answer {
        let (content_type, body, id) = match events {
            [event] if self.config.batch <= 1 => (CONTENT_TYPE, event.body.to_vec(), event.id.clone()),
            _ => (CONTENT_TYPE_BATCH, array(events), id_of(events)),
        };
        let headers = match self.headers().and_then(|headers| self.signed(headers, &id, &body)) {
            Ok(headers) => headers,
            Err(failure) => return Answer::Failed(failure),
        };
        let request = self.client.post(self.url.clone()).headers(headers).header(HEADER_TYPE, content_type).body(body);
        self.answer(request).await
    }

    async fn answer(&self, request: RequestBuilder) -> Answer {
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Answer::Failed(Failure::passing(format!("`{}`: {}", self.place(), told(&error)))),
        };
        let status = answer.status();
        let wait = retry_after(&answer);
        if status.is_success() {
            return Answer::Taken;
        }
        let reason = format!("`{}` answers {status}: {}", self.place(), said(answer).await);
        match status.as_u16() {
            400 | 413 | 422 => Answer::Refused(reason),
            408 | 425 | 429 | 500..=599 => Answer::Failed(Failure { wait, ..Failure::passing(reason) }),
            _ => Answer::Failed(Failure { wait, ..Failure::stuck(reason) }),
        }
    }

    /// Secrets are read anew, so that a rotated one is seen.
    fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        for (name, secret) in &self.config.headers {
            let setting = format!("headers.\"{name}\"");
            let header = HeaderName::try_from(name.as_str());
            let header =
                header.map_err(|_| Failure::stuck(format!("`forward.webhook.{setting}` is no header's name")))?;
            headers.insert(header, value(&setting, reveal(&setting, secret)?)?);
        }
        if let Some(token) = &self.config.bearer_token {
            let bearer = format!("Bearer {}", reveal("bearer_token", token)?);
            headers.insert(AUTHORIZATION, value("bearer_token", bearer)?);
        }
        Ok(headers)
    }

    fn signed(&self, mut headers: HeaderMap, id: &str, body: &[u8]) -> Result<HeaderMap, Failure> {
        let Some(secret) = &self.config.signing_secret else { return Ok(headers) };
        let secret = reveal("signing_secret", secret)?;
        let timestamp = ((self.now)() / 1_000_000).to_string();
        let signature = sign::signature(&secret, id, &timestamp, body).map_err(Failure::stuck)?;
        for (name, text) in
            [("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp), ("webhook-signature", signature)]
        {
            headers.insert(HeaderName::from_static(name), value(name, text)?);
        }
        Ok(headers)
    }
}

impl Receiver for Webhook {
    fn name(&self) -> &'static str {
        NAME
    }

    fn batch(&self) -> usize {
        self.config.batch.max(1) as usize
    }

    async fn send(&mut self, events: &[Event]) -> Result<Vec<Refusal>, Failure> {
        match self.post(events).await {
            Answer::Taken => return Ok(Vec::new()),
            Answer::Failed(failure) => return Err(failure),
            Answer::Refused(reason) if events.len() == 1 => return Ok(vec![Refusal { index: 0, reason }]),
            // Of an array some may be good.
            Answer::Refused(_) => {}
        }
        let mut refusals = Vec::new();
        for (index, event) in events.iter().enumerate() {
            match self.post(std::slice::from_ref(event)).await {
                Answer::Taken => {}
                Answer::Refused(reason) => refusals.push(Refusal { index, reason }),
                Answer::Failed(failure) => return Err(failure),
            }
        }
        Ok(refusals)
    }
}

fn reveal(setting: &str, secret: &Secret) -> Result<String, Failure> {
    secret.reveal().map_err(|reason| Failure::stuck(format!("`forward.webhook.{setting}` cannot be read: {reason}")))
}

fn value(setting: &str, text: String) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::try_from(text);
    let mut value =
        value.map_err(|_| Failure::stuck(format!("`forward.webhook.{setting}` cannot stand in a header")))?;
    value.set_sensitive(true);
    Ok(value)
}

fn array(events: &[Event]) -> Vec<u8> {
    let bodies: Vec<&[u8]> = events.iter().map(|event| &event.body[..]).collect();
    [b"[".as_slice(), &bodies.join(b",".as_slice()), b"]"].concat()
}

/// Of an array: the same events, the same id.
fn id_of(events: &[Event]) -> String {
    let mut hash = Sha256::new();
    events.iter().for_each(|event| hash.update(&event.id));
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// In seconds; dates are left alone, since our clock need not be theirs.
fn retry_after(answer: &Response) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// A few words of what it says.
async fn said(mut answer: Response) -> String {
    let first = answer.chunk().await.ok().flatten().unwrap_or_default();
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    String::from_utf8_lossy(&first).chars().take(REASON_CHARS_MAX).map(printable).collect::<String>().trim().to_owned()
}

/// With its causes, and without the URL, which may hold a secret.
fn told(error: &reqwest::Error) -> String {
    let kind = match () {
        () if error.is_timeout() => "no answer in time",
        () if error.is_connect() => "cannot be reached",
        () => "the request failed",
    };
    let mut text = kind.to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    if let Some(cause) = cause {
        text = format!("{text}: {cause}");
    }
    text
}

#[cfg(test)]
mod tests;
