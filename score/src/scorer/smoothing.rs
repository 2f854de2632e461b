//! The mean severity over adjacent windows of one key, for models that ask for it.
//!
//! What is remembered depends on the key's own windows alone, in their order: neither batches nor restarts nor neighbours
//! change it. A gap, another model and a window without a score begin anew.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use types::{Micros, SeriesNames};

use crate::Key;

/// What is remembered of one key, as it is written into the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    of: Of,
    path: Path,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Of {
    /// The series' place among the known ones.
    Series(u32),
    Device(String),
}

/// The last windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Path {
    /// Of the newest of them.
    end: Micros,
    /// Checksum of the model's version: another model's severities do not compare.
    model: u32,
    /// From the oldest to the newest, one fewer than are smoothed over.
    severities: Vec<f64>,
}

#[derive(Debug, Default)]
pub(super) struct Trails {
    series: HashMap<u32, Path, RandomState>,
    devices: HashMap<Arc<str>, Path, RandomState>,
}

/// A window that was scored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) start: Micros,
    pub(super) end: Micros,
    pub(super) version: &'a str,
    pub(super) severity: f64,
    /// How many windows the model smooths over, at least two.
    pub(super) windows: u32,
}

impl Path {
    fn take(&mut self, is_adjacent: bool, step: Step<'_>) -> f64 {
        let model = crc32c::crc32c(step.version.as_bytes());
        if !is_adjacent || self.end != step.start || self.model != model {
            self.severities.clear();
        }
        (self.end, self.model) = (step.end, model);
        let keep = step.windows.max(1) as usize;
        self.severities.push(step.severity);
        let extra = self.severities.len().saturating_sub(keep);
        self.severities.drain(..extra);
        let mean = self.severities.iter().sum::<f64>() / self.severities.len() as f64;
        // The next one takes the oldest one's place.
        if self.severities.len() == keep {
            self.severities.remove(0);
        }
        mean
    }
}

impl Trails {
    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty() && self.devices.is_empty()
    }

    /// The smoothed severity. `is_adjacent`: the key has the window right before, too.
    pub(super) fn of_series(&mut self, series: u32, is_adjacent: bool, step: Step<'_>) -> f64 {
        self.series.entry(series).or_insert_with(Path::new).take(is_adjacent, step)
    }

    pub(super) fn of_device(&mut self, device: &Arc<str>, is_adjacent: bool, step: Step<'_>) -> f64 {
        if let Some(path) = self.devices.get_mut(device) {
            return path.take(is_adjacent, step);
        }
        self.devices.entry(Arc::clone(device)).or_insert_with(Path::new).take(is_adjacent, step)
    }

    /// All that can still be gone on with; the rest is forgotten.
    pub(super) fn save(&mut self, key: Key, known: impl Iterator<Item = u32>, names: &dyn SeriesNames) -> Vec<Trail> {
        let mut saved = Vec::with_capacity(self.series.len() + self.devices.len());
        let trail = |of, path: &Path| Trail { of, path: path.clone() };
        match key {
            Key::Series => {
                let mut kept: HashMap<u32, Path, RandomState> = HashMap::default();
                for (place, series) in (0..).zip(known) {
                    if let Some(path) = self.series.remove(&series) {
                        saved.push(trail(Of::Series(place), &path));
                        kept.insert(series, path);
                    }
                }
                self.series = kept;
            }
            Key::Device => {
                let mut kept: HashMap<Arc<str>, Path, RandomState> = HashMap::default();
                for series in known {
                    if let Some((device, path)) = self.devices.remove_entry(names.device(series)) {
                        saved.push(trail(Of::Device(device.to_string()), &path));
                        kept.insert(device, path);
                    }
                }
                self.devices = kept;
            }
        }
        saved
    }

    pub(super) fn restore(&mut self, trails: Vec<Trail>, known: impl Iterator<Item = u32>) {
        let known: Vec<u32> = known.collect();
        for Trail { of, path } in trails {
            match of {
                Of::Series(place) => {
                    if let Some(&series) = known.get(place as usize) {
                        self.series.insert(series, path);
                    }
                }
                Of::Device(device) => {
                    self.devices.insert(Arc::from(device), path);
                }
            }
        }
    }
}

impl Path {
    fn new() -> Path {
        Path { end: Micros::MIN, model: 0, severities: Vec::new() }
    }
}
