//! Models while the service runs: waited for at its start, looked after for as long as it lasts.
//!
//! A thread of its own loads what is newer beside what is in use, and hands it over whole; workers take it up between two
//! commits. The thread keeps each set until nobody scores by it, and frees it: a worker has windows to fold.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use config::Config;
use score::{ModelSet, Models};
use store::Location;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::runtime::Runtime;
use crate::{failure, memory, wall};

/// How soon it is tried again while there are no models at all.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// How often it is looked whether an old set is still in use.
const LOOK_AT_RETIRED: Duration = Duration::from_secs(1);
/// How often the age of models is shown where nobody looks for newer ones.
const SELDOM: Duration = Duration::from_secs(60);

/// Where models are, with what is needed to load them.
pub(crate) struct ModelPlace {
    name: String,
    location: Location,
    place: score::Place,
    memory_bytes_max: Option<u64>,
}

/// The thread that looks for newer models; dropped, it ends.
pub(crate) struct Reload {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Loads the models, or waits for their store for as long as it may, and looks for newer ones from then on.
/// `look`: when to look at once.
///
/// # Errors
/// If there are models that cannot be used: no waiting would help.
pub(crate) fn begin(
    config: &Config,
    runtime: &Runtime,
    look: Arc<Notify>,
) -> anyhow::Result<(Arc<Models>, Option<Reload>)> {
    let empty = || Arc::new(ModelSet::empty());
    let Some(mut place) = ModelPlace::open(config)? else { return Ok((Arc::new(Models::new(empty())), None)) };
    let loaded = runtime.block_on(place.wait(config.score.model_wait.duration()))?;
    score::metrics::unavailable(loaded.is_none());
    let interval = config.score.poll_interval.duration();
    let models = Arc::new(Models::new(loaded.unwrap_or_else(|| Arc::new(ModelSet::unavailable()))));
    let reload = Reload::start(place, Arc::clone(&models), interval, look, runtime)?;
    Ok((models, Some(reload)))
}

/// Advice for a place without models, on a line of its own.
fn made_by(place: &str) -> &'static str {
    match place.contains("atalaia-demo") {
        true => "\n`atalaia demo` makes its models, in the folder in which it is started: run it first",
        false => "\nare there none yet? `atalaia train -c FILE --to PLACE` makes them from history",
    }
}

// === impl ModelPlace ===

impl ModelPlace {
    /// None if no models are configured.
    pub(crate) fn open(config: &Config) -> anyhow::Result<Option<ModelPlace>> {
        let name = &config.score.models;
        if name.is_empty() {
            return Ok(None);
        }
        let location = store::open(name, config.model_storage()).context("open the place of the models")?;
        let place = score::Place::new(config.score.clone(), Arc::clone(&location.store), location.prefix.clone());
        Ok(Some(ModelPlace { name: name.clone(), location, place, memory_bytes_max: config.run.memory_bytes_max }))
    }

    /// A set that is newer than this one, made from what this place held the last time.
    pub(crate) async fn newer(&mut self, older: &ModelSet) -> anyhow::Result<Option<Arc<ModelSet>>> {
        self.newer_shown(older, &|_, _| {}).await
    }

    /// The same; `shown` is told the files done, and the files in all.
    pub(crate) async fn newer_shown(
        &mut self,
        older: &ModelSet,
        shown: &(dyn Fn(usize, usize) + Sync),
    ) -> anyhow::Result<Option<Arc<ModelSet>>> {
        let left = memory::left(self.memory_bytes_max);
        let newer = self.place.newer(older, left, shown).await;
        if newer.is_err() {
            // Says what is wrong with the place itself, where that is so; loading only says what the service answered.
            let checked = store::check(&self.location).await;
            let is_missing = matches!(checked, Err(store::Error::FolderMissing { .. }));
            let advice = if is_missing { made_by(&self.name) } else { "" };
            checked.context(format!("open the place of the models{advice}"))?;
        }
        let are_none = matches!(newer, Err(score::Error::NoModels { .. }));
        let advice = if are_none { made_by(&self.name) } else { "" };
        newer.with_context(|| format!("load the models from `{}`{advice}", self.name))
    }

