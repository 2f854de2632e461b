//! Everything about a set that can be checked, all of it, with every problem named: for people and for the job that publishes.
//!
//! Loading stops at the first problem, and trusts the rows of a file that fits its hash; this does neither.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::{Broken, Known, layout, read_each};
use crate::find::{Found, Part};
use crate::load::Loader;
use crate::{Config, Error, Model, ModelKey, fit};

/// Problems that are named; all are counted.
const NAMED_MAX: usize = 100;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// None: files without a registry around them, of Parquet or scikit-learn.
    pub set: Option<String>,
    /// Rows that are usable models.
    pub models: u64,
    pub files: usize,
    pub bytes: u64,
    /// The first of them.
    pub problems: Vec<Problem>,
    pub problems_total: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    pub problem: String,
}

/// Looks at every byte and row of a set; without one, of the set in use.
///
/// # Errors
/// If there is no such set, its manifest is not one, or the store fails: that is, if there is nothing to look at.
pub async fn verify(
    config: &Config,
    store: &Arc<dyn ObjectStore>,
    registry: &Path,
    set: Option<&str>,
) -> Result<Verified, Error> {
    let loader = Loader::new(config, Arc::clone(store), registry.clone(), &|_, _| {});
    let found = match set {
        Some(id) => loader.of_set(id).await?,
        None => loader.find().await?,
    };
    loader.check_place(&found)?;
    let Found { set, parts, files, .. } = found;
    let mut look = Look { loader: &loader, keys: HashMap::new(), found: Verified::default() };
    for part in &parts {
        look.at_file(part).await?;
    }
    for (key, meta) in files {
        look.at_foreign(key, meta).await?;
    }
    if let Some(set) = &set {
        look.for_strays(&set.id, &parts).await?;
        let rows = look.found.models;
        if let Some(expected) = set.models.filter(|&expected| expected != rows) {
            look.problem(&layout::manifest(registry, &set.id), format!("{rows} usable models, it says {expected}"));
        }
    }
    Ok(Verified { set: set.map(|set| set.id), ..look.found })
}

struct Look<'a> {
    loader: &'a Loader<'a>,
    keys: HashMap<ModelKey, String>,
    found: Verified,
}

impl Look<'_> {
    async fn at_file(&mut self, part: &Part) -> Result<(), Error> {
        let bytes = match self.loader.get(&part.location).await {
            Ok(bytes) => bytes,
            Err(Error::Store { source: object_store::Error::NotFound { .. }, .. }) => {
                self.problem(&part.location, "the file is not there".into());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.found.files += 1;
        self.found.bytes += bytes.len() as u64;
        if let Some(broken) = part.entry.as_ref().and_then(|entry| entry.check(&bytes).err()) {
            self.problem(&part.location, broken.to_string());
        }
        let known = Known { version: part.entry.is_some(), bytes: false };
        let rows = tokio::task::spawn_blocking(move || {
            let mut rows: Vec<Result<Model, String>> = Vec::new();
            let read = read_each(bytes, known, &mut |row| {
                rows.push(row.map_err(|broken| broken.to_string()));
                Ok(())
            });
            (rows, read)
        });
        let (rows, read) = rows.await.unwrap_or_else(|_| (Vec::new(), Err(Broken::Decoder)));
        for (row, model) in rows.into_iter().enumerate() {
            match model {
                Ok(model) => self.at_model(&part.location, row, &model),
                Err(problem) => self.problem(&part.location, problem),
            }
        }
        if let Err(broken) = read {
            self.problem(&part.location, broken.to_string());
        }
        Ok(())
    }

    /// A file of scikit-learn's: one model.
    async fn at_foreign(&mut self, key: ModelKey, meta: ObjectMeta) -> Result<(), Error> {
        let (location, bytes) = (meta.location.clone(), meta.size);
        self.found.files += 1;
        self.found.bytes += bytes;
        let read = self.loader.read_file(key, meta).await;
        let checked = read.and_then(|model| {
            let unsound = |flaw| Error::Model {
                key: Box::new(model.key.clone()),
                file: model.source.clone(),
                source: Box::new(flaw),
            };
            model.check().map_err(unsound)
        });
        match checked {
            Ok(()) => self.found.models += 1,
            Err(Error::Store { source: object_store::Error::NotFound { .. }, .. }) => {
                self.problem(&location, "the file is not there".into());
            }
            Err(error @ Error::Store { .. }) => return Err(error),
            Err(error) => {
                // The file is named beside it.
                let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                self.problem(&location, why);
            }
        }
        Ok(())
    }

    fn at_model(&mut self, file: &Path, row: usize, model: &Model) {
        let key = &model.key;
        if let Err(flaw) = model.check() {
            return self.problem(file, format!("row {row}, the model of `{key}`: {flaw}"));
        }
        if let Err(error) = fit::check(self.loader.config, model) {
            let flaw = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            return self.problem(file, format!("row {row}, the model of `{key}`: {flaw}"));
        }
        let here = format!("row {row} of `{file}`");
        let earlier = match self.keys.entry(key.clone()) {
            Entry::Vacant(free) => {
                free.insert(here);
                self.found.models += 1;
                return;
            }
            Entry::Occupied(taken) => taken.get().clone(),
        };
        self.problem(file, format!("row {row}: `{key}` has a model already, {earlier}"));
    }

    /// Files that look like models of the set, though nobody reads them.
    async fn for_strays(&mut self, id: &str, parts: &[Part]) -> Result<(), Error> {
        let place = layout::set(&self.loader.prefix, id);
        let mut listing = self.loader.store.list(Some(&place));
        while let Some(meta) = listing.try_next().await.map_err(|source| self.loader.failed("list", source))? {
            let is_named = parts.iter().any(|part| part.location == meta.location);
            if !is_named && meta.location.extension() == Some("parquet") {
                self.problem(&meta.location, "the manifest does not name it: it is not read".into());
            }
        }
        Ok(())
    }

    fn problem(&mut self, file: &Path, problem: String) {
        self.found.problems_total += 1;
        if self.found.problems.len() < NAMED_MAX {
            self.found.problems.push(Problem { file: file.to_string(), problem });
        }
    }
}
