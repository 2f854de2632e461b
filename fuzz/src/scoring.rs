//! Models that a reader accepted: each must judge a window without a panic, and say so with a finite decision or not at all.

use std::sync::Arc;

use score::{Config, Feature, Model, ModelSet, Scorer, Statistic};
use types::{ClosedBy, Scores, SeriesNames, Status, WindowRows};

/// One series, named as the model's key.
struct Names<'a>(&'a Model);

impl SeriesNames for Names<'_> {
    fn device(&self, _: u32) -> &str {
        self.0.key.device.as_deref().unwrap_or("d")
    }

    fn sensor(&self, _: u32) -> &str {
        self.0.key.sensor.as_deref().unwrap_or("s")
    }

    fn generation(&self, _: u32) -> u32 {
        0
    }
}

/// Windows near and far, and of one reading.
fn rows() -> WindowRows {
    let means = [0.0, 1.0, -3.5, 1e6, -1e150, f64::MAX];
    let all = means.len();
    WindowRows {
        width: 1,
        series: vec![0; all],
        start: (0..).take(all).collect(),
        count: (1..).take(all).collect(),
        sum: means.to_vec(),
        mean: means.to_vec(),
        m2: vec![2.0; all],
        min: means.to_vec(),
        max: means.to_vec(),
        first: means.to_vec(),
        last: means.to_vec(),
        delta: vec![Some(0.5); all],
        closed_by: vec![ClosedBy::Device; all],
    }
}

/// Judges windows by the model, exactly and fast.
pub fn check(model: Model) {
    model.check().expect("a reader checks what it gives out");
    // A feature occurs once in a list, but the configuration's list may be of any length.
    let features = Statistic::ALL.into_iter().cycle().take(model.inputs()).map(Feature::from).collect();
    let set = Arc::new(ModelSet::from_models(vec![model.clone()]).expect("a model that passes its check makes a set"));
    for exact in [false, true] {
        let config = Config { features: Vec::clone(&features), exact, ..Config::default() };
        check_scores(&Scorer::new(set.clone(), &config).score(&rows(), &Names(&model)));
    }
}

fn check_scores(scores: &Scores) {
    for (row, status) in scores.status.iter().enumerate() {
        let (decision, severity) = (scores.decision[row], scores.severity[row]);
        match status {
            Status::Scored => assert!(decision.is_some_and(f64::is_finite), "the decision {decision:?}"),
            _ => assert_eq!((decision, scores.is_anomaly[row]), (None, false), "{status:?}"),
        }
        assert!(!severity.is_some_and(f64::is_nan), "the severity {severity:?}");
    }
}
