//! What the commands on a registry have in common: where it is, the words for its sets, and who writes.

use anyhow::Context;
use score::registry::{self, Note};
use store::Location;

use super::Place;
use crate::runtime::Runtime;
use crate::wall;

/// A registry, open.
pub(super) struct Open {
    pub(super) config: config::Config,
    pub(super) at: Location,
    pub(super) runtime: Runtime,
}

impl Open {
    pub(super) fn new(place: &Place) -> anyhow::Result<Open> {
        let config = place.config()?;
        crate::telemetry::logs(&config.telemetry)?;
        let at = store::open(&config.score.models, config.model_storage()).context("open the place of the registry")?;
        let runtime = Runtime::new()?;
        runtime.block_on(store::check(&at)).context("open the place of the registry")?;
        Ok(Open { config, at, runtime })
    }

    /// The set that a word names: an id, `current` or `previous`.
    pub(super) fn set(&self, word: &str) -> anyhow::Result<String> {
        let Location { store, prefix, display, .. } = &self.at;
        match word {
            "current" => {
                let current = self.runtime.block_on(registry::current(store, prefix))?;
                let current = current.ok_or_else(|| score::Error::NotPublished { place: display.clone() })?;
                Ok(current.pointer.set)
            }
            "previous" => Ok(self.runtime.block_on(registry::previous(store, prefix))?),
            id => Ok(id.to_owned()),
        }
    }
}

/// Who changes the registry, and when.
pub(super) fn note(text: String) -> Note {
    let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let by = match (name("USER"), name("HOSTNAME")) {
        (Some(user), Some(host)) => Some(format!("{user}@{host}")),
        (user, host) => user.or(host),
    };
    Note { text, at: wall::text(wall::now()), by }
}
