//! Models that are there: what is not trained this time keeps its own, so that no set covers less than the one before without a word.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, bail};
use score::{Model, ModelKey};
use store::Location;

use super::report::Line;
use super::{Job, Only};

/// What was there before.
#[derive(Default)]
pub(super) struct Existing {
    pub(super) models: BTreeMap<ModelKey, Model>,
    /// The number that the pointer at `--to` had before they were read; none if nothing depends on it.
    pub(super) base: Option<u64>,
}

impl Job<'_> {
    /// The models that are taken over unless a new one is trained.
    pub(super) fn existing(&self, to: &Location) -> anyhow::Result<Existing> {
        let args = self.args;
        if args.drop_missing {
            return match args.only {
                Only::All => Ok(Existing::default()),
                _ => bail!("`--drop-missing` is for `--only all`: the others are to keep models"),
            };
        }
        let base = self.runtime.block_on(score::registry::highest(&to.store, &to.prefix)).context("look for models")?;
        let base = Some(base.unwrap_or(0));
        let all = args.only == Only::All;
        let holds = |location: &Location, ending: &str| -> anyhow::Result<bool> {
            let holds = self.runtime.block_on(store::list(location)).context("look for models")?;
            Ok(holds.iter().any(|path| path.as_ref().ends_with(ending)))
        };
        let from = if holds(to, ".parquet")? {
            to.clone()
        } else if self.config.score.models.is_empty() {
            if all {
                return Ok(Existing { base, ..Existing::default() });
            }
            bail!("`--only` compares with existing models, but there are none at `{to}`, and `score.models` is empty")
        } else {
            let configured = store::open(&self.config.score.models, self.config.model_storage())
                .context("open the place of the existing models")?;
            // The first models of all.
            if all && !holds(&configured, "")? {
                return Ok(Existing { base, ..Existing::default() });
            }
            configured
        };
        let place = (from.store.clone(), from.prefix.clone());
        let score = score::Config { models: from.display.clone(), ..self.config.score.clone() };
        let models = self.runtime.block_on(score::read_models(&score, Some(place), &|_, _| ()));
        // Somebody died before the first pointer.
        if all && matches!(models, Err(score::Error::NotPublished { .. })) {
            return Ok(Existing { base, ..Existing::default() });
        }
        let models = models.with_context(|| {
            let way_out = if all { "; `--drop-missing` does without them" } else { "" };
            format!("read the existing models in `{from}`, to take over what is not trained{way_out}")
        })?;
        Ok(Existing { models: models.into_iter().map(|model| (model.key.clone(), model)).collect(), base })
    }
}

/// Takes over the models whose keys have no new one. A key that was tried in vain keeps its line, which says so.
pub(super) fn keep(mut existing: BTreeMap<ModelKey, Model>, models: &mut Vec<Model>, lines: &mut Vec<Line>) {
    models.iter().for_each(|model| {
        existing.remove(&model.key);
    });
    let mut tried = HashSet::new();
    for line in lines.iter_mut() {
        let key = line.key();
        if let Some(model) = existing.get(&key) {
            line.keep(model);
        }
        tried.insert(key);
    }
    lines.extend(existing.iter().filter(|(key, _)| !tried.contains(key)).map(|(_, model)| Line::kept(model)));
    models.extend(existing.into_values());
    lines.sort_by(|a, b| (&a.device, &a.sensor).cmp(&(&b.device, &b.sensor)));
}
