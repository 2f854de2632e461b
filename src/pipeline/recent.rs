//! The newest anomalies, for whoever looks at the running service. Bounded in number, and so in memory: ids have a limit.
//!
//! Off unless somebody asks for it. Of each batch only the last few anomalies are looked at, so that a storm of them costs no more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use score::{Scorer, TopFeature};
use types::{Micros, PartitionId, Scores, SeriesNames, WindowRows};

/// Anomalies of one batch that are looked at.
const OF_BATCH_MAX: usize = 50;

/// An anomalous row.
#[derive(Debug, Clone, PartialEq)]
pub struct Anomaly {
    pub partition: PartitionId,
    pub device: String,
    /// None: of the whole device.
    pub sensor: Option<String>,
    pub window_start: Micros,
    pub window_end: Micros,
    pub readings: u64,
    pub decision: Option<f64>,
    pub severity: Option<f64>,
    pub threshold: Option<f64>,
    /// None: the model has one feature, or does not know what is usual.
    pub top_feature: Option<TopFeature>,
    /// The model's key.
    pub model: Option<String>,
    pub model_set: Arc<str>,
    /// When it was scored.
    pub scored_at: Micros,
}

/// A ring of them.
#[derive(Debug, Default)]
pub struct Recent {
    max: AtomicUsize,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    rows: VecDeque<Anomaly>,
    /// How many were ever taken in.
    taken: u64,
}

impl Recent {
    /// From now on the newest so many are kept.
    pub(crate) fn keep(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    #[must_use]
    pub(crate) fn max(&self) -> usize {
        self.max.load(Ordering::Relaxed)
    }

    /// The newest first.
    #[must_use]
    pub(crate) fn newest_first(&self) -> Vec<Anomaly> {
        self.ring().rows.iter().rev().cloned().collect()
    }

    /// Those taken in since `seen` were, the oldest first, as far as they are still kept; and how many were by now.
    #[must_use]
    pub(crate) fn since(&self, seen: u64) -> (Vec<Anomaly>, u64) {
        let ring = self.ring();
        let new = usize::try_from(ring.taken.saturating_sub(seen)).unwrap_or(usize::MAX);
        let known = ring.rows.len().saturating_sub(new);
        (ring.rows.iter().skip(known).cloned().collect(), ring.taken)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a batch up that this scorer has just scored.
    pub(super) fn note(&self, batch: Batch<'_>, scorer: &mut Scorer) {
        let max = self.max();
        if max == 0 {
            return;
        }
        let anomalous = batch.scores.is_anomaly.iter().enumerate().rev().filter(|(_, anomaly)| **anomaly);
        let mut picked: Vec<usize> = anomalous.map(|(row, _)| row).take(max.min(OF_BATCH_MAX)).collect();
        picked.reverse();
        if picked.is_empty() {
            return;
        }
        let mut reasons = scorer.reasons(&picked);
        // Jobs stand in the order of their models.
        reasons.sort_by_key(|(row, _)| *row);
        let mut reasons = reasons.into_iter().peekable();
        let noted: Vec<Anomaly> = picked
            .into_iter()
            .map(|row| batch.anomaly(row, reasons.next_if(|(of, _)| *of == row).map(|(_, reason)| reason)))
            .collect();
        let mut ring = self.ring();
        ring.taken += noted.len() as u64;
        ring.rows.extend(noted);
        let surplus = ring.rows.len().saturating_sub(max);
        ring.rows.drain(..surplus);
    }

    #[cfg(test)]
    pub(crate) fn put(&self, anomaly: Anomaly) {
        let mut ring = self.ring();
        ring.taken += 1;
        ring.rows.push_back(anomaly);
    }
}

/// What was scored, and where it comes from.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    pub(super) partition: &'a PartitionId,
    pub(super) rows: &'a WindowRows,
    pub(super) scores: &'a Scores,
    pub(super) names: &'a dyn SeriesNames,
    pub(super) now: Micros,
}

impl Batch<'_> {
    fn anomaly(&self, row: usize, top_feature: Option<TopFeature>) -> Anomaly {
        let Batch { rows, scores, names, .. } = *self;
        let window = scores.window_row(row);
        let series = rows.series[window];
        let model = scores.model[row].and_then(|model| scores.models.get(model as usize));
        Anomaly {
            partition: self.partition.clone(),
            device: names.device(series).to_owned(),
            sensor: scores.devices.is_none().then(|| names.sensor(series).to_owned()),
            window_start: rows.start[window],
            window_end: rows.end(window),
            readings: scores.devices.as_ref().map_or(rows.count[window], |devices| devices.count[row]),
            decision: scores.decision[row],
            severity: scores.severity[row],
            threshold: scores.threshold[row],
            top_feature,
            model: model.map(|model| model.key.to_string()),
            model_set: Arc::clone(&scores.model_set),
            scored_at: self.now,
        }
    }
}

