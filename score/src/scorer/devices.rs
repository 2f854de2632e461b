//! Rows of models that take whole devices: the window rows of a device's sensors become one.
//!
//! All sensors of a device close together, so the rows of one window are in one batch, though not side by side.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use types::{DeviceRows, Micros, Scores, SeriesNames, Status, WindowRows};

use super::{Choice, Scorer, Shown};
use crate::Feature;

/// What is remembered of devices, and of the batch at hand.
#[derive(Debug, Default)]
pub(super) struct Devices {
    slots: Vec<Slot>,
    by_name: HashMap<Arc<str>, u32, RandomState>,
    /// By series index: its generation and its device's slot.
    of_series: Vec<Option<(u32, u32)>>,
    /// Of each score of the batch.
    groups: Vec<Group>,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Slot {
    name: Arc<str>,
    model: Choice,
    batch: u32,
    reference: u32,
}

/// A device's window.
#[derive(Debug, Clone, Copy)]
struct Group {
    slot: u32,
    /// Some sensor of it has the window right before, too.
    is_adjacent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    slot: u32,
    start: Micros,
    row: u32,
}

/// Devices that went away are swept out when there are this many more than series.
const SLACK: usize = 4_096;

impl Devices {
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.by_name.clear();
        self.of_series.clear();
    }

    pub(super) fn name(&self, score: usize) -> &Arc<str> {
        &self.slots[self.groups[score].slot as usize].name
    }

    pub(super) fn is_adjacent(&self, score: usize) -> bool {
        self.groups[score].is_adjacent
    }

    fn slot(&mut self, series: u32, names: &dyn SeriesNames) -> u32 {
        let (place, generation) = (series as usize, names.generation(series));
        if place >= self.of_series.len() {
            self.of_series.resize(place + 1, None);
        }
        match self.of_series[place] {
            Some((known, slot)) if known == generation => slot,
            _ => {
                let slot = self.find_or_insert(names.device(series));
                self.of_series[place] = Some((generation, slot));
                slot
            }
        }
    }

    fn find_or_insert(&mut self, device: &str) -> u32 {
        if let Some(&slot) = self.by_name.get(device) {
            return slot;
        }
        let (slot, name) = (self.slots.len() as u32, Arc::<str>::from(device));
        self.slots.push(Slot { name: Arc::clone(&name), model: Choice::Unknown, batch: 0, reference: 0 });
        self.by_name.insert(name, slot);
        slot
    }

    /// The batch's rows by device and window.
    fn group(&mut self, rows: &WindowRows, names: &dyn SeriesNames) {
        if self.slots.len() > self.of_series.len() + SLACK {
            self.clear();
        }
        self.groups.clear();
        let mut members = std::mem::take(&mut self.members);
        members.clear();
        members.extend((0..rows.len()).map(|row| Member {
            slot: self.slot(rows.series[row], names),
            start: rows.start[row],
            row: row as u32,
        }));
        members.sort_unstable();
        self.members = members;
    }
}

impl Scorer {
    pub(super) fn prepare_devices(&mut self, rows: &WindowRows, names: &dyn SeriesNames) -> Scores {
        self.devices.group(rows, names);
        let members = std::mem::take(&mut self.devices.members);
        let groups = || members.chunk_by(|a, b| (a.slot, a.start) == (b.slot, b.start));
        let mut scores = self.blank(groups().count());
        let mut frame = DeviceRows::default();
        for (row, group) in groups().enumerate() {
            let status = self.prepare_device(rows, names, group, row, &mut scores, &mut frame);
            scores.status.push(status);
        }
        scores.devices = Some(frame);
        self.devices.members = members;
        scores
    }

