//! Rows of `predictions` from any folder or URL, whoever wrote them: what was scored is evaluated, explained and watched by
//! commands that need no pipeline.

use anyhow::{Context, bail};
use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use config::Config;
use sink::admin::{Folder, Object};
use store::Location;
use tokio::runtime::Runtime;
use types::Micros;

use super::parquet_file::{File, column, number, numbers, text, texts};

/// A dataset that was found.
pub(crate) struct Predictions {
    folder: Folder,
    pub(crate) place: String,
    objects: Vec<Object>,
}

/// What most commands look at of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row<'a> {
    pub(crate) device: &'a str,
    pub(crate) sensor: Option<&'a str>,
    /// The window is `[start, end)`.
    pub(crate) start: Micros,
    pub(crate) end: Micros,
    pub(crate) decision: Option<f64>,
    pub(crate) severity: Option<f64>,
    pub(crate) threshold: Option<f64>,
    pub(crate) is_anomaly: bool,
    pub(crate) status: &'a str,
    pub(crate) model_key: Option<&'a str>,
}

/// Where a command finds the predictions that it was not told of.
pub(crate) fn configured(config: &Config) -> anyhow::Result<Location> {
    Ok(sink::Places::open(&config.sink, &config.storage).context("open the places of the results")?.predictions)
}

impl Predictions {
    /// Lists what is in the place; there must be something.
    pub(crate) fn open(location: Location, runtime: &Runtime) -> anyhow::Result<Predictions> {
        let place = location.display.clone();
        runtime.block_on(store::check(&location)).with_context(|| format!("open the predictions in `{place}`"))?;
        let folder = Folder::new(location);
        let listed =
            runtime.block_on(folder.objects()).with_context(|| format!("list the predictions in `{place}`"))?;
        let objects: Vec<Object> = listed.into_iter().filter(|object| object.name.ends_with(".parquet")).collect();
        if objects.iter().any(|object| object.name.starts_with("predictions/")) {
            bail!(
                "`{place}` holds all datasets of a run, not predictions alone\nname the folder `predictions` in it: `{}/predictions`",
                place.trim_end_matches('/')
            );
        }
        if objects.is_empty() {
            bail!(
                "no Parquet file in `{place}`\nname the folder `predictions` below the results of `atalaia run` or `score`"
            );
        }
        Ok(Predictions { folder, place, objects })
    }

    /// The folder or URL that a user named.
    pub(crate) fn at(url: &str, config: &Config, runtime: &Runtime) -> anyhow::Result<Predictions> {
        let location = store::open(url, &config.storage).context("open the place of the predictions")?;
        Predictions::open(location, runtime)
    }

    /// Only the files of windows that start on these days, as `2026-01-31`, both included. Names that tell no day stay.
    pub(crate) fn of_days(&mut self, first: &str, last: &str) {
        let day = |name: &str| name.split('/').find_map(|part| part.strip_prefix("date=").map(str::to_owned));
        self.objects.retain(|object| day(&object.name).is_none_or(|day| (first..=last).contains(&day.as_str())));
    }

    /// Shows each file.
    pub(crate) fn files(
        &self,
        runtime: &Runtime,
        mut take: impl FnMut(File) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let read = self.folder.read_each(self.objects.clone(), |object, bytes| {
            let shown = File::open(bytes).and_then(&mut take);
            shown.with_context(|| format!("read `{}` of `{}`", object.name, self.place))
        });
        runtime.block_on(read)
    }

    /// Shows every row.
    pub(crate) fn rows(&self, runtime: &Runtime, mut show: impl FnMut(Row<'_>)) -> anyhow::Result<()> {
        self.files(runtime, |file| rows(file, &mut show))
    }
}

fn rows(file: File, show: &mut dyn FnMut(Row<'_>)) -> anyhow::Result<()> {
    const COLUMNS: [&str; 10] = [
        "device",
        "sensor",
        "window_start",
        "window_end",
        "decision",
        "severity",
        "threshold",
        "is_anomaly",
        "status",
        "model_key",
    ];
    file.batches(&COLUMNS, |batch| {
        let [device, sensor, status, key] = ["device", "sensor", "status", "model_key"].map(|name| texts(batch, name));
        let (device, sensor, status, key) = (device?, sensor?, status?, key?);
        let start = numbers::<TimestampMicrosecondType>(batch, "window_start")?;
        let end = numbers::<TimestampMicrosecondType>(batch, "window_end")?;
        let decision = numbers::<Float64Type>(batch, "decision")?;
        let severity = numbers::<Float64Type>(batch, "severity")?;
        let threshold = numbers::<Float64Type>(batch, "threshold")?;
        let anomaly = column(batch, "is_anomaly")?.as_boolean_opt().context("`is_anomaly` is no boolean")?;
        for row in 0..batch.num_rows() {
            show(Row {
                device: device.value(row),
                sensor: text(sensor, row),
                start: start.value(row),
                end: end.value(row),
                decision: number(decision, row),
                severity: number(severity, row),
                threshold: number(threshold, row),
                is_anomaly: anomaly.value(row),
                status: status.value(row),
                model_key: text(key, row),
            });
        }
        Ok(())
    })
}
