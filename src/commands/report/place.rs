//! Where the datasets of a report are: those of a configuration, those below a folder or URL, or predictions alone.

use anyhow::{Context, bail};
use config::Config;
use store::Location;

use super::refused::Part;
use crate::commands::dataset::Dataset;
use crate::runtime::Runtime;
use crate::wall;

/// The datasets that were found; one that is not there has no files.
pub(super) struct Place {
    pub(super) predictions: Option<Dataset>,
    pub(super) late: Option<Dataset>,
    pub(super) quarantine: Option<Dataset>,
    /// Without secrets.
    pub(super) shown: String,
}

/// Folders of a run that hold no predictions.
const OTHERS: [&str; 4] = ["late/", "quarantine/", "runs/", "state/"];

impl Place {
    pub(super) fn find(url: Option<&str>, config: &Config, runtime: &Runtime) -> anyhow::Result<Place> {
        let mut sink = config.sink.clone();
        if let Some(url) = url {
            sink = sink::Config { url: root(url), ..sink::Config::default() };
        }
        if sink.url.is_empty() && sink.predictions.is_none() {
            bail!("no dataset is named: give its folder or URL, or a configuration with -c");
        }
        let places = sink::Places::open(&sink, &config.storage).context("open the places of the results")?;
        let mut place = Place {
            predictions: open(places.predictions, "predictions", runtime)?,
            late: open(places.late, "late readings", runtime)?,
            quarantine: open(places.quarantine, "quarantine", runtime)?,
            shown: sink.url,
        };
        if let (None, Some(url)) = (&place.predictions, url) {
            let location = store::open(url, &config.storage).context("open the place of the predictions")?;
            let mut alone = Dataset::open(location, "predictions", runtime)?;
            alone.objects.retain(|object| !OTHERS.iter().any(|other| object.name.starts_with(other)));
            place.predictions = (!alone.objects.is_empty()).then_some(alone);
        }
        if place.all().next().is_none() {
            bail!(
                "no Parquet file in `{}`\nname the folder or URL that `atalaia run` or `score` wrote to, or `predictions` in it",
                place.shown
            );
        }
        Ok(place)
    }

    fn all(&self) -> impl Iterator<Item = &Dataset> {
        [&self.predictions, &self.late, &self.quarantine].into_iter().flatten()
    }

    /// Leaves out files of other days.
    pub(super) fn of(&mut self, part: Part) {
        let day = |micros| wall::text(micros).chars().take(10).collect::<String>();
        let first = part.since.map_or_else(String::new, day);
        let last = part.until.map_or_else(|| "9999-99-99".to_owned(), day);
        for dataset in [&mut self.predictions, &mut self.late, &mut self.quarantine].into_iter().flatten() {
            dataset.of_days(&first, &last);
        }
    }

    pub(super) fn files(&self) -> usize {
        self.all().map(|dataset| dataset.objects.len()).sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.all().map(Dataset::bytes).sum()
    }
}

/// Of the folder `predictions`, what it lies in: its neighbours are late readings and quarantine.
fn root(url: &str) -> String {
    let url = url.trim_end_matches('/');
    match url.rsplit_once('/') {
        Some((root, "predictions")) if !root.is_empty() => root.to_owned(),
        None if url == "predictions" => ".".to_owned(),
        _ => url.to_owned(),
    }
}

/// None where nothing is.
fn open(location: Location, what: &str, runtime: &Runtime) -> anyhow::Result<Option<Dataset>> {
    if location.local_root.as_ref().is_some_and(|root| !root.exists()) {
        return Ok(None);
    }
    let dataset = Dataset::open(location, what, runtime)?;
    Ok((!dataset.objects.is_empty()).then_some(dataset))
}
