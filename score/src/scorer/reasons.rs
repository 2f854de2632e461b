//! Why rows of the batch just scored are anomalies: the figures behind `top_feature`.
//!
//! Only for the few rows that somebody looks at, and only until the next batch: what was prepared for the kernel is still there.

use std::sync::Arc;

use super::{Job, Pending, Scorer};
use crate::set::Prepared;
use crate::severity::severity;

/// What the top feature of a row has to do with its verdict, as [`crate::explain`] tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct TopFeature {
    pub name: Arc<str>,
    pub value: f64,
    /// In training.
    pub mean: f64,
    /// By how much the decision would be higher (more normal) with the feature at its mean, the others as they are.
    pub decision_rise: f64,
    /// By how much this window's own severity would be lower then, where the model defines it.
    pub severity_fall: Option<f64>,
}

impl Scorer {
    /// The top features of some rows of the last batch. `rows` ascend; those without a top feature are left out.
    pub fn reasons(&mut self, rows: &[usize]) -> Vec<(usize, TopFeature)> {
        let wanted = |job: &usize| rows.binary_search(&self.scratch.pending[*job].row).is_ok();
        let jobs: Vec<usize> = (0..self.scratch.pending.len()).filter(wanted).collect();
        jobs.into_iter().filter_map(|job| Some((self.scratch.pending[job].row, self.reason(job)?))).collect()
    }

    fn reason(&mut self, job: usize) -> Option<TopFeature> {
        let Pending { model, raw, .. } = self.scratch.pending[job];
        let (Job { shape, z: start }, sum) = (self.scratch.jobs[job], self.scratch.sums[job]);
        let entry = self.set.entry(model);
        if entry.inputs < 2 || !entry.is_centred {
            return None;
        }
        let own = entry
            .has_severity
            .then(|| severity(&shape, self.set.lanes(), &self.scratch.z, start, sum, entry.intercept));
        if !entry.is_anomalous(sum + entry.intercept, own) {
            return None;
        }
        let best = self.most_moved(job, model)?;
        let entry = self.set.entry(model);
        let variants = &self.scratch.variants;
        let usual_sum = variants.sums[best];
        let lanes = self.set.lanes();
        let severity_fall = own
            .map(|own| own - severity(&shape, lanes, &variants.z, variants.jobs[best].z, usual_sum, entry.intercept));
        let mean = *self.set.centre(entry)?.get(best)?;
        let value = match self.set.preparation(entry) {
            Prepared::Scaling { scale, .. } => self.scratch.z[start + best] * scale[best] + mean,
            Prepared::Steps(_) => self.scratch.raw[raw + best],
        };
        let feature = self.set.features(entry).unwrap_or(&self.features).get(best)?;
        let name = self.shown.name(feature);
        Some(TopFeature { name, value, mean, decision_rise: usual_sum - sum, severity_fall })
    }
}

#[cfg(test)]
mod tests {
    use types::{SeriesNames, WindowRows};

    use super::*;
    use crate::testing::{Names, Random, key, push_row};
    use crate::{Config, Explanation, Feature, Kernel, Model, ModelSet, Statistic, Step, explain};

    fn features() -> Vec<Feature> {
        vec![Statistic::Mean.into(), Statistic::Min.into(), Statistic::Max.into()]
    }

    fn model(random: &mut Random, sensor: &str, kernel: Kernel) -> Model {
        let mut model = random.model(key("d", sensor), kernel, 30, 3);
        model.features = Some(features());
        model
    }

    /// The other way to the same figures judges one vector at a time, by the model itself.
    fn judged(model: &Model, rows: &WindowRows, row: usize) -> Explanation {
        explain(model, &features(), &[rows.mean[row], rows.min[row], rows.max[row]]).expect("an explanation")
    }

    #[test]
    fn reasons_are_those_of_explain() {
        let mut random = Random::new(71);
        let mut whitened = model(&mut random, "whitened", Kernel::Rbf { gamma: 0.2 });
        whitened.steps.push(Step::Project { rows: 3, matrix: random.numbers(9) });
        let models = vec![
            model(&mut random, "rbf", Kernel::Rbf { gamma: 0.5 }),
            model(&mut random, "linear", Kernel::Linear),
            whitened,
        ];
        let names = Names(models.iter().map(|m| ("d".into(), m.key.sensor.clone().expect("a sensor"), 0)).collect());
        let mut rows = WindowRows::default();
        for series in [2, 0, 1, 0, 2, 1, 0] {
            push_row(&mut rows, series, random.numbers(1)[0]);
            // Far away in one place: each vector has a top feature or two that compete.
            let row = rows.len() - 1;
            rows.min[row] = -20.0 * random.numbers(1)[0].abs();
            rows.max[row] = 5.0 + random.numbers(1)[0];
        }
        let mut scorer =
            Scorer::new(Arc::new(ModelSet::from_models(models.clone()).expect("good models")), &Config::default());
        let scores = scorer.score(&rows, &names);
        let wanted = [0, 1, 2, 4, 6];
        let found = scorer.reasons(&wanted);
        assert!(found.len() >= 3, "{found:?}");
        for (row, top) in found {
            assert!(wanted.contains(&row));
            let of = models.iter().find(|m| m.key.sensor.as_deref() == Some(names.sensor(rows.series[row])));
            let explained = judged(of.expect("its model"), &rows, row);
            let first = explained.contributions.as_ref().and_then(|all| all.first()).expect("means are known");
            let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-9 * (1.0 + expected.abs());
            assert_eq!(*top.name, first.feature.to_string());
            if scores.is_anomaly[row] {
                assert_eq!(scores.top_feature[row].as_ref(), Some(&top.name));
            }
            assert!(close(top.value, first.value) && close(top.mean, first.mean), "{top:?}, {first:?}");
            assert!(
                close(top.decision_rise, first.usual.decision - explained.judgement.decision),
                "{top:?}, {first:?}"
            );
            let fall = explained.judgement.severity.zip(first.usual.severity).map(|(now, usual)| now - usual);
            assert_eq!(top.severity_fall.is_some(), fall.is_some());
            assert!(top.severity_fall.zip(fall).is_none_or(|(found, expected)| close(found, expected)), "{top:?}");
        }
    }

    #[test]
    fn another_set_knows_nothing_of_the_batch_before() {
        let mut random = Random::new(72);
        let set = Arc::new(ModelSet::from_models(vec![model(&mut random, "a", Kernel::Linear)]).expect("a good model"));
        let mut rows = WindowRows::default();
        push_row(&mut rows, 0, 3.0);
        let mut scorer = Scorer::new(Arc::clone(&set), &Config::default());
        let _ = scorer.score(&rows, &Names(vec![("d".into(), "a".into(), 0)]));
        scorer.swap(set);
        assert_eq!(scorer.reasons(&[0]), []);
    }
}
