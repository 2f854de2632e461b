//! What the endpoints that give tokens answer: Entra ID's own, the machine's (IMDS) and App Service's differ in small things.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::fmt::rfc2822;
use serde::Deserialize;
use serde_json::Value;

use super::entra::Who;
use super::{Error, Token, TokenKind};
use crate::event_hubs::hidden::Hidden;

/// How much of a description is shown.
const DESCRIPTION_CHARS_MAX: usize = 300;

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    pub(super) body: Vec<u8>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// Seconds from now; IMDS writes a text.
    expires_in: Option<Value>,
    /// Seconds since 1970; the only one that App Service has.
    expires_on: Option<Value>,
}

#[derive(Deserialize)]
struct Denied {
    error: Option<String>,
    error_description: Option<String>,
    /// App Service's word for it.
    message: Option<String>,
}

impl Answer {
    /// `asked`: when the question was put; lifetimes count from there.
    pub(super) fn token(&self, who: &Who, asked: SystemTime) -> Result<Token, Error> {
        match self.status {
            200 => self.granted(asked).map_err(|reason| who.malformed(reason)),
            400 | 401 | 403 => Err(self.denied(who)),
            408 | 410 | 429 | 500.. => Err(Error::Busy {
                identity: who.identity.clone(),
                endpoint: who.endpoint(),
                status: self.status,
                retry_after: self.retry_after.as_deref().and_then(|text| wait(text, asked)),
            }),
            404 if who.is_machine() => Err(Error::Busy {
                identity: who.identity.clone(),
                endpoint: who.endpoint(),
                status: self.status,
                retry_after: None,
            }),
            404 => Err(self.denied(who)),
            status => Err(who.malformed(format!("status {status}"))),
        }
    }

    fn granted(&self, asked: SystemTime) -> Result<Token, String> {
        // serde_json's own words might quote the document.
        let granted: Granted =
            serde_json::from_slice(&self.body).map_err(|_| "no JSON object with an `access_token`".to_owned())?;
        if granted.access_token.is_empty() || granted.access_token.contains(|c: char| !c.is_ascii_graphic()) {
            return Err("an empty or unreadable `access_token`".into());
        }
        let relative = granted.expires_in.as_ref().and_then(seconds).map(|seconds| asked.checked_add(seconds));
        let absolute = || granted.expires_on.as_ref().and_then(seconds).map(|seconds| UNIX_EPOCH.checked_add(seconds));
        let expires =
            relative.or_else(absolute).ok_or("neither `expires_in` nor `expires_on` is a number of seconds")?;
        let expires = expires.filter(|expires| *expires > asked).ok_or("the token has expired: is the clock right?")?;
        Ok(Token { kind: TokenKind::Jwt, text: Hidden::new(granted.access_token), expires })
    }

    fn denied(&self, who: &Who) -> Error {
        let denied: Denied = serde_json::from_slice(&self.body).unwrap_or(Denied {
            error: None,
            error_description: None,
            message: None,
        });
        let whole = denied.error_description.or(denied.message).unwrap_or_default();
        let line = whole.lines().next().unwrap_or_default();
        let (code, description) = match line.split_once(": ") {
            Some((code, rest)) if code.starts_with("AADSTS") => (code.to_owned(), rest),
            _ => (denied.error.unwrap_or_else(|| "no code".into()), line),
        };
        let shown = |text: &str| -> String {
            let hidden = who.hide(text);
            hidden.chars().filter(|c| !c.is_control()).take(DESCRIPTION_CHARS_MAX).collect()
        };
        Error::Refused {
            identity: who.identity.clone(),
            endpoint: who.endpoint(),
            status: self.status,
            code: shown(&code),
            description: if description.is_empty() { "no reason".into() } else { shown(description) },
        }
    }
}

fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    seconds.map(Duration::from_secs)
}

/// `Retry-After`: seconds, or a date.
fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let at = rfc2822::parse(text).ok()?;
            let since = u64::try_from(at.timestamp().as_second()).ok()?;
            (UNIX_EPOCH + Duration::from_secs(since)).duration_since(now).ok()
        }
    }
}
