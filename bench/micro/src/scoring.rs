//! Rows -> scores, by random models that find one row in a few hundred odd, or all of them.

use std::hint::black_box;
use std::sync::Arc;

use aggregate::{Clock, TakeLimit, Windows};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use score::{Config, Kernel, Model, ModelKey, ModelSet, Scorer, Statistic, Step};
use types::{Micros, Reading, Scores, Span, WindowRows};

use crate::Work;
use crate::fleet::{Round, SECOND, START, observe, settings};

pub(crate) const ROWS: usize = 10_000;
const FEATURES: [Statistic; 4] = [Statistic::Mean, Statistic::StdPop, Statistic::Min, Statistic::Max];
const READINGS_PER_WINDOW: i64 = 5;

/// What the models say of the rows. Anomalies cost more: the feature that explains them is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    Normal,
    Anomalous,
}

/// Rows of as many series as there are models, with the windows that they came from and the scorer of their partition.
pub struct Scoring {
    scorer: Scorer,
    pub(crate) windows: Windows,
    pub(crate) rows: WindowRows,
}

impl Scoring {
    #[must_use]
    pub fn new(models: usize, vectors: usize, judged: Judged) -> Scoring {
        let round = Round::new(models);
        let set = ModelSet::from_models(random_models(&round, vectors, judged)).expect("the models are sound");
        let config = Config { features: FEATURES.map(Into::into).to_vec(), ..Config::default() };
        let (windows, rows) = closed_rows(&round);
        let mut scoring = Scoring { scorer: Scorer::new(Arc::new(set), &config), windows, rows };
        scoring.check(judged);
        scoring
    }

    pub fn score(&mut self) -> Scores {
        self.scorer.score(&self.rows, self.windows.names())
    }

    /// Scoring is not measured with anomalies by the dozen if that was not meant.
    fn check(&mut self, judged: Judged) {
        let scores = self.score();
        let anomalies = scores.is_anomaly.iter().filter(|is_anomaly| **is_anomaly).count();
        assert!(scores.decision.iter().all(Option::is_some), "all rows are scored");
        match judged {
            Judged::Normal => assert!(anomalies < ROWS / 50, "{anomalies} anomalies of {ROWS} rows"),
            Judged::Anomalous => assert_eq!(anomalies, ROWS),
        }
    }
}

impl Work for Scoring {
    fn run(&mut self) {
        black_box(self.score());
    }

    fn units(&self) -> usize {
        self.rows.len()
    }
}

/// [`ROWS`] closed windows, shared evenly by the series of a round.
fn closed_rows(round: &Round) -> (Windows, WindowRows) {
    let mut windows = Windows::new(settings(Span::from_secs(10), Clock::Device));
    let mut refused = Vec::new();
    let per_series = (ROWS / round.len()) as i64;
    for step in 0..per_series * READINGS_PER_WINDOW {
        let readings = round.readings(START + step * 10 * SECOND / READINGS_PER_WINDOW);
        observe(&mut windows, readings, &mut refused);
    }
    windows.end(aggregate::Close::All);
    let rows = windows.take_closed(TakeLimit::ALL);
    assert_eq!((rows.len(), refused.len()), (ROWS, 0));
    (windows, rows)
}

/// A model for each series, trained on what the fleet sends, as far as random numbers can be.
fn random_models(round: &Round, vectors: usize, judged: Judged) -> Vec<Model> {
    let mut random = ChaCha8Rng::seed_from_u64(vectors as u64);
    let mut unit = move || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    // Sums over the support vectors of the fleet's rows are about 0.1 for each vector, and hardly ever a hundredth.
    let intercept = match judged {
        Judged::Normal => -0.004,
        Judged::Anomalous => -1.0,
    } * vectors as f64;
    let model = |Reading { device, sensor, .. }| Model {
        key: ModelKey::series(device, sensor),
        features: None,
        steps: vec![Step::Subtract(vec![22.0, 1.05, 20.65, 23.35]), Step::Divide(vec![0.52, 0.3, 0.55, 0.55])],
        kernel: Kernel::Rbf { gamma: 0.25 },
        // About standard normal, as scaled features are.
        support_vectors: (0..vectors * FEATURES.len()).map(|_| (0..12).map(|_| unit()).sum::<f64>() - 6.0).collect(),
        coefficients: (0..vectors).map(|_| unit()).collect(),
        intercept,
        threshold: None,
        version: "1".to_owned(),
        source: "random".to_owned(),
        trained_at: None::<Micros>,
        rows: None,
    };
    round.readings(START).map(model).collect()
}
