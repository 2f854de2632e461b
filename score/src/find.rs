//! What a place of models holds, told from names alone: a registry's set in use, Parquet files, or files of scikit-learn.
//!
//! A listing with ETags is all that is needed to see later whether something changed: for n files that is n / 5,000
//! requests (Azure; S3: n / 1,000), and of a registry one.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use types::Micros;

use crate::load::Loader;
use crate::mapping::Mapping;
use crate::registry::{self, FileEntry, History};
use crate::template::Template;
use crate::{Error, ModelKey};

/// Collisions that a message shows.
const EXAMPLES_MAX: usize = 10;

#[derive(Debug)]
pub(crate) struct Found {
    /// What the registry's pointer names.
    pub(crate) set: Option<SetInUse>,
    /// A registry's Parquet files, or those that lie there without a pointer.
    pub(crate) parts: Vec<Part>,
    pub(crate) files: Vec<(ModelKey, ObjectMeta)>,
    /// Names that are neither.
    pub(crate) others: usize,
    pub(crate) example: Option<String>,
    /// When the newest was written, or the set put to use.
    pub(crate) published_at: Option<Micros>,
    pub(crate) mark: Mark,
}

#[derive(Debug)]
pub(crate) struct SetInUse {
    pub(crate) id: String,
    /// What the manifest says.
    pub(crate) models: Option<u64>,
}

/// One Parquet file.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) location: Path,
    pub(crate) bytes: u64,
    /// What a manifest says of it.
    pub(crate) entry: Option<FileEntry>,
}

/// Tells what was found from what was found another time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mark {
    Pointer(u64),
    /// Each file with what changes when its content does, and the mapping's own.
    Files {
        tags: BTreeMap<String, String>,
        mapping: Option<String>,
    },
}

impl Found {
    pub(crate) fn new(mark: Mark) -> Found {
        Found { set: None, parts: Vec::new(), files: Vec::new(), others: 0, example: None, published_at: None, mark }
    }
}

impl Loader<'_> {
    pub(crate) async fn find(&self) -> Result<Found, Error> {
        match registry::current(&self.store, &self.prefix).await? {
            Some(current) => self.find_set(current).await,
            None => self.find_files().await,
        }
    }

    async fn find_set(&self, current: History) -> Result<Found, Error> {
        let id = current.pointer.set;
        let at = current.pointer.at.and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let mut found = self.of_set(&id).await?;
        found.mark = Mark::Pointer(current.number);
        found.published_at = at.map(jiff::Timestamp::as_microsecond);
        Ok(found)
    }

    /// One set of a registry, in use or not.
    pub(crate) async fn of_set(&self, id: &str) -> Result<Found, Error> {
        let manifest = registry::manifest(&self.store, &self.prefix, id).await?;
        let part = |entry: FileEntry| Part {
            location: registry::file(&self.prefix, id, &entry.name),
            bytes: entry.bytes,
            entry: Some(entry),
        };
        let mut found = Found::new(Mark::Pointer(0));
        found.parts = manifest.files.into_iter().map(part).collect();
        found.set = Some(SetInUse { id: id.to_owned(), models: manifest.models });
        Ok(found)
    }

    async fn find_files(&self) -> Result<Found, Error> {
        let (mut names, mapping) = self.names().await?;
        let mut tags = BTreeMap::new();
        let mut found = Found::new(Mark::Pointer(0));
        let mut unpublished = 0;
        let mut listing = self.store.list(Some(&self.prefix));
        while let Some(meta) = listing.try_next().await.map_err(|source| self.failed("list", source))? {
            let Some(parts) = meta.location.prefix_match(&self.prefix) else { continue };
            let name = parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
            if registry::is_inside(&name) && (name.ends_with(".parquet") || name.ends_with("/manifest.json")) {
                // Of a set that is not published, or not yet.
                unpublished += 1;
                continue;
            }
            if mapping.as_ref().is_some_and(|mapping| mapping.location == meta.location) {
                continue;
            }
            let key = if name.ends_with(".parquet") { None } else { names.read(&name)? };
            if key.is_none() && !name.ends_with(".parquet") {
                found.others += 1;
                found.example.get_or_insert(name);
                continue;
            }
            tags.insert(meta.location.to_string(), tag(&meta));
            found.published_at = found.published_at.max(Some(meta.last_modified.timestamp_micros()));
            match key {
                Some(key) => found.files.push((key, meta)),
                None => found.parts.push(Part { location: meta.location, bytes: meta.size, entry: None }),
            }
        }
        if let Names::Mapping(mapping) = names {
            mapping.expect_empty()?;
        }
        if unpublished > 0 && found.parts.is_empty() && found.files.is_empty() {
            return Err(Error::NotPublished { place: self.config.models.clone() });
        }
        found.parts.sort_by(|a, b| a.location.cmp(&b.location));
        found.files.sort_by(|a, b| (&a.0, &a.1.location).cmp(&(&b.0, &b.1.location)));
        collisions(&found.files)?;
        // As it was when it was read: a change since then is one for the next time.
        found.mark = Mark::Files { tags, mapping: mapping.as_ref().map(tag) };
        Ok(found)
    }

    /// What gives files their keys, and the mapping file that was read for it.
    async fn names(&self) -> Result<(Names, Option<ObjectMeta>), Error> {
        let mapping = &self.config.mapping;
        if mapping.is_empty() {
            return Ok((Names::Template(Template::parse(self.config.template(), self.config.key)?), None));
        }
        let location: Path = self.prefix.parts().chain(Path::from(mapping.as_str()).parts()).collect();
        let failed = |source| Error::Store { action: "read", place: self.shown(&location), source };
        let read = self.store.get(&location).await.map_err(failed)?;
        let meta = read.meta.clone();
        let bytes = read.bytes().await.map_err(failed)?;
        let refuse = |problem: String| Error::Mapping { file: mapping.clone(), line: 1, problem };
        let text = std::str::from_utf8(&bytes).map_err(|error| refuse(format!("it is no UTF-8: {error}")))?;
        Ok((Names::Mapping(Mapping::parse(mapping, text)?), Some(meta)))
    }
}

/// What gives files their keys.
enum Names {
    Template(Template),
    Mapping(Mapping),
}

impl Names {
    fn read(&mut self, name: &str) -> Result<Option<ModelKey>, Error> {
        match self {
            Names::Template(template) => template.read(name),
            Names::Mapping(mapping) => Ok(mapping.take(name)),
        }
    }
}

/// Files are sorted by key.
fn collisions(files: &[(ModelKey, ObjectMeta)]) -> Result<(), Error> {
    let of_one_key = files.chunk_by(|a, b| a.0 == b.0).filter(|files| files.len() > 1);
    let shown = of_one_key.clone().take(EXAMPLES_MAX).map(|files| {
        let names: Vec<_> = files.iter().map(|(_, meta)| format!("`{}`", meta.location)).collect();
        format!("{} are all of `{}`", names.join(" and "), files[0].0)
    });
    let examples = shown.collect::<Vec<_>>().join("; ");
    match of_one_key.count() {
        0 => Ok(()),
        count => Err(Error::Collisions { count, examples }),
    }
}

/// The ETag; where a store has none, what else changes with the content.
fn tag(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        Some(tag) => tag.clone(),
        None => format!("{}-{}", meta.size, meta.last_modified.timestamp_micros()),
    }
}
