//! What a set consists of, file by file: written behind the files, so that a set with a manifest is whole.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};

use super::{Broken, layout, sha256};
use crate::Error;

/// `sets/<id>/manifest.json`. What it does not know is ignored; only version and files must be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub schema_version: u32,
    pub files: Vec<FileEntry>,
    /// Rows in all files; a set with more or fewer is refused.
    #[serde(default)]
    pub models: Option<u64>,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    #[serde(default)]
    pub note: String,
    /// The set that was in use when this one was made.
    #[serde(default)]
    pub parent: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Beside the manifest.
    pub name: String,
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

impl FileEntry {
    /// Whether these are the file's bytes.
    pub(crate) fn check(&self, bytes: &[u8]) -> Result<(), Broken> {
        if bytes.len() as u64 != self.bytes {
            return Err(Broken::Bytes { found: bytes.len() as u64, expected: self.bytes });
        }
        let found = sha256(bytes);
        match found.eq_ignore_ascii_case(&self.sha256) {
            true => Ok(()),
            false => Err(Broken::Hash { found, expected: self.sha256.chars().take(80).collect() }),
        }
    }
}

pub(super) const SCHEMA_VERSION: u32 = 1;

/// The manifest of a set.
///
/// # Errors
/// If there is no such set, or its manifest is not one.
pub(crate) async fn find(store: &Arc<dyn ObjectStore>, registry: &Path, id: &str) -> Result<Manifest, Error> {
    let place = layout::manifest(registry, id);
    let broken = |problem: String| Error::Manifest { file: place.to_string(), problem };
    if !layout::is_word(id) {
        return Err(Error::SetId { id: id.chars().take(80).collect() });
    }
    let read = async { store.get(&place).await?.bytes().await };
    let bytes = match read.await {
        Ok(bytes) => bytes,
        Err(object_store::Error::NotFound { .. }) => {
            return Err(Error::NoSet { set: id.to_owned(), place: registry.to_string() });
        }
        Err(source) => return Err(Error::Store { action: "read", place: place.to_string(), source }),
    };
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
    if manifest.schema_version != SCHEMA_VERSION {
        return Err(broken(format!(
            "its schema version is {}, this program reads {SCHEMA_VERSION}",
            manifest.schema_version
        )));
    }
    if let Some(file) = manifest.files.iter().find(|file| !layout::is_word(&file.name)) {
        let name: String = file.name.chars().take(80).collect();
        return Err(broken(format!("`{name}` is no name of a file beside it")));
    }
    let mut names: Vec<&str> = manifest.files.iter().map(|file| file.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(broken(format!("it lists `{}` twice", pair[0]))),
        None => Ok(manifest),
    }
}