#[cfg(test)]
mod tests {
    use score::{Config, Kernel, Model, ModelKey, ModelSet, Step};
    use types::ClosedBy;

    use super::*;

    struct Names;

    impl SeriesNames for Names {
        fn device(&self, series: u32) -> &str {
            ["</script>", "quiet"][series as usize]
        }

        fn sensor(&self, _: u32) -> &str {
            "temp"
        }

        fn generation(&self, _: u32) -> u32 {
            0
        }
    }

    /// Anomalous is what is far from mean 0 and standard deviation 1, by a linear model: `decision = 3 - mean - std`.
    fn scorer() -> Scorer {
        let model = Model {
            key: ModelKey { device: None, sensor: Some("temp".into()) },
            features: Some(vec![score::Statistic::Mean.into(), score::Statistic::Max.into()]),
            steps: vec![Step::Subtract(vec![0.0, 1.0])],
            kernel: Kernel::Linear,
            support_vectors: vec![1.0, 1.0],
            coefficients: vec![-1.0],
            intercept: 3.0,
            threshold: None,
            version: "v".into(),
            source: "a test".into(),
            trained_at: None,
            rows: None,
        };
        Scorer::new(Arc::new(ModelSet::from_models(vec![model]).expect("a good model")), &Config::default())
    }

    /// Means of windows one second wide, of device 0 where they are above 3.
    fn rows(means: &[f64]) -> WindowRows {
        let mut rows = WindowRows { width: 1_000_000, ..WindowRows::default() };
        for (index, &mean) in means.iter().enumerate() {
            rows.series.push(u32::from(mean <= 3.0));
            rows.start.push(index as i64 * 1_000_000);
            rows.count.push(2);
            for column in [&mut rows.sum, &mut rows.mean, &mut rows.min, &mut rows.max, &mut rows.first, &mut rows.last]
            {
                column.push(mean);
            }
            rows.m2.push(0.0);
            rows.delta.push(None);
            rows.closed_by.push(ClosedBy::Device);
        }
        rows
    }

    fn note(recent: &Recent, rows: &WindowRows) -> Scores {
        let mut scorer = scorer();
        let scores = scorer.score(rows, &Names);
        let partition = PartitionId { topic: "t".into(), index: 3 };
        recent.note(Batch { partition: &partition, rows, scores: &scores, names: &Names, now: 9 }, &mut scorer);
        scores
    }

    #[test]
    fn anomalies_are_kept_with_their_reasons() {
        let recent = Recent::default();
        let rows = rows(&[0.0, 40.0, 1.0, 50.0]);
        note(&recent, &rows);
        assert_eq!(recent.newest_first(), [], "nobody asked");
        recent.keep(200);
        note(&recent, &rows);
        let found = recent.newest_first();
        assert_eq!(found.iter().map(|a| a.window_start).collect::<Vec<_>>(), [3_000_000, 1_000_000]);
        let newest = &found[0];
        assert_eq!((newest.device.as_str(), newest.sensor.as_deref()), ("</script>", Some("temp")));
        assert_eq!((newest.window_end, newest.readings, newest.scored_at), (4_000_000, 2, 9));
        // 3 - 50 - (50 - 1), and 50 of it goes away with the mean at 0, which is more than the 49 with the maximum at 1.
        assert_eq!(newest.decision, Some(-96.0));
        let top = newest.top_feature.as_ref().expect("it has two features");
        assert_eq!((&*top.name, top.value, top.mean, top.decision_rise), ("mean", 50.0, 0.0, 50.0));
    }

    #[test]
    fn a_storm_costs_no_more_than_its_bound() {
        let recent = Recent::default();
        recent.keep(70);
        let scores = note(&recent, &rows(&[9.0; 1000]));
        assert_eq!(scores.is_anomaly.iter().filter(|anomaly| **anomaly).count(), 1000);
        let starts: Vec<i64> = recent.newest_first().iter().map(|a| a.window_start / 1_000_000).collect();
        assert_eq!(starts, (950..1000).rev().collect::<Vec<_>>());
        note(&recent, &rows(&[9.0; 60]));
        assert_eq!(recent.since(50).1, 100);
        let seen = |since| recent.since(since).0.iter().map(|a| a.window_start / 1_000_000).collect::<Vec<_>>();
        assert_eq!(seen(98), [58, 59]);
        assert_eq!((seen(0).len(), seen(100).len(), seen(999).len()), (70, 0, 0));
        let found = recent.newest_first();
        assert_eq!((found.len(), found[0].window_start, found[50].window_start), (70, 59_000_000, 999_000_000));
    }
}
