//! A place of models that is looked at again and again: what is newer there becomes a set of its own, beside the one in use.
//!
//! A set is made whole or not at all. What is known to be unusable is not tried again before something changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use object_store::ObjectStore;
use object_store::path::Path;
use tracing::info;

use crate::find::{Found, Mark};
use crate::load::{Loader, Progress};
use crate::set::Builder;
use crate::{Config, Error, Kind, Model, ModelSet, metrics, registry};

pub struct Place {
    config: Config,
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// What the set in use was made from.
    seen: Option<Mark>,
    /// What could not be used.
    refused: Option<Mark>,
    is_background: bool,
}

impl Place {
    #[must_use]
    pub fn new(config: Config, store: Arc<dyn ObjectStore>, prefix: Path) -> Place {
        Place { config, store, prefix, seen: None, refused: None, is_background: false }
    }

    /// From now on loading takes its time, one file of a registry after the other: somebody scores meanwhile.
    pub fn in_background(&mut self) {
        self.is_background = true;
    }

    /// Whether there is something newer that cannot be used.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// The models that are there, as a set; none if they are those that were there the last time. Of plain files only those that changed are read, the models of the
    /// others come from `older`, which must be the set that this gave before (or any, the first time).
    ///
    /// `bytes_max` is how much memory there is for it; `progress` is told the files done and the files in all.
    ///
    /// # Errors
    /// If the store fails, the names do not give keys, no model is there, one cannot be used, or they are too large. What came before stays good.
    pub async fn newer(
        &mut self,
        older: &ModelSet,
        bytes_max: Option<u64>,
        progress: Progress<'_>,
    ) -> Result<Option<Arc<ModelSet>>, Error> {
        if let Some(Mark::Pointer(number)) = self.seen
            && registry::highest(&self.store, &self.prefix).await? == Some(number)
        {
            self.refused = None;
            return Ok(None);
        }
        let mut loader = Loader::new(&self.config, Arc::clone(&self.store), self.prefix.clone(), progress);
        loader.is_background = self.is_background;
        let found = loader.within_time(loader.find()).await?;
        let mark = found.mark.clone();
        if self.refused.as_ref() == Some(&mark) {
            return Ok(None);
        }
        let is_set_in_use = found.set.as_ref().is_some_and(|set| set.id == older.id());
        if self.seen.as_ref() == Some(&mark) || (self.seen.is_some() && is_set_in_use) {
            // Or back to what is in use: nothing to load, sets do not change.
            (self.seen, self.refused) = (Some(mark), None);
            return Ok(None);
        }
        match loader.within_time(self.load(&loader, found, older, bytes_max)).await {
            Ok(set) => {
                (self.seen, self.refused) = (Some(mark), None);
                Ok(Some(Arc::new(set)))
            }
            Err(error) => {
                // There may be room the next time.
                if error.kind() == Kind::Input && !matches!(error, Error::Memory { .. }) {
                    self.refused = Some(mark);
                }
                Err(error)
            }
        }
    }

    async fn load(
        &self,
        loader: &Loader<'_>,
        mut found: Found,
        older: &ModelSet,
        bytes_max: Option<u64>,
    ) -> Result<ModelSet, Error> {
        let began = Instant::now();
        let mut builder = Builder::new();
        let (id, expected) = match &found.set {
            Some(set) => (Some(set.id.clone()), set.models),
            None => (None, None),
        };
        builder.named(id.as_deref(), found.published_at);
        let unchanged = self.unchanged(&found.mark, older);
        let kept = unchanged.len();
        if kept > 0 {
            loader.check_place(&found)?;
            builder.take_over(older, &|source| unchanged.contains(source))?;
            found.parts.retain(|part| !unchanged.contains(part.location.as_ref()));
            found.files.retain(|(_, meta)| !unchanged.contains(meta.location.as_ref()));
        }
        let mut take = |model: Model| {
            builder.add(&model)?;
            match bytes_max {
                Some(left) if builder.bytes() > left => Err(too_large(builder.bytes(), left, loader)),
                _ => Ok(()),
            }
        };
        let skipped = match kept > 0 && found.parts.is_empty() && found.files.is_empty() {
            // Files only went away.
            true => 0,
            false => loader.load_found(found, &mut take).await?,
        };
        let set = builder.finish(skipped);
        if let Some(expected) = expected.filter(|&expected| skipped == 0 && expected != set.len() as u64) {
            return Err(Error::Count { set: set.id().to_owned(), found: set.len() as u64, expected });
        }
        let seconds = began.elapsed().as_secs_f64();
        metrics::models_loaded(set.len(), set.bytes(), seconds);
        metrics::models_trained(&set.trained());
        let bytes = set.bytes();
        info!(models = set.len(), skipped, bytes, set = set.id(), unchanged = kept, seconds, "models loaded");
        Ok(set)
    }

    /// The files, by location, that are as they were when `older` was made from them.
    fn unchanged(&self, now: &Mark, older: &ModelSet) -> HashSet<String> {
        let (Some(Mark::Files { tags: before, mapping: mapped_before }), Mark::Files { tags, mapping }) =
            (&self.seen, now)
        else {
            return HashSet::new();
        };
        // Another mapping gives the same files other keys.
        if mapping != mapped_before {
            return HashSet::new();
        }
        // What was left out the last time is tried again, and counted.
        let used = older.sources();
        let is_same =
            |(name, tag): &(&String, &String)| before.get(*name) == Some(*tag) && used.contains(name.as_str());
        tags.iter().filter(is_same).map(|(name, _)| name.clone()).collect()
    }
}

fn too_large(bytes: u64, left: u64, loader: &Loader<'_>) -> Error {
    const MIB: u64 = 1 << 20;
    Error::Memory {
        bytes_mib: bytes.div_ceil(MIB),
        done: loader.done.load(Ordering::Relaxed),
        total: loader.total.load(Ordering::Relaxed),
        left_mib: left / MIB,
    }
}