    fn prepare_device(
        &mut self,
        rows: &WindowRows,
        names: &dyn SeriesNames,
        group: &[Member],
        row: usize,
        scores: &mut Scores,
        frame: &mut DeviceRows,
    ) -> Status {
        let of_group = || group.iter().map(|member| member.row as usize);
        let slot = group[0].slot;
        let is_adjacent = of_group().any(|row| rows.delta[row].is_some());
        self.devices.groups.push(Group { slot, is_adjacent });
        frame.row.push(group[0].row);
        frame.count.push(of_group().map(|row| rows.count[row]).sum());
        let window = Window { rows, names, group };
        let status = match self.resolve_device(slot, scores, row) {
            Some(model) => self.prepare_features(&window, model, row, frame),
            None => {
                window.configured(&self.features, &mut self.shown, frame);
                self.set.without_model()
            }
        };
        frame.ends.push(frame.features.len());
        status
    }

    fn resolve_device(&mut self, slot: u32, scores: &mut Scores, row: usize) -> Option<u32> {
        let slot = &mut self.devices.slots[slot as usize];
        if slot.model == Choice::Unknown {
            slot.model = self.set.choose(&slot.name, None).map_or(Choice::NoModel, Choice::Model);
        }
        let Choice::Model(model) = slot.model else { return None };
        if slot.batch != self.batch {
            (slot.batch, slot.reference) = (self.batch, scores.models.len() as u32);
            scores.models.push(self.set.entry(model).reference.clone());
        }
        scores.model[row] = Some(slot.reference);
        Some(model)
    }

    /// The model's features; those that the window lacks are shown as such.
    fn prepare_features(&mut self, window: &Window<'_>, model: u32, row: usize, frame: &mut DeviceRows) -> Status {
        let entry = self.set.entry(model);
        let features = self.set.features(entry).unwrap_or(&self.features);
        if features.len() != entry.inputs as usize {
            return Status::MissingFeature;
        }
        let (mut status, mut missing) = (Status::Scored, 0);
        let start = self.scratch.z.len();
        let mut last: Option<(&str, Option<usize>)> = None;
        for (place, feature) in features.iter().enumerate() {
            let sensor = feature.sensor.as_deref().unwrap_or_default();
            let found = match last {
                Some((name, found)) if name == sensor => found,
                _ => window.row_of(sensor),
            };
            last = Some((sensor, found));
            let number = found.and_then(|row| feature.statistic.of(window.rows, row));
            frame.features.push((self.shown.name(feature), number));
            missing += usize::from(number.is_none());
            if found.is_some_and(|row| window.rows.count[row] < self.min_readings) && status == Status::Scored {
                status = Status::TooFew;
            }
            match number.or_else(|| self.missing_feature.stand_in(&self.set, entry, place)) {
                Some(number) => self.scratch.z.push(number),
                None => status = Status::MissingFeature,
            }
        }
        if missing > 0 && !self.missing_feature.may_stand_in(missing, features.len()) {
            status = Status::MissingFeature;
        }
        if status != Status::Scored {
            self.scratch.z.truncate(start);
            return status;
        }
        self.pend(row, model, start)
    }
}

/// The rows of one device and window.
struct Window<'a> {
    rows: &'a WindowRows,
    names: &'a dyn SeriesNames,
    group: &'a [Member],
}

impl Window<'_> {
    fn row_of(&self, sensor: &str) -> Option<usize> {
        let rows = self.group.iter().map(|member| member.row as usize);
        rows.into_iter().find(|&row| self.names.sensor(self.rows.series[row]) == sensor)
    }

    /// What a model of the configured features would be given: of a statistic without a sensor that of every sensor.
    fn configured(&self, features: &[Feature], shown: &mut Shown, frame: &mut DeviceRows) {
        let mut members: Vec<usize> = self.group.iter().map(|member| member.row as usize).collect();
        members.sort_by_key(|&row| self.names.sensor(self.rows.series[row]));
        for feature in features {
            let wanted = |row: &&usize| {
                let sensor = self.names.sensor(self.rows.series[**row]);
                feature.sensor.as_deref().is_none_or(|wanted| wanted == sensor)
            };
            for &row in members.iter().filter(wanted) {
                let named = Feature::of_sensor(self.names.sensor(self.rows.series[row]), feature.statistic);
                frame.features.push((shown.name(&named), feature.statistic.of(self.rows, row)));
            }
        }
    }
}
