//! From a configuration to the parts of a pipeline: models, sinks, and the job they do with the sources of [`super::input`].

use std::sync::Arc;

use anyhow::Context;
use config::Config;
use ingest::SourceKind;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::input::Sources;
use super::progress::{self, Unit};
use crate::forwarding;
use crate::pipeline::{self, Cadence, Ending, Guards, Job, Keeper, Progress, SystemClock};
use crate::reload::{self, ModelPlace, Reload};
use crate::runtime::Runtime;
use crate::shutdown::Shutdown;
use crate::telemetry;

/// What every command that runs a pipeline has in common.
pub(crate) struct Assembly {
    /// Before the runtime that it works with: fields are dropped in their order.
    _reload: Option<Reload>,
    pub(crate) config: Config,
    /// Kept running for as long as the sinks need it.
    runtime: Runtime,
    pub(crate) sinks: sink::Sinks,
    pub(crate) models: Arc<score::Models>,
}

impl Assembly {
    /// Opens the sinks and loads the models, both checked: what a job needs.
    pub(crate) fn new(config: Config, runtime: Runtime) -> anyhow::Result<Self> {
        let meter = progress::wait("opening the places of the results");
        let sinks = open_sinks(&config, &runtime)?;
        drop(meter);
        let set = load_models(&config, &runtime)?;
        let models = Arc::new(score::Models::new(set));
        Ok(Assembly { config, runtime, sinks, models, _reload: None })
    }

    /// The same for the service, which waits for its models and takes newer ones while it runs.
    pub(crate) fn service(config: Config, runtime: Runtime, look_for_models: Arc<Notify>) -> anyhow::Result<Self> {
        let sinks = open_sinks(&config, &runtime)?;
        let (models, reload) = reload::begin(&config, &runtime, look_for_models)?;
        Ok(Assembly { config, runtime, sinks, models, _reload: reload })
    }

    pub(crate) fn runtime(&self) -> &Handle {
        self.runtime.handle()
    }

    pub(crate) fn job(&self, ending: Ending, sources: &Sources) -> anyhow::Result<Job> {
        let workers = sources.sources.len();
        let config = &self.config;
        let files = config.ingest.source == SourceKind::Files;
        let sink = &config.sink;
        let grace = config.run.shutdown_grace.duration();
        Ok(Job {
            decode: config.ingest.decode.clone(),
            shard: sources.filter(),
            windows: config.aggregate.settings(files, config.ingest.files.assume_sorted).context("read `aggregate`")?,
            models: self.models.clone(),
            score: config.score.clone(),
            cadence: Cadence {
                commit_interval: sink.commit_interval.duration(),
                min_rows: sink.min_rows,
                max_delay: sink.max_delay.duration(),
            },
            pending_bytes_max: config.run.pending_bytes_max / workers.max(1),
            start: config.ingest.start,
            predecessor: sink.predecessor.clone(),
            on_gap: config.ingest.on_gap,
            wall: !files,
            ending,
            grace: grace - telemetry::flush_within(grace),
            clock: Arc::new(SystemClock),
            withheld: super::input::withheld(config),
            guards: Guards::default(),
        })
    }

    pub(crate) fn run(
        &self,
        job: &Job,
        sources: Sources,
        progress: &Progress,
        shutdown: &Shutdown,
    ) -> anyhow::Result<()> {
        sources.agree_on_shards(&self.sinks)?;
        self.sinks.watch_drain();
        let work = |keeper: &dyn Keeper| pipeline::run(job, sources.sources, keeper, progress, shutdown);
        // A job that has come to its end by itself tells of everything; a service is only ever stopped.
        let is_done = || !matches!(job.ending, Ending::Never) && !shutdown.requested();
        forwarding::beside((&self.config, &self.sinks, self.runtime.handle()), progress, work, is_done)
    }
}

fn open_sinks(config: &Config, runtime: &Runtime) -> anyhow::Result<sink::Sinks> {
    let identity = sink::Identity { pipeline: config.pipeline.clone(), fingerprint: fingerprint(config) };
    sink::Sinks::open(&config.sink, &config.storage, identity, runtime.handle().clone())
        .context("open the places of the results")
}

/// The places of the results under their names, as readers write them.
pub(crate) fn paths(sinks: &sink::Sinks) -> [(&'static str, String); 5] {
    let sink::Paths { predictions, late, quarantine, runs, state } = sinks.paths();
    [("predictions", predictions), ("late", late), ("quarantine", quarantine), ("runs", runs), ("state", state)]
}

pub(crate) fn load_models(config: &Config, runtime: &Runtime) -> anyhow::Result<Arc<score::ModelSet>> {
    let empty = score::ModelSet::empty();
    let Some(mut place) = ModelPlace::open(config)? else { return Ok(Arc::new(empty)) };
    let meter = progress::count("loading models", Unit::Of("files"), 0);
    let shown = |done: usize, total: usize| {
        meter.set_total(total as u64);
        meter.set(done as u64);
    };
    let loaded = runtime.block_on(place.newer_shown(&empty, &shown))?;
    Ok(loaded.unwrap_or_else(|| Arc::new(empty)))
}

/// What may not change under a running pipeline: it would give the same reading to two different windows.
pub(crate) fn fingerprint(config: &Config) -> String {
    let (aggregate, decode) = (&config.aggregate, &config.ingest.decode);
    let device = match (&decode.device_name, &decode.device_property) {
        (Some(name), _) => serde_json::json!({ "name": name }),
        (None, Some(property)) => serde_json::json!({ "property": property }),
        (None, None) => serde_json::json!(decode.device),
    };
    let key = serde_json::json!([device, decode.sensor, decode.shape]);
    let (window, offset) = (aggregate.window.as_in_states(), aggregate.offset.as_in_states());
    format!("window={window} offset={offset} clock={:?} key={key}", aggregate.clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// State says it of itself: another text, and no state that was made before goes on.
    #[test]
    fn the_fingerprint_says_where_the_device_is() {
        let mut config = Config::default();
        let plain = fingerprint(&config);
        assert!(plain.ends_with(r#" key=["device","sensor","long"]"#), "{plain}");
        config.ingest.decode.time_property = Some("at".into());
        assert_eq!(fingerprint(&config), plain);
        config.ingest.decode.device_property = Some("id".into());
        assert!(fingerprint(&config).ends_with(r#" key=[{"property":"id"},"sensor","long"]"#));
        config.aggregate.window = "1d".parse().expect("a span");
        assert!(fingerprint(&config).starts_with("window=1day offset=0s "), "as states of the first version have it");
    }
}
