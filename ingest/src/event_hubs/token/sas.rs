//! Shared access signatures: made with a policy's key, or given.
//!
//! Over the URL-encoded resource, a line end and the expiry in seconds, with HMAC-SHA256 and the key *as text*
//! (learn.microsoft.com, "Authenticate access to Event Hubs resources using shared access signatures").

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Error, Token, TokenKind};
use crate::event_hubs::hidden::Hidden;

/// How long a signature of ours lasts.
const LIFETIME: Duration = Duration::from_secs(3600);

/// What URLs leave as it is, and nothing else.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The prefix of a signature, where it is used as a token.
const PREFIX: &str = "SharedAccessSignature ";

/// Signs for the holder of a policy's key.
pub(super) fn sign(resource: &str, policy: &str, key: &Hidden, now: SystemTime) -> Token {
    let expires = now + LIFETIME;
    let seconds = expires.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let encoded = utf8_percent_encode(resource, RESERVED).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.reveal().as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, format!("{encoded}\n{seconds}").as_bytes()));
    let text = format!(
        "{PREFIX}sr={encoded}&sig={}&se={seconds}&skn={}",
        utf8_percent_encode(&signature, RESERVED),
        utf8_percent_encode(policy, RESERVED)
    );
    Token { kind: TokenKind::Sas, text: Hidden::new(text), expires: UNIX_EPOCH + Duration::from_secs(seconds) }
}

/// Takes a signature that somebody else made, if it still holds. `place`: what errors call it by.
pub(super) fn given(text: &str, place: &str, now: SystemTime) -> Result<Token, Error> {
    let malformed = |reason: &str| Error::Signature { place: place.to_owned(), reason: reason.to_owned() };
    let text = text.trim();
    let fields = text.strip_prefix(PREFIX).unwrap_or(text).trim_start();
    let field = |name: &str| fields.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    if text.contains(|c: char| c.is_control()) {
        return Err(malformed("holds more than one line"));
    }
    for name in ["sr", "sig", "skn"] {
        if field(name).is_none_or(str::is_empty) {
            return Err(malformed(&format!("has no `{name}=`")));
        }
    }
    let seconds = field("se").ok_or_else(|| malformed("has no `se=`"))?;
    let seconds: i64 = seconds.parse().map_err(|_| malformed("has no number in `se=`"))?;
    let at = Timestamp::from_second(seconds.max(0)).map_err(|_| malformed("has no time in `se=`"))?;
    let expires = UNIX_EPOCH + Duration::from_secs(at.as_second().unsigned_abs());
    if expires <= now {
        return Err(Error::Expired { place: place.to_owned(), expired: at.to_string() });
    }
    Ok(Token { kind: TokenKind::Sas, text: Hidden::new(format!("{PREFIX}{fields}")), expires })
}
