//! Two sets of a registry, key by key: what was added, removed, or judges differently.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;

use super::numbers_hash;
use crate::load::Loader;
use crate::{Config, Error, Model, ModelKey};

/// From one set to another. Keys are in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub added: Vec<ModelKey>,
    pub removed: Vec<ModelKey>,
    /// In both, with other numbers, features or thresholds; another version or source alone is no change.
    pub changed: Vec<ModelKey>,
    pub unchanged: u64,
}

/// # Errors
/// If one of the sets is not there, cannot be used, or the store fails.
pub async fn diff(
    config: &Config,
    store: &Arc<dyn ObjectStore>,
    registry: &Path,
    before: &str,
    after: &str,
) -> Result<Difference, Error> {
    let mut old = hashes(config, store, registry, before).await?;
    let mut difference = Difference::default();
    for (key, hash) in hashes(config, store, registry, after).await? {
        match old.remove(&key) {
            None => difference.added.push(key),
            Some(before) if before == hash => difference.unchanged += 1,
            Some(_) => difference.changed.push(key),
        }
    }
    difference.removed = old.into_keys().collect();
    Ok(difference)
}

async fn hashes(
    config: &Config,
    store: &Arc<dyn ObjectStore>,
    registry: &Path,
    set: &str,
) -> Result<BTreeMap<ModelKey, String>, Error> {
    let loader = Loader::new(config, Arc::clone(store), registry.clone(), &|_, _| {});
    let mut hashes = BTreeMap::new();
    let mut take = |model: Model| {
        let hash = numbers_hash(&model);
        hashes.insert(model.key, hash);
        Ok(())
    };
    loader.load_found(loader.of_set(set).await?, &mut take).await?;
    Ok(hashes)
}
