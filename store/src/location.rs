//! An opened place: where results go, or models come from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::path::Path;

use crate::limits::Limits;
use crate::{Error, folder};

/// A store and a prefix in it. Cheap to clone.
#[derive(Clone)]
pub struct Location {
    pub store: Arc<dyn ObjectStore>,
    /// Everything of this location is below it; the root if empty.
    pub prefix: Path,
    /// The URL without secrets, as readers write it.
    pub display: String,
    pub kind: StoreKind,
    /// The folder on this machine, for `StoreKind::Local`.
    pub local_root: Option<PathBuf>,
    /// What the prefix is relative to: equal for two locations of the same container, bucket or file system.
    pub(crate) root: String,
    /// The container or bucket, and the account or endpoint it is in, for messages.
    pub(crate) container: String,
    pub(crate) account: String,
    /// Whom requests go to, for messages.
    pub(crate) endpoint: String,
    pub(crate) limits: Limits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreKind {
    Local,
    Azure,
    S3,
    /// Shared within the process by name.
    Memory,
}

impl Location {
    /// Whether `other` is this very place or lies inside it.
    #[must_use]
    pub fn contains(&self, other: &Location) -> bool {
        self.root == other.root && other.prefix.prefix_matches(&self.prefix)
    }

    /// The place of `name` (one or more segments, separated by `/`) inside this one, taken as it is; what no store can
    /// name is escaped.
    #[must_use]
    pub fn path(&self, name: &str) -> Path {
        let name = name.trim_matches('/');
        Path::parse(format!("{}/{name}", self.prefix)).unwrap_or_else(|_| {
            name.split('/').filter(|part| !part.is_empty()).fold(self.prefix.clone(), |path, part| path.join(part))
        })
    }

    /// How readers write the place of `name` inside this one.
    #[must_use]
    pub fn display_of(&self, name: &str) -> String {
        format!("{}/{name}", self.display.trim_end_matches('/'))
    }

    /// The limit for one operation on an object of so many bytes, the client's own retries included; for a caller's
    /// `tokio::time::timeout` around it. When it is over, the operation may still take place.
    #[must_use]
    pub fn within(&self, bytes: u64) -> Duration {
        self.limits.operation(bytes)
    }

    /// Makes what is listed in a folder of this place durable, whoever wrote it: its writer may have died before it did.
    /// Other kinds of store show nothing that is not.
    ///
    /// # Errors
    /// If the file system refuses.
    pub async fn make_durable(&self, name: &str) -> Result<(), Error> {
        let Some(root) = &self.local_root else { return Ok(()) };
        let folder = root.join(name);
        let synced = tokio::task::spawn_blocking(move || std::fs::File::open(folder)?.sync_all()).await;
        match synced {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Error::from_io(self, &error)),
            Err(error) => Err(Error::Answer { place: self.display.clone(), reason: error.to_string() }),
        }
    }

    /// Removes what killed processes left unfinished beside a folder, if it is older than `older_than`; gives the number
    /// of files. Other kinds of store leave nothing.
    ///
    /// # Errors
    /// If the file system refuses.
    pub async fn sweep(&self, older_than: Duration) -> Result<u64, Error> {
        folder::sweep(self, older_than).await
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display)
    }
}

/// Without the store, whose own form may show credentials.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Location").field("display", &self.display).field("kind", &self.kind).finish_non_exhaustive()
    }
}
