//! Signatures as Standard Webhooks has them: HMAC-SHA256 over id, time and body.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The value of `webhook-signature`.
///
/// # Errors
/// If a secret begins with `whsec_` and no Base64 follows; without the secret.
pub(super) fn signature(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> Result<String, String> {
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD
            .decode(encoded)
            .map_err(|_| "`forward.webhook.signing_secret` begins with `whsec_`, and no Base64 follows".to_owned())?,
        None => secret.as_bytes().to_vec(),
    };
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
    Ok(format!("v1,{}", STANDARD.encode(tag.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn a_signature_is_the_specifications() {
        let body = br#"{"test": 2432232314}"#;
        let signed = |secret| signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        let wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").as_deref(), Ok(wanted));
        assert!(signed("plain text").is_ok_and(|signature| signature.starts_with("v1,") && signature != wanted));
        let error = signed("whsec_!").unwrap_err();
        assert!(error.contains("signing_secret") && !error.contains('!'), "{error}");
    }
}
