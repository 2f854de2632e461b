//! The models of a preview: read beside the first records, so that these show at once; and which of them is a key's, or which
//! one was perhaps meant.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::Context;
use config::Config;
use score::{ModelKey, ModelSet, Summary};
use strsim::damerau_levenshtein;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::failure;
use crate::reload::ModelPlace;

/// What is known of the models.
pub(super) enum Models {
    NotConfigured(Arc<ModelSet>),
    Loading(Loading),
    There(Arc<ModelSet>),
    Unusable { stand_in: Arc<ModelSet>, problem: String, hints: Vec<String> },
}

type Loaded = anyhow::Result<Option<Arc<ModelSet>>>;

/// A thread that reads them. Dropped before it has, it is stopped and waited for: the runtime must not end under it.
pub(super) struct Loading {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Loaded>>,
}

impl Loading {
    fn begin(mut place: ModelPlace, runtime: Handle) -> anyhow::Result<Loading> {
        let (stop, stopped) = oneshot::channel::<()>();
        // Not a task: laying out many models would keep an I/O thread from its work.
        let load = move || {
            let none_yet = ModelSet::empty();
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => Ok(None),
                    loaded = place.newer(&none_yet) => loaded,
                }
            })
        };
        let thread = thread::Builder::new().name("models".into()).spawn(load).context("start a thread")?;
        Ok(Loading { stop: Some(stop), thread: Some(thread) })
    }

    fn wait(mut self) -> Loaded {
        let loaded = self.thread.take().map_or(Ok(Ok(None)), JoinHandle::join);
        loaded.unwrap_or_else(|_| Err(anyhow::anyhow!("reading the models ended in a panic: this is a bug")))
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic has been told by the thread itself.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Models {
    /// Begins to read them.
    pub(super) fn begin(config: &Config, runtime: &Handle) -> anyhow::Result<Models> {
        let place = match ModelPlace::open(config) {
            Ok(Some(place)) => place,
            Ok(None) => return Ok(Models::NotConfigured(none())),
            Err(error) => return Ok(Models::unusable(&error)),
        };
        Ok(Models::Loading(Loading::begin(place, runtime.clone())?))
    }

    pub(super) fn are_loading(&self) -> bool {
        matches!(self, Models::Loading(Loading { thread: Some(thread), .. }) if !thread.is_finished())
    }

    /// Waits for them.
    pub(super) fn set(&mut self) -> Arc<ModelSet> {
        if matches!(self, Models::Loading(_))
            && let Models::Loading(loading) = std::mem::replace(self, Models::NotConfigured(none()))
        {
            *self = match loading.wait() {
                Ok(set) => Models::There(set.unwrap_or_else(none)),
                Err(error) => Models::unusable(&error),
            };
        }
        match self {
            Models::NotConfigured(set) | Models::There(set) | Models::Unusable { stand_in: set, .. } => Arc::clone(set),
            Models::Loading(_) => none(),
        }
    }

    fn unusable(error: &anyhow::Error) -> Models {
        let stand_in = Arc::new(ModelSet::unavailable());
        let hints = failure::hints(error);
        Models::Unusable { stand_in, problem: failure::chain(error), hints }
    }
}

fn none() -> Arc<ModelSet> {
    Arc::new(ModelSet::empty())
}

/// Keys without a model for which a similar one is looked for: a scan of all models each.
const LOOKED_FOR_MAX: usize = 8;
const SCANNED_MAX: usize = 200_000;

/// Looks for keys that are like those that have no model.
#[derive(Default)]
pub(super) struct Finder {
    known: HashMap<ModelKey, Option<String>>,
}

impl Finder {
    /// The key that was perhaps meant, if there is one.
    pub(super) fn nearest(&mut self, set: &ModelSet, key: &ModelKey) -> Option<String> {
        if let Some(known) = self.known.get(key) {
            return known.clone();
        }
        if self.known.len() >= LOOKED_FOR_MAX || set.len() > SCANNED_MAX {
            return None;
        }
        let found = set.iter().filter_map(|model| Some((likeness(key, &model)?, shown(&model)))).min();
        let found = found.map(|(_, found)| found);
        self.known.insert(key.clone(), found.clone());
        found
    }
}

/// The model that judges a series or, without a sensor, a device: its own or a default. As the scorer chooses.
pub(super) fn choose<'a>(set: &'a ModelSet, key: &ModelKey) -> Option<Summary<'a>> {
    keys(key).find_map(|(device, sensor)| set.get(device, sensor))
}