    /// The first set; none if the store does not answer for so long.
    async fn wait(&mut self, at_most: Duration) -> anyhow::Result<Option<Arc<ModelSet>>> {
        let begun = Instant::now();
        let empty = ModelSet::empty();
        loop {
            let problem = match self.newer(&empty).await {
                Ok(loaded) => return Ok(loaded),
                Err(error) if may_pass(&error) => failure::chain(&error),
                Err(error) => return Err(error),
            };
            let left = at_most.saturating_sub(begun.elapsed());
            if left.is_zero() {
                error!(
                    problem,
                    "models cannot be loaded: rows get the status `model_unavailable`, and loading goes on in the background"
                );
                return Ok(None);
            }
            warn!(problem, seconds_left = left.as_secs(), "models cannot be loaded yet: it is tried again");
            sleep(TRY_AGAIN.min(left)).await;
        }
    }
}

/// Whether it is the store's doing, or somebody has to change something.
fn may_pass(error: &anyhow::Error) -> bool {
    let of_store = |cause: &(dyn std::error::Error + 'static)| {
        let at_place = cause.downcast_ref::<store::Error>().is_some_and(|error| error.kind() == store::Kind::Retry);
        let of_models = cause.downcast_ref::<score::Error>().is_some_and(|error| error.kind() == score::Kind::Retry);
        at_place || of_models
    };
    error.chain().any(of_store)
}

// === impl Reload ===

impl Reload {
    fn start(
        mut place: ModelPlace,
        models: Arc<Models>,
        interval: Duration,
        look: Arc<Notify>,
        runtime: &Runtime,
    ) -> anyhow::Result<Reload> {
        place.place.in_background();
        let (stop, stopped) = oneshot::channel();
        let handle = runtime.handle().clone();
        let watch = Watch { place, models, interval, look, retired: Vec::new() };
        // Not a task: laying out a million models would keep one of the few I/O threads from its work.
        let thread = thread::Builder::new().name("models".into()).spawn(move || {
            give_way();
            handle.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = watch.run() => {}
                }
            });
        });
        let thread = thread.context("start the thread that looks for newer models")?;
        Ok(Reload { stop: Some(stop), thread: Some(thread) })
    }
}

/// Loading a million models takes seconds of a processor, which workers are to have when they want it. Also what this thread starts gives way.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        const NICE: i32 = 5;
        // A quarter of a processor where workers want all of it; more, and they would notice, less, and it would take minutes.
        // There a thread is meant, whatever the name says. Without it loading is as important as scoring: no reason to fail.
        let _ = rustix::process::setpriority_process(None, NICE);
    }
}

impl Drop for Reload {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the thread that looks for newer models panicked: this is a bug");
        }
    }
}

struct Watch {
    place: ModelPlace,
    models: Arc<Models>,
    /// Zero: only until there are models at all, or when it is asked for.
    interval: Duration,
    look: Arc<Notify>,
    /// Sets that are not the newest any more, while somebody may still score by them.
    retired: Vec<Arc<ModelSet>>,
}

impl Watch {
    async fn run(mut self) {
        let mut is_missing = self.models.current().is_unavailable();
        let mut looked_at = Instant::now();
        loop {
            let interval = if is_missing { TRY_AGAIN } else { self.interval };
            self.show_age();
            let is_rare = !is_missing && self.interval.is_zero();
            let until_look = if is_rare { SELDOM } else { interval.saturating_sub(looked_at.elapsed()) };
            let wait = if self.retired.is_empty() { until_look } else { until_look.min(LOOK_AT_RETIRED) };
            let is_asked = tokio::select! {
                () = sleep(wait) => false,
                () = self.look.notified() => true,
            };
            self.free_retired();
            if is_asked || looked_at.elapsed() >= interval && !is_rare {
                self.look().await;
                looked_at = Instant::now();
                is_missing = self.models.current().is_unavailable();
            }
        }
    }

    async fn look(&mut self) {
        let in_use = self.models.current();
        let looked = self.place.newer(&in_use).await;
        score::metrics::reload_failing(looked.is_err() || self.place.place.is_refused());
        match looked {
            Ok(None) => {}
            Ok(Some(newer)) => {
                info!(set = newer.id(), models = newer.len(), before = in_use.id(), "newer models are in use");
                self.retired.push(self.models.put(newer));
                score::metrics::reloaded();
                score::metrics::unavailable(false);
            }
            Err(error) => {
                score::metrics::reload_failed();
                let (problem, hint) = (failure::chain(&error), failure::hints(&error).join("; "));
                error!(problem, hint, set = in_use.id(), "newer models cannot be used: those in use stay");
            }
        }
    }

    fn free_retired(&mut self) {
        self.retired.retain(|set| Arc::strong_count(set) > 1);
    }

    fn show_age(&self) {
        if let Some(at) = self.models.current().published_at() {
            score::metrics::models_age((wall::now() - at).max(0) as f64 / 1e6);
        }
    }
}
