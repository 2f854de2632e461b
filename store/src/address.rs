//! A URL, understood: which kind of store, which container, which prefix. Pure: nothing is opened or asked.

use std::path::{Component, Path as FilePath, PathBuf};

use object_store::path::Path;
use url::Url;

use crate::{Config, Error};

/// The emulator's account; its key is published, so nothing is at stake on plain http.
pub(crate) const EMULATOR_ACCOUNT: &str = "devstoreaccount1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Local(PathBuf),
    Memory {
        name: String,
        prefix: Path,
    },
    Azure {
        container: String,
        prefix: Path,
        /// None: from the configuration.
        account: Option<String>,
        /// The service's address, account included if it is part of the path; none: from the configuration.
        endpoint: Option<String>,
    },
    S3 {
        bucket: String,
        prefix: Path,
    },
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(bad(text, "it is empty"));
        }
        let Some((scheme, _)) = text.split_once("://") else {
            if let Some(scheme) = scheme_without_slashes(text) {
                return Err(bad(text, &format!("two slashes belong behind `{scheme}:`")));
            }
            return local(FilePath::new(text), text);
        };
        let url = Url::parse(text).map_err(|e| bad(text, &e.to_string()))?;
        if url.query().is_some() || url.password().is_some() {
            return Err(Error::SecretInUrl { url: printable(text) });
        }
        match scheme {
            "file" => {
                let path =
                    url.to_file_path().map_err(|()| bad(text, "a file URL has three slashes and a whole path"))?;
                local(&path, text)
            }
            "memory" => Ok(Address::Memory { name: host(&url, text)?, prefix: prefix(url.path(), text)? }),
            "az" | "azure" | "adl" => Ok(Address::Azure {
                container: host(&url, text)?,
                prefix: prefix(url.path(), text)?,
                account: None,
                endpoint: None,
            }),
            "abfs" | "abfss" => abfss(&url, text),
            "s3" | "s3a" => Ok(Address::S3 { bucket: host(&url, text)?, prefix: prefix(url.path(), text)? }),
            "http" | "https" => http(&url, text),
            _ => Err(Error::UnknownScheme { scheme: scheme.to_owned() }),
        }
    }
}

/// Whether the URL is one, and may be spoken to as it says. Nothing is opened or asked, and no folder of this machine is looked at.
///
/// # Errors
/// Why not.
pub fn check(text: &str, config: &Config) -> Result<(), Error> {
    if text.is_empty() || !text.contains("://") && scheme_without_slashes(text).is_none() {
        return Ok(());
    }
    if let Some(rest) = text.strip_prefix("file://") {
        return if rest.starts_with('/') || rest.starts_with("localhost/") {
            Ok(())
        } else {
            Err(bad(text, "a file URL has three slashes and a whole path"))
        };
    }
    let Address::Azure { account, endpoint: Some(endpoint), .. } = Address::parse(text)? else { return Ok(()) };
    let is_emulator = config.emulator || account.as_deref() == Some(EMULATOR_ACCOUNT);
    if endpoint.starts_with("http://") && !is_emulator && !config.allow_plaintext {
        return Err(Error::Plaintext { endpoint });
    }
    Ok(())
}

/// `s3:/bucket` and `az:container` are no folders, whoever wrote them.
fn scheme_without_slashes(text: &str) -> Option<&str> {
    const SCHEMES: [&str; 13] =
        ["s3", "s3a", "az", "azure", "adl", "abfs", "abfss", "http", "https", "file", "memory", "gs", "ftp"];
    text.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| SCHEMES.contains(scheme))
}

/// The text without what may be a secret: the query, and a password before the host.
pub(crate) fn printable(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}{path}")
        }
        None => text.to_owned(),
    }
}

fn bad(text: &str, reason: &str) -> Error {
    Error::BadUrl { url: printable(text), reason: reason.to_owned() }
}

fn host(url: &Url, text: &str) -> Result<String, Error> {
    url.host_str()
        .filter(|host| !host.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| bad(text, "the container, bucket or name after `://` is missing"))
}

fn prefix(path: &str, text: &str) -> Result<Path, Error> {
    Path::from_url_path(path).map_err(|e| bad(text, &e.to_string()))
}

/// `abfss://container@account.dfs.core.windows.net/prefix`
fn abfss(url: &Url, text: &str) -> Result<Address, Error> {
    let host = host(url, text)?;
    let prefix = prefix(url.path(), text)?;
    if url.username().is_empty() {
        return Ok(Address::Azure { container: host, prefix, account: None, endpoint: None });
    }
    let (account, domain) =
        host.split_once('.').ok_or_else(|| bad(text, "expected `container@account.dfs.core.windows.net`"))?;
    Ok(Address::Azure {
        container: url.username().to_owned(),
        prefix,
        account: Some(account.to_owned()),
        endpoint: Some(format!("https://{account}.{}", blob_domain(domain))),
    })
}

/// `https://account.blob.core.windows.net/container/prefix`, or an emulator's `http://host:port/account/container/prefix`.
fn http(url: &Url, text: &str) -> Result<Address, Error> {
    let host = host(url, text)?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().trim_matches('/');
    let in_host = host.split_once('.').filter(|(_, domain)| domain.starts_with("blob.") || domain.starts_with("dfs."));
    let (account, endpoint, path) = match in_host {
        Some((account, domain)) => {
            (account, format!("{}://{account}.{}{port}", url.scheme(), blob_domain(domain)), path)
        }
        None => {
            let (account, path) = path.split_once('/').unwrap_or((path, ""));
            (account, format!("{}://{host}{port}/{account}", url.scheme()), path)
        }
    };
    let (container, rest) = path.split_once('/').unwrap_or((path, ""));
    if account.is_empty() || container.is_empty() {
        return Err(bad(text, "expected `https://account.blob.core.windows.net/container/prefix`"));
    }
    Ok(Address::Azure {
        container: container.to_owned(),
        prefix: prefix(rest, text)?,
        account: Some(account.to_owned()),
        endpoint: Some(endpoint),
    })
}

/// The blob service beside a data lake's address; everything here speaks to the blob service.
fn blob_domain(domain: &str) -> String {
    match domain.strip_prefix("dfs.") {
        Some(rest) => format!("blob.{rest}"),
        None => domain.to_owned(),
    }
}

/// Absolute, without `.`, `..` or links, whether or not it exists.
fn local(path: &FilePath, text: &str) -> Result<Address, Error> {
    let absolute = std::path::absolute(path).map_err(|e| bad(text, &e.to_string()))?;
    let mut known = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                known.pop();
            }
            other => {
                known.push(other);
                if let Ok(real) = known.canonicalize() {
                    known = real;
                }
            }
        }
    }
    Ok(Address::Local(known))
}
