//! Whom we trust: the platform's authorities, and those of `ca_file`.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use crate::Error;
use crate::event_hubs::config::Config;

/// # Errors
/// If `ca_file` cannot be read, or holds no certificate.
pub(crate) fn client(config: &Config) -> Result<Arc<ClientConfig>, Error> {
    let more = match &config.ca_file {
        Some(path) => certificates(path).map_err(|reason| refused(format!("(`{path}`) {reason}")))?,
        None => Vec::new(),
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier::new_with_extra_roots(more, Arc::clone(&provider))
        .map_err(|error| refused(format!("is of no use: {error}")))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(format!("is of no use: {error}")))?;
    Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()))
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match all {
        Ok(found) if found.is_empty() => Err("holds no certificate".into()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// Whether a handshake failed over certificates or the protocol, and not over the network.
pub(super) fn is_mistrust(error: &io::Error) -> bool {
    let inner = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    let mut next = inner;
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        next = error.source();
    }
    false
}

fn refused(reason: String) -> Error {
    Error::Setting { setting: "ingest.event_hubs.ca_file".into(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let config = |path: &str| Config { ca_file: Some(path.into()), ..Config::default() };
        for path in [file.path().to_str().unwrap(), "/no/such/file.pem"] {
            let error = client(&config(path)).unwrap_err();
            assert!(error.to_string().contains(path), "{error}");
        }
        assert!(client(&Config::default()).is_ok());
    }
}
