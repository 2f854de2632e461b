//! Rows of models that belong to series: a window row is scored by itself.

use types::{Scores, SeriesNames, Status, WindowRows};

use super::{Choice, Scorer};

/// What is remembered of a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolved {
    generation: u32,
    model: Choice,
    /// The batch in which `reference` was made.
    batch: u32,
    /// Index into the batch's list of models.
    reference: u32,
}

impl Scorer {
    pub(super) fn prepare_series(&mut self, rows: &WindowRows, names: &dyn SeriesNames) -> Scores {
        let mut scores = self.blank(rows.len());
        for row in 0..rows.len() {
            let status = self.prepare(rows, row, names, &mut scores);
            scores.status.push(status);
        }
        scores
    }

    /// Finds a row's model and makes its feature vector; `Scored` means that it is pending.
    #[inline]
    fn prepare(&mut self, rows: &WindowRows, row: usize, names: &dyn SeriesNames, scores: &mut Scores) -> Status {
        let Some(model) = self.resolve(rows.series[row], names) else { return self.set.without_model() };
        let entry = self.set.entry(model);
        let resolved = &mut self.resolved[rows.series[row] as usize];
        if resolved.batch != self.batch {
            resolved.batch = self.batch;
            resolved.reference = scores.models.len() as u32;
            scores.models.push(entry.reference.clone());
        }
        scores.model[row] = Some(resolved.reference);
        if rows.count[row] < self.min_readings {
            return Status::TooFew;
        }
        let features = self.set.features(entry).unwrap_or(&self.features);
        if features.len() != entry.inputs as usize {
            return Status::MissingFeature;
        }
        let z = &mut self.scratch.z;
        let start = z.len();
        let mut missing = 0;
        for (place, feature) in features.iter().enumerate() {
            let number = match feature.statistic.of(rows, row) {
                Some(number) => Some(number),
                None => {
                    missing += 1;
                    self.missing_feature.stand_in(&self.set, entry, place)
                }
            };
            let Some(number) = number else {
                z.truncate(start);
                return Status::MissingFeature;
            };
            z.push(number);
        }
        if missing > 0 && !self.missing_feature.may_stand_in(missing, features.len()) {
            z.truncate(start);
            return Status::MissingFeature;
        }
        self.pend(row, model, start)
    }

    #[inline]
    fn resolve(&mut self, series: u32, names: &dyn SeriesNames) -> Option<u32> {
        let (place, generation) = (series as usize, names.generation(series));
        if place >= self.resolved.len() {
            let unknown = Resolved { generation: 0, model: Choice::Unknown, batch: 0, reference: 0 };
            self.resolved.resize(place + 1, unknown);
        }
        let resolved = &mut self.resolved[place];
        if resolved.model == Choice::Unknown || resolved.generation != generation {
            let found = self.set.choose(names.device(series), Some(names.sensor(series)));
            *resolved =
                Resolved { generation, model: found.map_or(Choice::NoModel, Choice::Model), batch: 0, reference: 0 };
        }
        match resolved.model {
            Choice::Model(model) => Some(model),
            Choice::NoModel | Choice::Unknown => None,
        }
    }
}
