//! Tokens: signatures of shared access keys checked, unsigned ones of an identity provider believed if that was asked for.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::clock;

/// What a token gives access to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Seconds since 1970; from then on it grants nothing.
    pub(crate) expiry_seconds: u64,
}

/// Checks a shared access signature for an audience, the address of what shall be used.
pub(crate) fn check(token: &str, audience: &str, key_name: &str, key: &str) -> Result<Grant, String> {
    let fields = token.strip_prefix("SharedAccessSignature ").ok_or("MalformedToken: no shared access signature")?;
    let field = |name: &str| {
        let found = fields.split('&').filter_map(|field| field.split_once('=')).find(|(key, _)| *key == name);
        found.map(|(_, value)| value).ok_or_else(|| format!("MalformedToken: `{name}` is missing"))
    };
    let (resource, expiry) = (field("sr")?, field("se")?);
    if unescape(field("skn")?) != key_name {
        return Err("InvalidSignature: The token has an invalid signature.".to_owned());
    }
    let signature = STANDARD.decode(unescape(field("sig")?)).unwrap_or_default();
    // Over the resource as it was sent, escapes and their case included.
    if signature != hmac_sha256(key.as_bytes(), format!("{resource}\n{expiry}").as_bytes()) {
        return Err("InvalidSignature: The token has an invalid signature.".to_owned());
    }
    let expiry_seconds = expiry.parse().map_err(|_| "MalformedToken: `se` is no number of seconds".to_owned())?;
    still_valid(expiry_seconds)?;
    if !covers(&unescape(resource), audience) {
        return Err(format!("InvalidAudience: The token is for another resource than '{audience}'."));
    }
    Ok(Grant { expiry_seconds })
}

/// A token as a client makes it.
#[cfg(test)]
pub(crate) fn sign(resource: &str, expiry_seconds: u64, key_name: &str, key: &str) -> String {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let resource = escape(resource);
    let signature = hmac_sha256(key.as_bytes(), format!("{resource}\n{expiry_seconds}").as_bytes());
    let signature = escape(&STANDARD.encode(signature));
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry_seconds}&skn={key_name}")
}

/// Believes a JSON web token of the right audience whose expiry lies ahead; its signature is the provider's business.
pub(crate) fn check_jwt(token: &str, audience: &str) -> Result<Grant, String> {
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok());
    let claims: serde_json::Value =
        claims.and_then(|json| serde_json::from_slice(&json).ok()).ok_or("MalformedToken: no JSON web token")?;
    if claims["aud"].as_str().map(|found| found.trim_end_matches('/')) != Some(audience.trim_end_matches('/')) {
        return Err("InvalidAudience: The token is for another audience.".to_owned());
    }
    let expiry_seconds = claims["exp"].as_u64().ok_or("MalformedToken: `exp` is missing")?;
    still_valid(expiry_seconds)?;
    Ok(Grant { expiry_seconds })
}

fn still_valid(expiry_seconds: u64) -> Result<(), String> {
    if expiry_seconds <= clock::now_seconds() {
        return Err(format!("ExpiredToken: The token is expired. Expiration time: {expiry_seconds}."));
    }
    Ok(())
}

/// An address without scheme and port, in lower case: host, slash, path.
pub(crate) fn plain_address(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    format!("{host}/{}", path.trim_matches('/')).to_lowercase()
}

/// A resource covers itself and all below it.
pub(crate) fn covers(resource: &str, address: &str) -> bool {
    let (resource, address) = (plain_address(resource), plain_address(address));
    address.strip_prefix(resource.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(crate) fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let digits = escaped.and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// RFC 2104.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    const BLOCK_BYTES: usize = 64;
    let mut block = [0; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let keyed = |pad: u8| Sha256::new_with_prefix(block.map(|byte| byte ^ pad));
    let inner = keyed(0x36).chain_update(message).finalize();
    keyed(0x5c).chain_update(inner).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(
            hex(hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    /// Made by `openssl dgst -sha256 -hmac KEY -binary | base64` over `sr\nse`.
    const TOKEN: &str = "SharedAccessSignature sr=sb%3a%2f%2f127.0.0.1%2fhub&sig=32nx8X4zhnUR5aaYAVCH27jR%2FDlRswI7PJYgZJvWV5I%3D&se=4102444800&skn=Key";

    #[test]
    fn a_signature_counts_for_its_resource_and_what_lies_below() {
        let check = |token: &str, audience: &str, key: &str| {
            check(token, audience, "Key", key).map_err(|e| e.split(':').next().unwrap_or_default().to_owned())
        };
        let granted = Ok(Grant { expiry_seconds: 4_102_444_800 });
        assert_eq!(check(TOKEN, "sb://127.0.0.1:5672/Hub", "secret"), granted);
        assert_eq!(check(TOKEN, "amqps://127.0.0.1/hub/Partitions/1", "secret"), granted);
        assert_eq!(check(TOKEN, "sb://127.0.0.1/hub2", "secret"), Err("InvalidAudience".to_owned()));
        assert_eq!(check(TOKEN, "sb://127.0.0.1/hub", "secreT"), Err("InvalidSignature".to_owned()));
        assert_eq!(
            check(&TOKEN.replace("se=41", "se=42"), "sb://127.0.0.1/hub", "secret"),
            Err("InvalidSignature".to_owned())
        );
        assert_eq!(
            check(&TOKEN.replace("skn=Key", "skn=Kez"), "sb://127.0.0.1/hub", "secret"),
            Err("InvalidSignature".to_owned())
        );
        assert_eq!(
            check(&TOKEN.replace("&skn=Key", ""), "sb://127.0.0.1/hub", "secret"),
            Err("MalformedToken".to_owned())
        );
        assert_eq!(check("SharedAccessSignature", "sb://127.0.0.1/hub", "secret"), Err("MalformedToken".to_owned()));
    }

    #[test]
    fn a_web_token_needs_the_audience_and_time_ahead() {
        let token = |claims: &str| format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims));
        let check = |claims: &str| check_jwt(&token(claims), "https://eventhubs.azure.net/");
        assert!(check(r#"{"aud":"https://eventhubs.azure.net","exp":4102444800}"#).is_ok());
        assert!(
            check(r#"{"aud":"https://storage.azure.com","exp":4102444800}"#)
                .unwrap_err()
                .starts_with("InvalidAudience")
        );
        assert!(check(r#"{"aud":"https://eventhubs.azure.net","exp":1}"#).unwrap_err().starts_with("ExpiredToken"));
        assert!(check_jwt("x", "y").unwrap_err().starts_with("MalformedToken"));
    }
}