/// The keys that are looked for, one after the other.
pub(super) fn looked_for(key: &ModelKey) -> Vec<String> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    keys(key).map(|(device, sensor)| ModelKey { device: owned(device), sensor: owned(sensor) }.to_string()).collect()
}

fn keys(key: &ModelKey) -> impl Iterator<Item = (Option<&str>, Option<&str>)> {
    let (device, sensor) = (key.device.as_deref(), key.sensor.as_deref());
    let of_sensor = sensor.map(|sensor| (None, Some(sensor)));
    std::iter::once((device, sensor)).chain(of_sensor).chain([(None, None)])
}

fn shown(model: &Summary<'_>) -> String {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    ModelKey { device: owned(model.device), sensor: owned(model.sensor) }.to_string()
}

/// How like a model's key is to one that has none: the smaller, the more.
fn likeness(key: &ModelKey, model: &Summary<'_>) -> Option<u8> {
    let (device, of_device) = (key.device.as_deref()?, model.device?);
    match (key.sensor.as_deref(), model.sensor) {
        (None, None) => similar(device, of_device),
        (Some(sensor), Some(of_sensor)) => {
            let straight = similar(device, of_device).zip(similar(sensor, of_sensor));
            // Taken for each other.
            let crossed = (device == of_sensor && sensor == of_device).then_some(9);
            straight.map(|(device, sensor)| device + sensor).or(crossed)
        }
        _ => None,
    }
}

/// Ids that mean the same thing, as people write it here and there. Other numbers are other things.
fn similar(one: &str, other: &str) -> Option<u8> {
    if one == other {
        return Some(0);
    }
    let (one, other) = (parts(one), parts(other));
    if one == other {
        return Some(1);
    }
    let (short, long) = if one.len() < other.len() { (&one, &other) } else { (&other, &one) };
    if !short.is_empty() && long.ends_with(short) {
        return Some(2);
    }
    let is_number = |part: &&String| part.starts_with(|c: char| c.is_ascii_digit());
    let numbers = |parts: &[String]| parts.iter().filter(is_number).cloned().collect::<Vec<_>>();
    let words = |parts: &[String]| parts.iter().filter(|part| !is_number(part)).cloned().collect::<String>();
    let (word, other_word) = (words(&one), words(&other));
    let tolerance = (word.chars().count() / 3).min(3);
    let is_near = tolerance > 0 && damerau_levenshtein(&word, &other_word) <= tolerance;
    (is_near && numbers(&one) == numbers(&other)).then_some(3)
}

/// `Pump-007_a` as `pump`, `7`, `a`.
fn parts(id: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut before = None;
    for letter in id.chars() {
        let kind = letter.is_alphanumeric().then(|| letter.is_ascii_digit());
        match (kind, parts.last_mut()) {
            (None, _) => {}
            (Some(_), Some(part)) if kind == before => part.extend(letter.to_lowercase()),
            (Some(_), _) => parts.push(letter.to_lowercase().collect()),
        }
        before = kind;
    }
    for part in &mut parts {
        let significant = part.trim_start_matches('0');
        if significant.len() < part.len() && significant.bytes().all(|byte| byte.is_ascii_digit()) {
            *part = if significant.is_empty() { "0".into() } else { significant.into() };
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_alike_as_people_take_them() {
        let cases = [
            ("pump-7", "pump-7", Some(0)),
            ("pump-7", "Pump_007", Some(1)),
            ("plant-a/pump-7", "pump-7", Some(2)),
            ("temperature", "temprature", Some(3)),
            ("pump-7", "pump-8", None),
            ("7", "17", None),
            ("tag_1", "tag_10", None),
            ("pump0", "pump00", Some(1)),
            ("a", "b", None),
            ("", "a", None),
        ];
        for (one, other, likeness) in cases {
            assert_eq!(similar(one, other), likeness, "{one} and {other}");
            assert_eq!(similar(other, one), likeness, "{other} and {one}");
        }
    }

    #[test]
    fn own_models_come_before_defaults() {
        let key = |device: &str, sensor: Option<&str>| ModelKey {
            device: Some(device.into()),
            sensor: sensor.map(str::to_owned),
        };
        assert_eq!(looked_for(&key("d", Some("s"))), ["d/s", "*/s", "*"]);
        assert_eq!(looked_for(&key("d", None)), ["d", "*"]);
    }
}
