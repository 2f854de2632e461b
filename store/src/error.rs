//! What can go wrong with a store, told by what to do about it.
//!
//! Services put request signatures into their answers, and clients put URLs into their errors; so nothing of either is
//! passed on but what [`brief`] lets through: an error code, a status, or the innermost cause without queries.

use std::error::Error as StdError;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};

use crate::{Location, StoreKind};

/// A store's failure. `Display` is the error itself; [`Error::hint`] the remedy. Neither ever holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{url}` is not a usable location: {reason}")]
    BadUrl { url: String, reason: String },
    #[error("`{url}` carries a secret after it")]
    SecretInUrl { url: String },
    #[error("no store goes by `{scheme}://`")]
    UnknownScheme { scheme: String },
    #[error("which storage account is `{url}` in?")]
    MissingAccount { url: String },
    #[error("`{endpoint}` is not encrypted")]
    Plaintext { endpoint: String },
    #[error("`{setting}`: {reason}")]
    Secret { setting: &'static str, reason: String },
    #[error("of `storage.access_key_id` and `storage.secret_access_key` only one is set")]
    HalfKey,
    #[error("cannot use `{url}`: {reason}")]
    Unusable { url: String, reason: String },
    #[error("container `{container}` does not exist in account `{account}`")]
    ContainerMissing { container: String, account: String },
    #[error("bucket `{bucket}` does not exist")]
    BucketMissing { bucket: String },
    #[error("folder `{path}` does not exist")]
    FolderMissing { path: String },
    #[error("cannot write to folder `{path}`: {reason}")]
    NotWritable { path: String, reason: String },
    #[error("cannot finish files in `{temp}`, beside `{folder}`: {reason}")]
    TempUnusable { folder: String, temp: String, reason: String },
    #[error("the file system of `{folder}` has no hard links: {reason}")]
    NoHardLinks { folder: String, reason: String },
    #[error("no space left where `{place}` is")]
    Full { place: String },
    #[error("`{place}` refuses access: {reason}")]
    Denied { place: String, reason: String },
    #[error("the signature (SAS) for `{place}` is not valid now: {period}")]
    SignatureNotValid { place: String, period: String },
    #[error("the address of `{place}`, `{endpoint}`, cannot be resolved: {reason}")]
    Unresolved { place: String, endpoint: String, reason: String },
    #[error("`{place}` cannot be reached at `{endpoint}`: {reason}")]
    Unreachable { place: String, endpoint: String, reason: String },
    #[error("`{place}` did not answer in time")]
    Timeout { place: String },
    #[error("`{place}` holds no `{path}`")]
    NotFound { place: String, path: String },
    #[error("`{place}` already holds `{path}`")]
    Exists { place: String, path: String },
    #[error("`{place}` answered: {reason}")]
    Answer { place: String, reason: String },
}

/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Wait and try again.
    Retry,
    /// Waiting will not help until somebody acts: rights, a missing container, the configuration.
    Input,
    /// The object is not there.
    NotFound,
}

impl Error {
    /// Tells an object store's error by what to do about it.
    #[must_use]
    pub fn from_store(location: &Location, error: &object_store::Error) -> Self {
        let place = location.display.clone();
        if location.kind == StoreKind::Local
            && !matches!(error, object_store::Error::NotFound { .. } | object_store::Error::AlreadyExists { .. })
            && let Some(cause) = find::<io::Error>(error)
        {
            return Error::from_io(location, cause);
        }
        let reason = brief(error);
        // The codes first: a client gives the same answer different kinds, depending on the request.
        if ["ContainerNotFound", "ContainerBeingDeleted", "NoSuchBucket"].iter().any(|code| reason.contains(code)) {
            return location.missing();
        }
        // S3 refuses a create while another is under way, which may yet fail; the client takes any 409 for "it exists".
        if reason.contains("ConditionalRequestConflict") {
            return Error::Answer { place, reason };
        }
        if reason.starts_with("401") || reason.starts_with("403") {
            return match validity(error) {
                Some(period) => Error::SignatureNotValid { place, period },
                None => Error::Denied { place, reason },
            };
        }
        match error {
            object_store::Error::NotFound { path, .. } => Error::NotFound { place, path: path.clone() },
            object_store::Error::AlreadyExists { path, .. } | object_store::Error::Precondition { path, .. } => {
                Error::Exists { place, path: path.clone() }
            }
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                Error::Denied { place, reason }
            }
            _ => unanswered(location, reason, error),
        }
    }

    /// One word for metrics; none for an answer to a question, as that there is no such object.
    #[must_use]
    pub fn word(&self) -> Option<&'static str> {
        let status = |reason: &str, status: &str| reason.starts_with(status);
        Some(match self {
            Error::NotFound { .. } | Error::Exists { .. } => return None,
            Error::ContainerMissing { .. } | Error::BucketMissing { .. } | Error::FolderMissing { .. } => "missing",
            Error::Denied { .. } | Error::NotWritable { .. } | Error::SignatureNotValid { .. } => "denied",
            Error::Full { .. } => "full",
            Error::Unresolved { .. } => "unresolved",
            Error::Unreachable { .. } => "unreachable",
            Error::Timeout { .. } => "timeout",
            Error::Answer { reason, .. } if status(reason, "429") || status(reason, "503") => "throttled",
            Error::Answer { .. } => "answer",
            _ => "unusable",
        })
    }

    /// That a caller's own limit ([`Location::within`]) was over.
    #[must_use]
    pub fn timed_out(location: &Location) -> Self {
        Error::Timeout { place: location.display.clone() }
    }

    /// Tells an error of the local file system by what to do about it.
    #[must_use]
    pub(crate) fn from_io(location: &Location, error: &io::Error) -> Self {
        let place = location.display.clone();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Error::Full { place }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::Denied { place, reason: error.to_string() }
            }
            _ => Error::Answer { place, reason: error.to_string() },
        }
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Error::Full { .. }
            | Error::Unresolved { .. }
            | Error::Unreachable { .. }
            | Error::Timeout { .. }
            | Error::Answer { .. } => Kind::Retry,
            Error::NotFound { .. } => Kind::NotFound,
            Error::BadUrl { .. }
            | Error::SecretInUrl { .. }
            | Error::UnknownScheme { .. }
            | Error::MissingAccount { .. }
            | Error::Plaintext { .. }
            | Error::Secret { .. }
            | Error::HalfKey
            | Error::Unusable { .. }
            | Error::ContainerMissing { .. }
            | Error::BucketMissing { .. }
            | Error::FolderMissing { .. }
            | Error::NotWritable { .. }
            | Error::TempUnusable { .. }
            | Error::NoHardLinks { .. }
            | Error::Denied { .. }
            | Error::SignatureNotValid { .. }
            | Error::Exists { .. } => Kind::Input,
        }
    }

    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::BadUrl { .. } => {
                "a location is a folder, or `az://container/prefix`, \
                 `abfss://container@account.dfs.core.windows.net/prefix`, \
                 `https://account.blob.core.windows.net/container/prefix`, `s3://bucket/prefix`, `memory://name/`"
            }
            Error::SecretInUrl { .. } => "take it out of the URL and set `storage.sas = \"env:NAME\"` or `file:path`",
            Error::UnknownScheme { .. } => "known are folders, `file`, `az`, `abfss`, `https`, `s3` and `memory`",
            Error::MissingAccount { .. } => {
                "set `storage.account`, or write `abfss://container@account.dfs.core.windows.net/prefix`"
            }
            Error::Plaintext { .. } => "use https, or set `storage.allow_plaintext = true`",
            Error::Secret { .. } => "secrets are given by their place: `env:NAME` or `file:path`",
            Error::HalfKey => "set both, or neither to use the environment's own credentials",
            Error::Unusable { .. } => "check `[storage]`",
            Error::ContainerMissing { .. } => "create it, the service never does",
            Error::BucketMissing { .. } => "create it, the service never does",
            Error::FolderMissing { path } => return Some(nearest_folder(path)),
            Error::NotWritable { path, .. } if file_above(path).is_some() => {
                return file_above(path).map(|file| format!("`{file}` is a file: name a folder"));
            }
            Error::NotWritable { .. } => {
                "check the folder's owner and rights, and that its disk is mounted for writing"
            }
            Error::TempUnusable { .. } => {
                "files are finished beside their folder and then moved in: let the folder above be writable, and mount \
                 that one instead of the folder itself"
            }
            Error::NoHardLinks { .. } => {
                "without them two writers could both take one name: use a file system that has them (ext4, XFS, APFS, \
                 NTFS, NFS), or an object store"
            }
            Error::Full { .. } => "make room: nothing partial is visible, and writing goes on by itself",
            Error::Denied { .. } => {
                "check the key or identity in `[storage]`, its role (read, list and create on the container), \
                 this machine's clock, and the account's network rules"
            }
            Error::SignatureNotValid { .. } => {
                "if it has expired, make a new one and put it where `storage.sas` points; if it only begins later, check this \
                 machine's clock"
            }
            Error::Unresolved { .. } => "check the account's name or `storage.endpoint`, and this machine's DNS",
            Error::Unreachable { reason, .. } if reason.contains("certificate") => {
                "use the host name that the certificate is for; an authority of your own has to be among those that the system \
                 trusts, or in the file that the variable `SSL_CERT_FILE` names"
            }
            Error::Unreachable { .. } => "check `storage.endpoint`, the network, and that the service is up",
            Error::Timeout { .. } => "check the network, or raise `storage.request_timeout`",
            Error::NotFound { .. } | Error::Exists { .. } | Error::Answer { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

/// How long a shared access signature is valid, if that is why a request was refused: times only, nothing of the signature.
fn validity(error: &object_store::Error) -> Option<String> {
    let whole: Vec<String> = chain(error).map(ToString::to_string).collect();
    let detail =
        whole.iter().find_map(|text| between(text, "<AuthenticationErrorDetail>", "</AuthenticationErrorDetail>"))?;
    let period = detail.strip_prefix("Signature not valid in the specified time frame:")?;
    let bound = |name: &str| between(period, &format!("{name} ["), "]").filter(|time| time.len() < 40);
    let bounds = [("from", bound("Start")), ("to", bound("Expiry")), ("the service's clock says", bound("Current"))];
    let said: Vec<String> = bounds.iter().filter_map(|(word, time)| Some(format!("{word} {}", (*time)?))).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// The path itself, or what is above it, if that is a file.
fn file_above(path: &str) -> Option<String> {
    let mut above = std::path::Path::new(path).ancestors();
    above.find(|place| place.is_file()).map(|file| file.display().to_string())
}

/// What to do about a folder that is not there: how much of its path is.
fn nearest_folder(path: &str) -> String {
    let missing = std::path::Path::new(path);
    let there = missing.ancestors().skip(1).find(|above| !above.as_os_str().is_empty() && above.is_dir());
    match there {
        Some(above) if above.parent().is_some() => format!(
            "`{}` is there, and what is below it is not: check the spelling and whether a volume is mounted, or make the folder",
            above.display()
        ),
        _ => "check the path: relative ones begin in the folder in which the program is started".into(),
    }
}

fn unanswered(location: &Location, reason: String, error: &object_store::Error) -> Error {
    let (place, endpoint) = (location.display.clone(), location.endpoint.clone());
    if chain(error).any(|cause| cause.to_string().contains("dns error")) {
        return Error::Unresolved { place, endpoint, reason };
    }
    match find::<HttpError>(error).map(HttpError::kind) {
        Some(HttpErrorKind::Connect) => Error::Unreachable { place, endpoint, reason },
        Some(HttpErrorKind::Timeout) => Error::Timeout { place },
        Some(HttpErrorKind::Request | HttpErrorKind::Interrupted) => Error::Unreachable { place, endpoint, reason },
        _ => Error::Answer { place, reason },
    }
}

/// An error in a few words that are safe to print: the service's error code, else its status, else the innermost cause.
pub(crate) fn brief(error: &object_store::Error) -> String {
    let whole: Vec<String> = chain(error).map(ToString::to_string).collect();
    let code = whole.iter().find_map(|text| between(text, "<Code>", "</Code>"));
    let status = whole.iter().find_map(|text| text.split_once("status code: ").map(|(_, rest)| rest));
    let status = status.map(|rest| rest.split(':').next().unwrap_or_default().trim().to_owned());
    let text = match (code, status) {
        (Some(code), Some(status)) => format!("{status}, {code}"),
        (Some(code), None) => code.to_owned(),
        (None, Some(status)) => status,
        (None, None) => whole.last().cloned().unwrap_or_default(),
    };
    let words: Vec<&str> =
        text.split_whitespace().map(|word| word.split(['?', '&']).next().unwrap_or_default()).collect();
    words.join(" ").chars().take(300).collect()
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(to).map(|(inner, _)| inner)
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| StdError::source(*error))
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

impl Location {
    pub(crate) fn missing(&self) -> Error {
        match self.kind {
            StoreKind::Azure => {
                Error::ContainerMissing { container: self.container.clone(), account: self.account.clone() }
            }
            StoreKind::S3 => Error::BucketMissing { bucket: self.container.clone() },
            StoreKind::Local | StoreKind::Memory => Error::FolderMissing { path: self.display.clone() },
        }
    }
}
